/* EHLO and HELO: RFC 5321 §4.1.1.1 */
#include "net/layer.h"
#include "smtp/internal.h"

static bool take_name(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	slice name;

	if (!parse_hello(c, s->turn, &name))
		return false;
	/* §4.1.4: a new EHLO clears what was begun. */
	tx_end(smtp);
	buf_clear(&smtp->hello);
	buf_add(&smtp->hello, name);
	return true;
}

bool starttls_allowed(const struct session *s)
{
	const struct smtp *smtp = s->state;

	return s->listener->tls == LISTENER_STARTTLS && !session_layered(s) &&
	    policy_yes_of(smtp->policy, FACT_allowStartTLS, true);
}

/* The keywords, a line each, of what this session may use. */
static void offer(struct session *s, struct buf *out)
{
	const struct smtp *smtp = s->state;
	const struct policy_state *p = smtp->policy;
	struct buf auth;

	buf_addf(out, "SIZE %llu\nCHUNKING\nDSN\nENHANCEDSTATUSCODES\nLIMITS RCPTMAX=%zu",
	    (unsigned long long)smtp_max_message(s), smtp_conf->max_recipients);
	buf_adds(out, policy_yes_of(p, FACT_allowPipelining, true) ? "\nPIPELINING" : "");
	buf_adds(out, policy_yes_of(p, FACT_allow8BitMime, true) ? "\n8BITMIME" : "");
	buf_adds(out, policy_yes_of(p, FACT_allowBinaryData, true) ? "\nBINARYMIME" : "");
	buf_adds(out, policy_yes_of(p, FACT_allowSMTPUTF8, true) ? "\nSMTPUTF8" : "");
	if (session_secure(s)) /* RFC 8689 §4.1: never in clear */
		buf_adds(out, "\nREQUIRETLS");
	else if (starttls_allowed(s))
		buf_adds(out, "\nSTARTTLS");
	if (smtp_may_speak_for(s))
		buf_adds(out, "\nXCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
	if (smtp->account)
		return;
	buf_init(&auth, 500);
	auth_offer(s, &auth);
	if (auth.n)
		buf_addf(out, "\nAUTH%.*s", SLICE_ARG(buf_slice(&auth)));
	buf_free(&auth);
}

static struct reply greeted(struct session *s)
{
	struct smtp *smtp = s->state;

	TRACE(smtp_trace(s), TRACE_HELLO, 0, buf_slice(&smtp->hello));
	return event_ehlo(s);
}

struct reply cmd_ehlo(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	struct buf keywords;

	if (!take_name(s, c))
		return reply_syntax(s, c);
	smtp->extended = true;
	struct reply refused = greeted(s);
	if (refused.code)
		return refused;
	buf_init(&keywords, 2000);
	offer(s, &keywords);
	struct reply r = reply(s, 250, NULL, "%s greets %.*s\n%.*s", smtp_conf->hostname,
	    SLICE_ARG(smtp->hello), SLICE_ARG(buf_slice(&keywords)));
	buf_free(&keywords);
	return r;
}

struct reply cmd_helo(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;

	if (!take_name(s, c))
		return reply_syntax(s, c);
	smtp->extended = false;
	struct reply refused = greeted(s);
	if (refused.code)
		return refused;
	return reply(s, 250, NULL, "%s", smtp_conf->hostname);
}
