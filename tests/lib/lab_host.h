/* lab_host: a small host of policies for tests: events in two contexts, a variable of each type, some methods. */
#ifndef TESTS_LAB_HOST_H
#define TESTS_LAB_HOST_H

#include "script/policy/policy.h"

static const struct policy_event lab_events[] = {
	{ 'C', "onC", "in", "accept reject tmpreject disconnect", false, "first" },
	{ 'A', "onA", "in", "accept reject", true, "perhaps" },
	{ 'M', "onM", "in", "accept reject tmpreject discard quarantine disconnect", false,
	    "second" },
	{ 'R', "onR", "in", "accept reject tmpreject discard quarantine disconnect", false,
	    "third" },
	{ 'D', "onD", "in", "accept reject tmpreject discard quarantine disconnect", false,
	    "fourth" },
	{ 'F', "onF", "out", "discard", false, "failed" },
	{ 'T', "onT", "out", "discard", false, "failed for now" },
};

#define V(name, type, from, set, flags)                                                            \
	{                                                                                          \
		name, type, from, set, flags, "", "", NULL, NULL                                   \
	}

static const struct policy_variable lab_variables[] = {
	V("text", "string", "C", "all", ""),
	V("other", "string", "C", "all", ""),
	V("said", "string", "C", "", "p"),
	V("secret", "string", "C", "all", "!"),
	V("num", "number", "C", "all", ""),
	V("num2", "number", "C", "all", ""),
	V("small", "number 0-10", "C", "all", ""),
	V("octets", "size", "C", "all", ""),
	V("kilo", "size 0-100 KB", "C", "all", ""),
	V("span", "duration 0-30", "C", "all", ""),
	V("client", "ip", "C", "all", "n"),
	V("client2", "ip", "C", "all", ""),
	V("host", "domain", "C", "all", ""),
	V("box", "address", "C", "all", ""),
	V("peerbox", "address", "C", "", "p"),
	V("flag", "yesno", "C", "all", ""),
	V("flag2", "yesno", "C", "all", ""),
	V("login", "string", "C", "", "g"),
	V("loggedIn", "yesno", "C", "", "g"),
	V("kind", "{red green blue}", "C", "all", ""),
	V("names", "list of string", "C", "all", "p"),
	V("boxes", "list of address 1000", "C", "", "p"),
	V("piece", "body", "C", "", "p"),
	V("late", "string", "M", "M R", ""),
	V("waits", "yesno", "C>M", "", ""),
	V("onlyR", "string", "[R]", "", ""),
	V("failed", "string", "[F T]", "F T", ""),
	{ "relay", "{all auth none}", "M", "M R", "", "", "", "all", NULL },
	{ "TextOld", "string", "C", "", "", "", "", NULL, "text" },
	V("act", "{accept reject tmpreject discard quarantine disconnect}", "C", "all", "a"),
	V("why", "string", "C", "all", "x"),
	V("code", "number", "C", "all", "c"),
	V("enhanced", "string", "C", "all", "e"),
	V("result", "string", "", "", ""),
	V("inputName", "string", "C", "all", "!"),
	V("inputValue", "string", "C", "all", ""),
};
#undef V

#define LAB_VARIABLES (sizeof lab_variables / sizeof lab_variables[0])

static const struct policy_method lab_own[] = {
	{ "note", METHOD_ACTION, "text any", "", "all", "", "", "", NULL, NULL, 10 },
	{ "tell", METHOD_ACTION, "inputName string@!, inputValue string@", "", "all", "", "", "",
	    NULL, NULL, 10 },
	{ "lateNote", METHOD_ACTION, "text string", "", "D", "", "", "", NULL, NULL, 10 },
	{ "rcpt", METHOD_ACTION, "to address+", "", "all", "", "", "", NULL, NULL, 10 },
	{ "wordy", METHOD_ACTION, "level {low high}, text string", "", "all", "", "", "", NULL,
	    NULL, 10 },
	{ "ask", METHOD_CHECK, "", "result", "all", "", "", "", NULL, NULL, 100 },
	{ "field", METHOD_FUNCTION, "name const", "", "all", "string p", "", "", NULL, NULL, 20 },
};

#define LAB_OWN (sizeof lab_own / sizeof lab_own[0])

static const char *const lab_tables[] = { "homes domain", "near network", NULL };

/* Without its call. */
static inline struct policy_host lab_tables_host(void)
{
	static struct policy_method methods[LAB_OWN + 64];
	unsigned count = 0;

	for (size_t i = 0; i < LAB_OWN; i++)
		methods[count++] = lab_own[i];
	for (unsigned i = 0; i < policy_function_count; i++)
		methods[count++] = policy_functions[i];
	return (struct policy_host){ .events = lab_events,
		.event_count = sizeof lab_events / sizeof lab_events[0],
		.variables = lab_variables,
		.variable_count = LAB_VARIABLES,
		.methods = methods,
		.method_count = count,
		.tables = lab_tables };
}

#endif
