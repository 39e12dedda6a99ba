#include "imap/search.h"

#include "imap/envelope.h"
#include "imap/fold.h"
#include "imap/parse.h"
#include "imap/search_text.h"
#include "mail/date.h"

struct parser {
	struct cursor *c;
	struct arena *arena;
	unsigned depth, keys;
};

enum argument {
	NO_ARGUMENT,
	ARGUMENT_TEXT,
	ARGUMENT_DAY,
	ARGUMENT_SIZE,
	ARGUMENT_AGE,
	ARGUMENT_ID
};

/* Keys with at most one argument: what they look at, and what flags they want. */
static const struct key {
	const char *name;
	enum search_kind kind;
	enum argument argument;
	int64_t bits, wanted;
} keys[] = {
	/* clang-format off */
	{ "ALL",        SEARCH_ALL,        NO_ARGUMENT,   0, 0 },
	{ "ANSWERED",   SEARCH_FLAG,       NO_ARGUMENT,   STORE_ANSWERED, STORE_ANSWERED },
	{ "BCC",        SEARCH_BCC,        ARGUMENT_TEXT, 0, 0 },
	{ "BEFORE",     SEARCH_BEFORE,     ARGUMENT_DAY,  0, 0 },
	{ "BODY",       SEARCH_BODY,       ARGUMENT_TEXT, 0, 0 },
	{ "CC",         SEARCH_CC,         ARGUMENT_TEXT, 0, 0 },
	{ "DELETED",    SEARCH_FLAG,       NO_ARGUMENT,   STORE_DELETED, STORE_DELETED },
	{ "DRAFT",      SEARCH_FLAG,       NO_ARGUMENT,   STORE_DRAFT, STORE_DRAFT },
	{ "EMAILID",    SEARCH_EMAILID,    ARGUMENT_ID,   0, 0 },
	{ "FLAGGED",    SEARCH_FLAG,       NO_ARGUMENT,   STORE_FLAGGED, STORE_FLAGGED },
	{ "FROM",       SEARCH_FROM,       ARGUMENT_TEXT, 0, 0 },
	{ "LARGER",     SEARCH_LARGER,     ARGUMENT_SIZE, 0, 0 },
	{ "NEW",        SEARCH_NEW,        NO_ARGUMENT,   0, 0 },
	{ "OLD",        SEARCH_OLD,        NO_ARGUMENT,   0, 0 },
	{ "OLDER",      SEARCH_OLDER,      ARGUMENT_AGE,  0, 0 },
	{ "ON",         SEARCH_ON,         ARGUMENT_DAY,  0, 0 },
	{ "RECENT",     SEARCH_RECENT,     NO_ARGUMENT,   0, 0 },
	{ "SAVEDATESUPPORTED", SEARCH_ALL,   NO_ARGUMENT,   0, 0 },
	{ "SAVEDBEFORE", SEARCH_SAVEDBEFORE, ARGUMENT_DAY, 0, 0 },
	{ "SAVEDON",    SEARCH_SAVEDON,    ARGUMENT_DAY,  0, 0 },
	{ "SAVEDSINCE", SEARCH_SAVEDSINCE, ARGUMENT_DAY,  0, 0 },
	{ "SEEN",       SEARCH_FLAG,       NO_ARGUMENT,   STORE_SEEN, STORE_SEEN },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, ARGUMENT_DAY,  0, 0 },
	{ "SENTON",     SEARCH_SENTON,     ARGUMENT_DAY,  0, 0 },
	{ "SENTSINCE",  SEARCH_SENTSINCE,  ARGUMENT_DAY,  0, 0 },
	{ "SINCE",      SEARCH_SINCE,      ARGUMENT_DAY,  0, 0 },
	{ "SMALLER",    SEARCH_SMALLER,    ARGUMENT_SIZE, 0, 0 },
	{ "SUBJECT",    SEARCH_SUBJECT,    ARGUMENT_TEXT, 0, 0 },
	{ "TEXT",       SEARCH_TEXT,       ARGUMENT_TEXT, 0, 0 },
	{ "THREADID",   SEARCH_NONE,       ARGUMENT_ID,   0, 0 },
	{ "TO",         SEARCH_TO,         ARGUMENT_TEXT, 0, 0 },
	{ "UNANSWERED", SEARCH_FLAG,       NO_ARGUMENT,   STORE_ANSWERED, 0 },
	{ "UNDELETED",  SEARCH_FLAG,       NO_ARGUMENT,   STORE_DELETED, 0 },
	{ "UNDRAFT",    SEARCH_FLAG,       NO_ARGUMENT,   STORE_DRAFT, 0 },
	{ "UNFLAGGED",  SEARCH_FLAG,       NO_ARGUMENT,   STORE_FLAGGED, 0 },
	{ "UNSEEN",     SEARCH_FLAG,       NO_ARGUMENT,   STORE_SEEN, 0 },
	{ "YOUNGER",    SEARCH_YOUNGER,    ARGUMENT_AGE,  0, 0 },
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

	return (slice){ copy, fold(copy, text.n) };
}

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-")   RFC 8474 §7; what is none of ours is nobody's */
static void id_parse(struct parser *p, struct search *s)
{
	slice id = parse_atom(p->c, "object id");
	struct cursor c = cursor_of(id);

	s->number = -1;
	if (id.n && id.p[0] == 'M') { /* ids have case */
		cursor_take(&c, 1, "M");
		int64_t number = (int64_t)cursor_number(&c, INT64_MAX, "number");
		s->number = cursor_done(&c) ? number : -1;
	}
}

static void argument_parse(struct parser *p, const struct key *key, struct search *s)
{
	if (key->argument != NO_ARGUMENT)
		parse_space(p->c);
	if (key->argument == ARGUMENT_TEXT)
		s->text = needle_parse(p);
	else if (key->argument == ARGUMENT_DAY)
		date_day_parse(p->c, &s->number);
	else if (key->argument == ARGUMENT_ID)
		id_parse(p, s);
	else if (key->argument == ARGUMENT_SIZE)
		s->number = (int64_t)cursor_number(p->c, INT64_MAX, "size");
	else if (key->argument == ARGUMENT_AGE)
		s->number = clock_wall_us() / 1000000 - parse_number(p->c);
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

/* "MODSEQ" [SP entry-name SP ("priv" / "shared" / "all")] SP mod-sequence-valzer   RFC 7162 §3.1.5; flags have no
 * modseqs of their own here, so the entry chooses nothing */
static struct search *modseq_key(struct parser *p)
{
	struct search *s = search_new(p, SEARCH_MODSEQ);

	parse_space(p->c);
	if (cursor_peek(p->c) == '"') {
		parse_string(p->c, p->arena);
		parse_space(p->c);
		if (!cursor_try(p->c, SLICE("priv")) && !cursor_try(p->c, SLICE("shared")) &&
		    !cursor_try(p->c, SLICE("all")))
			cursor_fail(p->c, "priv, shared or all");
		parse_space(p->c);
	}
	s->number = (int64_t)cursor_number(p->c, INT64_MAX, "modseq");
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
	if (slice_eq_nocase(word, SLICE("MODSEQ")))
		return modseq_key(p);
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
	} else if (octet_is(cursor_peek(p->c), OCTET_DIGIT) || cursor_peek(p->c) == '*' ||
	    cursor_peek(p->c) == '$') {
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

static int64_t day_of(int64_t us)
{
	struct date date = { .seconds = us / 1000000 };

	return date_day(&date);
}

static int64_t received_day(const struct store_row *row)
{
	return day_of(row->received_us);
}

/* That of the arrival where nobody knows (RFC 8514 §4.3). */
static int64_t saved_day(const struct store_row *row)
{
	return day_of(row->saved_us ? row->saved_us : row->received_us);
}

/* One of the three keys that begin with `before`. */
static bool day_matches(const struct search *s, enum search_kind before, int64_t day)
{
	if (s->kind == before)
		return day < s->number;
	return s->kind == before + 1 ? day == s->number : day >= s->number;
}

/* The day of the Date field; of the arrival where there is no such field. */
static bool sent_matches(
    const struct search *s, const struct search_message *message, const struct envelope *e)
{
	struct date date;
	int64_t day =
	    e->date.p && date_parse(e->date, &date) ? date_day(&date) : received_day(message->row);

	return day_matches(s, SEARCH_SENTBEFORE, day);
}

/* Keys that look at the envelope. */
static bool envelope_matches(const struct search *s, const struct search_message *message)
{
	static const enum envelope_list lists[] = { [SEARCH_FROM] = ENVELOPE_FROM,
		[SEARCH_TO] = ENVELOPE_TO,
		[SEARCH_CC] = ENVELOPE_CC,
		[SEARCH_BCC] = ENVELOPE_BCC };
	struct envelope e;

	if (s->kind == SEARCH_SUBJECT)
		return search_text_value(message->charsets,
		    envelope_subject(message->row->head.envelope, message->arena), s->text);
	envelope_read(message->row->head.envelope, message->arena, &e);
	if (s->kind >= SEARCH_FROM)
		return s->text.n == 0 ||
		    search_text_addresses(
			message->charsets, e.lists[lists[s->kind]], message->arena, s->text);
	return sent_matches(s, message, &e);
}

/* Keys that must look into the message. */
static bool text_matches(const struct search *s, const struct search_message *message)
{
	size_t body_at;
	slice text;

	if (s->kind == SEARCH_HEADER)
		return message->header(message->context, &text) &&
		    search_text_header(message->charsets, text, s->name, s->text);
	if (!message->text(message->context, &text, &body_at))
		return false;
	return search_text_holds(
	    s->kind == SEARCH_BODY ? slice_from(text, body_at) : text, s->text);
}

bool search_needs_head(const struct search *key)
{
	return (key->kind >= SEARCH_SENTBEFORE && key->kind <= SEARCH_SENTSINCE) ||
	    key->kind >= SEARCH_SUBJECT;
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

static bool number_matches(const struct search *s, const struct store_row *row)
{
	if (s->kind == SEARCH_LARGER)
		return row->size > s->number;
	if (s->kind == SEARCH_SMALLER)
		return row->size < s->number;
	if (s->kind == SEARCH_OLDER)
		return row->received_us / 1000000 <= s->number;
	if (s->kind == SEARCH_YOUNGER)
		return row->received_us / 1000000 >= s->number;
	return s->kind == SEARCH_MODSEQ ? row->modseq >= s->number : row->body == s->number;
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
	case SEARCH_NEW:
		return s->uids && uid_set_contains(s->uids, row->uid) && !(row->flags & STORE_SEEN);
	case SEARCH_OLD:
		return !s->uids || !uid_set_contains(s->uids, row->uid);
	case SEARCH_SEQUENCE:
	case SEARCH_UIDS:
	case SEARCH_RECENT:
		return s->uids && uid_set_contains(s->uids, row->uid);
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
		return day_matches(s, SEARCH_BEFORE, received_day(row));
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
	case SEARCH_OLDER:
	case SEARCH_YOUNGER:
	case SEARCH_MODSEQ:
	case SEARCH_EMAILID:
		return number_matches(s, row);
	case SEARCH_SAVEDBEFORE:
	case SEARCH_SAVEDON:
	case SEARCH_SAVEDSINCE:
		return day_matches(s, SEARCH_SAVEDBEFORE, saved_day(row));
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return text_matches(s, message);
	case SEARCH_SUBJECT:
	case SEARCH_FROM:
	case SEARCH_TO:
	case SEARCH_CC:
	case SEARCH_BCC:
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		break;
	}
	return envelope_matches(s, message);
}
