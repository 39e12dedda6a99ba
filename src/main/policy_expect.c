/* What a session expects of the step before. */
#include "main/policy_play.h"

static bool rule_matched(const struct play *p, slice name)
{
	for (unsigned i = 0; i < p->trace_count; i++)
		if (p->trace[i].kind == VM_TRACE_MATCHED &&
		    p->trace[i].index < p->policy->rule_count &&
		    slice_eq(slice_of(p->policy->rules[p->trace[i].index].name), name))
			return true;
	return false;
}

static void expect_verdict(struct play *p, const struct step *s)
{
	slice action = p->action.n ? p->action
	    : play_refused(p)      ? SLICE("reject")
				   : SLICE("accept");
	const char *rule =
	    p->rule < p->policy->rule_count ? p->policy->rules[p->rule].name : "(none)";

	if (!slice_eq(action, s->text))
		play_fail(p, "expected %.*s, got %.*s", SLICE_ARG(s->text), SLICE_ARG(action));
	else if (s->code && s->code != p->code)
		play_fail(p, "expected code %u, got %lld", s->code, (long long)p->code);
	else if (s->text2.n && !slice_eq(s->text2, p->enhanced))
		play_fail(
		    p, "expected %.*s, got %.*s", SLICE_ARG(s->text2), SLICE_ARG(p->enhanced));
	else if (s->flag && !text_glob(p->text, s->text3, false))
		play_fail(p, "expected the text \"%.*s\", got \"%.*s\"", SLICE_ARG(s->text3),
		    SLICE_ARG(p->text));
	else if (s->given && !slice_eq(s->given->name, slice_of(rule)))
		play_fail(p, "expected rule \"%.*s\", it was %s", SLICE_ARG(s->given->name), rule);
}

static bool did(const struct play *p, const struct node *want)
{
	for (unsigned i = 0; i < p->call_count; i++) {
		const struct played_call *call = &p->calls[i];
		unsigned k = 0;
		bool same = slice_eq(
		    want->text, slice_of(p->policy->host->host->methods[call->method].name));

		for (const struct node *a = want->kids; same && a; a = a->next, k++)
			same = k < call->count && call->args[k].kind == VALUE_TEXT &&
			    slice_eq(call->args[k].text, a->text);
		if (same)
			return true;
	}
	return false;
}

/* What is wrong with a condition of a session is said where it stands, once. */
static void condition_errors(struct play *p, struct remark *before)
{
	struct sources *src = p->policy->sources;
	struct remark *m = src->messages, *last = m;

	play_fail(p, "the condition has errors");
	if (m == before)
		return;
	while (last->next != before)
		last = last->next;
	last->next = NULL;
	sources_print(src, false, p->out);
	last->next = before;
	src->messages = before;
}

static void run_condition(struct play *p, const struct step *s, struct arena *arena)
{
	uint32_t result, kept = p->policy->kept_first + p->policy->kept_count;
	struct remark *before = p->policy->sources->messages;
	struct program *program = policy_condition(p->policy, s->expr, arena, &result);
	struct vm_limits limits = { VM_STEPS, VM_MEMORY, deadline_in_ms(60000), 10000 };
	struct vm vm;

	if (!program) {
		condition_errors(p, before);
		return;
	}
	struct value *vars = ARENA_ARRAY(arena, struct value, program->var_count + 1);
	memcpy(vars, p->vars, kept * sizeof *vars);
	vm_begin(&vm, program, vars, arena, &limits);
	vm.host = p;
	vm.host_sets = p->sets;
	if (vm_run(&vm, 0) == VM_FAULT)
		play_fail(p, "%s", vm.fault);
	else if (!value_true(&vars[result]))
		play_fail(p, "it is not so: %.*s",
		    SLICE_ARG(source_text(p->policy->sources, s->expr->range)));
}

static void expect_condition(struct play *p, const struct step *s)
{
	struct arena *arena = arena_new(ARENA_POLICY);

	run_condition(p, s, arena);
	arena_free(arena);
}

void play_expect(struct play *p, const struct step *s)
{
	bool found = s->kind == STEP_EXPECT_RULE ? rule_matched(p, s->text)
	    : s->kind == STEP_EXPECT_DID         ? did(p, s->expr)
						 : true;

	if (s->kind == STEP_EXPECT)
		expect_verdict(p, s);
	else if (s->kind == STEP_EXPECT_TRUE)
		expect_condition(p, s);
	else if (found == s->negative)
		play_fail(p, "%s",
		    s->kind == STEP_EXPECT_RULE
			? (found ? "the rule matched" : "the rule did not match")
			: (found ? "it was done" : "it was not done"));
}
