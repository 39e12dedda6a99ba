/* Where rules are placed, in which order they run, what ends an event, what is kept. */
#include "lib/lab.h"

static const struct policy_rule *rule(const char *name)
{
	for (uint32_t i = 0; i < lab.policy->rule_count; i++)
		if (strcmp(lab.policy->rules[i].name, name) == 0)
			return &lab.policy->rules[i];
	fail_msg("no rule %s", name);
	return NULL;
}

/* The events of rule "r". */
static const char *placed(const char *text)
{
	lab_good(text);
	return events_text(&lab.host, rule("r")->events, lab.arena);
}

static void a_rule_is_placed_in_the_earliest_event(void **state)
{
	assert_string_equal(placed("rule \"r\" { then { set(num, 1); } }"), "onC");
	assert_string_equal(
	    placed("rule \"r\" { when all { text == \"x\"; } then { reject(\"x\"); } }"), "onC");
	/* (a): all that it reads is settled. */
	assert_string_equal(
	    placed("rule \"r\" { when all { late == \"x\"; } then { set(num, 1); } }"), "onM");
	assert_string_equal(
	    placed("rule \"r\" { when all { waits; } then { set(num, 1); } }"), "onM");
	assert_string_equal(
	    placed("rule \"r\" { when all { onlyR == \"x\"; } then { set(num, 1); } }"), "onR");
	assert_string_equal(
	    placed("rule \"r\" { then { if (late == \"x\") { set(num, 1); } } }"), "onM");
	assert_string_equal(placed("rule \"r\" { then { reject(\"%late%\"); } }"), "onM");
	/* (b): all its actions are allowed. */
	assert_string_equal(placed("rule \"r\" { then { discard(); } }"), "onM");
	assert_string_equal(placed("rule \"r\" { then { call(lateNote, \"x\"); } }"), "onD");
	assert_string_equal(
	    placed("rule \"r\" { when all { flag; } then { set(late, \"x\"); } }"), "onM");
	/* Methods that it calls count. */
	assert_string_equal(
	    placed("method m { call(lateNote, \"x\"); } rule \"r\" { then { call(m); } }"), "onD");
	assert_string_equal(
	    placed(
		"method n { set(text, late); } method m { call(n); } rule \"r\" { then { call(m); } }"),
	    "onM");
	/* Both failure events. */
	assert_string_equal(
	    placed("rule \"r\" { when all { failed == \"x\"; } then { set(num, 1); } }"),
	    "onF, onT");
	/* By hand. */
	assert_string_equal(placed("rule \"r\" at onD { then { set(num, 1); } }"), "onD");
	assert_string_equal(placed("rule \"r\" at onA { then { set(num, 1); } }"), "onA");
	assert_string_equal(placed("rule \"r\" at onF { then { set(failed, \"x\"); } }"), "onF");
}

static void exceptions_hold(void **state)
{
	/* (c): after an accept of lower number. */
	assert_string_equal(
	    placed("rule \"a\" priority 1 { when all { onlyR == \"x\"; } then { accept(); } }"
		   "rule \"r\" { when all { flag; } then { reject(\"x\"); } }"),
	    "onR");
	assert_non_null(
	    strstr(lab_said(), "would fit onC, but follows a rule of lower number in onR"));
	/* Not without a verdict, nor before it in number. */
	assert_string_equal(
	    placed("rule \"a\" priority 1 { when all { onlyR == \"x\"; } then { accept(); } }"
		   "rule \"r\" { when all { flag; } then { set(num, 1); } }"),
	    "onC");
	assert_string_equal(
	    placed("rule \"a\" priority 501 { when all { onlyR == \"x\"; } then { accept(); } }"
		   "rule \"r\" { when all { flag; } then { reject(\"x\"); } }"),
	    "onC");
	/* An accept in a method counts too. */
	assert_string_equal(
	    placed(
		"method m { accept(); } rule \"a\" priority 1 { when all { onlyR == \"x\"; } then { call(m); } }"
		"rule \"r\" { when all { flag; } then { reject(\"x\"); } }"),
	    "onR");
	/* The same variable set by a rule of lower number, in a method or not. */
	assert_string_equal(
	    placed("rule \"a\" priority 1 { when all { late == \"x\"; } then { set(num, 1); } }"
		   "rule \"r\" { then { set(num, 2); } }"),
	    "onM");
	assert_string_equal(
	    placed(
		"method m { set(num, 1); } rule \"a\" priority 1 { when all { late == \"x\"; } then { call(m); } }"
		"rule \"r\" { then { set(num, 2); } }"),
	    "onM");
	assert_string_equal(
	    placed(
		"method m { set(num, 2); } rule \"a\" priority 1 { when all { late == \"x\"; } then { set(num, 1); } }"
		"rule \"r\" { then { call(m); } }"),
	    "onM");
	/* Held back further than it fits. */
	lab_refused(
	    "rule \"a\" priority 1 { when all { onlyR == \"x\"; } then { accept(); } }"
	    "rule \"r\" { then { set(late, \"x\"); disconnect(\"x\"); } } rule \"b\" { then { call(lateNote, \"x\"); accept(); } }"
	    "rule \"c\" { when all { flag; } then { set(late, \"y\"); reject(\"x\"); } }",
	    "that it must follow is in onD");
}

static void a_rule_waits_for_what_is_exported(void **state)
{
	assert_string_equal(
	    placed(
		"event onM { set(mine, late); export(mine); } rule \"r\" { when all { mine == \"x\"; } then { reject(\"x\"); } }"),
	    "onM");
	assert_string_equal(
	    placed(
		"rule \"e\" priority 1 { when all { late == \"x\"; } then { set(mine, \"x\"); export(mine); } }"
		"rule \"r\" { when all { mine == \"x\"; } then { reject(\"x\"); } }"),
	    "onM");
	/* Wherever the other stands. */
	assert_string_equal(
	    placed(
		"rule \"r\" priority 1 { when all { mine == \"x\"; } then { reject(\"x\"); } }"
		"rule \"e\" { when all { onlyR == \"x\"; } then { set(mine, \"x\"); export(mine); } }"),
	    "onR");
}

static void no_such_event_names_the_parts_at_odds(void **state)
{
	lab_refused("rule \"r\" { when all { onlyR == \"x\"; } then { call(lateNote, \"x\"); } }",
	    "rule \"r\" reads onlyR (onR) but calls lateNote (onD only)");
	lab_refused("rule \"r\" { when all { failed == \"x\"; } then { reject(\"x\"); } }",
	    "has the verdict reject");
	lab_refused("rule \"r\" at onC { when all { late == \"x\"; } then { set(num, 1); } }",
	    "fits only onM");
	lab_refused("rule \"r\" at onNo { then { } }", "there is no event 'onNo'");
	lab_refused("rule \"r\" at onF { then { reject(\"x\"); } }", "fits only");
}

static void rules_run_by_priority_then_blocks_in_file_order(void **state)
{
	lab_good("event onC { call(note, \"block 1\"); }\n"
		 "rule \"third\" { then { call(note, \"third\"); } }\n"
		 "rule \"fourth\" { then { call(note, \"fourth\"); } }\n"
		 "rule \"second\" priority 499 { then { call(note, \"second\"); } }\n"
		 "rule \"first\" priority 1 { then { call(note, \"first\"); } }\n"
		 "rule \"last\" priority 999 { then { call(note, \"last\"); } }\n"
		 "event onC { call(note, \"block 2\"); }\n");
	lab_run("onC");
	assert_string_equal(lab_notes(),
	    "note(first) note(second) note(third) note(fourth) note(last) note(block 1) note(block 2) ");
}

static void the_first_verdict_wins(void **state)
{
	lab_good(
	    "rule \"a\" { when all { flag; } then { reject(551, 5.1.2, \"no %text%\"); call(note, \"never\"); } }\n"
	    "rule \"b\" { then { discard(); } }\n"
	    "rule \"c\" at onC { then { tmpreject(\"later\"); } }\n"
	    "event onC { call(note, \"block\"); }\n");
	lab_values();
	assert_int_equal(lab_run("onC"), VM_STOPPED);
	assert_string_equal(lab_notes(), "");
	assert_slice(lab_var("act")->text, "reject");
	assert_slice(lab_var("why")->text, "no Hello World");
	assert_int_equal(lab_var("code")->number, 551000);
	assert_slice(lab_var("enhanced")->text, "5.1.2");
	assert_string_equal(lab.policy->rules[lab.vm.rule].name, "a");
	*lab_var("flag") = VALUE_YESNO_OF(false);
	assert_int_equal(lab_run("onC"), VM_STOPPED);
	assert_slice(lab_var("act")->text, "tmpreject");
	/* A verdict without codes leaves them unknown: the standard ones. */
	assert_int_equal(lab_var("code")->kind, VALUE_UNKNOWN);
	assert_int_equal(lab_var("enhanced")->kind, VALUE_UNKNOWN);
}

static void a_verdict_in_a_method_ends_the_event(void **state)
{
	lab_good(
	    "method deep { reject(\"deep\"); } method m { call(deep); call(note, \"never\"); }\n"
	    "rule \"r\" { then { foreach n in names { call(m); } call(note, \"never\"); } } event onC { call(note, \"never\"); }");
	lab_values();
	assert_int_equal(lab_run("onC"), VM_STOPPED);
	assert_string_equal(lab_notes(), "");
	assert_slice(lab_var("why")->text, "deep");
	assert_string_equal(lab.policy->rules[lab.vm.rule].name, "r");
}

static void setting_the_action_does_not_end_the_event(void **state)
{
	lab_good(
	    "event onC { set(act, \"reject\"); set(why, \"a\"); call(note, \"on\"); } event onC { set(act, \"accept\"); }");
	assert_int_equal(lab_run("onC"), VM_DONE);
	assert_slice(lab_var("act")->text, "accept");
	assert_string_equal(lab_notes(), "note(on) ");
}

static void return_ends_the_block_only(void **state)
{
	lab_good(
	    "method m { call(note, \"m1\"); return; call(note, \"m2\"); }\n"
	    "event onC { call(m); foreach n in names { call(note, n); return; } call(note, \"never\"); } event onC { call(note, \"next\"); }");
	lab_values();
	assert_int_equal(lab_run("onC"), VM_DONE);
	assert_string_equal(lab_notes(), "note(m1) note(Alpha) note(next) ");
}

static void shadow_and_disabled_rules_do_nothing(void **state)
{
	lab_good(
	    "rule \"s\" shadow { when all { flag; } then { reject(\"x\"); } } rule \"d\" disabled { then { reject(\"x\"); } }"
	    "rule \"on\" { then { call(note, \"on\"); } }");
	struct vm_trace_entry entries[8];
	struct vm_trace trace = { entries, 8, 0 };
	struct vm_limits limits = { VM_STEPS, VM_MEMORY, deadline_in_ms(1000), 100 };
	lab_values();
	vm_begin(&lab.vm, lab.policy->program, lab.vars, lab.arena, &limits);
	lab.vm.trace = &trace;
	assert_int_equal(vm_run(&lab.vm, lab_event("onC")), VM_DONE);
	assert_string_equal(lab_notes(), "note(on) ");
	/* The shadow rule matched, is traced, and did nothing. */
	assert_int_equal(trace.count, 3);
	assert_int_equal(entries[0].kind, VM_TRACE_MATCHED);
	assert_string_equal(lab.policy->rules[entries[0].index].name, "s");
	assert_int_equal(rule("d")->events, 0);
	lab_refused(
	    "rule \"d\" disabled { when all { nosuch; } then { } }", "no variable 'nosuch'");
}

static void conditions_are_all_or_any(void **state)
{
	lab_good("rule \"all\" { when all { flag; num == 5.5; } then { call(note, \"all\"); } }"
		 "rule \"not all\" { when all { flag; num == 5; } then { call(note, \"wrong\"); } }"
		 "rule \"any\" { when any { num == 5; flag; } then { call(note, \"any\"); } }"
		 "rule \"none\" { when any { num == 5; flag2; } then { call(note, \"wrong\"); } }"
		 "rule \"one\" { when any { flag; } then { call(note, \"one\"); } }");
	lab_values();
	lab_run("onC");
	assert_string_equal(lab_notes(), "note(all) note(any) note(one) ");
}

static void if_and_switch_take_one_way(void **state)
{
	static const char text[] =
	    "event onC { if (num == 1) { call(note, \"1\"); } else if (num == 2) { call(note, \"2\"); } else { call(note, \"else\"); } "
	    "switch (text) { case \"a\", \"B\": call(note, \"ab\"); case \"\": call(note, \"empty\"); case \"c\": default: call(note, \"default\"); } }";
	static const struct {
		const char *num, *text, *notes;
	} rows[] = { { "1", "b", "note(1) note(ab) " }, { "2", "", "note(2) note(empty) " },
		{ "3", "c", "note(else) " }, { "3", "d", "note(else) note(default) " } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t n;

		lab_good(text);
		number_read(slice_of(rows[i].num), &n);
		*lab_var("num") = VALUE_NUMBER_OF(n);
		*lab_var("text") = VALUE_TEXT_OF(slice_of(rows[i].text));
		lab_run("onC");
		assert_string_equal(lab_notes(), rows[i].notes);
	}
	lab_refused(
	    IN_BLOCK("switch (num) { case 1: return; case 1: return; }"), "stands there twice");
	lab_refused(IN_BLOCK("switch (num) { case \"x\": return; }"), "is no number");
	lab_refused(IN_BLOCK("switch (names) { case \"x\": return; }"), "a single value");
	lab_refused(
	    IN_BLOCK("switch (kind) { case \"purple\": return; }"), "one of: red green blue");
}

static void foreach_goes_through_every_element(void **state)
{
	lab_good(
	    "event onC { foreach n in names { foreach m in names { call(note, \"%n%%m%\"); } } foreach b in boxes { call(note, b); } }");
	lab_values();
	lab_run("onC");
	assert_string_equal(
	    lab_notes(), "note(AlphaAlpha) note(Alphabeta) note(betaAlpha) note(betabeta) ");
	lab_refused(IN_BLOCK("foreach n in text { }"), "goes through a list");
	lab_good(IN_BLOCK("foreach a in addresses(said) { call(note, domainOf(a)); }"));
	*lab_var("said") = VALUE_TEXT_OF(SLICE("a@b.example, c@d.example"));
	lab_run("onC");
	assert_string_equal(lab_notes(), "note(b.example) note(d.example) ");
}

static void methods_take_arguments(void **state)
{
	lab_good(
	    "method show(a: string, n: number, i: ip, y: yesno) { call(note, \"%a% %n% %i% %y%\"); }\n"
	    "method twice(a: string) { call(show, \"%a%%a%\", num, client, flag); }\n"
	    "event onC { call(twice, \"x\"); call(show, num, 2, \"192.0.2.1\", no); }");
	lab_values();
	lab_run("onC");
	assert_string_equal(lab_notes(), "note(xx 5.5 192.0.2.7 yes) note(5.5 2 192.0.2.1 no) ");
	lab_refused("method m(a: number) { } event onC { call(m, \"x\"); }", "is no number");
	lab_refused("method m(a: number) { } event onC { call(m); }", "'a' is missing");
	lab_refused("method m(a: number) { } event onC { call(m, 1, 2); }", "an argument too many");
	lab_refused("method m { call(m); } event onC { call(m); }", "calls itself");
	lab_refused(
	    "method a { call(b); } method b { call(a); } event onC { call(a); }", "calls itself");
	lab_refused("method m { } event onC { set(text, m()); }", "has no value");
	lab_warned("method m { }", "never called");
}

static void inputs_come_from_variables_or_arguments(void **state)
{
	lab_good(IN_BLOCK(
	    "set(inputName, \"n\"); set(inputValue, \"v\"); call(tell); call(tell, \"x\"); call(tell, \"x\", \"y\");"));
	lab_run("onC");
	assert_string_equal(lab_notes(), "tell(n, v) tell(x, v) tell(x, y) ");
	lab_refused(IN_BLOCK("call(tell, \"x\");"), "neither an argument nor ever set");
}

/* ---- state ---- */

static void variables_of_a_block_end_with_it(void **state)
{
	lab_good(
	    "method m { call(note, \"m[%mine%]\"); set(mine, \"inner\"); }\n"
	    "event onC { set(mine, \"a\"); call(m); call(note, mine); } event onC { call(note, \"[%mine%]\"); }"
	    "rule \"r\" { then { call(note, \"r[%mine%]\"); set(mine, \"rule\"); } } rule \"s\" { then { call(note, \"s[%mine%]\"); } }");
	lab_run("onC");
	assert_string_equal(lab_notes(), "note(r[]) note(s[]) note(m[]) note(a) note([]) ");
}

static void an_exported_variable_stays(void **state)
{
	lab_good(
	    "event onC { set(mine, \"first\"); export(mine); set(mine, \"later\"); call(note, mine); } event onC { call(note, mine); }"
	    "event onM { call(note, mine); set(mine, \"second\"); } event onR { call(note, mine); set(mine, \"third\"); export(mine); }"
	    "event onD { call(note, mine); }");
	lab_run("onC");
	lab_run("onM");
	lab_run("onR");
	lab_run("onD");
	assert_string_equal(
	    lab_notes(), "note(later) note(first) note(first) note(first) note(third) ");
	assert_int_equal(lab.policy->kept_count, 1);
	assert_slice(lab.vars[lab.policy->kept_first].text, "third");
	lab_good(IN_BLOCK("export(text);"));
	lab_refused(IN_BLOCK("export(nosuch);"), "no variable 'nosuch' to export");
}

static void a_variable_has_one_type(void **state)
{
	lab_good(IN_BLOCK("set(mine, 5); set(mine, num); if (mine > 3) { call(note, mine); }"));
	lab_refused(IN_BLOCK("set(mine, 5); set(mine, text); call(note, mine);"),
	    "'mine', by its first set(), wants a number");
	lab_good(IN_BLOCK("set(mine, \"5\"); set(mine, num); call(note, mine);"));
	lab_good(IN_BLOCK("set(mine, client); set(mine, \"192.0.2.1\"); call(note, mine);"));
	lab_refused(
	    IN_BLOCK("set(mine, client); set(mine, \"x\"); call(note, mine);"), "is no IP address");
	lab_refused(IN_BLOCK("set(a, b); set(b, a); call(note, a);"), "depends on itself");
	lab_good("method m { set(other, mine); } event onC { set(mine, 5); call(m); }");
	lab_good(IN_BLOCK("set(mine, \"\"); set(mine, \"x\"); call(note, mine);"));
}

static void what_is_wrong_with_variables_is_told(void **state)
{
	lab_warned(IN_BLOCK("set(unread, 1);"), "'unread' is set and never read");
	lab_refused(IN_BLOCK("set(octetts, 1);"), "did you mean 'octets'?");
	lab_warned(IN_BLOCK("call(note, late);"), "late is not known in onC; it is \"\" there");
	lab_warned("event onC { set(late, \"x\"); }", "has no effect in onC");
	lab_refused("event onF { set(late, \"x\"); }", "has no effect in onF");
	lab_refused(IN_BLOCK("set(said, \"x\");"), "can only be read");
	lab_refused(IN_BLOCK("discard();"), "no verdict of onC");
	lab_refused("method m { discard(); } event onC { call(m); }", "no verdict of onC");
	lab_warned("event onC { return; call(note, \"x\"); }", "never reached");
	lab_warned("event onC { reject(\"x\"); call(note, \"x\"); }", "never reached");
	lab_warned("event onC { if (yes) { call(note, \"x\"); } }", "always true");
	lab_warned("event onC { if (small > 10) { call(note, \"x\"); } }", "always false");
	lab_warned(
	    "event onC { if (flag and small == 11) { call(note, \"x\"); } }", "always false");
	lab_warned("event onC { if (small < 0) { call(note, \"x\"); } }", "always false");
	lab_good(
	    "event onC { if (small >= 10 or small <= 0 or num > 5000) { call(note, \"x\"); } }");
	assert_null(strstr(lab_said(), "always"));
	lab_warned("event onC { if (1 == 2) { call(note, \"x\"); } }", "always false");
	lab_warned("event onC { if (1.0 == 1) { call(note, \"x\"); } }", "always true");
	lab_warned("rule \"a\" { then { reject(\"x\"); } } rule \"b\" { then { set(num, 1); } }",
	    "rule \"b\" is never reached: rule \"a\" always decides");
	lab_warned("event onC { call(lateNote, \"x\"); }", "has no effect in onC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_placed_in_the_earliest_event),
		cmocka_unit_test(exceptions_hold),
		cmocka_unit_test(a_rule_waits_for_what_is_exported),
		cmocka_unit_test(no_such_event_names_the_parts_at_odds),
		cmocka_unit_test(rules_run_by_priority_then_blocks_in_file_order),
		cmocka_unit_test(the_first_verdict_wins),
		cmocka_unit_test(a_verdict_in_a_method_ends_the_event),
		cmocka_unit_test(setting_the_action_does_not_end_the_event),
		cmocka_unit_test(return_ends_the_block_only),
		cmocka_unit_test(shadow_and_disabled_rules_do_nothing),
		cmocka_unit_test(conditions_are_all_or_any),
		cmocka_unit_test(if_and_switch_take_one_way),
		cmocka_unit_test(foreach_goes_through_every_element),
		cmocka_unit_test(methods_take_arguments),
		cmocka_unit_test(inputs_come_from_variables_or_arguments),
		cmocka_unit_test(variables_of_a_block_end_with_it),
		cmocka_unit_test(an_exported_variable_stays),
		cmocka_unit_test(a_variable_has_one_type),
		cmocka_unit_test(what_is_wrong_with_variables_is_told),
	};
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}
