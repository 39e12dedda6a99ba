#include "smtp/internal.h"

#include <stdarg.h>
#include <stdio.h>

struct reply reply(struct session *s, int code, const char *enhanced, const char *text, ...)
{
	char room[1024];
	va_list args;

	va_start(args, text);
	vsnprintf(room, sizeof room, text, args);
	va_end(args);
	/* A quick command has a turn's arena too: the reactor's. */
	return (struct reply){ .code = code,
		.enhanced = enhanced,
		.text = arena_str(s->turn, slice_of(room)),
		.turn = TURN_NEXT };
}

struct reply reply_syntax(struct session *s, const struct cursor *c)
{
	return reply(
	    s, 501, "5.5.4", "expected %s at octet %zu of the arguments", c->expected, c->at + 1);
}

/* RFC 5321 §4.2.1: "250-..." for all lines but the last; RFC 2034: the enhanced code on each. A text
 * may hold what a client sent: only visible ASCII and blanks go out. */
void reply_write(struct session *s, const struct reply *r)
{
	slice rest = slice_of(r->text);

	do {
		size_t end = slice_find(rest, '\n');
		bool last = end == rest.n;

		buf_addf(&s->out, "%03d%c", r->code, last ? ' ' : '-');
		if (r->enhanced)
			buf_addf(&s->out, "%s ", r->enhanced);
		for (size_t i = 0; i < end; i++)
			buf_addc(&s->out,
			    octet_is(rest.p[i], OCTET_VISIBLE) || rest.p[i] == ' ' ? rest.p[i]
										   : '?');
		buf_adds(&s->out, "\r\n");
		rest = slice_from(rest, end + 1);
	} while (rest.n);
}
