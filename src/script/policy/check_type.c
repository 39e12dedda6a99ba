/* Types: what fits where. */
#include "mail/address.h"
#include "mail/idna.h"
#include "base/octet.h"
#include "script/policy/compile.h"

bool type_same(const struct type *a, const struct type *b)
{
	return a->base == b->base && a->list == b->list &&
	    (a->base != BASE_CHOICE || strcmp(a->choice, b->choice) == 0);
}

const char *shown(struct compiler *c, const struct node *n)
{
	slice text = source_text(c->src, n->range);
	bool one_line = slice_find(text, '\n') == text.n;

	return text.n && text.n < 60 && one_line ? arena_str(c->arena, text) : "this";
}

static const char *closest(struct compiler *c, const char *words, slice word)
{
	unsigned best = 3;
	slice found = { 0 };

	for (slice rest = slice_of(words); rest.n;) {
		slice one = slice_head(rest, slice_find(rest, ' '));
		unsigned d = word_distance(word, one, 2);

		rest = slice_from(rest, one.n + 1);
		if (d < best) {
			best = d;
			found = one;
		}
	}
	return found.n ? arena_printf(c->arena, "; did you mean '%.*s'?", SLICE_ARG(found)) : "";
}

/* The word of the choice that this is, without case; empty: none. */
static slice choice_word(const char *words, slice word)
{
	for (slice rest = slice_of(words); rest.n;) {
		slice one = slice_head(rest, slice_find(rest, ' '));

		if (slice_eq_nocase(one, word))
			return one;
		rest = slice_from(rest, one.n + 1);
	}
	return SLICE("");
}

static bool fit_choice(struct compiler *c, struct node *n, const struct type *t)
{
	slice found = choice_word(t->choice, n->text);

	if (found.n) {
		n->value = VALUE_TEXT_OF(found);
		return true;
	}
	const char *more = closest(c, t->choice, n->text);
	say(c, REMARK_ERROR, n->range, arena_printf(c->arena, "one of: %s", t->choice),
	    "'%.*s' is not a value of %s%s", SLICE_ARG(slice_head(n->text, 80)),
	    c->of.n ? arena_str(c->arena, c->of) : "this choice", more);
	return false;
}

/* A bare number in the unit of the type. */
static bool fit_number(struct compiler *c, struct node *n, const struct type *t)
{
	int64_t number = n->number;
	bool sized = n->is_number && n->unit;

	if (!n->is_number && !number_read(n->text, &number))
		goto no;
	if (sized && (n->unit == 'b') != (t->base == BASE_SIZE))
		goto no;
	if (!sized && t->base == BASE_SIZE) {
		__int128 octets = (__int128)number * (t->kb ? 1024 : 1) / 1000;

		if (octets > INT64_MAX || octets < INT64_MIN)
			goto no;
		number = (int64_t)octets;
	}
	n->value = VALUE_NUMBER_OF(number);
	return true;
no:
	say(c, REMARK_ERROR, n->range,
	    t->base == BASE_SIZE           ? "a size is octets, or has K, M or G"
		: t->base == BASE_DURATION ? "a duration is seconds, or has s, m, h or d"
					   : NULL,
	    "%s is no %s", shown(c, n), type_text(t, c->arena));
	return false;
}

static bool fit_name(struct compiler *c, struct node *n, const struct type *t)
{
	struct address address;
	slice ascii;

	if (t->base == BASE_DOMAIN && idna_ascii(n->text, c->arena, &ascii) && ascii.n <= 255) {
		struct cursor cursor = cursor_of(ascii);

		if (domain_parse(&cursor, c->arena, &ascii) && cursor_done(&cursor)) {
			n->value = VALUE_TEXT_OF(ascii);
			return true;
		}
	}
	if (t->base == BASE_ADDRESS && slice_eq(n->text, SLICE("<>"))) {
		n->value = VALUE_TEXT_OF(n->text);
		return true;
	}
	if (t->base == BASE_ADDRESS && address_parse(n->text, c->arena, &address)) {
		n->value = VALUE_TEXT_OF(address_text(c->arena, &address));
		return true;
	}
	say(c, REMARK_ERROR, n->range, NULL, "%s is no %s", shown(c, n), type_text(t, c->arena));
	return false;
}

static bool fit_yesno(struct compiler *c, struct node *n)
{
	if (slice_eq_nocase(n->text, SLICE("yes")) || slice_eq_nocase(n->text, SLICE("no"))) {
		n->value = VALUE_YESNO_OF(slice_eq_nocase(n->text, SLICE("yes")));
		return true;
	}
	say(c, REMARK_ERROR, n->range, NULL, "%s is neither yes nor no", shown(c, n));
	return false;
}

bool const_fit(struct compiler *c, struct node *n, const struct type *t)
{
	struct ip ip;
	bool fits = true;

	n->type = *t;
	n->type.list = false;
	if (n->quoted && n->text.n == 0) {
		n->value = (struct value){ 0 };
		return true;
	}
	/* The rounds before are for types and peer marks. */
	if (c->quiet)
		return true;
	switch (t->base) {
	case BASE_ANY:
		break;
	case BASE_TEXT:
	case BASE_BODY:
		n->value = VALUE_TEXT_OF(n->text);
		break;
	case BASE_NUMBER:
	case BASE_SIZE:
	case BASE_DURATION:
		return fit_number(c, n, t);
	case BASE_IP:
		fits = ip_parse(n->text, &ip);
		n->value = (struct value){ .kind = VALUE_IP, .ip = ip };
		if (!fits)
			say(c, REMARK_ERROR, n->range, NULL, "%s is no IP address", shown(c, n));
		break;
	case BASE_DOMAIN:
	case BASE_ADDRESS:
		return fit_name(c, n, t);
	case BASE_YESNO:
		return fit_yesno(c, n);
	case BASE_CHOICE:
		return fit_choice(c, n, t);
	}
	return fits;
}

bool const_fits(struct compiler *c, struct node *n, const struct type *t)
{
	bool silent = c->silent;

	c->silent = true;
	bool fits = const_fit(c, n, t);
	c->silent = silent;
	return fits;
}

static bool is_measure(enum base b)
{
	return b == BASE_NUMBER || b == BASE_SIZE || b == BASE_DURATION;
}

bool type_converts(const struct type *from, const struct type *to)
{
	if (from->base == BASE_ANY || to->base == BASE_ANY || type_same(from, to))
		return true;
	if (to->list)
		return false;
	if (to->base == BASE_TEXT)
		return from->base != BASE_BODY;
	if (from->list)
		return false;
	if (from->base == BASE_CHOICE && to->base == BASE_CHOICE)
		return false;
	return from->base == BASE_NUMBER && is_measure(to->base);
}

bool expr_fit(struct compiler *c, struct node *n, const struct type *t, const char *what, slice of)
{
	bool list_const = n->kind == NODE_CONST && t->list && n->text.n;

	if (n->kind == NODE_CONST && !list_const)
		return const_fit(c, n, t);
	if (!list_const && type_converts(&n->type, t))
		return true;
	if (c->quiet)
		return false;
	what = arena_printf(c->arena, what, SLICE_ARG(of));
	if (list_const) {
		say(c, REMARK_ERROR, n->range, NULL, "%s is a list; a constant is none", what);
		return false;
	}
	const char *hint = NULL;
	if (n->type.base == BASE_TEXT && !n->type.list &&
	    (t->base == BASE_NUMBER || t->base == BASE_IP || t->base == BASE_DOMAIN ||
		t->base == BASE_ADDRESS))
		hint = arena_printf(
		    c->arena, "%s(...) makes one of a string, or unknown", type_text(t, c->arena));
	say(c, REMARK_ERROR, n->range, hint, "%s wants %s; %s is %s", what, type_a(t, c->arena),
	    shown(c, n), type_a(&n->type, c->arena));
	return false;
}

struct type custom_type(struct compiler *c, uint32_t index)
{
	struct custom *v = &c->customs[index];

	if (v->state == 1) {
		v->circular = true; /* said when all is known */
		v->state = 2;
	}
	if (v->state == 2)
		return v->type;
	bool quiet = c->quiet;
	struct func *func = c->func;
	v->state = 1;
	c->quiet = true;
	c->func = v->func;
	if (++c->nested < 100)
		check_expr(c, v->first->a);
	c->nested--;
	c->quiet = quiet;
	c->func = func;
	if (v->state == 1)
		v->type = v->first->a->type;
	v->state = 2;
	return v->type;
}
