/* States, and an event from its beginning to its verdict. */
#include "policy/internal.h"

#include "base/log.h"

#define QUICK_STEPS 10000 /* some ten microseconds */
#define RULES_NOTED 32    /* of an event */

/* ---- states ---- */

struct policy_state *policy_open(struct arena *arena)
{
	struct policy_version *version = version_hold();

	if (!version)
		return NULL;
	struct policy_state *state = ARENA_NEW(arena, struct policy_state);
	state->version = version;
	state->arena = arena;
	if (version->policy)
		state->vars =
		    ARENA_ARRAY(arena, struct value, version->policy->program->var_count + 1);
	return state;
}

/* The variable of this name and kind among those that a policy exports; UINT32_MAX: there is none. */
static uint32_t exported(const struct policy *p, const struct program_var *like)
{
	for (uint32_t i = p->kept_first; i < p->kept_first + p->kept_count; i++)
		if (p->program->vars[i].kind == like->kind &&
		    strcmp(p->program->vars[i].name, like->name) == 0)
			return i;
	return UINT32_MAX;
}

/* Under another version what was exported keeps its name; what does not fit any more is unknown. */
static void take_over(struct policy_state *state, const struct policy_state *from)
{
	const struct policy *p = state->version->policy, *old = from->version->policy;

	memcpy(state->vars, from->vars, old->kept_first * sizeof *state->vars);
	for (uint32_t i = old->kept_first; i < old->kept_first + old->kept_count; i++) {
		uint32_t to = p == old ? i : exported(p, &old->program->vars[i]);

		if (to != UINT32_MAX)
			state_set(state, to, from->vars[i]);
	}
}

struct policy_state *policy_message(struct policy_state *connection, struct arena *arena)
{
	struct policy_state *state = policy_open(arena);

	if (state && state->vars && connection && connection->vars) {
		take_over(state, connection);
		state->connection = connection;
	}
	return state;
}

void policy_close(struct policy_state *state)
{
	if (state)
		version_release(state->version);
}

int64_t policy_number(const struct policy_state *state)
{
	return state ? state->version->number : 0;
}

bool policy_has(const struct policy_state *state, enum policy_event_id event)
{
	return state && (!state->vars || state->version->policy->program->entries[event] >= 0);
}

bool policy_blocks(const struct policy_state *state, enum policy_event_id event)
{
	if (!policy_has(state, event) || !state->vars)
		return false;
	const struct program_bound *bound = &state->version->policy->program->bounds[event];
	return bound->checks > 0 || bound->steps > QUICK_STEPS;
}

bool policy_quick(enum policy_event_id event)
{
	struct policy_version *version = version_hold();
	bool quick = true;

	if (version && version->policy) {
		const struct program *p = version->policy->program;

		quick = p->entries[event] < 0 ||
		    (!p->bounds[event].checks && p->bounds[event].steps <= QUICK_STEPS);
	}
	version_release(version);
	return quick;
}

bool policy_reads(const struct policy_state *state, enum fact fact)
{
	return state && state->vars && state->version->reads[fact_ids[fact]];
}

/* ---- what stays ---- */

static bool keep_text(struct policy_state *state, slice *text)
{
	state->kept += text->n;
	if (state->kept > POLICY_KEPT)
		return false;
	*text = arena_copy(state->arena, *text);
	return true;
}

bool state_keep(struct policy_state *state, struct value *value)
{
	if (value->kind == VALUE_TEXT)
		return keep_text(state, &value->text);
	if (value->kind != VALUE_LIST)
		return true;
	state->kept += value->list.count * sizeof *value;
	if (state->kept > POLICY_KEPT)
		return false;
	struct value *items = ARENA_ARRAY(state->arena, struct value, value->list.count + 1);
	for (size_t i = 0; i < value->list.count; i++) {
		items[i] = value->list.items[i];
		if (items[i].kind == VALUE_TEXT && !keep_text(state, &items[i].text))
			return false;
	}
	value->list.items = items;
	return true;
}

/* What the event has made of them outlives its memory. */
static bool keep_changed(struct policy_state *state, const struct value *before)
{
	const struct policy_version *v = state->version;
	const struct program *p = v->policy->program;
	uint32_t end = v->policy->kept_first + v->policy->kept_count;

	for (uint32_t i = 0; i < v->kept_count; i++) {
		struct value *now = &state->vars[v->kept[i]];

		if (memcmp(now, &before[i], sizeof *now) != 0 && !state_keep(state, now))
			return false;
	}
	memset(&state->vars[end], 0, (p->var_count - end) * sizeof *state->vars);
	return true;
}

/* ---- the verdict ---- */

static const struct {
	const char *word;
	int code, code_of_auth;
	const char *enhanced, *enhanced_of_auth, *text;
} actions[] = {
	[POLICY_NONE] = { "", 0, 0, NULL, NULL, "" },
	[POLICY_ACCEPT] = { "accept", 250, 250, NULL, NULL, "" },
	[POLICY_REJECT] = { "reject", 550, 535, "5.7.1", "5.7.8",
	    "refused by the rules of this server" },
	[POLICY_TMPREJECT] = { "tmpreject", 451, 454, "4.7.1", "4.7.0",
	    "refused by the rules of this server for now; try again later" },
	[POLICY_DISCARD] = { "discard", 250, 250, NULL, NULL, "" },
	[POLICY_QUARANTINE] = { "quarantine", 250, 250, NULL, NULL, "" },
	[POLICY_DISCONNECT] = { "disconnect", 421, 421, "4.7.0", "4.7.0",
	    "closing by the rules of this server" },
};

static const char *outcome(const struct policy_run *run, uint32_t var)
{
	const struct value *v = &run->state->vars[var];

	return v->kind == VALUE_TEXT ? arena_str(run->turn, v->text) : "";
}

static const char *rule_text(const struct policy_run *run, uint32_t rule)
{
	const struct program *p = run->state->version->policy->program;

	if (rule >= p->rule_count)
		return "";
	return arena_printf(run->turn, "%s:%u \"%s\"", p->rules[rule].file, p->rules[rule].line,
	    p->rules[rule].name);
}

static void decide(struct policy_run *run, enum policy_action action)
{
	bool auth = run->event == ON_AUTH;

	run->verdict = (struct policy_verdict){ .action = action,
		.code = auth ? actions[action].code_of_auth : actions[action].code,
		.enhanced = auth ? actions[action].enhanced_of_auth : actions[action].enhanced,
		.text = actions[action].text,
		.rule = "" };
}

static void read_verdict(struct policy_run *run, uint32_t rule)
{
	const struct host_info *info = run->state->version->policy->host;
	const char *word = outcome(run, info->outcome), *text = outcome(run, info->outcome_text);
	const char *enhanced = outcome(run, info->outcome_enhanced);
	const struct value *code = &run->state->vars[info->outcome_code];
	enum policy_action action = POLICY_DISCONNECT;

	while (action > POLICY_NONE && strcmp(word, actions[action].word) != 0)
		action--;
	decide(run, action);
	run->verdict.rule = rule_text(run, rule);
	if (*text)
		run->verdict.text = text;
	if (action != POLICY_REJECT && action != POLICY_TMPREJECT)
		return;
	/* 250 for a refusal, or 550 for one that is to come again, would be a lie. */
	if (code->kind == VALUE_NUMBER &&
	    code->number / 100000 == (action == POLICY_REJECT ? 5 : 4))
		run->verdict.code = (int)(code->number / 1000);
	if (enhanced[0] == (action == POLICY_REJECT ? '5' : '4'))
		run->verdict.enhanced = enhanced;
}

static void failed(struct policy_run *run, const char *why)
{
	TRACE(run->trace, TRACE_FAILED, 0, slice_of(why));
	log_warn("policy.failed", kv_str("s", run->session),
	    kv_num("policy", run->state->version->number), kv_num("event", (int64_t)run->event),
	    kv_str("why", why));
	decide(run, policy_settings.on_error);
	if (run->verdict.action == POLICY_NONE)
		return;
	run->verdict.enhanced = run->verdict.action == POLICY_REJECT ? "5.3.0" : "4.3.0";
	run->verdict.text = "the rules of this server cannot be applied now";
}

/* ---- an event ---- */

static void say_verdict(const struct policy_run *run, uint64_t steps)
{
	const struct policy_verdict *v = &run->verdict;

	TRACE(run->trace, TRACE_VERDICT, v->code, slice_of(actions[v->action].word),
	    slice_of(v->text));
	if (v->action == POLICY_ACCEPT)
		return;

	log_info("policy", kv_str("s", run->session),
	    kv_str("event", run->state->version->policy->host->host->events[run->event].name),
	    kv_str("action", actions[v->action].word), kv_str("rule", v->rule),
	    kv_str("text", v->text), kv_num("policy", run->state->version->number),
	    kv_num("steps", (int64_t)steps));
}

static void note_rules(const struct policy_run *run, const struct vm_trace *matched)
{
	for (uint32_t i = 0; run->trace && i < matched->count && i < matched->room; i++)
		if (matched->entries[i].kind == VM_TRACE_MATCHED)
			TRACE(run->trace, TRACE_RULE, 0,
			    slice_of(rule_text(run, matched->entries[i].index)));
}

static void clear_outcome(struct policy_state *state)
{
	const struct host_info *info = state->version->policy->host;

	state->vars[info->outcome] = state->vars[info->outcome_text] = (struct value){ 0 };
	state->vars[info->outcome_code] = state->vars[info->outcome_enhanced] = (struct value){ 0 };
}

void policy_fire(struct policy_run *run)
{
	struct policy_state *state = run->state;
	struct vm_limits limits = { .steps = VM_STEPS,
		.memory = VM_MEMORY,
		.deadline = deadline_in_ms(policy_settings.deadline_ms),
		.check_ms = policy_settings.check_ms };
	struct vm_trace_entry entries[RULES_NOTED];
	struct vm_trace matched = { entries, RULES_NOTED, 0 };
	struct vm vm;

	run->verdict = (struct policy_verdict){ .text = "", .rule = "" };
	if (!policy_has(state, run->event))
		return;
	if (!state->vars) {
		failed(run, "the active policy cannot be read; see the log's policy.unread");
		return;
	}
	const struct policy_version *v = state->version;
	struct value *before = ARENA_ARRAY(run->turn, struct value, v->kept_count + 1);
	for (uint32_t i = 0; i < v->kept_count; i++)
		before[i] = state->vars[v->kept[i]];
	vm_begin(&vm, v->policy->program, state->vars, run->turn, &limits);
	vm.host = run;
	vm.host_sets = v->sets;
	vm.trace = &matched;
	size_t at = trace_at(run->trace);
	TRACE(run->trace, TRACE_EVENT, 0, slice_of(v->policy->host->host->events[run->event].name));
	enum vm_result result = vm_run(&vm, run->event);
	trace_set_number(run->trace, at, (int64_t)vm.steps);
	note_rules(run, &matched);
	if (result == VM_FAULT)
		failed(run, vm.fault);
	else
		read_verdict(run, result == VM_STOPPED ? vm.rule : UINT32_MAX);
	clear_outcome(state);
	if (!keep_changed(state, before))
		failed(run, "the policy keeps more than 1 MiB for one message");
	if (run->verdict.action != POLICY_NONE && result != VM_FAULT)
		say_verdict(run, vm.steps);
}
