#include "imap/internal.h"

#include "imap/parse.h"
#include "mail/date.h"
#include "mail/summary.h"

struct appending {
	slice mailbox, content;
	struct flag_list flags;
	int64_t received_us;
};

/* append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal   RFC 9051 §6.3.12 */
static void arguments_parse(struct imap *im, struct cursor *args, struct appending *a)
{
	struct date date;

	parse_space(args);
	a->mailbox = parse_mailbox(args, im->arena);
	parse_space(args);
	if (cursor_peek(args) == '(') {
		parse_flags(args, im->arena, false, &a->flags);
		parse_space(args);
	}
	a->received_us = clock_wall_us();
	if (cursor_peek(args) == '"') {
		if (date_internal_parse(args, &date))
			a->received_us = date.seconds * 1000000;
		parse_space(args);
	}
	if (cursor_peek(args) != '{')
		cursor_fail(args, "literal");
	a->content = parse_string(args, im->arena);
}

/* Octets of the line end that text begins with: 2, 1 for a CR or LF alone, 0 for none. */
static size_t line_end(slice text)
{
	if (text.n == 0 || (text.p[0] != '\r' && text.p[0] != '\n'))
		return 0;
	return slice_starts(text, SLICE("\r\n")) ? 2 : 1;
}

/* Messages are kept with CRLF line ends, and with no CR or LF alone, which another program could take for
 * one (RFC 5321 §2.3.8). */
static slice with_crlf(slice text, struct buf *room)
{
	size_t bare = 0, kept = 0, n;

	for (size_t at = 0; at < text.n; at += n ? n : 1) {
		n = line_end(slice_from(text, at));
		bare += n == 1;
	}
	if (bare == 0)
		return text;
	buf_init(room, text.n + bare);
	for (size_t at = 0; at < text.n; at += n ? n : 1) {
		n = line_end(slice_from(text, at));
		if (n != 1)
			continue;
		buf_add(room, slice_head(slice_from(text, kept), at - kept));
		buf_adds(room, "\r\n");
		kept = at + 1;
	}
	buf_add(room, slice_from(text, kept));
	return buf_slice(room);
}

static bool keywords_resolve(
    struct imap *im, const struct flag_list *list, int64_t *flags_out, struct error *error)
{
	int bit;

	*flags_out = list->system;
	for (size_t i = 0; i < list->keyword_count; i++) {
		if (store_find_keyword(imap_store(im), im->account, list->keywords[i], true, &bit,
			error) != STORE_FOUND)
			return false;
		*flags_out |= (int64_t)1 << bit;
	}
	return true;
}

/* Writes the summaries and stores the message. */
static bool message_store(struct imap *im, const struct appending *a, slice content,
    struct store_result *result_out, struct error *error)
{
	struct store_message message = { .segment = STORE_NO_SEGMENT,
		.mailbox = a->mailbox,
		.content = content,
		.received_us = a->received_us };
	struct buf envelope, structure, body;
	struct store_notice notice;
	struct mime mime;
	size_t count;

	if (!keywords_resolve(im, &a->flags, &message.flags, error))
		return false;
	buf_init(&envelope, SUMMARY_MAX);
	buf_init(&structure, SUMMARY_MAX);
	buf_init(&body, SUMMARY_MAX);
	mime_parse(content, im->arena, &mime);
	summary_write(&mime, &envelope, &structure);
	structure_strip(buf_slice(&structure), &body);
	message.envelope = buf_slice(&envelope);
	message.structure = buf_slice(&body);
	message.bodystructure = buf_slice(&structure);
	bool ok = store_deliver(
	    imap_store(im), im->account, &message, 1, 0, result_out, &notice, &count, error);
	if (ok && count)
		imap_notify(im, &notice);
	buf_free(&envelope);
	buf_free(&structure);
	buf_free(&body);
	return ok;
}

struct imap_reply imap_cmd_append(struct imap *im, struct cursor *args)
{
	struct appending a = { 0 };
	struct store_result result;
	struct error error;
	struct buf room = { 0 };

	arguments_parse(im, args, &a);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	bool ok = message_store(im, &a, with_crlf(a.content, &room), &result, &error);
	buf_free(&room);
	if (!ok)
		return imap_reply_error(im, &error);
	if (result.outcome == STORE_NO_MAILBOX)
		return imap_reply_no("TRYCREATE", "no such mailbox");
	return (struct imap_reply){ .status = IMAP_OK,
		.code = arena_printf(im->arena, "APPENDUID %u %u", result.uidvalidity, result.uid),
		.text = "appended" };
}
