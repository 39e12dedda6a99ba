/*
 * Random programs: what the compiler and the machine make of them is what a plain walk over the tree does, and the
 * steps that are charged never pass the bound. The walk knows nothing of instructions, sets or slots.
 */
#include "lib/lab.h"
#include "lib/random_policy.h"

#include <strings.h>

#include "base/octet.h"
#include "script/policy/compile.h"

/* ---- the walk ---- */

enum way { ON, BACK, STOPPED };

static struct walk {
	struct arena *arena;
	struct value *vars; /* of the host */
	struct value kept;
	struct own {
		slice name;
		struct value value;
	} own[16]; /* of the block in hand: its variables, parameters, names of foreach */
	unsigned own_count;
	struct buf notes;
} w;

static struct value eval(const struct node *n);

static struct value unknown(void)
{
	return (struct value){ 0 };
}

static bool same(slice a, slice b)
{
	return a.n == b.n && strncasecmp(a.p ? a.p : "", b.p ? b.p : "", a.n) == 0;
}

static const char *show(const struct value *v, const struct type *t)
{
	long long n = v->number;

	if (v->kind == VALUE_TEXT)
		return arena_str(w.arena, v->text);
	if (v->kind == VALUE_YESNO)
		return v->yes ? "yes" : "no";
	if (v->kind == VALUE_LIST) {
		const char *all = "";

		for (size_t i = 0; i < v->list.count; i++)
			all = arena_printf(w.arena, "%s%s%.*s", all, i ? ", " : "",
			    SLICE_ARG(v->list.items[i].text));
		return all;
	}
	if (v->kind == VALUE_IP) {
		char *place = arena_alloc(w.arena, 64);

		ip_write(&v->ip, place);
		return place;
	}
	if (v->kind != VALUE_NUMBER)
		return "";
	if (t->base == BASE_SIZE && !t->kb)
		return arena_printf(w.arena, "%lld", n);
	if (t->base == BASE_SIZE)
		n = (long long)((__int128)n * 1000 / 1024);
	unsigned long long u = n < 0 ? 0ull - (unsigned long long)n : (unsigned long long)n;
	char *s = arena_printf(w.arena, "%s%llu.%03llu", n < 0 ? "-" : "", u / 1000, u % 1000);
	char *end = s + strlen(s) - 1;
	while (*end == '0')
		*end-- = '\0';
	if (*end == '.')
		*end = '\0';
	return s;
}

/* A constant or a value in another type. */
static struct value as(const struct node *n, const struct type *t)
{
	struct value v = unknown();
	bool number = t->base == BASE_NUMBER || t->base == BASE_SIZE || t->base == BASE_DURATION;

	if (n->kind == NODE_CONST) {
		int64_t thousandths = n->number;

		if (n->quoted && !n->text.n)
			return v;
		if (number) {
			if (!n->is_number && !number_read(n->text, &thousandths))
				return v;
			if (t->base == BASE_SIZE && !n->unit)
				thousandths =
				    (int64_t)((__int128)thousandths * (t->kb ? 1024 : 1) / 1000);
			return VALUE_NUMBER_OF(thousandths);
		}
		if (t->base == BASE_IP) {
			v.kind = ip_parse(n->text, &v.ip) ? VALUE_IP : VALUE_UNKNOWN;
			return v;
		}
		if (t->base == BASE_YESNO)
			return VALUE_YESNO_OF(same(n->text, SLICE("yes")));
		return VALUE_TEXT_OF(n->text);
	}
	v = eval(n);
	if (t->list)
		return v;
	if (t->base == BASE_TEXT && v.kind != VALUE_TEXT)
		return VALUE_TEXT_OF(slice_of(show(&v, &n->type)));
	if (t->base == BASE_SIZE && n->type.base == BASE_NUMBER && v.kind == VALUE_NUMBER) {
		__int128 scaled = (__int128)v.number * (t->kb ? 1024 : 1) / 1000;

		v = scaled > INT64_MAX || scaled < INT64_MIN ? unknown()
							     : VALUE_NUMBER_OF((int64_t)scaled);
	}
	return v;
}

static bool equal(const struct value *a, const struct value *b)
{
	if (a->kind == VALUE_LIST) {
		for (size_t i = 0; i < a->list.count; i++)
			if (equal(&a->list.items[i], b))
				return true;
		return false;
	}
	if (a->kind != b->kind || a->kind == VALUE_UNKNOWN)
		return false;
	return a->kind == VALUE_TEXT  ? a->text.n && same(a->text, b->text)
	    : a->kind == VALUE_NUMBER ? a->number == b->number
	    : a->kind == VALUE_IP     ? memcmp(&a->ip, &b->ip, sizeof a->ip) == 0
				      : a->yes == b->yes;
}

static bool empty(const struct value *v)
{
	return v->kind == VALUE_UNKNOWN || (v->kind == VALUE_TEXT && !v->text.n) ||
	    (v->kind == VALUE_LIST && !v->list.count);
}

static bool is_measure(const struct type *t)
{
	return t->base == BASE_NUMBER || t->base == BASE_SIZE || t->base == BASE_DURATION;
}

/* "A constant takes the other's type; number meets size or duration in its bare unit; else both as strings." */
static struct type meet(const struct node *a, const struct node *b)
{
	struct type t = { .base = BASE_TEXT }, x = a->type, y = b->type;

	x.list = y.list = false;
	if (b->kind == NODE_CONST)
		return x;
	if (a->kind == NODE_CONST)
		return y;
	if (x.base == y.base && x.base != BASE_CHOICE)
		return x;
	if (is_measure(&x) && y.base == BASE_NUMBER)
		return x;
	if (is_measure(&y) && x.base == BASE_NUMBER)
		return y;
	return t;
}

static bool compared(const struct node *n)
{
	const struct node *a = n->a, *b = n->b;
	bool equality = (n->mark[0] == '=' || n->mark[0] == '!') && n->mark[1] == '=', yes;

	if (equality && b->kind == NODE_CONST && b->quoted && !b->text.n) {
		struct value v = eval(a);

		yes = empty(&v);
	} else {
		struct type t = meet(a, b);
		struct value x = a->type.list ? eval(a) : as(a, &t), y = as(b, &t);

		if (!equality) {
			if (x.kind != VALUE_NUMBER || y.kind != VALUE_NUMBER)
				return false;
			bool same_number = x.number == y.number && n->mark[1] == '=';
			return same_number ||
			    (n->mark[0] == '<' ? x.number < y.number : x.number > y.number);
		}
		yes = equal(&x, &y);
	}
	return n->mark[0] == '=' ? yes : !yes;
}

static bool glob(const char *s, const char *g, bool exact)
{
	if (!*g)
		return !*s;
	if (*g == '*')
		return glob(s, g + 1, exact) || (*s && glob(s + 1, g, exact));
	bool one = *s && (*g == '?' || (exact ? *s == *g : octet_lower(*s) == octet_lower(*g)));
	return one && glob(s + 1, g + 1, exact);
}

static bool matched(const struct value *v, const struct node *patterns, bool exact)
{
	if (v->kind == VALUE_LIST) {
		for (size_t i = 0; i < v->list.count; i++)
			if (matched(&v->list.items[i], patterns, exact))
				return true;
		return false;
	}
	for (const struct node *p = patterns; p && !empty(v); p = p->next)
		if (glob(arena_str(w.arena, v->text), arena_str(w.arena, p->text), exact))
			return true;
	return false;
}

static bool item_is(const struct value *v, const struct type *t, const struct node *item)
{
	struct node first = *item, last = *item;
	struct ip low, high;
	slice dom = item->text;

	if (v->kind == VALUE_NUMBER) {
		first.kind = last.kind = NODE_CONST;
		last.number = item->is_range ? item->last : item->number;
		return v->number >= as(&first, t).number && v->number <= as(&last, t).number;
	}
	if (v->kind == VALUE_IP) { /* the only network here is 192.0.2.0/24 */
		ip_parse(SLICE("192.0.2.0"), &low);
		ip_parse(SLICE("192.0.2.255"), &high);
		return ip_compare(&v->ip, &low) >= 0 && ip_compare(&v->ip, &high) <= 0;
	}
	if (t->base == BASE_DOMAIN && dom.p[0] == '.')
		return v->text.n > dom.n && same(slice_from(v->text, v->text.n - dom.n), dom);
	return same(v->text, item->text);
}

static const struct node *table_items(const char *name)
{
	for (const struct decl *d = lab.policy->decls; d; d = d->next)
		if (d->kind == DECL_TABLE && slice_eq(d->name, slice_of(name)))
			return d->items->kids;
	return NULL;
}

static bool inside(const struct node *n)
{
	struct value v = n->a->kind == NODE_CONST ? VALUE_TEXT_OF(n->a->text) : eval(n->a);
	const struct node *items =
	    n->b->kind == NODE_LIST ? n->b->kids : table_items(arena_str(w.arena, n->b->text));
	struct type t = n->a->type;

	t.list = false;
	if (!items) {
		struct value list = eval(n->b);

		return equal(&list, &v);
	}
	for (; items; items = items->next) {
		if (v.kind != VALUE_LIST && !empty(&v) && item_is(&v, &t, items))
			return true;
		for (size_t i = 0; v.kind == VALUE_LIST && i < v.list.count; i++)
			if (item_is(&v.list.items[i], &t, items))
				return true;
	}
	return false;
}

static struct value sum(const struct node *n)
{
	bool plus = n->mark[0] == '+' || n->mark[0] == '-';
	struct type none = { .base = BASE_NUMBER }, t = n->type;
	struct value a = plus                         ? as(n->a, &t)
	    : n->a->kind == NODE_CONST && !n->a->unit ? as(n->a, &none)
						      : eval(n->a);
	struct value b = plus                         ? as(n->b, &t)
	    : n->b->kind == NODE_CONST && !n->b->unit ? as(n->b, &none)
						      : eval(n->b);
	__int128 r;

	if (a.kind != VALUE_NUMBER || b.kind != VALUE_NUMBER || (n->mark[0] == '/' && !b.number))
		return unknown();
	r = n->mark[0] == '+'   ? (__int128)a.number + b.number
	    : n->mark[0] == '-' ? (__int128)a.number - b.number
	    : n->mark[0] == '*' ? (__int128)a.number * b.number / 1000
				: (__int128)a.number * 1000 / b.number;
	return r > INT64_MAX || r < INT64_MIN ? unknown() : VALUE_NUMBER_OF((int64_t)r);
}

static struct value looked_up(const struct node *n)
{
	struct type string_type = { .base = BASE_TEXT }, number_type = { .base = BASE_NUMBER };
	bool numbers = slice_eq(n->kids->text, SLICE("tn"));
	struct value key = as(n->kids->next, &string_type);

	for (const struct node *i = table_items(numbers ? "tn" : "ts"); i && !empty(&key);
	     i = i->next)
		if (same(key.text, i->text))
			return as(i->a, numbers ? &number_type : &string_type);
	return unknown();
}

static struct value called(const struct node *n)
{
	struct type string_type = { .base = BASE_TEXT };
	const char *name = arena_str(w.arena, n->text);
	int64_t number;

	if (strcmp(name, "lookup") == 0)
		return looked_up(n);
	if (strcmp(name, "count") == 0) {
		struct value list = eval(n->kids);

		return VALUE_NUMBER_OF((int64_t)list.list.count * 1000);
	}
	struct value a = as(n->kids, &string_type);
	if (strcmp(name, "matchCase") == 0)
		return VALUE_YESNO_OF(matched(&a, n->kids->next, true));
	if (strcmp(name, "isCase") == 0) {
		struct value b = as(n->kids->next, &string_type);

		return VALUE_YESNO_OF(!empty(&a) && a.text.n == b.text.n &&
		    memcmp(a.text.p, b.text.p, a.text.n) == 0);
	}
	if (strcmp(name, "length") == 0)
		return VALUE_NUMBER_OF(a.kind == VALUE_TEXT ? (int64_t)a.text.n * 1000 : 0);
	if (a.kind != VALUE_TEXT)
		return unknown();
	if (strcmp(name, "number") == 0)
		return number_read(a.text, &number) ? VALUE_NUMBER_OF(number) : unknown();
	if (strcmp(name, "ip") == 0) {
		struct value v = { .kind = VALUE_IP };

		return ip_parse(a.text, &v.ip) ? v : unknown();
	}
	assert_string_equal(name, "lower");
	char *low = arena_str(w.arena, a.text);
	for (size_t i = 0; i < a.text.n; i++)
		low[i] = octet_lower(low[i]);
	return VALUE_TEXT_OF(((slice){ low, a.text.n }));
}

static struct own *own(slice name)
{
	for (unsigned i = w.own_count; i; i--)
		if (slice_eq(w.own[i - 1].name, name))
			return &w.own[i - 1];
	return NULL;
}

static struct value named(const struct node *n)
{
	struct own *mine = own(n->text);

	if (mine)
		return mine->value;
	for (uint32_t i = 0; i < LAB_VARIABLES; i++)
		if (slice_eq(n->text, slice_of(lab_variables[i].name)))
			return w.vars[i];
	return slice_eq(n->text, SLICE("kept")) ? w.kept : unknown();
}

static struct value joined(const struct node *n)
{
	struct type string_type = { .base = BASE_TEXT };
	const char *all = "";

	for (const struct node *kid = n->kids; kid; kid = kid->next) {
		struct value v = as(kid, &string_type);

		all = arena_printf(
		    w.arena, "%s%.*s", all, SLICE_ARG(v.kind == VALUE_TEXT ? v.text : SLICE("")));
	}
	return VALUE_TEXT_OF(slice_head(slice_of(all), 1024));
}

static bool yes(const struct node *n)
{
	struct value v = eval(n);

	return v.kind == VALUE_YESNO && v.yes;
}

static struct value eval(const struct node *n)
{
	bool and = n->kind == NODE_AND;

	switch (n->kind) {
	case NODE_CONST:
		return as(n, &n->type);
	case NODE_TEXT:
		return joined(n);
	case NODE_NAME:
		return named(n);
	case NODE_CALL:
		return called(n);
	case NODE_OR:
	case NODE_AND:
		for (const struct node *kid = n->kids; kid; kid = kid->next)
			if (yes(kid) != and)
				return VALUE_YESNO_OF(!and);
		return VALUE_YESNO_OF(and);
	case NODE_NOT:
		return VALUE_YESNO_OF(!yes(n->a));
	case NODE_COMPARE:
		return VALUE_YESNO_OF(compared(n));
	case NODE_IN:
		return VALUE_YESNO_OF(inside(n));
	case NODE_MATCHES: {
		struct type string_type = { .base = BASE_TEXT };
		struct value v = n->a->type.list ? eval(n->a) : as(n->a, &string_type);

		return VALUE_YESNO_OF(matched(&v, n->b->kids, false));
	}
	case NODE_SUM:
		return sum(n);
	case NODE_NEG: {
		struct value v = eval(n->a);

		return v.kind != VALUE_NUMBER || v.number == INT64_MIN ? unknown()
								       : VALUE_NUMBER_OF(-v.number);
	}
	default:
		fail_msg("node %d", n->kind);
	}
	return unknown();
}

/* ---- statements ---- */

static enum way run_all(const struct node *n);

static void set_host(uint32_t i, struct value v)
{
	int64_t most = strcmp(lab_variables[i].name, "small") == 0 ? 10000
	    : strcmp(lab_variables[i].name, "kilo") == 0           ? 100 * 1024
	    : strcmp(lab_variables[i].name, "span") == 0           ? 30000
								   : 0;

	if (v.kind == VALUE_NUMBER && most)
		v.number = v.number < 0 ? 0 : v.number > most ? most : v.number;
	w.vars[i] = v;
}

static void assign(const struct node *n)
{
	struct type number_type = { .base = BASE_NUMBER }, string_type = { .base = BASE_TEXT };
	struct own *mine = own(n->text);
	bool numeric = n->text.p[0] == 'n' || n->text.p[0] == 'k';

	for (uint32_t i = 0; i < LAB_VARIABLES; i++)
		if (slice_eq(n->text, slice_of(lab_variables[i].name))) {
			set_host(i, as(n->a, &lab.policy->host->variables[i].type));
			return;
		}
	struct value v = as(n->a, numeric ? &number_type : &string_type);
	if (!mine) {
		mine = &w.own[w.own_count++];
		mine->name = n->text;
	}
	mine->value = v;
}

static struct value *host_var(const char *name)
{
	return &w.vars[lab_var(name) - lab.vars];
}

static enum way verdict(const struct node *n)
{
	struct type string_type = { .base = BASE_TEXT };

	if (n->a)
		*host_var("why") = as(n->a, &string_type);
	*host_var("act") = VALUE_TEXT_OF(n->text);
	*host_var("code") = n->number ? VALUE_NUMBER_OF(n->number * 1000) : unknown();
	*host_var("enhanced") = n->text2.n ? VALUE_TEXT_OF(n->text2) : unknown();
	return STOPPED;
}

static enum way call_method(const struct node *n)
{
	struct type number_type = { .base = BASE_NUMBER }, string_type = { .base = BASE_TEXT };
	struct own saved[16];
	unsigned count = w.own_count;

	if (slice_eq(n->text, SLICE("note"))) {
		struct value v = as(n->kids, &string_type);

		buf_addf(
		    &w.notes, "note(%.*s) ", SLICE_ARG(v.kind == VALUE_TEXT ? v.text : SLICE("")));
		return ON;
	}
	struct value p = as(n->kids, &string_type), q = as(n->kids->next, &number_type);
	memcpy(saved, w.own, sizeof saved);
	w.own[0] = (struct own){ SLICE("p"), p };
	w.own[1] = (struct own){ SLICE("q"), q };
	w.own_count = 2;
	enum way way = ON;
	for (const struct decl *d = lab.policy->decls; d; d = d->next)
		if (d->kind == DECL_METHOD)
			way = run_all(d->body->kids);
	memcpy(w.own, saved, sizeof saved);
	w.own_count = count;
	return way == BACK ? ON : way;
}

static enum way choose(const struct node *n)
{
	for (const struct node *b = n->kids; b; b = b->next) {
		bool hit = !b->a;

		for (const struct node *k = b->a; k && n->kind == NODE_SWITCH; k = k->next) {
			struct value v = eval(n->a), c = as(k, &n->a->type);

			hit |= k->text.n ? equal(&v, &c) : empty(&v);
		}
		hit |= n->kind == NODE_IF && b->a && yes(b->a);
		if (hit)
			return run_all(b->b->kids);
	}
	return ON;
}

static enum way go_through(const struct node *n)
{
	struct value list = eval(n->a);
	unsigned at = w.own_count;
	enum way way = ON;

	for (size_t i = 0; list.kind == VALUE_LIST && i < list.list.count && way == ON; i++) {
		struct own *there = own(n->text);

		if (!there)
			there = &w.own[w.own_count++];
		there->name = n->text;
		there->value = list.list.items[i];
		way = run_all(n->b->kids);
	}
	/* What the body set stays; the name of the element goes. */
	for (unsigned i = at; i < w.own_count; i++)
		if (slice_eq(w.own[i].name, n->text))
			w.own[i].name = SLICE("(gone)");
	return way;
}

static enum way run_all(const struct node *n)
{
	enum way way = ON;

	for (; n && way == ON; n = n->next) {
		switch (n->kind) {
		case NODE_SET:
			assign(n);
			break;
		case NODE_EXPORT: {
			struct own *mine = own(n->text);

			w.kept = mine ? mine->value : w.kept;
			break;
		}
		case NODE_DO:
			way = call_method(n->a);
			break;
		case NODE_IF:
		case NODE_SWITCH:
			way = choose(n);
			break;
		case NODE_FOREACH:
			way = go_through(n);
			break;
		case NODE_RETURN:
			way = BACK;
			break;
		case NODE_VERDICT:
			way = verdict(n);
			break;
		default:
			fail_msg("statement %d", n->kind);
		}
	}
	return way;
}

static bool conditions_hold(const struct decl *d)
{
	for (const struct node *n = d->when; n; n = n->next)
		if (yes(n) == d->any)
			return d->any;
	return !d->any;
}

static enum way walk(void)
{
	enum way way = ON;

	for (unsigned priority = 1; priority <= 3; priority++)
		for (const struct decl *d = lab.policy->decls; d && way != STOPPED; d = d->next) {
			w.own_count = 0;
			if (d->kind == DECL_RULE && d->priority == priority && conditions_hold(d))
				way = run_all(d->body->kids);
		}
	for (const struct decl *d = lab.policy->decls; d && way != STOPPED; d = d->next) {
		w.own_count = 0;
		if (d->kind == DECL_EVENT)
			way = run_all(d->body->kids);
	}
	return way;
}

/* ---- both ---- */

static void differ(const char *what, const char *machine, const char *tree)
{
	fprintf(stderr, "%.*s\n%s: machine %s, tree %s\n", SLICE_ARG(buf_slice(&random_text)), what,
	    machine, tree);
	fail();
}

static void random_values(void)
{
	static const char *const words[] = { "", "a", "Hello", "red", "5", "alpha beta", "aXbY" };

	lab_values();
	for (unsigned i = 0; i < 3; i++)
		*lab_var(((const char *[]){ "text", "other", "said" })[i]) =
		    VALUE_TEXT_OF(slice_of(words[roll(7)]));
	for (unsigned i = 0; i < 3; i++)
		*lab_var(((const char *[]){ "num", "num2", "span" })[i]) =
		    VALUE_NUMBER_OF((int64_t)roll(20) * 500);
	*lab_var("small") = VALUE_NUMBER_OF((int64_t)roll(11) * 1000);
	for (unsigned i = roll(5); i; i--)
		*lab_var(PICK("text", "num", "num2", "octets", "kilo", "span", "client", "host",
		    "flag", "kind", "names")) = unknown();
}

static void one_program(void)
{
	static struct value vars[LAB_VARIABLES];

	random_program();
	if (!lab_compile_slice(buf_slice(&random_text))) {
		differ("refused", lab_said(), "");
		return;
	}
	random_values();
	w.arena = lab.arena;
	memcpy(vars, lab.vars, sizeof vars);
	w.vars = vars;
	w.kept = unknown();
	w.notes.n = 0;
	enum way way = walk();
	enum vm_result result = lab_run("onC"); /* with the bound */
	if ((way == STOPPED) != (result == VM_STOPPED))
		differ("end",
		    result == VM_STOPPED    ? "stopped"
			: result == VM_DONE ? "done"
					    : lab.vm.fault,
		    way == STOPPED ? "stopped" : "done");
	if (!slice_eq(buf_slice(&lab.notes), buf_slice(&w.notes)))
		differ("notes", lab_notes(), w.notes.p ? w.notes.p : "");
	for (uint32_t i = 0; i < LAB_VARIABLES; i++) {
		const struct type *t = &lab.policy->host->variables[i].type;
		const char *machine = show(&lab.vars[i], t), *tree = show(&vars[i], t);

		if (strcmp(machine, tree) != 0)
			differ(lab_variables[i].name, machine, tree);
	}
}

static void machine_and_tree_agree(void **state)
{
	unsigned rounds = getenv("HAUBERK_LONG") ? 100000 : 3000;

	srand(unit_seed());
	lab.steps = VM_STEPS_MAX;
	buf_init(&random_text, 1 << 20);
	buf_init(&w.notes, 1 << 20);
	for (unsigned i = 0; i < rounds; i++)
		one_program();
	buf_free(&random_text);
	buf_free(&w.notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(machine_and_tree_agree) };
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}
