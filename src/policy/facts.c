/* What the server tells a policy, and what it asks of it. */
#include "policy/internal.h"

#include "base/encode.h"
#include "base/octet.h"

uint32_t fact_ids[FACT_COUNT];

void facts_start(void)
{
	static const char *const names[] = {
#define X(name) #name,
		FACTS(X)
#undef X
	};

	for (int i = 0; i < FACT_COUNT; i++)
		fact_ids[i] = policy_variable_id(names[i]);
}

static void set(struct policy_state *state, enum fact fact, struct value value)
{
	if (state && state->vars)
		state->vars[fact_ids[fact]] = value;
}

void policy_unknown(struct policy_state *state, enum fact fact)
{
	set(state, fact, (struct value){ 0 });
}

void policy_text(struct policy_state *state, enum fact fact, slice text)
{
	set(state, fact, VALUE_TEXT_OF(text));
}

static uint32_t most(const struct policy_state *state, enum fact fact)
{
	return state->version->policy->host->variables[fact_ids[fact]].max;
}

/* Would end a reply or a header's line; in a body, lines are what it is made of. */
static bool is_control(char c, bool body)
{
	return ((unsigned char)c < ' ' || c == 0x7f) &&
	    !(body && (c == '\r' || c == '\n' || c == '\t'));
}

static bool is_clean(slice text, bool body)
{
	for (size_t i = 0; i < text.n; i++)
		if (is_control(text.p[i], body))
			return false;
	return utf8_valid(text);
}

/* Octets of the character at the text's beginning; 0: it is none. */
static size_t character(slice text)
{
	for (size_t n = 1; n <= 4 && n <= text.n; n++)
		if (utf8_valid(slice_head(text, n)))
			return n;
	return 0;
}

static slice cleaned(slice text, size_t max, bool body, struct arena *arena)
{
	struct buf out;

	buf_init(&out, 3 * max + 4);
	while (text.n && out.n < max) {
		size_t n = character(text);

		if (n == 0)
			buf_adds(&out, "\xef\xbf\xbd");
		else if (is_control(text.p[0], body))
			buf_addc(&out, '?');
		else
			buf_add(&out, slice_head(text, n));
		text = slice_from(text, n ? n : 1);
	}
	slice copy = arena_copy(arena, text_cut(buf_slice(&out), max));
	buf_free(&out);
	return copy;
}

static void set_peer(
    struct policy_state *state, enum fact fact, slice text, bool body, struct arena *arena)
{
	if (!state || !state->vars)
		return;
	uint32_t max = most(state, fact);
	bool good = text.n <= max && is_clean(text, body);
	set(state, fact, VALUE_TEXT_OF(good ? text : cleaned(text, max, body, arena)));
}

void policy_peer_text(struct policy_state *state, enum fact fact, slice text, struct arena *arena)
{
	set_peer(state, fact, text, false, arena);
}

void policy_body(struct policy_state *state, enum fact fact, slice text, struct arena *arena)
{
	set_peer(state, fact, text, true, arena);
}

void policy_number_is(struct policy_state *state, enum fact fact, int64_t number)
{
	if (!state || !state->vars)
		return;
	const struct host_variable *v = &state->version->policy->host->variables[fact_ids[fact]];
	set(state, fact, VALUE_NUMBER_OF(v->type.base == BASE_NUMBER ? number * 1000 : number));
}

void policy_yes(struct policy_state *state, enum fact fact, bool yes)
{
	set(state, fact, VALUE_YESNO_OF(yes));
}

void policy_ip(struct policy_state *state, enum fact fact, const struct ip *ip)
{
	struct value v = { .kind = VALUE_IP };

	v.ip = *ip;
	set(state, fact, v);
}

void policy_list(struct policy_state *state, enum fact fact, const slice *items, size_t count,
    struct arena *arena)
{
	struct value v = { .kind = VALUE_LIST };

	if (!state || !state->vars)
		return;
	uint32_t max = most(state, fact);
	size_t room = state->version->policy->host->variables[fact_ids[fact]].count;
	struct value *values = ARENA_ARRAY(arena, struct value, count + 1);

	v.list.items = values;
	for (size_t i = 0; i < count && v.list.count < room; i++)
		values[v.list.count++] =
		    VALUE_TEXT_OF(items[i].n <= max && is_clean(items[i], false)
			    ? items[i]
			    : cleaned(items[i], max, false, arena));
	set(state, fact, v);
}

static const struct value *get(const struct policy_state *state, enum fact fact)
{
	static const struct value unknown;

	return state && state->vars ? &state->vars[fact_ids[fact]] : &unknown;
}

int64_t policy_number_of(const struct policy_state *state, enum fact fact, int64_t otherwise)
{
	const struct value *v = get(state, fact);

	if (v->kind != VALUE_NUMBER)
		return otherwise;
	const struct host_variable *spec = &state->version->policy->host->variables[fact_ids[fact]];
	return spec->type.base == BASE_NUMBER ? v->number / 1000 : v->number;
}

bool policy_yes_of(const struct policy_state *state, enum fact fact, bool otherwise)
{
	const struct value *v = get(state, fact);

	return v->kind == VALUE_YESNO ? v->yes : otherwise;
}

slice policy_text_of(const struct policy_state *state, enum fact fact, slice otherwise)
{
	const struct value *v = get(state, fact);

	return v->kind == VALUE_TEXT ? v->text : otherwise;
}
