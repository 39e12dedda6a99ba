/* PLAIN (RFC 4616) and LOGIN (never a standard; draft-murchison-sasl-login): the password itself. */
#include "vault/sasl.h"

static bool always(const struct sasl_host *host)
{
	(void)host;
	return true;
}

static enum sasl_result check(
    struct sasl *sasl, const struct sasl_host *host, slice password, struct error *error)
{
	switch (sasl_check(host, sasl->name, password, &sasl->account, error)) {
	case LOGIN_RIGHT:
		return SASL_DONE;
	case LOGIN_WRONG:
		return SASL_WRONG;
	case LOGIN_FAILED:
		break;
	}
	return SASL_FAILED;
}

static enum sasl_result plain_step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	slice name, password;

	(void)challenge_out;
	if (!login_plain_parse(response, &name, &password)) {
		error_input(error, "PLAIN wants NUL name NUL password, for yourself");
		return SASL_MALFORMED;
	}
	sasl->name = arena_copy(sasl->arena, name);
	return check(sasl, host, password, error);
}

static enum sasl_result login_step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	/* A client may send the name at once. */
	if (sasl->step == 0 && !response.p) {
		buf_adds(challenge_out, "Username:");
		return SASL_CONTINUE;
	}
	if (!sasl->name.p) {
		sasl->name = arena_copy(sasl->arena, response);
		buf_adds(challenge_out, "Password:");
		return SASL_CONTINUE;
	}
	return check(sasl, host, response, error);
}

const struct sasl_mechanism sasl_plain = { "PLAIN", SASL_PLAIN, true, always, plain_step };
const struct sasl_mechanism sasl_login = { "LOGIN", SASL_LOGIN, false, always, login_step };
