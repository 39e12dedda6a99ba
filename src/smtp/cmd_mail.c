/* MAIL: RFC 5321 §4.1.1.2 */
#include "smtp/internal.h"

#include "base/memory.h"

/* What EHLO did not offer because the policy does not want it. */
static struct reply check_body(struct session *s, uint64_t flags)
{
	const struct policy_state *p = ((const struct smtp *)s->state)->policy;
	const char *what = flags & ENVELOPE_8BIT && !policy_yes_of(p, FACT_allow8BitMime, true)
	    ? "BODY=8BITMIME"
	    : flags & ENVELOPE_BINARY && !policy_yes_of(p, FACT_allowBinaryData, true)
	    ? "BODY=BINARYMIME"
	    : flags & ENVELOPE_UTF8 && !policy_yes_of(p, FACT_allowSMTPUTF8, true) ? "SMTPUTF8"
										   : NULL;

	return what ? reply(s, 555, "5.5.4", "%s is not offered here", what) : (struct reply){ 0 };
}

/* Is the parameter one that this session may use? code 0: yes. */
static struct reply check_parameters(struct session *s, const struct mail_arguments *arguments)
{
	if (arguments->unknown.n)
		return reply(
		    s, 555, "5.5.4", "unknown parameter %.*s", SLICE_ARG(arguments->unknown));
	if (arguments->flags & ENVELOPE_REQUIRE_TLS && !session_secure(s)) /* RFC 8689 §4.2 */
		return reply(s, 530, "5.7.10", "REQUIRETLS wants TLS here too: STARTTLS first");
	if (arguments->sender.utf8 && !(arguments->flags & ENVELOPE_UTF8)) /* RFC 6531 §3.5 */
		return reply(s, 553, "5.6.7", "an international address wants SMTPUTF8");
	return check_body(s, arguments->flags);
}

/* Of the whole message, when the policy has said how large it may be. */
static struct reply check_size(struct session *s, uint64_t size)
{
	if (size == SMTP_NO_SIZE || size <= smtp_max_message(s))
		return (struct reply){ 0 };
	return reply(s, 552, "5.3.4", "the message is larger than %llu octets",
	    (unsigned long long)smtp_max_message(s));
}

/* Somebody who has logged in writes as himself: as his account, its details and what aliases lead to it. */
static struct reply check_sender(struct session *s, const struct address *sender)
{
	const struct smtp *smtp = s->state;
	struct directory_recipients to;
	struct error error;

	if (!smtp->account || !smtp_conf->check_sender || address_is_null(sender))
		return (struct reply){ 0 };
	if (smtp_resolve(s, sender, &to, &error) == DIRECTORY_FAILED)
		return smtp_ask_later(s, &error);
	for (size_t i = 0; i < to.count; i++)
		if (to.accounts[i].id == smtp->account && !to.catch_all)
			return (struct reply){ 0 };
	return reply(s, 553, "5.7.1", "%.*s may not send as %.*s", SLICE_ARG(smtp->login),
	    SLICE_ARG(address_text(s->turn, sender)));
}

struct reply cmd_mail(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	struct mail_arguments arguments;

	if (!parse_mail(c, s->turn, &arguments))
		return reply_syntax(s, c);
	struct reply refused = check_parameters(s, &arguments);
	if (!refused.code)
		refused = check_sender(s, &arguments.sender);
	if (refused.code)
		return refused;

	struct arena *arena = arena_new(SMTP_TX_MEMORY);
	smtp->tx = ARENA_NEW(arena, struct transaction);
	smtp->tx->arena = arena;
	smtp->tx->sender = address_text(arena, &arguments.sender);
	smtp->tx->size = arguments.size;
	smtp->tx->flags = arguments.flags;
	smtp->tx->id = arena_copy(arena, arguments.id);
	smtp->tx->began_us = clock_us();
	trace_begin(&smtp->tx->trace);
	trace_append(&smtp->tx->trace, &smtp->trace);
	smtp->tx->trace_id =
	    (struct trace_id){ .session = slice_of(s->id), .number = smtp->transactions += 1 };
	TRACE(smtp_trace(s), TRACE_MAIL, 0, smtp->tx->sender);
	refused = event_mail(s);
	if (!refused.code)
		refused = check_size(s, arguments.size);
	if (refused.code)
		return tx_refused(s, refused, SLICE("MAIL"));
	return reply(s, 250, "2.1.0", "sender ok");
}
