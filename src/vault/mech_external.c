/* EXTERNAL (RFC 4422 appendix A): the certificate that the client has shown in its TLS handshake is the login. */
#include "base/log.h"
#include "vault/sasl.h"

static bool offered(const struct sasl_host *host)
{
	return host->certificate.n > 0;
}

/* The name of the certificate that the client asks for, or its first; p NULL: it has no such name. */
static slice chosen(slice names, slice wanted)
{
	while (names.n) {
		slice name = slice_head(names, slice_find(names, '\n'));

		if (wanted.n == 0 || slice_eq_nocase(name, wanted))
			return name;
		names = slice_from(names, name.n + 1);
	}
	return (slice){ 0 };
}

static enum sasl_result step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	struct login_account account = { 0 };
	slice name = chosen(host->certificate, response);

	(void)challenge_out;
	sasl->name = arena_copy(sasl->arena, name.p ? name : slice_head(response, 200));
	if (name.p && !host->find(host->context, name, &account, error))
		return SASL_FAILED;
	if (!account.id) {
		log_warn("certificate.refused",
		    kv_str("s", host->session ? host->session->id : "-"),
		    kv_text("name", sasl->name),
		    kv_str("why",
			!name.p
			    ? "the client wants to be somebody whom its certificate does not name"
			    : account.disabled
			    ? "the account is disabled here: hauberk account enable"
			    : "there is no such account here: hauberk account add"));
		return SASL_WRONG;
	}
	sasl->account = account.id;
	return SASL_DONE;
}

const struct sasl_mechanism sasl_external = { "EXTERNAL", SASL_EXTERNAL, true, offered, step,
	.quick = true };
