/* STARTTLS: RFC 3207 */
#include "net/layer.h"
#include "smtp/internal.h"

struct reply cmd_starttls(struct session *s, struct cursor *c)
{
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_done(c))
		return reply(s, 501, "5.5.4", "STARTTLS takes no arguments");
	if (session_layered(s))
		return reply(s, 503, "5.5.1", "there is a security layer already");
	if (session_secure(s))
		return reply(s, 503, "5.5.1", "TLS is up already");
	if (!starttls_allowed(s))
		return reply(s, 502, "5.5.1", "TLS is not offered here");
	struct reply r = reply(s, 220, "2.0.0", "ready for the handshake");
	r.turn = TURN_STARTTLS;
	return r;
}
