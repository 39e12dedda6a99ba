#include "imap/search.h"

#include "imap/parse.h"
#include "mail/date.h"
#include "mail/header.h"

struct parser {
	struct cursor *c;
	struct arena *arena;
	unsigned depth, keys;
};

enum argument { NO_ARGUMENT, ARGUMENT_TEXT, ARGUMENT_DAY, ARGUMENT_SIZE };

/* Keys with at most one argument: what they look at, and what flags they want. */
static const struct key {
	const char *name;
	enum search_kind kind;
	enum argument argument;
	int64_t bits, wanted;
	const char *header;
} keys[] = {
	/* clang-format off */
	{ "ALL",        SEARCH_ALL,        NO_ARGUMENT,   0, 0, NULL },
	{ "ANSWERED",   SEARCH_FLAG,       NO_ARGUMENT,   STORE_ANSWERED, STORE_ANSWERED, NULL },
	{ "BCC",        SEARCH_HEADER,     ARGUMENT_TEXT, 0, 0, "Bcc" },
	{ "BEFORE",     SEARCH_BEFORE,     ARGUMENT_DAY,  0, 0, NULL },
	{ "BODY",       SEARCH_BODY,       ARGUMENT_TEXT, 0, 0, NULL },
	{ "CC",         SEARCH_HEADER,     ARGUMENT_TEXT, 0, 0, "Cc" },
	{ "DELETED",    SEARCH_FLAG,       NO_ARGUMENT,   STORE_DELETED, STORE_DELETED, NULL },
	{ "DRAFT",      SEARCH_FLAG,       NO_ARGUMENT,   STORE_DRAFT, STORE_DRAFT, NULL },
	{ "FLAGGED",    SEARCH_FLAG,       NO_ARGUMENT,   STORE_FLAGGED, STORE_FLAGGED, NULL },
	{ "FROM",       SEARCH_HEADER,     ARGUMENT_TEXT, 0, 0, "From" },
	{ "LARGER",     SEARCH_LARGER,     ARGUMENT_SIZE, 0, 0, NULL },
	{ "NEW",        SEARCH_NONE,       NO_ARGUMENT,   0, 0, NULL },
	{ "OLD",        SEARCH_ALL,        NO_ARGUMENT,   0, 0, NULL },
	{ "ON",         SEARCH_ON,         ARGUMENT_DAY,  0, 0, NULL },
	{ "RECENT",     SEARCH_NONE,       NO_ARGUMENT,   0, 0, NULL },
	{ "SEEN",       SEARCH_FLAG,       NO_ARGUMENT,   STORE_SEEN, STORE_SEEN, NULL },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, ARGUMENT_DAY,  0, 0, NULL },
	{ "SENTON",     SEARCH_SENTON,     ARGUMENT_DAY,  0, 0, NULL },
	{ "SENTSINCE",  SEARCH_SENTSINCE,  ARGUMENT_DAY,  0, 0, NULL },
	{ "SINCE",      SEARCH_SINCE,      ARGUMENT_DAY,  0, 0, NULL },
	{ "SMALLER",    SEARCH_SMALLER,    ARGUMENT_SIZE, 0, 0, NULL },
	{ "SUBJECT",    SEARCH_HEADER,     ARGUMENT_TEXT, 0, 0, "Subject" },
	{ "TEXT",       SEARCH_TEXT,       ARGUMENT_TEXT, 0, 0, NULL },
	{ "TO",         SEARCH_HEADER,     ARGUMENT_TEXT, 0, 0, "To" },
	{ "UNANSWERED", SEARCH_FLAG,       NO_ARGUMENT,   STORE_ANSWERED, 0, NULL },
	{ "UNDELETED",  SEARCH_FLAG,       NO_ARGUMENT,   STORE_DELETED, 0, NULL },
	{ "UNDRAFT",    SEARCH_FLAG,       NO_ARGUMENT,   STORE_DRAFT, 0, NULL },
	{ "UNFLAGGED",  SEARCH_FLAG,       NO_ARGUMENT,   STORE_FLAGGED, 0, NULL },
	{ "UNSEEN",     SEARCH_FLAG,       NO_ARGUMENT,   STORE_SEEN, 0, NULL },
	/* clang-format on */
};

static struct search *key_parse(struct parser *p);

static struct search *search_new(struct parser *p, enum search_kind kind)
{
	struct search *s = ARENA_NEW(p->arena, struct search);

	s->kind = kind;
	return s;
}

/* What is searched for, in lower case like the messages: so that memmem() can find it, whose time
 * does not depend on what a client thinks of. */
static slice needle_parse(struct parser *p)
{
	slice text = parse_astring(p->c, p->arena);
	char *copy = arena_str(p->arena, text);

	for (size_t i = 0; i < text.n; i++)
		copy[i] = octet_lower(copy[i]);
	return (slice){ copy, text.n };
}

static bool holds(slice text, slice needle)
{
	return needle.n == 0 || (text.n && memmem(text.p, text.n, needle.p, needle.n));
}

static void argument_parse(struct parser *p, const struct key *key, struct search *s)
{
	if (key->argument != NO_ARGUMENT)
		parse_space(p->c);
	if (key->argument == ARGUMENT_TEXT)
		s->text = needle_parse(p);
	else if (key->argument == ARGUMENT_DAY)
		date_day_parse(p->c, &s->number);
	else if (key->argument == ARGUMENT_SIZE)
		s->number = (int64_t)cursor_number(p->c, INT64_MAX, "size");
}

/* One of the keys of the table; NULL when the word is none. */
static struct search *plain_key(struct parser *p, slice word)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (!slice_eq_nocase(word, slice_of(keys[i].name)))
			continue;
		struct search *s = search_new(p, keys[i].kind);
		s->bits = keys[i].bits;
		s->wanted = keys[i].wanted;
		s->name = slice_of(keys[i].header);
		argument_parse(p, &keys[i], s);
		return s;
	}
	return NULL;
}

/* "KEYWORD" SP flag-keyword / "UNKEYWORD" SP flag-keyword; wanted tells them apart until the bit is
 * known */
static struct search *keyword_key(struct parser *p, bool wanted)
{
	struct search *s = search_new(p, SEARCH_KEYWORD);

	parse_space(p->c);
	s->name = parse_atom(p->c, "keyword");
	s->wanted = wanted;
	return s;
}

/* "HEADER" SP header-fld-name SP astring */
static struct search *header_key(struct parser *p)
{
	struct search *s = search_new(p, SEARCH_HEADER);

	parse_space(p->c);
	s->name = parse_astring(p->c, p->arena);
	parse_space(p->c);
	s->text = needle_parse(p);
	return s;
}

/* "OR" SP search-key SP search-key */
static struct search *or_key(struct parser *p)
{
	struct search *s = search_new(p, SEARCH_OR);

	parse_space(p->c);
	s->children = key_parse(p);
	parse_space(p->c);
	s->children->next = key_parse(p);
	return s;
}

static struct search *not_key(struct parser *p)
{
	struct search *s = search_new(p, SEARCH_NOT);

	parse_space(p->c);
	s->children = key_parse(p);
	return s;
}

/* sequence-set / "UID" SP sequence-set */
static struct search *sequence_key(struct parser *p, enum search_kind kind)
{
	struct search *s = search_new(p, kind);

	sequence_parse(p->c, p->arena, &s->sequence);
	return s;
}

static struct search *list_parse(struct parser *p)
{
	struct search *s = search_new(p, SEARCH_AND), **tail = &s->children;

	do {
		*tail = key_parse(p);
		tail = &(*tail)->next;
	} while (cursor_try_char(p->c, ' '));
	return s;
}

static struct search *word_key(struct parser *p)
{
	struct cursor before = *p->c;
	slice word = parse_atom(p->c, "search key");

	if (slice_eq_nocase(word, SLICE("NOT")))
		return not_key(p);
	if (slice_eq_nocase(word, SLICE("OR")))
		return or_key(p);
	if (slice_eq_nocase(word, SLICE("HEADER")))
		return header_key(p);
	if (slice_eq_nocase(word, SLICE("KEYWORD")) || slice_eq_nocase(word, SLICE("UNKEYWORD")))
		return keyword_key(p, octet_lower(word.p[0]) == 'k');
	if (slice_eq_nocase(word, SLICE("UID"))) {
		parse_space(p->c);
		return sequence_key(p, SEARCH_UIDS);
	}
	struct search *s = p->c->expected ? NULL : plain_key(p, word);
	if (!s) {
		*p->c = before;
		cursor_fail(p->c, "search key");
		s = search_new(p, SEARCH_NONE);
	}
	return s;
}

/* search-key = "ALL" / ... / sequence-set / "(" search-key *(SP search-key) ")"; never NULL */
static struct search *key_parse(struct parser *p)
{
	struct search *s;

	if (p->depth == SEARCH_DEPTH || ++p->keys > SEARCH_KEYS) {
		cursor_fail(p->c, "a simpler search");
		return search_new(p, SEARCH_NONE);
	}
	p->depth++;
	if (cursor_try_char(p->c, '(')) {
		s = list_parse(p);
		cursor_char(p->c, ')', "')'");
	} else if (octet_is(cursor_peek(p->c), OCTET_DIGIT) || cursor_peek(p->c) == '*') {
		s = sequence_key(p, SEARCH_SEQUENCE);
	} else {
		s = word_key(p);
	}
	p->depth--;
	return s;
}

struct search *search_parse(struct cursor *c, struct arena *arena)
{
	struct parser p = { .c = c, .arena = arena };

	return list_parse(&p);
}

bool search_each(struct search *tree, bool (*fn)(void *context, struct search *key), void *context)
{
	if (!fn(context, tree))
		return false;
	for (struct search *child = tree->children; child; child = child->next)
		if (!search_each(child, fn, context))
			return false;
	return true;
}

/* ---- matching ---- */

/* Is there a field of this name that holds the text? An empty text only asks for the field
 * (RFC 9051 §6.4.4, HEADER). */
static bool header_holds(slice message, slice name, slice text)
{
	slice header = slice_head(header_of(message), MIME_HEADER);
	struct header_field field;

	while (header_next(&header, &field)) {
		struct buf value;

		if (!slice_eq_nocase(field.name, name))
			continue;
		if (text.n == 0)
			return true;
		buf_init(&value, field.value.n);
		header_unfold(field.value, &value);
		bool found = holds(buf_slice(&value), text);
		buf_free(&value);
		if (found)
			return true;
	}
	return false;
}

/* The day of the Date field; of the arrival where there is no such field. */
static int64_t sent_day(slice message, int64_t received_day)
{
	struct date date;
	slice value;

	if (!header_find(slice_head(header_of(message), MIME_HEADER), SLICE("Date"), &value) ||
	    !date_parse(value, &date))
		return received_day;
	return date_day(&date);
}

static int64_t received_day(const struct store_row *row)
{
	struct date date = { .seconds = row->received_us / 1000000 };

	return date_day(&date);
}

static bool sent_matches(const struct search *s, int64_t day)
{
	if (s->kind == SEARCH_SENTBEFORE)
		return day < s->number;
	return s->kind == SEARCH_SENTON ? day == s->number : day >= s->number;
}

/* Keys that must look into the message. */
static bool text_matches(const struct search *s, const struct search_message *message)
{
	slice text;

	if (!message->text(message->context, &text))
		return false;
	if (s->kind == SEARCH_HEADER)
		return header_holds(text, s->name, s->text);
	if (s->kind == SEARCH_BODY)
		text = slice_from(text, header_of(text).n);
	if (s->kind == SEARCH_BODY || s->kind == SEARCH_TEXT)
		return holds(text, s->text);
	return sent_matches(s, sent_day(text, received_day(message->row)));
}

static bool all_match(const struct search *s, const struct search_message *message)
{
	for (const struct search *child = s->children; child; child = child->next)
		if (!search_matches(child, message))
			return false;
	return true;
}

static bool any_matches(const struct search *s, const struct search_message *message)
{
	for (const struct search *child = s->children; child; child = child->next)
		if (search_matches(child, message))
			return true;
	return false;
}

bool search_matches(const struct search *s, const struct search_message *message)
{
	const struct store_row *row = message->row;

	switch (s->kind) {
	case SEARCH_ALL:
		return true;
	case SEARCH_NONE:
	case SEARCH_KEYWORD:
		return false;
	case SEARCH_AND:
		return all_match(s, message);
	case SEARCH_OR:
		return any_matches(s, message);
	case SEARCH_NOT:
		return !any_matches(s, message);
	case SEARCH_FLAG:
		return (row->flags & s->bits) == s->wanted;
	case SEARCH_SEQUENCE:
	case SEARCH_UIDS:
		return s->uids && uid_set_contains(s->uids, row->uid);
	case SEARCH_BEFORE:
		return received_day(row) < s->number;
	case SEARCH_ON:
		return received_day(row) == s->number;
	case SEARCH_SINCE:
		return received_day(row) >= s->number;
	case SEARCH_LARGER:
		return row->size > s->number;
	case SEARCH_SMALLER:
		return row->size < s->number;
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		break;
	}
	return text_matches(s, message);
}
