/*
 * GSSAPI: a ticket of Kerberos V5 (RFC 4752). The role auth has the keys; here is the conversation.
 *
 *     C: token                 (AP-REQ)
 *     S: token                 (AP-REP; left out where the client wants no proof of the server)
 *     C: (empty)
 *     S: layers, wrapped       (none where TLS is the layer)
 *     C: choice, wrapped       with the name that it wants to be
 */
#include "vault/sasl.h"

#include "base/log.h"
#include "net/ask.h"
#include "vault/kerberos.h"
#include "vault/layer.h"
#include "vault/principal.h"

enum phase { PHASE_TOKEN, PHASE_EMPTY, PHASE_CHOICE };

struct gssapi {
	enum phase phase;
	slice principal, challenge, state;
};

static bool offered(const struct sasl_host *host)
{
	return host->kerberos && (host->secure || host->layers);
}

static enum sasl_result refuse(const struct sasl *sasl, const struct sasl_host *host,
    slice principal, slice code, slice why, enum sasl_result result)
{
	log_warn("kerberos.refused", kv_str("s", host->session ? host->session->id : "-"),
	    kv_str("service", kerberos_service_name(host->service)),
	    kv_text("principal", principal), kv_text("name", sasl->name), kv_text("code", code),
	    kv_text("why", why));
	return result;
}

/* What auth says, when it does not accept. The client hears no more than that it is not right. */
static enum sasl_result not_accepted(const struct sasl *sasl, const struct sasl_host *host,
    slice principal, const struct ask_kerberos *a, struct error *error)
{
	enum sasl_result result = SASL_WRONG;

	if (a->result == KERBEROS_MALFORMED) {
		error_input(error, "GSSAPI: the token is malformed");
		result = SASL_MALFORMED;
	} else if (a->result != KERBEROS_REFUSED) {
		error_local(error, "Kerberos: %.*s", SLICE_ARG(a->why));
		result = SASL_FAILED;
	}
	return refuse(sasl, host, principal, a->code, a->why, result);
}

/* Nothing, one's own name, with or without its domain, or one's principal. */
static bool is_himself(slice wanted, slice name, slice principal)
{
	return wanted.n == 0 || slice_eq_nocase(wanted, name) ||
	    slice_eq_nocase(wanted, principal) ||
	    slice_eq_nocase(wanted, slice_head(name, slice_find(name, '@')));
}

/* Whose account a client names that is not his own: an address, a principal, or a name of his own domain. */
static bool find_other(struct sasl *sasl, const struct sasl_host *host, slice wanted,
    struct login_account *account_out, struct error *error)
{
	slice domain = slice_from(sasl->name, slice_find(sasl->name, '@'));
	slice name = wanted;

	if (slice_find(wanted, '@') == wanted.n)
		name = slice_of(
		    arena_printf(sasl->arena, "%.*s%.*s", SLICE_ARG(wanted), SLICE_ARG(domain)));
	if (!host->find(host->context, name, account_out, error))
		return false;
	if (account_out->id || account_out->disabled ||
	    principal_account(wanted, sasl->arena, &name) != PRINCIPAL_USER)
		return true;
	return host->find(host->context, name, account_out, error);
}

/* Only whom the owner's list names may be somebody else (hauberk account grant). */
static enum sasl_result act_for(struct sasl *sasl, const struct sasl_host *host, slice principal,
    slice wanted, struct error *error)
{
	struct login_account other;
	bool may = false;

	if (!find_other(sasl, host, wanted, &other, error) ||
	    (other.id && host->may_act &&
		!host->may_act(host->context, sasl->account, other.id, &may, error)))
		return SASL_FAILED;
	if (!may) {
		refuse(sasl, host, principal, SLICE("other-user"),
		    slice_of(arena_printf(sasl->arena,
			"the client wants to be %.*s, who has not granted that: hauberk account grant",
			SLICE_ARG(slice_head(wanted, 200)))),
		    SASL_WRONG);
		return SASL_WRONG;
	}
	log_info("kerberos.acts", kv_str("s", host->session ? host->session->id : "-"),
	    kv_text("principal", principal), kv_text("name", sasl->name), kv_text("as", wanted));
	sasl->account = other.id;
	sasl->name = arena_copy(sasl->arena, wanted);
	return SASL_DONE;
}

static enum sasl_result no_user(const struct sasl *sasl, const struct sasl_host *host,
    slice principal, enum principal_answer answer)
{
	static const char *const codes[] = { [PRINCIPAL_NO_USER] = "no-user",
		[PRINCIPAL_OTHER_REALM] = "other-realm",
		[PRINCIPAL_UNKNOWN_SUFFIX] = "unknown-suffix" };
	static const char *const why[] = { [PRINCIPAL_NO_USER] = "the principal is no user's",
		[PRINCIPAL_OTHER_REALM] = "kerberos.realms does not name the principal's realm",
		[PRINCIPAL_UNKNOWN_SUFFIX] =
		    "the domain of the principal's name is neither its realm nor one of "
		    "kerberos.upnSuffixes" };

	return refuse(
	    sasl, host, principal, slice_of(codes[answer]), slice_of(why[answer]), SASL_WRONG);
}

/* The client has proved who it is: whose account is that? */
static enum sasl_result find_account(struct sasl *sasl, const struct sasl_host *host,
    slice principal, slice authorize_as, struct error *error)
{
	enum principal_answer answer;
	struct login_account account;
	slice name;

	answer = principal_account(principal, sasl->arena, &name);
	if (answer != PRINCIPAL_USER)
		return no_user(sasl, host, principal, answer);
	sasl->name = name;
	if (!host->find(host->context, name, &account, error))
		return SASL_FAILED;
	if (account.disabled)
		return refuse(sasl, host, principal, SLICE("account-disabled"),
		    SLICE("the account is disabled here: hauberk account enable"), SASL_WRONG);
	if (!account.id)
		return refuse(sasl, host, principal, SLICE("no-account"),
		    SLICE("there is no such account here: hauberk account add"), SASL_WRONG);
	sasl->account = account.id;
	return is_himself(authorize_as, name, principal)
	    ? SASL_DONE
	    : act_for(sasl, host, principal, authorize_as, error);
}

static enum sasl_result take_token(struct sasl *sasl, const struct sasl_host *host,
    struct gssapi *g, slice token, struct buf *out, struct error *error)
{
	enum sasl_result result = SASL_CONTINUE;
	struct ask_kerberos a;

	unsigned layers = host->layers | (host->secure ? KERBEROS_NO_LAYER : 0);
	if (!ask_kerberos_accept(host->service, layers, token, host->deadline, &a, error))
		return SASL_FAILED;
	if (a.result == KERBEROS_ACCEPTED) {
		g->principal = arena_copy(sasl->arena, a.principal);
		g->challenge = arena_copy(sasl->arena, a.challenge);
		g->state = arena_copy(sasl->arena, a.state);
		g->phase = a.token.n ? PHASE_EMPTY : PHASE_CHOICE;
		sasl->name = g->principal;
		buf_add(out, a.token.n ? a.token : a.challenge);
		if (a.why.n)
			log_warn("kerberos.weak",
			    kv_str("s", host->session ? host->session->id : "-"),
			    kv_text("principal", a.principal), kv_text("why", a.why));
	} else {
		result = not_accepted(sasl, host, (slice){ 0 }, &a, error);
	}
	peers_reply_free(&a.reply);
	return result;
}

static enum sasl_result take_choice(struct sasl *sasl, const struct sasl_host *host,
    const struct gssapi *g, slice response, struct error *error)
{
	enum sasl_result result;
	struct ask_kerberos a;

	if (!ask_kerberos_finish(host->service, g->state, response, host->deadline, &a, error))
		return SASL_FAILED;
	if (a.result == KERBEROS_ACCEPTED)
		result = find_account(sasl, host, g->principal, a.authorize_as, error);
	else
		result = not_accepted(sasl, host, g->principal, &a, error);
	if (result == SASL_DONE && a.layer != KERBEROS_NO_LAYER) {
		sasl->layered = layer_make(a.state, a.layer == KERBEROS_CONFIDENTIALITY,
		    a.layer_most, &sasl->layer, error);
		if (!sasl->layered)
			result = SASL_FAILED;
	}
	peers_reply_free(&a.reply);
	return result;
}

static enum sasl_result step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	struct gssapi *g = sasl->state;

	if (!g)
		sasl->state = g = ARENA_NEW(sasl->arena, struct gssapi);
	switch (g->phase) {
	case PHASE_TOKEN:
		return take_token(sasl, host, g, response, challenge_out, error);
	case PHASE_EMPTY:
		if (response.n) {
			error_input(error, "GSSAPI: nothing more is wanted from the client here");
			return SASL_MALFORMED;
		}
		buf_add(challenge_out, g->challenge);
		g->phase = PHASE_CHOICE;
		return SASL_CONTINUE;
	case PHASE_CHOICE:
		break;
	}
	return take_choice(sasl, host, g, response, error);
}

const struct sasl_mechanism sasl_gssapi = { "GSSAPI", SASL_GSSAPI, true, offered, step,
	KERBEROS_TOKEN, true };
