/* Commands of a line or two: RSET, NOOP, QUIT, HELP. */
#include "smtp/internal.h"

struct reply cmd_rset(struct session *s, struct cursor *c)
{
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_done(c))
		return reply(s, 501, "5.5.4", "RSET takes no arguments");
	tx_end(s->state);
	return reply(s, 250, "2.0.0", "ok");
}

struct reply cmd_noop(struct session *s, struct cursor *c)
{
	(void)c; /* RFC 5321 §4.1.1.9: an argument is ignored */
	return reply(s, 250, "2.0.0", "ok");
}

struct reply cmd_quit(struct session *s, struct cursor *c)
{
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_done(c))
		return reply(s, 501, "5.5.4", "QUIT takes no arguments");
	struct reply r = reply(s, 221, "2.0.0", "%s goodbye", smtp_conf->hostname);
	r.turn = TURN_CLOSE;
	return r;
}

struct reply cmd_help(struct session *s, struct cursor *c)
{
	(void)c;
	return reply(s, 214, "2.0.0",
	    "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY EXPN HELP STARTTLS AUTH: RFC 5321");
}
