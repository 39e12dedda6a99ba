/* AUTH: RFC 4954. The exchange itself is vault/sasl.h's. */
#include "smtp/internal.h"

#include "base/log.h"
#include "vault/sasl_policy.h"

static enum login_answer login(void *context, slice name, slice password, struct deadline deadline,
    int64_t *account_out, struct error *error)
{
	struct directory *directory = smtp_directory(context, error);

	return directory ? login_check(directory, name, password, deadline, account_out, error)
			 : LOGIN_FAILED;
}

static bool find(void *context, slice name, struct login_account *account_out, struct error *error)
{
	struct directory *directory = smtp_directory(context, error);

	return directory && login_find(directory, name, account_out, error);
}

static bool may_act(
    void *context, int64_t account, int64_t other, bool *may_out, struct error *error)
{
	struct directory *directory = smtp_directory(context, error);

	return directory && directory_may_act(directory, account, other, may_out, error);
}

/* What the policy has set for this connection; a list that cannot be read offers nothing. */
static void limit_types(struct session *s, struct sasl_host *host)
{
	const struct smtp *smtp = s->state;
	enum fact fact = session_secure(s) ? FACT_secureConnAuthTypes : FACT_plainConnAuthTypes;
	slice text = policy_text_of(smtp->policy, fact, (slice){ 0 });
	struct error error;
	unsigned types = 0;

	if (!text.p)
		return;
	if (!sasl_types_read(text, &types, &error))
		log_warn("policy.types", kv_str("s", s->id), kv_why(&error));
	host->types = types;
}

static struct sasl_host host_of(struct session *s)
{
	struct sasl_host host = { .context = s, .login = login, .find = find, .may_act = may_act };

	sasl_host_fill(&host, s);
	limit_types(s, &host);
	return host;
}

void auth_offer(struct session *s, struct buf *out)
{
	struct sasl_host host = host_of(s);

	sasl_offer(&host, " ", out);
}

static struct reply wrong(struct session *s)
{
	struct smtp *smtp = s->state;
	struct reply r = reply(s, 535, "5.7.8", "the name or the password is not right");

	log_info("login.refused", kv_str("s", s->id), kv_str("peer", s->peer),
	    kv_text("name", smtp->sasl.name));
	if (++smtp->login_failures >=
	    policy_number_of(smtp->policy, FACT_maxAuthErrors, smtp_conf->max_login_failures))
		r.turn = TURN_CLOSE;
	struct reply refused = event_auth(s, false);
	return refused.code ? refused : r;
}

static struct reply welcome(struct session *s)
{
	struct smtp *smtp = s->state;

	smtp->account = smtp->sasl.account;
	smtp->login = smtp->sasl.name;
	/* What was said in clear does not count any more, but for who it is (RFC 4954 §4). */
	if (smtp->sasl.layered) {
		buf_clear(&smtp->hello);
		smtp->extended = false;
	}
	struct reply refused = event_auth(s, true);
	if (refused.code) {
		smtp->account = 0;
		smtp->login = (slice){ 0 };
		return refused;
	}
	TRACE(smtp_trace(s), TRACE_LOGIN, 0, smtp->login,
	    slice_of(smtp->mechanism ? smtp->mechanism : ""));
	log_info(
	    "login", kv_str("s", s->id), kv_str("peer", s->peer), kv_text("name", smtp->login));
	return reply(s, 235, "2.7.0", "welcome");
}

/* text.p NULL: the client has said nothing yet. */
static struct reply step(struct session *s, slice text)
{
	struct smtp *smtp = s->state;
	struct sasl_host host = host_of(s);
	struct reply r = { 0 };
	struct error error;
	struct buf challenge;

	buf_init(&challenge, 2 * SASL_MESSAGE);
	smtp->mechanism = smtp->sasl.mechanism->name;
	enum sasl_result result = sasl_line(&smtp->sasl, &host, text, &challenge, &error);
	switch (result) {
	case SASL_CONTINUE:
		r = reply(s, 334, NULL, "%.*s", SLICE_ARG(buf_slice(&challenge)));
		break;
	case SASL_DONE:
		r = welcome(s);
		break;
	case SASL_WRONG:
		r = wrong(s);
		break;
	case SASL_MALFORMED:
		r = reply(s, 501, "5.5.2", "%s", error.said);
		break;
	case SASL_FAILED:
		log_warn("login.failed", kv_str("s", s->id), kv_text("name", smtp->sasl.name),
		    kv_why(&error));
		r = reply(s, 454, "4.7.0", "%s", error.said);
		break;
	}
	buf_free(&challenge);
	return r;
}

struct reply auth_line(struct session *s, slice line)
{
	return step(s, line);
}

size_t auth_longest(struct session *s, slice begun)
{
	struct smtp *smtp = s->state;
	struct sasl_host host = host_of(s);
	bool command = slice_starts_nocase(begun, SLICE("AUTH "));

	if (!smtp->sasl.mechanism && !command)
		return 0;
	return sasl_line_most(&smtp->sasl, &host, slice_from(begun, command ? 5 : 0));
}

struct reply cmd_auth(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	struct sasl_host host = host_of(s);
	slice name, response;

	if (!host.secure && !host.types)
		return reply(s, 538, "5.7.11", "encryption is required: STARTTLS first");
	if (smtp->account)
		return reply(s, 503, "5.5.1", "you are logged in already");
	if (!parse_auth(c, &name, &response))
		return reply_syntax(s, c);
	const struct sasl_mechanism *mechanism = sasl_find(name, &host);
	if (!mechanism && !host.secure)
		return reply(s, 538, "5.7.11", "encryption is required: STARTTLS first");
	if (!mechanism)
		return reply(s, 504, "5.5.4", "the mechanism is not offered; EHLO says which are");
	sasl_begin(&smtp->sasl, mechanism, s->arena);
	return step(s, response);
}
