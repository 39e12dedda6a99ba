/* LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258). */
#include "imap/internal.h"

#include <stdlib.h>

#include "imap/parse.h"
#include "imap/pattern.h"

#define PATTERNS_MAX 100
#define ENTRIES_MAX  1000000 /* names and the levels above them: what a command may keep */

enum select_option {
	SELECT_SUBSCRIBED = 1,
	SELECT_SPECIAL = 2,
	SELECT_RECURSIVE = 4,
	SELECT_REMOTE = 8, /* there are none */
};

enum return_option {
	RETURN_SUBSCRIBED = 1,
	RETURN_CHILDREN = 2, /* said anyway */
	RETURN_SPECIAL = 4,  /* the same */
	RETURN_STATUS = 8,
};

/* A name: of a mailbox, of a subscription only, or a level above one of these. */
struct entry {
	slice name;
	const struct store_mailbox *mailbox; /* NULL: there is none */
	bool subscribed;
	bool matches;
	bool has_children;
	bool child_selected; /* below are some that were asked for and match no pattern */
	bool above;          /* below are some that match no pattern */
	size_t parent;       /* SIZE_MAX for none */
};

struct listing {
	bool lsub, extended;
	unsigned select, returns, status;
	slice patterns[PATTERNS_MAX];
	size_t pattern_count;
	struct entry *entries;
	size_t count, next;
};

/* ---- the names ---- */

/* Levels before what stands beside them: "a", "a/b", "a.b". */
static int entry_compare(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;
	size_t n = one->name.n < other->name.n ? one->name.n : other->name.n, i = 0;

	while (i < n && one->name.p[i] == other->name.p[i])
		i++;
	if (i == n) {
		if (one->name.n != other->name.n)
			return one->name.n < other->name.n ? -1 : 1;
		/* Of one name the mailbox first, a mere level last. */
		int rank = (one->mailbox ? 0 : one->subscribed ? 1 : 2);
		return rank - (other->mailbox ? 0 : other->subscribed ? 1 : 2);
	}
	unsigned char x = (unsigned char)one->name.p[i], y = (unsigned char)other->name.p[i];
	return (x == '/' ? 0 : x) < (y == '/' ? 0 : y) ? -1 : 1;
}

static size_t levels(slice name)
{
	size_t n = 1;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '/';
	return n;
}

/* A name and the levels above it. */
static void entry_add(
    struct listing *l, slice name, const struct store_mailbox *mailbox, bool subscribed)
{
	for (size_t i = 1; i < name.n; i++)
		if (name.p[i] == '/')
			l->entries[l->count++] = (struct entry){ .name = slice_head(name, i) };
	l->entries[l->count++] =
	    (struct entry){ .name = name, .mailbox = mailbox, .subscribed = subscribed };
}

static bool is_below(slice name, slice parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && slice_starts(name, parent);
}

/* Sorts, drops what is there twice, finds parents. */
static void entries_order(struct listing *l)
{
	size_t kept = 0, parent = SIZE_MAX;

	qsort(l->entries, l->count, sizeof *l->entries, entry_compare);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && slice_eq(l->entries[kept - 1].name, l->entries[i].name))
			continue;
		l->entries[kept] = l->entries[i];
		parent = kept ? kept - 1 : SIZE_MAX;
		while (
		    parent != SIZE_MAX && !is_below(l->entries[kept].name, l->entries[parent].name))
			parent = l->entries[parent].parent;
		l->entries[kept++].parent = parent;
	}
	l->count = kept;
}

static bool entries_read(struct imap *im, struct listing *l, struct error *error)
{
	struct store_mailbox *mailboxes;
	size_t mailbox_count, name_count, room = 0;
	slice *names;

	if (!store_mailbox_list(
		imap_store(im), im->account, im->arena, &mailboxes, &mailbox_count, error) ||
	    !store_subscriptions(
		imap_store(im), im->account, im->arena, &names, &name_count, error))
		return false;
	for (size_t i = 0; i < mailbox_count; i++)
		room += levels(mailboxes[i].name);
	for (size_t i = 0; i < name_count; i++)
		room += levels(names[i]);
	if (room > ENTRIES_MAX)
		return error_plain(error, FAULT_LIMIT, "too many mailboxes");
	l->entries = ARENA_ARRAY(im->arena, struct entry, room ? room : 1);
	for (size_t i = 0; i < mailbox_count; i++)
		entry_add(l, mailboxes[i].name, &mailboxes[i], mailboxes[i].subscribed);
	for (size_t i = 0; i < name_count; i++)
		entry_add(l, names[i], NULL, true);
	entries_order(l);
	return true;
}

/* ---- what of them is told ---- */

static bool entry_selected(const struct listing *l, const struct entry *e)
{
	return (!(l->select & SELECT_SUBSCRIBED) || e->subscribed) &&
	    (!(l->select & SELECT_SPECIAL) || (e->mailbox && e->mailbox->special.n)) &&
	    (e->mailbox || l->select & SELECT_SUBSCRIBED);
}

/* What is below says something of what is above: the last first. */
static void entries_judge(struct listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < l->pattern_count && !l->entries[i].matches; k++)
			l->entries[i].matches = pattern_matches(l->patterns[k], l->entries[i].name);
	for (size_t i = l->count; i-- > 0;) {
		struct entry *e = &l->entries[i];

		if (e->parent == SIZE_MAX)
			continue;
		struct entry *parent = &l->entries[e->parent];
		parent->has_children |= e->mailbox || e->has_children;
		parent->above |= (e->mailbox && !e->matches) || e->above;
		parent->child_selected |=
		    (!e->matches && entry_selected(l, e)) || e->child_selected;
	}
}

static void attribute_write(struct buf *out, bool *any, slice name)
{
	if (*any)
		buf_addc(out, ' ');
	buf_add(out, name);
	*any = true;
}

/* mbx-list-flags; LSUB has only the one that RFC 3501 §6.3.9 gives it */
static void attributes_write(
    struct buf *out, const struct listing *l, const struct entry *e, bool rev2)
{
	bool any = false;

	if (l->lsub) {
		if (!e->subscribed)
			attribute_write(out, &any, SLICE("\\Noselect"));
		return;
	}
	if (!e->mailbox)
		attribute_write(
		    out, &any, l->extended || rev2 ? SLICE("\\NonExistent") : SLICE("\\Noselect"));
	if (e->mailbox || e->has_children)
		attribute_write(
		    out, &any, e->has_children ? SLICE("\\HasChildren") : SLICE("\\HasNoChildren"));
	if (e->subscribed && (l->select & SELECT_SUBSCRIBED || l->returns & RETURN_SUBSCRIBED))
		attribute_write(out, &any, SLICE("\\Subscribed"));
	if (e->mailbox && e->mailbox->special.n)
		attribute_write(out, &any, e->mailbox->special);
}

/* mailbox-list = "(" [mbx-list-flags] ")" SP DQUOTE QUOTED-CHAR DQUOTE SP mailbox [SP mbox-list-extended] */
static void entry_write(struct imap *im, const struct listing *l, const struct entry *e)
{
	struct buf *out = &im->s->out;

	buf_addf(out, "* %s (", l->lsub ? "LSUB" : "LIST");
	attributes_write(out, l, e, im->rev2);
	buf_adds(out, ") \"/\" ");
	imap_print_mailbox(im, e->name);
	if (l->select & SELECT_RECURSIVE && e->child_selected)
		buf_addf(out, " (CHILDINFO (\"%s\"))",
		    l->select & SELECT_SUBSCRIBED ? "SUBSCRIBED" : "SPECIAL-USE");
	buf_adds(out, "\r\n");
	if (l->returns & RETURN_STATUS && e->mailbox)
		imap_status_write(im, e->name, e->mailbox, l->status);
}

/* A level that is no mailbox is told of where the patterns leave out what is below it: "%" of "a/b" is "a"
 * (RFC 9051 §6.3.9). */
static bool entry_wanted(const struct listing *l, const struct entry *e)
{
	if (!e->matches)
		return false;
	if (entry_selected(l, e))
		return true;
	if (l->lsub || l->select & SELECT_RECURSIVE)
		return e->child_selected;
	return l->select == 0 && !e->mailbox && e->has_children && e->above;
}

static struct imap_reply list_step(struct imap *im, void *context)
{
	struct listing *l = context;

	for (; l->next < l->count; l->next++) {
		if (imap_full(im))
			return imap_reply_more();
		if (entry_wanted(l, &l->entries[l->next]))
			entry_write(im, l, &l->entries[l->next]);
	}
	return imap_reply_ok("done");
}

/* ---- the command ---- */

/* One of these words, as a bit. */
static unsigned option_parse(struct cursor *c, const char *const *names, const char *expected)
{
	struct cursor before = *c;
	slice word = parse_atom(c, expected);

	for (unsigned i = 0; names[i]; i++)
		if (slice_eq_nocase(word, slice_of(names[i])))
			return 1u << i;
	*c = before;
	cursor_fail(c, expected);
	return 0;
}

/* list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")" */
static void select_parse(struct cursor *args, struct listing *l)
{
	static const char *const names[] = { "SUBSCRIBED", "SPECIAL-USE", "RECURSIVEMATCH",
		"REMOTE", NULL };
	struct cursor before = *args;

	if (!cursor_try_char(args, '('))
		return;
	l->extended = true;
	if (!cursor_try_char(args, ')')) {
		do
			l->select |= option_parse(args, names, "LIST selection option");
		while (cursor_try_char(args, ' '));
		cursor_char(args, ')', "')'");
	}
	if (l->select & SELECT_RECURSIVE && !(l->select & (SELECT_SUBSCRIBED | SELECT_SPECIAL)) &&
	    !args->expected) {
		*args = before;
		cursor_fail(args, "an option for RECURSIVEMATCH to go with");
	}
	l->select &= ~(unsigned)SELECT_REMOTE;
	parse_space(args);
}

/* list-return-opts = SP "RETURN" SP "(" [return-option *(SP return-option)] ")" */
static void returns_parse(struct cursor *args, struct listing *l)
{
	static const char *const names[] = { "SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS",
		NULL };

	if (!cursor_try(args, SLICE(" RETURN (")))
		return;
	l->extended = true;
	if (cursor_try_char(args, ')'))
		return;
	do {
		unsigned option = option_parse(args, names, "LIST return option");

		l->returns |= option;
		if (option == RETURN_STATUS) {
			parse_space(args);
			l->status = imap_status_parse(args);
		}
	} while (cursor_try_char(args, ' '));
	cursor_char(args, ')', "')'");
}

/* list-mailbox; the reference is its beginning */
static void pattern_parse(struct imap *im, struct cursor *args, slice reference, struct listing *l)
{
	slice pattern = parse_list_mailbox(args, im->arena, im->utf8);

	if (l->pattern_count == PATTERNS_MAX)
		cursor_fail(args, "at most 100 patterns");
	else
		l->patterns[l->pattern_count++] = slice_of(
		    arena_printf(im->arena, "%.*s%.*s", SLICE_ARG(reference), SLICE_ARG(pattern)));
}

/* mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")". True: a lone empty one, which asks for
 * the delimiter. */
static bool patterns_parse(struct imap *im, struct cursor *args, slice reference, struct listing *l)
{
	bool empty = cursor_try(args, SLICE("\"\""));

	if (empty)
		return true;
	if (l->lsub || !cursor_try_char(args, '(')) {
		pattern_parse(im, args, reference, l);
		return false;
	}
	l->extended = true;
	do
		pattern_parse(im, args, reference, l);
	while (cursor_try_char(args, ' '));
	cursor_char(args, ')', "')'");
	return false;
}

static struct imap_reply list_begin(struct imap *im, struct cursor *args, struct listing *l)
{
	struct error error;

	parse_space(args);
	if (!l->lsub)
		select_parse(args, l);
	slice reference = parse_list_mailbox(args, im->arena, im->utf8);
	parse_space(args);
	bool delimiter = patterns_parse(im, args, reference, l);
	if (!l->lsub)
		returns_parse(args, l);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (delimiter) {
		if (!l->lsub && !l->extended)
			buf_adds(&im->s->out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
		return imap_reply_ok("done");
	}
	if (!entries_read(im, l, &error))
		return imap_reply_error(im, &error);
	entries_judge(l);
	im->job = (struct job){ .step = list_step, .context = l };
	return imap_reply_more();
}

/* list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]   RFC 9051 §6.3.9 */
struct imap_reply imap_cmd_list(struct imap *im, struct cursor *args)
{
	return list_begin(im, args, ARENA_NEW(im->arena, struct listing));
}

/* lsub = "LSUB" SP mailbox SP list-mailbox   RFC 3501 §6.3.9 */
struct imap_reply imap_cmd_lsub(struct imap *im, struct cursor *args)
{
	struct listing *l = ARENA_NEW(im->arena, struct listing);

	l->lsub = true;
	l->select = SELECT_SUBSCRIBED;
	return list_begin(im, args, l);
}
