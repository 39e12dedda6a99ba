/* Checks and actions of a session that is played. */
#include <stdarg.h>
#include <stdio.h>

#include "main/policy_play.h"

/* "5", "5d", "10K": the defaults of the tables. */
static bool read_measure(slice text, int64_t *out, char *unit)
{
	static const char letters[] = "KMGsmhd";
	static const int64_t worth[] = { 1 << 10, 1 << 20, 1 << 30, 1000, 60000, 3600000,
		86400000 };
	const char *at = text.n ? strchr(letters, text.p[text.n - 1]) : NULL;

	if (!number_read(slice_head(text, text.n - (at ? 1 : 0)), out))
		return false;
	if (at) {
		*out = *out / 1000 * worth[at - letters];
		*unit = *at;
	}
	return true;
}

struct value play_value(struct play *p, const struct type *t, const struct given *g)
{
	struct value v = { 0 };
	const struct node *n = g->values;
	char unit = n ? n->unit : '\0';
	int64_t number;

	if (t->list) {
		struct value *items = ARENA_ARRAY(p->arena, struct value, 1000);
		size_t count = 0;

		for (; n && count < 1000; n = n->next)
			items[count++] = VALUE_TEXT_OF(n->text);
		v.kind = VALUE_LIST;
		v.list.items = items;
		v.list.count = count;
		return v;
	}
	if (!n || n->text.n == 0)
		return v;
	switch (type_kind(t)) {
	case VALUE_NUMBER:
		if (!n->is_number && !read_measure(n->text, &number, &unit))
			break;
		number = n->is_number ? n->number : number;
		if (t->base == BASE_SIZE && !unit)
			number = number / 1000 * (t->kb ? 1024 : 1);
		return VALUE_NUMBER_OF(number);
	case VALUE_YESNO:
		return VALUE_YESNO_OF(slice_eq_nocase(n->text, SLICE("yes")));
	case VALUE_IP:
		v.kind = ip_parse(n->text, &v.ip) ? VALUE_IP : VALUE_UNKNOWN;
		return v;
	case VALUE_TEXT:
	case VALUE_UNKNOWN:
	case VALUE_LIST:
		if (t->base == BASE_CHOICE && !word_among(t->choice, n->text))
			break;
		return VALUE_TEXT_OF(n->text);
	}
	return v;
}

const struct given *play_given(const struct play *p, const char *name)
{
	const struct given *found = NULL;

	for (const struct step *s = p->given; s; s = s->next) {
		if (s->kind == STEP_GIVEN && !s->is_call &&
		    slice_eq(s->given->name, slice_of(name)))
			found = s->given;
		if (s == p->step)
			break;
	}
	return found;
}

static bool same_args(
    struct play *p, const struct step *s, const struct value *args, unsigned count)
{
	unsigned i = 0;

	for (const struct node *n = s->expr; n; n = n->next, i++)
		if (i >= count || args[i].kind != VALUE_TEXT ||
		    !text_equal(args[i].text, n->text, false))
			return false;
	return true;
}

const struct step *play_answer(
    const struct play *p, const char *name, const struct value *args, unsigned count)
{
	const struct step *found = NULL;

	for (const struct step *s = p->given; s; s = s->next) {
		if (s->kind == STEP_GIVEN && s->is_call && slice_eq(s->text, slice_of(name)) &&
		    same_args((struct play *)p, s, args, count))
			found = s;
		if (s == p->step)
			break;
	}
	return found;
}

/* Outputs are set from the answer, or from what is given of the variables themselves. */
static bool run_check(struct vm *vm, struct play *p, const struct host_method *m,
    const struct value *args, unsigned count, struct value *out)
{
	const struct step *answer = play_answer(p, m->spec->name, args, count);
	bool known = answer != NULL;

	for (unsigned i = 0; i < m->output_count; i++) {
		const struct host_variable *v = &p->policy->host->variables[m->outputs[i]];
		const struct given *g =
		    answer && i == 0 ? answer->given : play_given(p, v->spec->name);

		for (const struct given *one = answer ? answer->given->next : NULL; one;
		     one = one->next)
			if (slice_eq(one->name, slice_of(v->spec->name)))
				g = one;
		known |= g != NULL;
		if (g)
			vm_set(vm, m->outputs[i], play_fit(p, v, play_value(p, &v->type, g)));
	}
	if (!known &&
	    (play_store_check(vm, p, m->spec->name, args) || vm->fault ||
		play_dns_check(vm, p, m->spec->name, args) || vm->fault)) {
		*out = vm->vars[m->outputs[0]];
		return !vm->fault;
	}
	if (!known)
		return vm_fault(vm,
		    arena_printf(p->arena,
			"nothing answers %s here%s%s; add: given %s() = \"...\";", m->spec->name,
			m->spec->engine ? ", and outside of sessions it waits for " : "",
			m->spec->engine ? m->spec->engine : "", m->spec->name));
	*out = vm->vars[m->outputs[0]];
	return true;
}

static void remember(struct play *p, uint32_t method, const struct value *args, unsigned count)
{
	if (p->call_count == CALLS_MAX)
		return;
	struct played_call *call = &p->calls[p->call_count++];
	call->method = method;
	call->count = count < 4 ? count : 4;
	for (unsigned i = 0; i < call->count; i++) {
		call->args[i] = args[i];
		/* The run's memory goes with its end. */
		if (args[i].kind == VALUE_TEXT)
			call->args[i].text = arena_copy(p->arena, args[i].text);
	}
}

bool policy_play_call(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	struct play *p = vm->host;
	const struct host_method *m = &p->policy->host->methods[self->id];
	const char *name = m->spec->name;
	bool two = count > 1 && args[1].kind == VALUE_TEXT;

	if (m->spec->kind == METHOD_CHECK)
		return run_check(vm, p, m, args, count, out);
	if (strcmp(name, "header") == 0 || strcmp(name, "headers") == 0) {
		*out = play_header(vm, p, args[0].text, name[6] == 's');
		return !vm->fault;
	}
	if (m->spec->kind == METHOD_FUNCTION)
		return vm_fault(
		    vm, arena_printf(p->arena, "%s waits for %s", name, m->spec->engine));
	remember(p, self->id, args, count);
	if (strstr(name, "Header") && count && args[0].kind == VALUE_TEXT)
		play_header_change(p, name, arena_copy(p->arena, args[0].text),
		    two ? arena_copy(p->arena, args[1].text) : SLICE(""));
	return true;
}

/* ---- header fields ---- */

static unsigned field_find(const struct play *p, slice name)
{
	unsigned i = 0;

	while (i < p->field_count && !slice_eq_nocase(p->fields[i].name, name))
		i++;
	return i;
}

static void field_remove(struct play *p, unsigned i)
{
	memmove(&p->fields[i], &p->fields[i + 1], (--p->field_count - i) * sizeof p->fields[0]);
}

void play_header_change(struct play *p, const char *method, slice name, slice value)
{
	unsigned at = field_find(p, name);
	bool there = at < p->field_count, add = strncmp(method, "add", 3) == 0;

	if (strncmp(method, "remove", 6) == 0) {
		for (; there && at < p->field_count; at = field_find(p, name)) {
			field_remove(p, at);
			if (strcmp(method, "removeFirstHeader") == 0)
				break;
		}
	} else if (there && !add) {
		p->fields[at].value = value;
	} else if ((there && strcmp(method, "addIfNotExistsHeader") == 0) ||
	    strcmp(method, "modifyIfExistsHeader") == 0 || p->field_count == FIELDS_MAX) {
		return;
	} else {
		memmove(&p->fields[1], &p->fields[0], p->field_count++ * sizeof p->fields[0]);
		p->fields[0] = (struct field){ name, value };
	}
}

struct value play_header(struct vm *vm, struct play *p, slice name, bool all)
{
	struct value *items = all ? vm_take(vm, (p->field_count + 1) * sizeof *items) : NULL;
	struct value found = { 0 };
	size_t n = 0;

	for (unsigned i = 0; i < p->field_count; i++) {
		if (!slice_eq_nocase(p->fields[i].name, name))
			continue;
		if (!all)
			return VALUE_TEXT_OF(p->fields[i].value);
		if (items)
			items[n++] = VALUE_TEXT_OF(p->fields[i].value);
	}
	if (all) {
		found.kind = VALUE_LIST;
		found.list.items = items;
		found.list.count = n;
	}
	return found;
}

void play_fail(struct play *p, const char *format, ...)
{
	char text[600];
	unsigned line, column;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	source_place(p->policy->sources, p->step->range, &line, &column);
	if (p->failed++ >= FAILURES_SHOWN)
		return;
	buf_addf(p->out, "%s:%u:%u: failed: %s\n",
	    p->policy->sources->files[p->step->range.file].name, line, column, text);
}
