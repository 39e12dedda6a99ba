/* APPEND, of one message or several (RFC 9051 §6.3.12, RFC 3502, RFC 3516, RFC 6855), and REPLACE (RFC 8508). */
#include "imap/internal.h"

#include "imap/append_binary.h"
#include "imap/parse.h"
#include "mail/crlf.h"
#include "mail/date.h"
#include "mail/summary.h"

#define MESSAGES_MAX 1000 /* of one command */

struct appending {
	slice content;
	enum parse_form form;
	struct flag_list flags;
	int64_t received_us;
	struct buf room, envelope, structure, body; /* what is made of it */
};

struct append {
	slice mailbox;
	struct appending *messages;
	size_t n;
};

static void append_free(void *context)
{
	struct append *a = context;

	for (size_t i = 0; i < a->n; i++) {
		buf_free(&a->messages[i].room);
		buf_free(&a->messages[i].envelope);
		buf_free(&a->messages[i].structure);
		buf_free(&a->messages[i].body);
	}
}

/* append-message = [SP flag-list] [SP date-time] SP append-data */
static void message_parse(struct imap *im, struct cursor *args, struct appending *m)
{
	struct date date;

	parse_space(args);
	if (cursor_peek(args) == '(') {
		parse_flags(args, im->arena, false, &m->flags);
		parse_space(args);
	}
	m->received_us = clock_wall_us();
	if (cursor_peek(args) == '"') {
		if (date_internal_parse(args, &date))
			m->received_us = date.seconds * 1000000;
		parse_space(args);
	}
	m->content = parse_message(args, &m->form);
}

/* mailbox 1*append-message */
static void arguments_parse(struct imap *im, struct cursor *args, struct append *a)
{
	size_t room = 1;

	a->mailbox = parse_mailbox(args, im->arena, im->utf8);
	a->messages = ARENA_ARRAY(im->arena, struct appending, room);
	do {
		if (a->n == room) {
			struct appending *more = ARENA_ARRAY(im->arena, struct appending, 2 * room);

			memcpy(more, a->messages, room * sizeof *more);
			a->messages = more;
			room *= 2;
		}
		if (a->n == MESSAGES_MAX) {
			cursor_fail(args, "at most 1000 messages");
			return;
		}
		message_parse(im, args, &a->messages[a->n++]);
	} while (cursor_peek(args) == ' ');
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

/* Writes the summaries; false with *reply_out. */
static bool message_prepare(struct imap *im, const struct append *a, struct appending *m,
    struct store_message *out, struct imap_reply *reply_out)
{
	struct error error;
	struct mime mime;

	*out = (struct store_message){
		.segment = STORE_NO_SEGMENT, .mailbox = a->mailbox, .received_us = m->received_us
	};
	if (!keywords_resolve(im, &m->flags, &out->flags, &error)) {
		*reply_out = imap_reply_error(im, &error);
		return false;
	}
	if (m->form != PARSE_TEXT && !append_binary(m->content, &m->room)) {
		*reply_out = imap_reply_no("UNKNOWN-CTE",
		    "octets that are no text, outside of a part "
		    "whose encoding is binary");
		return false;
	}
	out->content = m->form != PARSE_TEXT ? buf_slice(&m->room) : crlf_of(m->content, &m->room);
	struct arena *arena = arena_new(2 * (size_t)MIME_ARENA);
	buf_init(&m->envelope, SUMMARY_MAX);
	buf_init(&m->structure, SUMMARY_MAX);
	buf_init(&m->body, SUMMARY_MAX);
	mime_parse(out->content, arena, &mime);
	summary_write(&mime, &m->envelope, &m->structure);
	structure_strip(buf_slice(&m->structure), &m->body);
	arena_free(arena);
	out->envelope = buf_slice(&m->envelope);
	out->structure = buf_slice(&m->body);
	out->bodystructure = buf_slice(&m->structure);
	return true;
}

/* "APPENDUID" SP nz-number SP uid-set   RFC 9051 §7.1 */
static const char *append_code(
    struct imap *im, const struct append *a, const struct store_result *results)
{
	struct uid_set *uids = imap_set(im);
	struct buf code;

	for (size_t i = 0; i < a->n; i++)
		uid_set_add(uids, results[i].uid, results[i].uid);
	buf_init(&code, IMAP_LINE);
	buf_addf(&code, "APPENDUID %u ", results[0].uidvalidity);
	uid_set_print(uids, &code);
	const char *text = arena_str(im->arena, buf_slice(&code));
	buf_free(&code);
	return text;
}

/* All of them or none (RFC 3502 §6.3.11). */
static struct imap_reply append_store(struct imap *im, const struct append *a)
{
	struct store_message *messages = ARENA_ARRAY(im->arena, struct store_message, a->n);
	struct store_result *results = ARENA_ARRAY(im->arena, struct store_result, a->n);
	struct store_notice *notices = ARENA_ARRAY(im->arena, struct store_notice, a->n);
	struct imap_reply reply;
	struct error error;
	size_t count;

	int64_t octets = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (!message_prepare(im, a, &a->messages[i], &messages[i], &reply))
			return reply;
		octets += (int64_t)messages[i].content.n;
	}
	if (!imap_quota_room(im, octets, &reply))
		return reply;
	if (!store_deliver(
		imap_store(im), im->account, messages, a->n, 0, results, notices, &count, &error))
		return imap_reply_error(im, &error);
	for (size_t i = 0; i < count; i++)
		imap_notify(im, &notices[i]);
	if (results[0].outcome == STORE_NO_MAILBOX)
		return imap_reply_no("TRYCREATE", "no such mailbox");
	return (struct imap_reply){
		.status = IMAP_OK, .code = append_code(im, a, results), .text = "appended"
	};
}

/* RFC 6855 §4: who says UTF8 has enabled it. */
static bool forms_allowed(const struct imap *im, const struct append *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->messages[i].form == PARSE_UTF8 && !im->accepts_utf8)
			return false;
	return true;
}

static struct imap_reply utf8_refused(struct imap *im)
{
	return imap_reply_bad(im, "UTF8 needs ENABLE UTF8=ACCEPT first");
}

/* append = "APPEND" SP mailbox 1*append-message */
struct imap_reply imap_cmd_append(struct imap *im, struct cursor *args)
{
	struct append *a = ARENA_NEW(im->arena, struct append);

	parse_space(args);
	arguments_parse(im, args, a);
	arena_defer(im->arena, append_free, a);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	return forms_allowed(im, a) ? append_store(im, a) : utf8_refused(im);
}

/* ---- REPLACE ---- */

/* The message that a REPLACE names; false: *reply_out says why there is none. */
static bool replaced_find(struct imap *im, const struct sequence *sequence,
    struct store_row *row_out, struct imap_reply *reply_out)
{
	struct uid_set *chosen;
	struct store_row *rows;
	struct error error;
	size_t count = 0;

	if (!imap_resolve(im, sequence, &chosen, reply_out))
		return false;
	uint32_t uid = uid_set_last(chosen);
	if (uid &&
	    !store_rows(imap_store(im), im->account, im->view.mailbox, uid, uid, 1, false,
		im->arena, &rows, &count, &error)) {
		*reply_out = imap_reply_error(im, &error);
		return false;
	}
	if (count) {
		*row_out = rows[0];
		return true;
	}
	*reply_out = imap_reply_no("NONEXISTENT", "the message is gone");
	return false;
}

/* One transaction: the new message is there and the old one is not (RFC 8508 §3.3). */
static struct imap_reply replace_store(
    struct imap *im, const struct append *a, const struct store_row *old)
{
	struct store_message message;
	struct store_notice notices[2];
	struct store_result result;
	struct imap_reply reply;
	struct error error;
	size_t count;

	if (!message_prepare(im, a, &a->messages[0], &message, &reply) ||
	    !imap_quota_room(im, (int64_t)message.content.n - old->size, &reply))
		return reply;
	if (!store_replace(imap_store(im), im->account, &message, im->view.mailbox, old->uid,
		&result, notices, &count, &error))
		return imap_reply_error(im, &error);
	for (size_t i = 0; i < count; i++)
		imap_notify(im, &notices[i]);
	if (result.outcome == STORE_NO_MAILBOX)
		return imap_reply_no("TRYCREATE", "no such mailbox");
	buf_addf(&im->s->out, "* OK [APPENDUID %u %u] here\r\n", result.uidvalidity, result.uid);
	im->sync.new_first = true;
	return (struct imap_reply){ .status = IMAP_OK, .text = "replaced", .modseq = true };
}

/* replace = "REPLACE" SP seq-number SP mailbox append-message   RFC 8508 §4 */
struct imap_reply imap_cmd_replace(struct imap *im, struct cursor *args)
{
	struct append *a = ARENA_NEW(im->arena, struct append);
	struct sequence sequence;
	struct imap_reply reply;
	struct store_row old;

	parse_space(args);
	struct cursor before = *args;
	sequence_parse(args, im->arena, &sequence);
	if (!args->expected &&
	    (sequence.n != 1 || sequence.ranges[0].lo != sequence.ranges[0].hi)) {
		*args = before;
		cursor_fail(args, "one message");
	}
	parse_space(args);
	arguments_parse(im, args, a);
	arena_defer(im->arena, append_free, a);
	if (!args->expected && a->n > 1)
		cursor_fail(args, "one message");
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!forms_allowed(im, a))
		return utf8_refused(im);
	if (im->view.read_only)
		return imap_reply_no(NULL, "the mailbox is open for reading only");
	if (!replaced_find(im, &sequence, &old, &reply))
		return reply;
	return replace_store(im, a, &old);
}
