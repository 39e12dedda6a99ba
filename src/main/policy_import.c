/*
 * The script is compiled, and whatever has errors becomes a comment, until what is left compiles. All changes are kept as
 * edits of the text as it came, so that nothing else of it is touched and every loss has its line.
 */
#include "main/policy_import.h"

#include <limits.h>
#include <stdlib.h>

#include "script/policy/parse.h"

#define EDITS_MAX  5000
#define ROUNDS_MAX 100

struct edit {
	uint32_t at, end; /* of the text as it came */
	slice text;
	const char *why; /* NULL: only written otherwise */
};

struct import {
	const struct policy_host *host;
	const char *name;
	slice text;
	struct arena *arena;
	struct edit *edits; /* in order, none within another */
	unsigned count;
	bool operators_only; /* names stay as they are */
	struct buf now;
	struct sources sources;
	struct tree tree;
};

/* Names that scripts were seen to use for what has another name here. */
static const struct {
	const char *old, *ours;
} names[] = { { "currentRcpt", "rcptTo" }, { "currentRcptUser", "rcptToUser" },
	{ "currentRcptDomain", "rcptToDomain" }, { "remoteHostName", "remoteSmtpHost" },
	{ "authPass", "relayAuthPassword" }, { "rcptCount", "count(rcpts)" },
	{ "recvHeaders", "count(headers(\"Received\"))" } };

/* ---- edits ---- */

static int edit_order(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* An edit takes the place of those within it; false: it lies within a loss already, or there are too many. */
static bool edit_add(struct import *im, uint32_t at, uint32_t end, slice text, const char *why)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < im->count; i++) {
		const struct edit *e = &im->edits[i];

		if (e->at <= at && e->end >= end && (e->why || !why))
			return false;
	}
	for (unsigned i = 0; i < im->count; i++)
		if (im->edits[i].end <= at || im->edits[i].at >= end)
			im->edits[kept++] = im->edits[i];
	im->count = kept;
	if (im->count == EDITS_MAX)
		return false;
	im->edits[im->count++] = (struct edit){ at, end, text, why };
	qsort(im->edits, im->count, sizeof *im->edits, edit_order);
	return true;
}

static void add_comment(struct import *im, const struct edit *e)
{
	slice lost = slice_head(slice_from(im->text, e->at), e->end - e->at);

	buf_addf(&im->now, "# not imported: %s\n", e->why);
	while (lost.n) {
		slice line = slice_head(lost, slice_find(lost, '\n'));

		lost = slice_from(lost, line.n + 1);
		buf_addf(&im->now, "# %.*s\n", SLICE_ARG(line));
	}
}

/* The text as it is now. */
static void build(struct import *im)
{
	uint32_t at = 0;

	im->now.n = 0;
	for (unsigned i = 0; i < im->count; i++) {
		const struct edit *e = &im->edits[i];

		buf_add(&im->now, slice_head(slice_from(im->text, at), e->at - at));
		if (e->why)
			add_comment(im, e);
		else
			buf_add(&im->now, e->text);
		at = e->end;
	}
	buf_add(&im->now, slice_from(im->text, at));
}

/* Where an octet of the text as it is now came from. */
static uint32_t came_from(struct import *im, uint32_t now)
{
	uint32_t at = 0, here = 0;

	for (unsigned i = 0; i < im->count; i++) {
		const struct edit *e = &im->edits[i];
		uint32_t plain = e->at - at, written = (uint32_t)e->text.n;

		if (now < here + plain)
			return at + now - here;
		if (e->why) {
			size_t before = im->now.n;
			struct buf kept = im->now;

			/* Written the same way again, only to see how long it is. */
			buf_init(&im->now, 16 << 20);
			add_comment(im, e);
			written = (uint32_t)im->now.n;
			buf_free(&im->now);
			im->now = kept;
			im->now.n = before;
		}
		if (now < here + plain + written)
			return e->at;
		here += plain + written;
		at = e->end;
	}
	return at + now - here;
}

/* ---- old words ---- */

static slice text_of(struct import *im, const struct node *n);

static bool is_name(const struct node *n, const char *name)
{
	return slice_eq_nocase(n->text, slice_of(name));
}

/* In parentheses, unless what it becomes binds closer than `and`, `or`; or than `not`. */
static const char *in_parentheses(struct import *im, const struct node *n, bool under_not)
{
	bool any = n->kind == NODE_CALL && (is_name(n, "anyof") || is_name(n, "allof"));
	bool chain = n->kind == NODE_AND || n->kind == NODE_OR || any;
	bool alone = n->kind == NODE_NAME || n->kind == NODE_CONST || n->kind == NODE_TEXT ||
	    n->kind == NODE_NOT;
	slice text = text_of(im, n);

	if (n->kind == NODE_CALL && slice_eq(text, source_text(&im->sources, n->range)))
		alone = true;
	return arena_printf(
	    im->arena, chain || (under_not && !alone) ? "(%.*s)" : "%.*s", SLICE_ARG(text));
}

/* number(x), but for variables that are numbers. */
static const char *as_number(struct import *im, const struct node *n)
{
	slice text = text_of(im, n);

	if (n->kind == NODE_CONST)
		return arena_str(im->arena, text);
	for (unsigned i = 0; i < im->host->variable_count && n->kind == NODE_NAME; i++)
		if (slice_eq(n->text, slice_of(im->host->variables[i].name)) &&
		    strchr("nd", im->host->variables[i].type[0]) &&
		    strcmp(im->host->variables[i].type, "domain") != 0)
			return arena_str(im->arena, text);
	for (unsigned i = 0; i < im->host->variable_count && n->kind == NODE_NAME; i++)
		if (slice_eq(n->text, slice_of(im->host->variables[i].name)) &&
		    strncmp(im->host->variables[i].type, "size", 4) == 0)
			return arena_str(im->arena, text);
	return arena_printf(im->arena, "number(%.*s)", SLICE_ARG(text));
}

static slice joined(struct import *im, const struct node *n, const char *word)
{
	const char *all = "";

	for (const struct node *kid = n->kids; kid; kid = kid->next)
		all = arena_printf(
		    im->arena, "%s%s%s", all, *all ? word : "", in_parentheses(im, kid, false));
	return slice_of(all);
}

/* is(a, b) and its like as operators; empty: it is none of them. */
static slice call_text(struct import *im, const struct node *n)
{
	const struct node *a = n->kids, *b = a ? a->next : NULL;
	bool two = b && !b->next, literal = two && b->kind == NODE_CONST;
	const char *text = "";

	if (a && (is_name(n, "anyof") || is_name(n, "allof")))
		return joined(im, n, is_name(n, "anyof") ? " or " : " and ");
	if (two && is_name(n, "is"))
		text = arena_printf(im->arena, "%.*s == %.*s", SLICE_ARG(text_of(im, a)),
		    SLICE_ARG(text_of(im, b)));
	else if (literal && is_name(n, "match"))
		text = arena_printf(im->arena, "%.*s matches %.*s", SLICE_ARG(text_of(im, a)),
		    SLICE_ARG(text_of(im, b)));
	else if (two && (is_name(n, "lessThan") || is_name(n, "greaterThan")))
		text = arena_printf(im->arena, "%s %s %s", as_number(im, a),
		    is_name(n, "lessThan") ? "<" : ">", as_number(im, b));
	else if (literal && is_name(n, "ipRange"))
		text = arena_printf(im->arena, "%.*s in [%.*s]", SLICE_ARG(text_of(im, a)),
		    SLICE_ARG(text_of(im, b)));
	return slice_of(text);
}

static const char *our_name(slice name)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_eq_nocase(name, slice_of(names[i].old)))
			return names[i].ours;
	return NULL;
}

static bool changes(struct import *im, const struct node *n)
{
	return !slice_eq(text_of(im, n), source_text(&im->sources, n->range));
}

/* An expression as it is to be written. */
static slice text_of(struct import *im, const struct node *n)
{
	slice whole = source_text(&im->sources, n->range), other = SLICE("");
	bool chain = n->kind == NODE_AND || n->kind == NODE_OR, any = false;

	for (const struct node *kid = n->kids; chain && kid; kid = kid->next)
		any |= changes(im, kid);
	if (n->kind == NODE_CALL)
		other = call_text(im, n);
	else if (n->kind == NODE_NOT && changes(im, n->a))
		other = slice_of(arena_printf(im->arena, "not %s", in_parentheses(im, n->a, true)));
	else if (any)
		other = joined(im, n, n->kind == NODE_AND ? " and " : " or ");
	else if (n->kind == NODE_NAME && !im->operators_only && our_name(n->text) && whole.n &&
	    whole.p[0] != '%')
		other = slice_of(our_name(n->text));
	return other.n ? other : whole;
}

static void rename_in(struct import *im, const struct node *n)
{
	for (const struct node *kid = n->kids; kid && n->kind == NODE_TEXT; kid = kid->next) {
		const char *ours = kid->kind == NODE_NAME ? our_name(kid->text) : NULL;

		if (ours && !strchr(ours, '('))
			edit_add(im, kid->range.at, kid->range.end,
			    slice_of(arena_printf(im->arena, "%%%s%%", ours)), NULL);
	}
}

static void rewrite(struct import *im, const struct node *n)
{
	slice text = n ? text_of(im, n) : SLICE("");

	if (!n)
		return;
	if (!im->operators_only)
		rename_in(im, n);
	if (!slice_eq(text, source_text(&im->sources, n->range)))
		edit_add(im, n->range.at, n->range.end, text, NULL);
}

static void rewrite_statements(struct import *im, const struct node *n)
{
	for (; n; n = n->next) {
		if (n->kind == NODE_SET) {
			const char *ours = our_name(n->text);

			if (ours && !strchr(ours, '(') && !im->operators_only)
				edit_add(im, n->range.at, n->range.end, slice_of(ours), NULL);
			rewrite(im, n->a);
		}
		for (const struct node *arg = n->kind == NODE_DO ? n->a->kids : NULL; arg;
		     arg = arg->next)
			rewrite(im, arg);
		if (n->kind == NODE_SWITCH)
			rewrite(im, n->a);
		for (const struct node *b = n->kind == NODE_IF || n->kind == NODE_SWITCH ? n->kids
											 : NULL;
		     b; b = b->next) {
			if (n->kind == NODE_IF)
				rewrite(im, b->a);
			rewrite_statements(im, b->b->kids);
		}
		if (n->kind == NODE_FOREACH)
			rewrite_statements(im, n->b->kids);
	}
}

/* ---- what is not understood ---- */

/* The innermost statement around an octet; one whose condition it stands in is meant whole. */
static const struct node *statement_at(const struct node *n, uint32_t at)
{
	for (; n; n = n->next) {
		const struct node *inner = NULL;

		if (at < n->from || at >= n->to)
			continue;
		for (const struct node *b = n->kids;
		     b && (n->kind == NODE_IF || n->kind == NODE_SWITCH); b = b->next)
			inner = inner ? inner : statement_at(b->b->kids, at);
		if (n->kind == NODE_FOREACH)
			inner = statement_at(n->b->kids, at);
		return inner ? inner : n;
	}
	return NULL;
}

static bool is_lost(const struct remark *m)
{
	/* A variable that nothing here reads would have told the old server something. */
	return m->kind == REMARK_ERROR || strstr(m->text, "is set and never read");
}

static bool lose(struct import *im, const struct remark *m)
{
	uint32_t at = m->range.at, from = 0, to = 0;

	for (const struct skipped *s = im->tree.skipped; s; s = s->next)
		if (at >= s->range.at && at <= s->range.end &&
		    (!to || s->range.end - s->range.at < to - from)) {
			from = s->range.at;
			to = s->range.end;
		}
	for (const struct decl *d = im->tree.first; d && !to; d = d->next) {
		if (at < d->whole.at || at >= d->whole.end)
			continue;
		const struct node *s = d->body ? statement_at(d->body->kids, at) : NULL;

		from = s ? s->from : d->whole.at;
		to = s ? s->to : d->whole.end;
	}
	if (!to)
		return false;
	uint32_t first = came_from(im, from), last = came_from(im, to - 1) + 1;
	return edit_add(im, first, last > first ? last : first + 1, SLICE(""), m->text);
}

static struct policy *compile(struct import *im)
{
	build(im);
	sources_begin(&im->sources, im->arena, NULL, NULL);
	uint32_t file = sources_add(&im->sources, im->name,
	    arena_copy(im->arena, buf_slice(&im->now)), (struct range){ 0 });
	if (file == UINT32_MAX)
		return NULL;
	struct policy *p = policy_compile(im->host, &im->sources, file, NULL);
	/* The tree once more: what is compiled may be written otherwise there. */
	struct sources again;
	sources_begin(&again, im->arena, NULL, NULL);
	sources_add(&again, im->name, im->sources.files[0].text, (struct range){ 0 });
	policy_parse(&again, 0, true, &im->tree);
	return p;
}

static bool first_words(struct import *im)
{
	sources_begin(&im->sources, im->arena, NULL, NULL);
	if (sources_add(&im->sources, im->name, im->text, (struct range){ 0 }) == UINT32_MAX)
		return false;
	policy_parse(&im->sources, 0, true, &im->tree);
	for (const struct decl *d = im->tree.first; d; d = d->next) {
		for (const struct node *n = d->when; n; n = n->next)
			rewrite(im, n);
		if (d->body)
			rewrite_statements(im, d->body->kids);
	}
	return true;
}

bool policy_import_operators(const struct policy_host *host, const char *name, slice text,
    struct arena *arena, struct buf *out)
{
	struct import im = {
		.host = host, .name = name, .text = text, .arena = arena, .operators_only = true
	};

	im.edits = ARENA_ARRAY(arena, struct edit, EDITS_MAX);
	buf_init(&im.now, 16 << 20);
	bool good = first_words(&im) && !im.sources.errors;
	if (good) {
		build(&im);
		buf_add(out, buf_slice(&im.now));
	}
	buf_free(&im.now);
	return good;
}

static unsigned report(struct import *im, struct buf *lost)
{
	struct sources as_it_came;
	unsigned count = 0, line, column;

	sources_begin(&as_it_came, im->arena, NULL, NULL);
	sources_add(&as_it_came, im->name, im->text, (struct range){ 0 });
	for (unsigned i = 0; i < im->count; i++) {
		if (!im->edits[i].why)
			continue;
		source_place(&as_it_came, (struct range){ 0, im->edits[i].at, im->edits[i].at },
		    &line, &column);
		buf_addf(
		    lost, "%s:%u:%u: not imported: %s\n", im->name, line, column, im->edits[i].why);
		count++;
	}
	return count;
}

unsigned policy_import(const struct policy_host *host, const char *name, slice text,
    struct arena *arena, struct buf *out, struct buf *lost)
{
	struct import im = { .host = host, .name = name, .text = text, .arena = arena };
	bool good = false;

	im.edits = ARENA_ARRAY(arena, struct edit, EDITS_MAX);
	buf_init(&im.now, 16 << 20);
	bool read = first_words(&im);
	for (int round = 0;
	     round < ROUNDS_MAX && read && !good && arena_used(arena) < ARENA_POLICY / 2; round++) {
		struct policy *p = compile(&im);
		bool more = false;

		for (const struct remark *m = im.sources.messages; m; m = m->next)
			more |= is_lost(m) && lose(&im, m);
		good = p && !more;
		if (!p && !more)
			break;
	}
	unsigned count = good ? report(&im, lost) : UINT_MAX;
	if (good)
		buf_add(out, buf_slice(&im.now));
	else
		sources_print(&im.sources, false, lost);
	buf_free(&im.now);
	return count;
}
