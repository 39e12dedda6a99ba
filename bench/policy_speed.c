/*
 * Measures policies: how many rules over the envelope are evaluated a second on one core, and how long a script of 10,000
 * lines compiles.
 *
 * usage: policy_speed [ROUNDS, default 15]
 *
 * The policy has 100 rules of the kinds that people write (equality, tables of domains and networks, globs, numbers), of
 * which none matches: the dearest case, every condition is looked at. The median of the rounds is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "script/policy/policy.h"
#include "policy/tables.h"

#define RULES  100
#define RUNS   2000
#define ROUNDS 15
#define LINES  10000

static bool nothing(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	return true;
}

static struct policy *compile(slice text, struct arena *arena, struct sources *sources)
{
	static struct policy_host host;
	struct buf out;

	host = policy_host_smtp();
	host.call = nothing;
	sources_begin(sources, arena, NULL, NULL);
	uint32_t file = sources_add(sources, "speed.policy", text, (struct range){ 0 });
	struct policy *p = policy_compile(&host, sources, file, NULL);
	if (!p) {
		buf_init(&out, 1 << 20);
		sources_print(sources, false, &out);
		fprintf(stderr, "policy_speed: %s", out.p ? out.p : "no policy\n");
		exit(1);
	}
	return p;
}

/* Rule i of the policy, in five lines. */
static void add_rule(struct buf *out, int i)
{
	static const char *const conditions[] = {
		"mailFromDomain == \"domain%d.example\"",
		"mailFromDomain in partners; mailFromUser == \"user%d\"",
		"remoteSmtpIp in [\"10.%d.0.0/16\", \"192.0.2.0/25\"]",
		"rcptToDomain matches \"*.list%d.example\"",
		"declaredSize > %d00K",
		"ehloHost == \"host%d.example\"; isAuthenticated",
		"rcptTo in [\"user%d@example.org\", \"@closed.example\"]",
		"mailCount > 1%d or totalMailSize > 100M",
	};

	buf_addf(out, "rule \"rule %d\" at onRcptTo {\n    when all { ", i);
	buf_addf(out, conditions[i % 8], i % 250);
	buf_addf(out, "; }\n    then {\n        reject(550, 5.7.1, \"rule %d says no\");\n    }\n}\n", i);
}

static void set(const struct policy *p, struct value *vars, const char *name, const char *text)
{
	struct value v = VALUE_TEXT_OF(slice_of(text));

	if (p->program->vars[policy_variable_id(name)].kind == VALUE_IP) {
		v.kind = VALUE_IP;
		ip_parse(slice_of(text), &v.ip);
	}
	vars[policy_variable_id(name)] = v;
}

static double run_round(const struct policy *p, struct value *vars, struct arena *run)
{
	struct vm_limits limits = { VM_STEPS, VM_MEMORY, deadline_in_ms(60000), 10000 };
	int64_t start = clock_us();

	for (int i = 0; i < RUNS; i++) {
		struct vm vm;

		vm_begin(&vm, p->program, vars, run, &limits);
		if (vm_run(&vm, ON_RCPT_TO) != VM_DONE) {
			fprintf(stderr, "policy_speed: %s\n", vm.fault ? vm.fault : "a rule matched");
			exit(1);
		}
		arena_reset(run);
	}
	return (double)RUNS * RULES * 1e6 / (double)(clock_us() - start);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double run_speed(int rounds, double *figures)
{
	struct arena *arena = arena_new(ARENA_POLICY), *run = arena_new(4 << 20);
	struct sources sources;
	struct buf text;

	buf_init(&text, 4 << 20);
	buf_adds(&text, "table partners of domain = [ \"bank.example\", \".bank.example\", \"law.example\" ];\n");
	for (int i = 0; i < RULES; i++)
		add_rule(&text, i);
	const struct policy *p = compile(buf_slice(&text), arena, &sources);
	struct value *vars = ARENA_ARRAY(arena, struct value, p->program->var_count + 1);
	set(p, vars, "mailFrom", "someone@sender.example");
	set(p, vars, "mailFromUser", "someone");
	set(p, vars, "mailFromDomain", "sender.example");
	set(p, vars, "rcptTo", "bob@example.org");
	set(p, vars, "rcptToDomain", "example.org");
	set(p, vars, "ehloHost", "mail.sender.example");
	set(p, vars, "remoteSmtpIp", "198.51.100.7");
	vars[policy_variable_id("declaredSize")] = VALUE_NUMBER_OF(20000);
	vars[policy_variable_id("mailCount")] = VALUE_NUMBER_OF(1000);
	for (int i = 0; i < rounds; i++)
		figures[i] = run_round(p, vars, run);
	buf_free(&text);
	arena_free(arena);
	arena_free(run);
	qsort(figures, (size_t)rounds, sizeof *figures, compare);
	return figures[rounds / 2];
}

static double compile_ms(int rounds, double *figures)
{
	struct sources sources;
	struct buf text;

	buf_init(&text, 4 << 20);
	buf_adds(&text, "table partners of domain = [ \"bank.example\" ];\n");
	for (int i = 0; i < LINES / 6; i++)
		add_rule(&text, i);
	for (int i = 0; i < rounds; i++) {
		struct arena *arena = arena_new(ARENA_POLICY);
		int64_t start = clock_us();

		compile(buf_slice(&text), arena, &sources);
		figures[i] = (double)(clock_us() - start) / 1000;
		arena_free(arena);
	}
	buf_free(&text);
	qsort(figures, (size_t)rounds, sizeof *figures, compare);
	return figures[rounds / 2];
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
	double *figures = calloc((size_t)(rounds > 0 ? rounds : 1), sizeof *figures);

	if (rounds > 0) {
		printf("policy of %d rules over the envelope       %11.0f rules/s\n", RULES,
		    run_speed(rounds, figures));
		printf("policy of %d lines, compiled             %11.1f ms\n", LINES,
		    compile_ms(rounds, figures));
	}
	free(figures);
	return 0;
}
