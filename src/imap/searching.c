#include "imap/searching.h"

#include "imap/parse.h"
#include "imap/search_text.h"
#include "mail/header.h"
#include "mail/mime.h"

/* How long one step looks at messages: others want their turn too. */
#define STEP_US 20000
/* Octets of a message in which its header mostly ends. */
#define HEADER_FIRST (16 * 1024)
/* Octets of one message as decoded text; its own size, and its parts' fields twice. */
#define TEXT_MAX (2 * (size_t)IMAP_MESSAGE)

static void searching_free(void *context)
{
	struct searching *s = context;

	rows_end(&s->rows);
	arena_free(s->arena);
	buf_free(&s->message);
	buf_free(&s->text);
}

struct searching *searching_new(struct imap *im)
{
	struct searching *s = ARENA_NEW(im->arena, struct searching);

	s->im = im;
	s->found = imap_set(im);
	s->chosen = imap_set(im);
	buf_init(&s->message, IMAP_MESSAGE);
	buf_init(&s->text, TEXT_MAX);
	arena_defer(im->arena, searching_free, s);
	return s;
}

/* ---- looking ---- */

static bool message_failed(struct searching *s)
{
	s->failed |= s->error.fault != FAULT_ABSENT;
	buf_clear(&s->message);
	return false;
}

static bool head_read(struct searching *s, size_t n)
{
	return store_body_head(imap_store(s->im), s->im->account, s->rows.row->body, n, &s->message,
		   &s->error) ||
	    message_failed(s);
}

/* Reads the header when a key asks for it, once; a long one in a second step. */
static bool header_read(void *context, slice *out)
{
	struct searching *s = context;

	if (!s->header_read) {
		s->header_read = true;
		if (!head_read(s, HEADER_FIRST))
			return false;
		bool whole = s->message.n < HEADER_FIRST ||
		    header_of(buf_slice(&s->message)).n < s->message.n;
		if (!whole && !head_read(s, MIME_HEADER))
			return false;
	}
	*out = buf_slice(&s->message);
	return s->message.n > 0;
}

static bool message_text(void *context, slice *out, size_t *body_at_out)
{
	struct searching *s = context;

	if (!s->text_read) {
		s->text_read = s->header_read = true;
		buf_clear(&s->text);
		s->body_at = 0;
		if (!store_body(imap_store(s->im), s->im->account, s->rows.row->body, &s->message,
			&s->error))
			return message_failed(s);
		search_text_write(
		    imap_charsets(s->im), buf_slice(&s->message), &s->text, &s->body_at);
	}
	*out = buf_slice(&s->text);
	*body_at_out = s->body_at;
	return s->text.n > 0;
}

static void row_look(struct searching *s, const struct store_row *row)
{
	struct search_message message = { .row = row,
		.charsets = imap_charsets(s->im),
		.arena = s->arena,
		.header = header_read,
		.text = message_text,
		.context = s };

	s->header_read = s->text_read = false;
	if (!search_matches(s->tree, &message))
		return;
	uid_set_add(s->found, row->uid, row->uid);
	if (s->first_modseq == 0)
		s->first_modseq = row->modseq;
	s->last_modseq = row->modseq;
	if (row->modseq > s->highest)
		s->highest = row->modseq;
	s->failed |= s->hit && !s->hit(s, s->context);
}

bool searching_header(struct searching *s, slice *out)
{
	return header_read(s, out);
}

enum searching_state searching_step(struct searching *s)
{
	int64_t start = clock_us();

	while (clock_us() - start < STEP_US) {
		if (!rows_next(s->im, &s->rows, &s->error))
			return s->rows.failed ? SEARCHING_FAILED : SEARCHING_DONE;
		arena_reset(s->arena);
		row_look(s, s->rows.row);
		if (s->failed)
			return SEARCHING_FAILED;
	}
	return SEARCHING_MORE;
}

/* ---- the keys ---- */

static bool keyword_resolve(struct searching *s, struct search *key)
{
	int bit;

	switch (store_find_keyword(
	    imap_store(s->im), s->im->account, key->name, false, &bit, &s->error)) {
	case STORE_FOUND:
		key->kind = SEARCH_FLAG;
		key->bits = (int64_t)1 << bit;
		key->wanted = key->wanted ? key->bits : 0;
		return true;
	case STORE_ABSENT:
		key->kind = key->wanted ? SEARCH_NONE : SEARCH_ALL;
		return true;
	case STORE_FAILED:
		break;
	}
	return false;
}

/* What a key says of this mailbox: sequences become UIDs, keywords bits. */
static bool key_resolve(void *context, struct search *key)
{
	struct searching *s = context;

	s->heads |= search_needs_head(key);
	s->modseq |= key->kind == SEARCH_MODSEQ;
	if (key->kind == SEARCH_SEQUENCE || key->kind == SEARCH_UIDS) {
		/* A number that no message has finds none. */
		key->uids = imap_set(s->im);
		imap_sequence(s->im, &key->sequence, key->kind == SEARCH_UIDS, key->uids);
		return true;
	}
	if (key->kind == SEARCH_RECENT || key->kind == SEARCH_NEW || key->kind == SEARCH_OLD)
		key->uids = &s->im->view.recent;
	return key->kind != SEARCH_KEYWORD || keyword_resolve(s, key);
}

static unsigned return_parse(struct cursor *args)
{
	static const char *const names[] = { "MIN", "MAX", "ALL", "COUNT", "SAVE" };
	struct cursor before = *args;
	slice word = parse_atom(args, "search return option");

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_eq_nocase(word, slice_of(names[i])))
			return 1u << i;
	*args = before;
	cursor_fail(args, "search return option");
	return 0;
}

bool search_returns_parse(struct cursor *args, unsigned *returns_out)
{
	*returns_out = 0;
	if (!cursor_try(args, SLICE("RETURN ")))
		return false;
	cursor_char(args, '(', "'('");
	if (!cursor_try_char(args, ')')) {
		do
			*returns_out |= return_parse(args);
		while (cursor_try_char(args, ' '));
		cursor_char(args, ')', "')'");
	}
	if (*returns_out == 0)
		*returns_out = SEARCH_RETURN_ALL;
	parse_space(args);
	return true;
}

static bool charset_known_here(slice name)
{
	return slice_eq_nocase(name, SLICE("US-ASCII")) || slice_eq_nocase(name, SLICE("UTF-8"));
}

bool searching_parse(
    struct searching *s, struct cursor *args, bool bare, struct imap_reply *reply_out)
{
	bool named = !bare && cursor_try(args, SLICE("CHARSET "));

	if (named && s->im->accepts_utf8) {
		/* RFC 6855 §3 */
		*reply_out = imap_reply_bad(s->im, "no CHARSET after ENABLE UTF8=ACCEPT");
		return false;
	}
	if (bare || named) {
		slice charset = parse_astring(args, s->im->arena);

		parse_space(args);
		if (!args->expected && !charset_known_here(charset)) {
			*reply_out =
			    imap_reply_no("BADCHARSET (US-ASCII UTF-8)", "unknown charset");
			return false;
		}
	}
	s->tree = search_parse(args, s->im->arena);
	if (cursor_done(args))
		return true;
	*reply_out = imap_reply_syntax(s->im, args);
	return false;
}

/* Messages that a key of the outermost list names are all that need be looked at. */
static void choose(struct searching *s)
{
	uid_set_add_all(s->chosen, &s->im->view.uids);
	for (const struct search *key = s->tree->children; key; key = key->next)
		if (key->kind == SEARCH_SEQUENCE || key->kind == SEARCH_UIDS)
			uid_set_intersect(s->chosen, key->uids);
}

bool searching_begin(struct searching *s, bool heads, struct imap_reply *reply_out)
{
	s->heads = heads;
	if (!search_each(s->tree, key_resolve, s)) {
		*reply_out = imap_reply_error(s->im, &s->error);
		return false;
	}
	if (s->modseq)
		imap_condstore(s->im, true);
	choose(s);
	s->arena = arena_new(IMAP_COMMAND_MEMORY);
	rows_begin(&s->rows, s->chosen, s->heads ? STORE_ENVELOPES : STORE_NO_HEADS);
	return true;
}
