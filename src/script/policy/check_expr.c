/* Expressions: every one gets a type, and whether a peer said it. */
#include "script/policy/compile.h"

static const struct type text_type = { .base = BASE_TEXT };
static const struct type yesno_type = { .base = BASE_YESNO };

static bool is_measure(const struct type *t)
{
	return !t->list &&
	    (t->base == BASE_NUMBER || t->base == BASE_SIZE || t->base == BASE_DURATION);
}

struct type const_type(const struct node *n)
{
	enum base base = n->quoted ? BASE_TEXT
	    : !n->is_number        ? BASE_YESNO
	    : n->unit == 'b'       ? BASE_SIZE
	    : n->unit == 's'       ? BASE_DURATION
				   : BASE_NUMBER;

	return (struct type){ .base = base };
}

static void check_const(struct node *n)
{
	n->type = const_type(n);
	n->value = n->quoted ? VALUE_TEXT_OF(n->text)
	    : n->is_number   ? VALUE_NUMBER_OF(n->number)
			     : VALUE_YESNO_OF(slice_eq(n->text, SLICE("yes")));
}

struct local *local_find(struct compiler *c, slice name)
{
	for (struct local *l = c->func ? c->func->locals : NULL; l; l = l->next)
		if (slice_eq(l->name, name))
			return l;
	return NULL;
}

void use_add(
    struct compiler *c, enum use_kind kind, uint32_t index, slice verdict, struct range range)
{
	if (c->quiet || !c->func)
		return;
	struct use *u = ARENA_NEW(c->arena, struct use);
	*u = (struct use){ .kind = kind, .index = index, .verdict = verdict, .range = range };
	*c->func->uses_last = u;
	c->func->uses_last = &u->next;
}

/* A variable, a custom one, a parameter. */
static void check_name(struct compiler *c, struct node *n)
{
	struct local *local = local_find(c, n->text);
	struct name_slot *slot = name_find(c, n->text);

	n->ref_kind = REF_NONE;
	n->type = (struct type){ 0 };
	if (local) {
		n->ref_kind = REF_LOCAL;
		n->ref = local->slot;
		n->type = local->type;
		n->peer = local->peer;
	} else if (slot->kind == NAME_VARIABLE) {
		const struct host_variable *v = &c->host->variables[slot->index];

		n->ref_kind = REF_VARIABLE;
		n->ref = slot->index;
		n->type = v->type;
		n->peer = v->peer || c->peer[slot->index];
		use_add(c, USE_READ, slot->index, SLICE(""), n->range);
	} else if (slot->kind == NAME_CUSTOM) {
		n->type = custom_type(c, slot->index);
		n->ref_kind = REF_CUSTOM;
		n->ref = slot->index;
		n->peer = c->customs[slot->index].peer;
		c->customs[slot->index].read = true;
		place_of(c, slot->index);
		use_add(c, USE_CUSTOM, slot->index, SLICE(""), n->range);
	} else if (slot->kind == NAME_TABLE) {
		say(c, REMARK_ERROR, n->range,
		    "a table stands after 'in' or 'matches', or in lookup(table, key)",
		    "'%.*s' is a table and has no value", SLICE_ARG(n->text));
	} else if (slot->kind == NAME_METHOD) {
		say(c, REMARK_ERROR, n->range, NULL, "'%.*s' is called with parentheses",
		    SLICE_ARG(n->text));
	} else {
		say(c, REMARK_ERROR, n->range, NULL, "there is no variable '%.*s'%s",
		    SLICE_ARG(n->text),
		    name_like(c, n->text, 1u << NAME_VARIABLE | 1u << NAME_CUSTOM));
	}
}

void check_condition(struct compiler *c, struct node *n)
{
	check_expr(c, n);
	if (n->kind == NODE_CONST && n->quoted)
		const_fit(c, n, &yesno_type);
	else if (n->type.base != BASE_ANY && (n->type.base != BASE_YESNO || n->type.list))
		say(c, REMARK_ERROR, n->range, "compare it with something",
		    "a condition is yes or no; %s is %s", shown(c, n), type_a(&n->type, c->arena));
}

/* ---- comparisons ---- */

struct type compare_type(const struct node *n)
{
	const struct type *a = &n->a->type, *b = &n->b->type;

	if (n->b->kind == NODE_CONST && n->a->kind != NODE_CONST)
		return (struct type){ .base = a->base, .kb = a->kb, .choice = a->choice };
	if (n->a->kind == NODE_CONST && n->b->kind != NODE_CONST)
		return *b;
	if (type_same(a, b) && !(a->kb ^ b->kb))
		return *a;
	if (is_measure(a) && b->base == BASE_NUMBER)
		return *a;
	if (is_measure(b) && a->base == BASE_NUMBER)
		return *b;
	if (a->base == BASE_SIZE && b->base == BASE_SIZE)
		return *a;
	return text_type;
}

static void check_ordered(struct compiler *c, struct node *n)
{
	struct node *sides[] = { n->a, n->b };

	for (int i = 0; i < 2; i++) {
		struct node *s = sides[i], *other = sides[1 - i];

		if (s->kind == NODE_CONST || s->type.base == BASE_ANY || is_measure(&s->type))
			continue;
		say(c, REMARK_ERROR, s->range,
		    s->type.base == BASE_TEXT ? "number(...) reads one from a string" : NULL,
		    "%.*s compares numbers, sizes and durations; %s is %s", n->mark[1] ? 2 : 1,
		    n->mark, shown(c, s), type_a(&s->type, c->arena));
		if (other->kind == NODE_CONST)
			return;
	}
	const struct type *a = &n->a->type, *b = &n->b->type;
	if (n->a->kind == NODE_CONST && n->b->kind == NODE_CONST)
		say(c, REMARK_ERROR, n->range, NULL, "this compares two constants");
	else if (n->a->kind != NODE_CONST && n->b->kind != NODE_CONST && is_measure(a) &&
	    is_measure(b) && a->base != b->base && a->base != BASE_NUMBER && b->base != BASE_NUMBER)
		say(c, REMARK_ERROR, n->range, NULL, "a size and a duration have no order");
}

static void check_compare(struct compiler *c, struct node *n)
{
	check_expr(c, n->a);
	check_expr(c, n->b);
	bool equal = (n->mark[0] == '=' || n->mark[0] == '!') && n->mark[1] == '=';
	if (!equal)
		check_ordered(c, n);
	struct type t = compare_type(n);
	struct node *constant = n->b->kind == NODE_CONST ? n->b
	    : n->a->kind == NODE_CONST                   ? n->a
							 : NULL;
	const struct node *other = constant == n->b ? n->a : n->b;
	if (other->kind == NODE_NAME || other->kind == NODE_CALL)
		c->of = other->text;
	if (constant && other->kind != NODE_CONST && t.base != BASE_ANY)
		const_fit(c, constant, &t);
	c->of = SLICE("");
	if (n->b->type.list && n->b->kind != NODE_CONST)
		say(c, REMARK_ERROR, n->b->range,
		    "write the list on the left: any of its elements is compared",
		    "a list cannot stand on the right of a comparison");
	if (n->a->type.base == BASE_BODY || n->b->type.base == BASE_BODY)
		say(c, REMARK_ERROR, n->range, NULL, "a body is only for 'matches' and length()");
	if (equal && n->a->type.base == BASE_SIZE && n->b->type.base == BASE_DURATION)
		say(c, REMARK_WARNING, n->range, NULL, "a size never equals a duration");
}

/* ---- lists and patterns ---- */

static void item_error(struct compiler *c, const struct node *item, const struct error *error)
{
	say(c, REMARK_ERROR, item->range, NULL, "%s", error->said);
}

static bool add_item(struct compiler *c, struct set_maker *m, struct node *item,
    const struct type *left, struct error *error)
{
	struct node probe = { .kind = NODE_CONST,
		.range = item->range,
		.text = item->text,
		.is_number = item->is_number,
		.number = item->number,
		.unit = item->unit,
		.quoted = !item->is_number };

	*error = (struct error){ 0 };
	if (set_kind(m->set) == SET_NUMBER) {
		struct node last = probe;

		last.number = item->last;
		if (!const_fit(c, &probe, left) || (item->is_range && !const_fit(c, &last, left)))
			return true; /* said already */
		return set_add_range(m, probe.value.number,
		    item->is_range ? last.value.number : probe.value.number, (struct value){ 0 },
		    error);
	}
	if (item->is_range)
		return error_input(error, "a range '..' is for numbers");
	if ((left->base == BASE_CHOICE || left->base == BASE_YESNO) && !const_fit(c, &probe, left))
		return true;
	return set_add(m, item->text, (struct value){ 0 }, error);
}

const struct set *list_set(
    struct compiler *c, struct node *list, const struct type *left, bool exact)
{
	enum set_kind kind = is_measure(left) ? SET_NUMBER
	    : left->base == BASE_IP           ? SET_NETWORK
	    : left->base == BASE_DOMAIN       ? SET_DOMAIN
	    : left->base == BASE_ADDRESS      ? SET_ADDRESS
					      : SET_TEXT;
	struct set_maker m;
	struct error error = { 0 };

	(void)exact;
	set_begin(&m, kind, c->arena);
	for (struct node *item = list->kids; item; item = item->next) {
		if (item->a)
			say(c, REMARK_ERROR, item->a->range, NULL, "'to' stands only in tables");
		if (!add_item(c, &m, item, left, &error))
			item_error(c, item, &error);
	}
	const struct set *set = set_end(&m, &error);
	if (!set)
		item_error(c, list, &error);
	return set;
}

const struct set *pattern_set(struct compiler *c, struct node *patterns)
{
	struct set_maker m;
	struct error error = { 0 };

	set_begin(&m, SET_PATTERN, c->arena);
	for (struct node *one = patterns->kids; one; one = one->next) {
		bool ok = one->kind == NODE_REGEX ? set_add_regex(&m, one->text, one->exact, &error)
						  : set_add_glob(&m, one->text, one->exact, &error);

		if (!ok)
			item_error(c, one, &error);
	}
	return set_end(&m, &error);
}

static struct table *table_named(struct compiler *c, const struct node *n)
{
	struct name_slot *slot = n->kind == NODE_NAME ? name_find(c, n->text) : NULL;

	return slot && slot->kind == NAME_TABLE ? &c->tables[slot->index] : NULL;
}

/* Can values of the type be looked for among such keys? */
void check_key(struct compiler *c, const struct node *key, const struct table *t)
{
	struct type want = { .base = t->key }, have = key->type;

	have.list = false;
	if (have.base == BASE_ANY || key->kind == NODE_CONST || type_converts(&have, &want))
		return;
	say(c, REMARK_ERROR, key->range,
	    have.base == BASE_TEXT
		? arena_printf(c->arena, "%s(...) makes one of a string, or unknown",
		      type_text(&want, c->arena))
		: NULL,
	    "table '%.*s' has keys of type %s; %s is %s", SLICE_ARG(t->name),
	    type_text(&want, c->arena), shown(c, key), type_a(&have, c->arena));
}

static void check_in_name(struct compiler *c, struct node *n)
{
	struct table *t = table_named(c, n->b);

	if (t) {
		n->b->ref_kind = REF_TABLE;
		n->b->ref = (uint32_t)(t - c->tables);
		c->func->asked_table = true;
		check_key(c, n->a, t);
		if (n->a->kind == NODE_CONST)
			const_fit(c, n->a, &(struct type){ .base = t->key });
		if (n->kind == NODE_MATCHES && t->kind != SET_PATTERN)
			say(c, REMARK_ERROR, n->b->range, "use 'in'",
			    "'matches' wants a table of pattern");
		return;
	}
	struct name_slot *slot = n->b->kind == NODE_NAME ? name_find(c, n->b->text) : NULL;
	if (slot && slot->kind == NAME_NONE && !local_find(c, n->b->text)) {
		say(c, REMARK_ERROR, n->b->range, NULL, "there is no table or list '%.*s'%s",
		    SLICE_ARG(n->b->text),
		    name_like(c, n->b->text, 1u << NAME_TABLE | 1u << NAME_VARIABLE));
		return;
	}
	check_expr(c, n->b);
	if (n->b->type.base != BASE_ANY && (!n->b->type.list || n->kind == NODE_MATCHES))
		say(c, REMARK_ERROR, n->b->range, NULL,
		    n->kind == NODE_MATCHES
			? "patterns stand there, or in a table of pattern; %s is neither"
			: "%s is neither a list nor a table",
		    shown(c, n->b));
	else if (n->a->type.list)
		say(c, REMARK_ERROR, n->a->range, NULL, "a list cannot be looked for in a list");
	else if (n->a->kind == NODE_CONST)
		const_fit(c, n->a, &(struct type){ .base = n->b->type.base });
}

static void check_in(struct compiler *c, struct node *n)
{
	check_expr(c, n->a);
	if (n->b->kind != NODE_LIST) {
		check_in_name(c, n);
		return;
	}
	if (n->kind == NODE_IN && n->a->type.base == BASE_BODY)
		say(c, REMARK_ERROR, n->a->range, NULL,
		    "a body is only for 'matches' and length()");
	if (n->kind == NODE_MATCHES)
		n->b->set = c->quiet ? n->b->set : pattern_set(c, n->b);
	else if (!c->quiet) {
		if (n->a->kind == NODE_NAME)
			c->of = n->a->text;
		n->b->set = list_set(c, n->b, &n->a->type, false);
		c->of = SLICE("");
	}
}

/* ---- arithmetic ---- */

static void check_sum(struct compiler *c, struct node *n)
{
	struct node *sides[] = { n->a, n->b };

	for (int i = 0; i < 2; i++) {
		check_expr(c, sides[i]);
		if (sides[i]->kind == NODE_CONST && sides[i]->quoted)
			const_fit(c, sides[i], &(struct type){ .base = BASE_NUMBER });
		if (sides[i]->type.base == BASE_ANY || is_measure(&sides[i]->type))
			continue;
		say(c, REMARK_ERROR, sides[i]->range,
		    n->mark[0] == '+' ? "texts are joined in quotes: \"%a%%b%\"" : NULL,
		    "'%c' is for numbers, sizes and durations; %s is %s", n->mark[0],
		    shown(c, sides[i]), type_a(&sides[i]->type, c->arena));
	}
	bool plus = n->mark[0] == '+' || n->mark[0] == '-';
	for (int i = 0; i < 2 && plus; i++)
		if (sides[i]->kind == NODE_CONST && sides[i]->type.base == BASE_NUMBER &&
		    sides[1 - i]->kind != NODE_CONST && is_measure(&sides[1 - i]->type))
			const_fit(c, sides[i], &sides[1 - i]->type);
	struct type a = n->a->type, b = n->b->type;
	n->peer = n->a->peer || n->b->peer;
	n->type = a.base == BASE_NUMBER || a.base == BASE_ANY ? b : a;
	if (n->mark[0] == '/' && a.base == b.base)
		n->type = (struct type){ .base = BASE_NUMBER };
	bool bad = plus         ? a.base != b.base && a.base != BASE_NUMBER && b.base != BASE_NUMBER
	    : n->mark[0] == '*' ? a.base != BASE_NUMBER && b.base != BASE_NUMBER
				: b.base != BASE_NUMBER && a.base != b.base;
	if (bad && is_measure(&a) && is_measure(&b))
		say(c, REMARK_ERROR, n->range, NULL, "'%c' does not join %s and %s", n->mark[0],
		    type_a(&a, c->arena), type_a(&b, c->arena));
}

static void check_joined(struct compiler *c, struct node *n)
{
	n->type = text_type;
	n->peer = false;
	for (struct node *kid = n->kids; kid; kid = kid->next) {
		check_expr(c, kid);
		n->peer |= kid->peer;
		if (kid->type.base == BASE_BODY)
			say(c, REMARK_ERROR, kid->range, NULL, "a body cannot be part of a text");
	}
}

/* LIST */
void check_expr(struct compiler *c, struct node *n)
{
	switch (n->kind) {
	case NODE_CONST:
		check_const(n);
		return;
	case NODE_TEXT:
		check_joined(c, n);
		return;
	case NODE_NAME:
		check_name(c, n);
		return;
	case NODE_CALL:
		check_old(c, n);
		if (n->kind == NODE_CALL)
			check_call(c, n, false);
		else
			check_expr(c, n);
		return;
	case NODE_OR:
	case NODE_AND:
		for (struct node *kid = n->kids; kid; kid = kid->next)
			check_condition(c, kid);
		break;
	case NODE_NOT:
		check_condition(c, n->a);
		break;
	case NODE_COMPARE:
		check_compare(c, n);
		break;
	case NODE_IN:
	case NODE_MATCHES:
		check_in(c, n);
		break;
	case NODE_SUM:
		check_sum(c, n);
		return;
	case NODE_NEG:
		check_expr(c, n->a);
		n->type = n->a->type;
		n->peer = n->a->peer;
		if (n->type.base != BASE_ANY && !is_measure(&n->type))
			say(c, REMARK_ERROR, n->range, NULL, "'-' is for numbers");
		return;
	case NODE_REGEX:
		say(c, REMARK_ERROR, n->range, NULL,
		    "a regular expression stands after 'matches' or in extract()");
		return;
	default:
		return;
	}
	n->type = yesno_type;
	n->peer = false;
}
