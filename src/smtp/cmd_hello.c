/* EHLO and HELO: RFC 5321 §4.1.1.1 */
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

struct reply cmd_ehlo(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	bool offers_tls =
	    smtp_conf->tls && s->listener->tls == LISTENER_STARTTLS && !session_secure(s);

	if (!take_name(s, c))
		return reply_syntax(s, c);
	smtp->extended = true;
	struct buf auth;
	buf_init(&auth, 500);
	if (!smtp->account)
		auth_offer(s, &auth);
	struct reply r = reply(s, 250, NULL,
	    "%s greets %.*s\nPIPELINING\nSIZE %llu\n8BITMIME\nCHUNKING\nENHANCEDSTATUSCODES%s%s%.*s",
	    smtp_conf->hostname, SLICE_ARG(smtp->hello), (unsigned long long)smtp_conf->max_message,
	    offers_tls ? "\nSTARTTLS" : "", auth.n ? "\nAUTH" : "", SLICE_ARG(buf_slice(&auth)));
	buf_free(&auth);
	return r;
}

struct reply cmd_helo(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;

	if (!take_name(s, c))
		return reply_syntax(s, c);
	smtp->extended = false;
	return reply(s, 250, NULL, "%s", smtp_conf->hostname);
}
