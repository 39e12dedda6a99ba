/* SEARCH, and what its answers have in common: SEARCH and ESEARCH lines, "$". */
#include "imap/internal.h"

#include "imap/parse.h"
#include "imap/rows.h"
#include "imap/search.h"
#include "imap/search_text.h"

/* How long one step looks at messages: others want their turn too. */
#define STEP_US 20000
/* Octets of one message as decoded text; its own size, and its parts' fields twice. */
#define TEXT_MAX (2 * (size_t)IMAP_MESSAGE)

/* search-return-opt, RFC 9051 §6.4.4 */
enum return_option {
	RETURN_MIN = 1,
	RETURN_MAX = 2,
	RETURN_ALL = 4,
	RETURN_COUNT = 8,
	RETURN_SAVE = 16,
};

struct searching {
	struct imap *im;
	struct search *tree;
	unsigned returns;
	bool extended; /* RETURN stood there: the answer is ESEARCH */
	bool modseq;   /* the answer tells a modseq */
	bool heads;

	struct uid_set *chosen; /* messages to look at */
	struct rows rows;
	struct uid_set *found;
	int64_t highest, first_modseq, last_modseq; /* of those found */

	struct arena *arena;      /* of the message under the eye */
	struct buf message, text; /* as it is, as search_text_write() gives it */
	size_t body_at;
	bool message_read, text_read;

	struct uid_set *shown; /* the answer: UIDs or numbers */
	bool all_seen;         /* now it is printed */
	size_t range;          /* being printed */
	uint32_t next;
	struct error error;
	bool failed;
};

static void searching_free(void *context)
{
	struct searching *s = context;

	rows_end(&s->rows);
	arena_free(s->arena);
	buf_free(&s->message);
	buf_free(&s->text);
}

/* ---- looking ---- */

/* Reads the message when a key asks for it, once. */
static bool message_read(void *context, slice *out)
{
	struct searching *s = context;

	if (!s->message_read) {
		s->message_read = true;
		if (!store_body(imap_store(s->im), s->im->account, s->rows.row->body, &s->message,
			&s->error)) {
			s->failed |= s->error.fault != FAULT_ABSENT;
			buf_clear(&s->message);
			return false;
		}
	}
	*out = buf_slice(&s->message);
	return s->message.n > 0;
}

static bool message_text(void *context, slice *out, size_t *body_at_out)
{
	struct searching *s = context;
	slice message;

	if (!s->text_read) {
		s->text_read = true;
		buf_clear(&s->text);
		s->body_at = 0;
		if (!message_read(s, &message))
			return false;
		search_text_write(imap_charsets(s->im), message, &s->text, &s->body_at);
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
		.message = message_read,
		.text = message_text,
		.context = s };

	s->message_read = s->text_read = false;
	if (!search_matches(s->tree, &message))
		return;
	uid_set_add(s->found, row->uid, row->uid);
	if (s->first_modseq == 0)
		s->first_modseq = row->modseq;
	s->last_modseq = row->modseq;
	if (row->modseq > s->highest)
		s->highest = row->modseq;
}

static void answer_begin(struct imap *im, struct searching *s);

static struct imap_reply look_step(struct imap *im, struct searching *s)
{
	int64_t start = clock_us();

	while (clock_us() - start < STEP_US) {
		if (!rows_next(im, &s->rows, &s->error)) {
			if (s->rows.failed)
				return imap_reply_error(im, &s->error);
			s->all_seen = true;
			answer_begin(im, s);
			break;
		}
		if (s->arena && s->heads)
			arena_reset(s->arena);
		row_look(s, s->rows.row);
		if (s->failed)
			return imap_reply_error(im, &s->error);
	}
	return imap_reply_more();
}

/* ---- answering ---- */

/* What "$" means from now on: all that was found, or the ends that were asked for (RFC 5182 §2.1). */
static void result_save(struct imap *im, const struct searching *s)
{
	struct uid_set *saved = &im->view.saved;

	uid_set_clear(saved);
	if (s->found->n == 0)
		return;
	if (!(s->returns & (RETURN_MIN | RETURN_MAX)) || s->returns & (RETURN_ALL | RETURN_COUNT)) {
		uid_set_add_all(saved, s->found);
		return;
	}
	uint32_t first = s->found->ranges[0].lo, last = uid_set_last(s->found);
	if (s->returns & RETURN_MIN)
		uid_set_add(saved, first, first);
	if (s->returns & RETURN_MAX)
		uid_set_add(saved, last, last);
}

/* Of the messages that are told of: all, or the ends (RFC 4731 §3.2). */
static int64_t answer_modseq(const struct searching *s)
{
	int64_t modseq = 0;

	if (s->returns & (RETURN_ALL | RETURN_COUNT) || !(s->returns & (RETURN_MIN | RETURN_MAX)))
		return s->highest;
	if (s->returns & RETURN_MIN)
		modseq = s->first_modseq;
	if (s->returns & RETURN_MAX && s->last_modseq > modseq)
		modseq = s->last_modseq;
	return modseq;
}

/* esearch-response = "ESEARCH" [SP "(" "TAG" SP tag-string ")"] [SP "UID"] *(SP search-return-data) */
static void extended_begin(struct imap *im, const struct searching *s)
{
	struct buf *out = &im->s->out;

	buf_addf(out, "* ESEARCH (TAG \"%.*s\")%s", SLICE_ARG(im->tag), im->uid ? " UID" : "");
	if (s->returns & RETURN_MIN && s->shown->n)
		buf_addf(out, " MIN %u", s->shown->ranges[0].lo);
	if (s->returns & RETURN_MAX && s->shown->n)
		buf_addf(out, " MAX %u", uid_set_last(s->shown));
	if (s->returns & RETURN_COUNT)
		buf_addf(out, " COUNT %u", uid_set_count(s->shown));
	if (s->returns & RETURN_ALL && s->shown->n)
		buf_adds(out, " ALL");
}

/* All was looked at. Numbers of neighbours are neighbours too, whatever UIDs are missing between them. */
static void answer_begin(struct imap *im, struct searching *s)
{
	s->shown = s->found;
	if (!im->uid) {
		s->shown = imap_set(im);
		for (size_t i = 0; i < s->found->n; i++)
			uid_set_add(s->shown,
			    uid_set_position(&im->view.uids, s->found->ranges[i].lo),
			    uid_set_position(&im->view.uids, s->found->ranges[i].hi));
	}
	if (s->returns & RETURN_SAVE)
		result_save(im, s);
	s->next = s->shown->n ? s->shown->ranges[0].lo : 0;
	if (!s->extended)
		buf_adds(&im->s->out, "* SEARCH");
	else if (s->returns != RETURN_SAVE)
		extended_begin(im, s);
}

/* "ALL" SP sequence-set; false when the output must drain first */
static bool set_print(struct imap *im, struct searching *s)
{
	for (; s->range < s->shown->n; s->range++) {
		struct uid_range range = s->shown->ranges[s->range];

		if (imap_full(im))
			return false;
		buf_addf(&im->s->out, s->range ? ",%u" : " %u", range.lo);
		if (range.hi > range.lo)
			buf_addf(&im->s->out, ":%u", range.hi);
	}
	return true;
}

/* *(SP nz-number); false when the output must drain first */
static bool numbers_print(struct imap *im, struct searching *s)
{
	while (s->range < s->shown->n) {
		if (imap_full(im))
			return false;
		buf_addf(&im->s->out, " %u", s->next);
		if (s->next++ == s->shown->ranges[s->range].hi && ++s->range < s->shown->n)
			s->next = s->shown->ranges[s->range].lo;
	}
	return true;
}

static struct imap_reply print_step(struct imap *im, struct searching *s)
{
	if (s->extended && s->returns == RETURN_SAVE)
		return imap_reply_ok("searched and kept");
	if (s->extended && s->returns & RETURN_ALL && !set_print(im, s))
		return imap_reply_more();
	if (!s->extended && !numbers_print(im, s))
		return imap_reply_more();
	if (s->modseq && s->shown->n)
		buf_addf(&im->s->out, s->extended ? " MODSEQ %lld" : " (MODSEQ %lld)",
		    (long long)answer_modseq(s));
	buf_adds(&im->s->out, "\r\n");
	return imap_reply_ok("searched");
}

static struct imap_reply search_step(struct imap *im, void *context)
{
	struct searching *s = context;

	return s->all_seen ? print_step(im, s) : look_step(im, s);
}

/* ---- the command ---- */

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

static unsigned option_parse(struct cursor *args)
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

/* search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" */
static void returns_parse(struct cursor *args, struct searching *s)
{
	if (!cursor_try(args, SLICE("RETURN ")))
		return;
	s->extended = true;
	cursor_char(args, '(', "'('");
	if (!cursor_try_char(args, ')')) {
		do
			s->returns |= option_parse(args);
		while (cursor_try_char(args, ' '));
		cursor_char(args, ')', "')'");
	}
	if (s->returns == 0)
		s->returns = RETURN_ALL;
	parse_space(args);
}

/* Messages that a key of the outermost list names are all that need be looked at. */
static void choose(struct searching *s)
{
	uid_set_add_all(s->chosen, &s->im->view.uids);
	for (const struct search *key = s->tree->children; key; key = key->next)
		if (key->kind == SEARCH_SEQUENCE || key->kind == SEARCH_UIDS)
			uid_set_intersect(s->chosen, key->uids);
}

static struct imap_reply search_begin(struct imap *im, struct searching *s)
{
	if (!search_each(s->tree, key_resolve, s))
		return imap_reply_error(im, &s->error);
	if (s->modseq)
		imap_condstore(im, true);
	choose(s);
	if (s->heads)
		s->arena = arena_new(IMAP_COMMAND_MEMORY);
	rows_begin(&s->rows, s->chosen, s->heads);
	im->job = (struct job){ .step = search_step, .context = s };
	return imap_reply_more();
}

/* search = "SEARCH" [search-return-opts] [SP "CHARSET" SP charset] 1*(SP search-key)   RFC 9051 §6.4.4 */
struct imap_reply imap_cmd_search(struct imap *im, struct cursor *args)
{
	struct searching *s = ARENA_NEW(im->arena, struct searching);

	s->im = im;
	s->found = imap_set(im);
	s->chosen = imap_set(im);
	buf_init(&s->message, IMAP_MESSAGE);
	buf_init(&s->text, TEXT_MAX);
	arena_defer(im->arena, searching_free, s);
	parse_space(args);
	returns_parse(args, s);
	/* A search that fails leaves nothing to find (RFC 5182 §2.1); BAD changes nothing. */
	if (!charset_parse(args, im->arena)) {
		if (s->returns & RETURN_SAVE)
			uid_set_clear(&im->view.saved);
		return imap_reply_no("BADCHARSET (US-ASCII UTF-8)", "unknown charset");
	}
	s->tree = search_parse(args, im->arena);
	return cursor_done(args) ? search_begin(im, s) : imap_reply_syntax(im, args);
}
