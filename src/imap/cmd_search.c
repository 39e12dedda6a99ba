#include "imap/internal.h"

#include "imap/parse.h"
#include "imap/search.h"

/* Messages looked at in one step, and how long: others want their turn too. */
#define ROWS_AT_ONCE 500
#define STEP_US      20000

struct searching {
	struct imap *im;
	struct search *tree;
	uint32_t next; /* UID to look at, or to print */
	bool all_seen; /* now the answer is printed */
	struct uid_set *found;
	struct buf text; /* of the message under the eye */
	bool text_read;
	const struct store_row *row;
	struct error error;
	bool failed;
};

static void searching_free(void *context)
{
	buf_free(&((struct searching *)context)->text);
}

/* Reads the message when a key asks for it, once. */
static bool message_text(void *context, slice *out)
{
	struct searching *s = context;

	if (!s->text_read) {
		s->text_read = true;
		if (!store_body(
			imap_store(s->im), s->im->account, s->row->body, &s->text, &s->error)) {
			s->failed |= s->error.fault != FAULT_ABSENT;
			buf_clear(&s->text);
			return false;
		}
		for (size_t i = 0; i < s->text.n; i++)
			s->text.p[i] = octet_lower(s->text.p[i]);
	}
	*out = buf_slice(&s->text);
	return s->text.n > 0;
}

/* Only messages that the client knows of can be found. */
static void row_look(struct searching *s, const struct store_row *row)
{
	struct search_message message = { row, message_text, s };

	s->row = row;
	s->text_read = false;
	if (uid_set_contains(&s->im->view.uids, row->uid) && search_matches(s->tree, &message))
		uid_set_add(s->found, row->uid, row->uid);
	s->next = row->uid + 1;
}

static struct imap_reply look_step(struct imap *im, struct searching *s)
{
	struct store_row *rows;
	struct error error;
	size_t count, i;

	int64_t start = clock_us();
	if (!store_rows(imap_store(im), im->account, im->view.mailbox, s->next, UINT32_MAX,
		ROWS_AT_ONCE, false, im->s->turn, &rows, &count, &error))
		return imap_reply_error(im, &error);
	for (i = 0; i < count && !s->failed && clock_us() - start < STEP_US; i++)
		row_look(s, &rows[i]);
	if (s->failed)
		return imap_reply_error(im, &s->error);
	s->all_seen = i == count && count < ROWS_AT_ONCE;
	if (s->all_seen) {
		s->next = 1;
		buf_adds(&im->s->out, "* SEARCH");
	}
	return imap_reply_more();
}

/* mailbox-data = "SEARCH" *(SP nz-number): UIDs or message numbers */
static struct imap_reply print_step(struct imap *im, struct searching *s)
{
	uint32_t position = uid_set_count_to(s->found, s->next - 1) + 1, uid;

	while ((uid = uid_set_at(s->found, position++))) {
		if (imap_full(im))
			return imap_reply_more();
		buf_addf(&im->s->out, " %u", im->uid ? uid : uid_set_position(&im->view.uids, uid));
		s->next = uid + 1;
	}
	buf_adds(&im->s->out, "\r\n");
	return imap_reply_ok("searched");
}

static struct imap_reply search_step(struct imap *im, void *context)
{
	struct searching *s = context;

	return s->all_seen ? print_step(im, s) : look_step(im, s);
}

/* What a key says of this mailbox: sequences become UIDs, keywords bits. */
static bool key_resolve(void *context, struct search *key)
{
	struct searching *s = context;
	int bit;

	if (key->kind == SEARCH_SEQUENCE || key->kind == SEARCH_UIDS) {
		key->uids = imap_set(s->im);
		if (sequence_resolve(
			&key->sequence, &s->im->view.uids, key->kind == SEARCH_UIDS, key->uids))
			return true;
		error_input(&s->error, "there are not so many messages");
		return false;
	}
	if (key->kind != SEARCH_KEYWORD)
		return true;
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

/* "CHARSET" SP charset SP; false: one that we do not know */
static bool charset_parse(struct cursor *args, struct arena *arena)
{
	if (!cursor_try(args, SLICE("CHARSET ")))
		return true;
	slice name = parse_astring(args, arena);
	parse_space(args);
	return args->expected || slice_eq_nocase(name, SLICE("US-ASCII")) ||
	    slice_eq_nocase(name, SLICE("UTF-8"));
}

/* search = "SEARCH" [SP "CHARSET" SP charset] 1*(SP search-key)   RFC 9051 §6.4.4 */
struct imap_reply imap_cmd_search(struct imap *im, struct cursor *args)
{
	struct searching *s = ARENA_NEW(im->arena, struct searching);

	parse_space(args);
	if (!charset_parse(args, im->arena))
		return imap_reply_no("BADCHARSET (US-ASCII UTF-8)", "unknown charset");
	s->im = im;
	s->tree = search_parse(args, im->arena);
	s->found = imap_set(im);
	s->next = 1;
	buf_init(&s->text, IMAP_MESSAGE);
	arena_defer(im->arena, searching_free, s);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!search_each(s->tree, key_resolve, s))
		return s->error.fault == FAULT_INPUT
		    ? imap_reply_bad(im, arena_str(im->arena, slice_of(s->error.why)))
		    : imap_reply_error(im, &s->error);
	im->job = (struct job){ .step = search_step, .context = s };
	return imap_reply_more();
}
