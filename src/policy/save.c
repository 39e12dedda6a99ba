/* What a policy knows of a message, while the message waits in the queue. */
#include "policy/internal.h"

/* Numbers are 8 octets in the machine's order (the spool belongs to one machine). A variable is its name, its kind and
 * its value; a text its length and octets, a list its length and texts. */
static void put_number(int64_t n, struct buf *out)
{
	buf_add(out, (slice){ (const char *)&n, sizeof n });
}

static void put_text(slice text, struct buf *out)
{
	put_number((int64_t)text.n, out);
	buf_add(out, text);
}

static void put_value(const struct value *v, struct buf *out)
{
	put_number(v->kind, out);
	switch (v->kind) {
	case VALUE_UNKNOWN:
		break;
	case VALUE_TEXT:
		put_text(v->text, out);
		break;
	case VALUE_NUMBER:
		put_number(v->number, out);
		break;
	case VALUE_YESNO:
		put_number(v->yes, out);
		break;
	case VALUE_IP:
		buf_add(out, (slice){ (const char *)&v->ip, sizeof v->ip });
		break;
	case VALUE_LIST:
		put_number((int64_t)v->list.count, out);
		for (size_t i = 0; i < v->list.count; i++)
			put_text(
			    v->list.items[i].kind == VALUE_TEXT ? v->list.items[i].text : SLICE(""),
			    out);
		break;
	}
}

/* Bodies stay behind, and lists of texts only: others are not exported. */
static bool travels(const struct policy_version *v, uint32_t i)
{
	return i >= v->policy->host->host->variable_count ||
	    v->policy->host->variables[i].type.base != BASE_BODY;
}

void policy_save(const struct policy_state *state, struct buf *out)
{
	if (!state || !state->vars || !state->version->travels)
		return;
	const struct policy *p = state->version->policy;
	for (uint32_t i = 0; i < p->kept_first + p->kept_count; i++) {
		if (state->vars[i].kind == VALUE_UNKNOWN || !travels(state->version, i))
			continue;
		put_text(slice_of(p->program->vars[i].name), out);
		put_value(&state->vars[i], out);
	}
}

/* ---- and back ---- */

static bool get_number(slice *rest, int64_t *out)
{
	if (rest->n < sizeof *out)
		return false;
	memcpy(out, rest->p, sizeof *out);
	*rest = slice_from(*rest, sizeof *out);
	return true;
}

static bool get_text(slice *rest, slice *out)
{
	int64_t n;

	if (!get_number(rest, &n) || n < 0 || (uint64_t)n > rest->n)
		return false;
	*out = slice_head(*rest, (size_t)n);
	*rest = slice_from(*rest, (size_t)n);
	return true;
}

static bool get_list(slice *rest, struct arena *arena, struct value *out)
{
	int64_t n;
	slice text;

	if (!get_number(rest, &n) || n < 0 || (uint64_t)n > rest->n)
		return false;
	struct value *items = ARENA_ARRAY(arena, struct value, (size_t)n + 1);
	for (int64_t i = 0; i < n; i++) {
		if (!get_text(rest, &text))
			return false;
		items[i] = VALUE_TEXT_OF(text);
	}
	out->list.items = items;
	out->list.count = (size_t)n;
	return true;
}

static bool get_value(slice *rest, struct arena *arena, struct value *out)
{
	int64_t kind, n;

	*out = (struct value){ 0 };
	if (!get_number(rest, &kind) || kind < VALUE_UNKNOWN || kind > VALUE_LIST)
		return false;
	out->kind = (enum value_kind)kind;
	switch (out->kind) {
	case VALUE_UNKNOWN:
		return true;
	case VALUE_TEXT:
		return get_text(rest, &out->text);
	case VALUE_NUMBER:
		return get_number(rest, &out->number);
	case VALUE_YESNO:
		if (!get_number(rest, &n))
			return false;
		out->yes = n != 0;
		return true;
	case VALUE_IP:
		if (rest->n < sizeof out->ip)
			return false;
		memcpy(&out->ip, rest->p, sizeof out->ip);
		*rest = slice_from(*rest, sizeof out->ip);
		return true;
	case VALUE_LIST:
		break;
	}
	return get_list(rest, arena, out);
}

/* Where it goes: a variable of the server, or one that the policy exports; UINT32_MAX: nowhere. */
static uint32_t place_of(const struct policy *p, slice name)
{
	for (uint32_t i = 0; i < p->kept_first + p->kept_count; i++)
		if (slice_eq(name, slice_of(p->program->vars[i].name)))
			return i;
	return UINT32_MAX;
}

struct policy_state *policy_restore(slice saved, struct arena *arena)
{
	struct policy_state *state = policy_open(arena);
	struct value value;
	slice name;

	if (!state || !state->vars)
		return state;
	const struct policy *p = state->version->policy;
	while (saved.n && get_text(&saved, &name) && get_value(&saved, arena, &value)) {
		uint32_t to = place_of(p, name);

		if (to != UINT32_MAX && p->program->vars[to].kind == value.kind)
			state_set(state, to, value);
	}
	return state;
}
