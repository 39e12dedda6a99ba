/* MAIL: RFC 5321 §4.1.1.2 */
#include "smtp/internal.h"

#include "base/memory.h"

struct reply cmd_mail(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	struct mail_arguments arguments;

	if (!parse_mail(c, s->turn, &arguments))
		return reply_syntax(s, c);
	if (arguments.unknown.n)
		return reply(
		    s, 555, "5.5.4", "unknown parameter %.*s", SLICE_ARG(arguments.unknown));
	if (arguments.size != SMTP_NO_SIZE && arguments.size > smtp_conf->max_message)
		return reply(s, 552, "5.3.4", "the message is larger than %llu octets",
		    (unsigned long long)smtp_conf->max_message);

	struct arena *arena = arena_new(SMTP_TX_MEMORY);
	smtp->tx = ARENA_NEW(arena, struct transaction);
	smtp->tx->arena = arena;
	smtp->tx->sender = address_text(arena, &arguments.sender);
	smtp->tx->size = arguments.size;
	smtp->tx->began_us = clock_us();
	return reply(s, 250, "2.1.0", "sender ok");
}
