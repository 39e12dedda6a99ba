/* What the server tells a policy, and what it asks of it. */
#include "policy/internal.h"

#include "base/encode.h"

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

void state_set(struct policy_state *state, uint32_t var, struct value value)
{
	const struct program_var *info = &state->version->policy->program->vars[var];

	/* The program's bounds were proved for values within these. */
	if (value.kind == VALUE_NUMBER && value.number < info->least)
		value.number = info->least;
	if (value.kind == VALUE_NUMBER && value.number > info->most)
		value.number = info->most;
	if (value.kind == VALUE_TEXT)
		value.text = text_cut(value.text, info->max);
	if (value.kind == VALUE_LIST && value.list.count > info->count)
		value.list.count = info->count;
	state->vars[var] = value;
}

static void set(struct policy_state *state, enum fact fact, struct value value)
{
	if (state && state->vars)
		state_set(state, fact_ids[fact], value);
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

void policy_peer_text(struct policy_state *state, enum fact fact, slice text, struct arena *arena)
{
	if (state && state->vars)
		set(state, fact, VALUE_TEXT_OF(text_clean(text, most(state, fact), arena)));
}

/* Octets of the character at the text's beginning; 0: it is none. */
static size_t character(slice text)
{
	for (size_t n = 1; n <= 4 && n <= text.n; n++)
		if (utf8_valid(slice_head(text, n)))
			return n;
	return 0;
}

/* A body's control characters are what it is made of; only what is no text is replaced. */
void policy_body(struct policy_state *state, enum fact fact, slice text, struct arena *arena)
{
	struct buf out;

	if (!state || !state->vars)
		return;
	text = text_cut(text, most(state, fact));
	if (!utf8_valid(text)) {
		buf_init(&out, most(state, fact));
		while (text.n) {
			size_t n = character(text);

			buf_add(&out, n ? slice_head(text, n) : SLICE("\xef\xbf\xbd"));
			text = slice_from(text, n ? n : 1);
		}
		text = text_cut(arena_copy(arena, buf_slice(&out)), most(state, fact));
		buf_free(&out);
	}
	set(state, fact, VALUE_TEXT_OF(text));
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
		values[v.list.count++] = VALUE_TEXT_OF(text_clean(items[i], max, arena));
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
