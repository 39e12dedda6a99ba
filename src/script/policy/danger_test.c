/* What peers said stays away from where it may not go; no policy opens a relay; bounds are refused. */
#include "lib/lab.h"

static void peer_values_reach_no_place_that_takes_none(void **state)
{
	static const char *const bad[] = {
		"event onC { set(secret, said); }",
		"event onC { set(secret, \"%said%\"); }",
		"event onC { set(secret, \"a%said%b\"); }",
		"event onC { set(secret, lower(said)); }",
		"event onC { set(secret, domainOf(peerbox)); }",
		"event onC { set(secret, extract(said, /(.)/)); }",
		"event onC { set(secret, number(said)); }",
		"event onC { set(secret, length(said)); }",
		"event onC { set(secret, count(names)); }",
		"event onC { set(secret, number(said) + 1); }",
		"event onC { set(secret, -number(said)); }",
		"event onC { set(secret, names); }",
		"event onC { set(secret, field(\"x\")); }",
		"event onC { call(tell, said, \"x\"); }",
		"event onC { foreach n in names { set(secret, n); } }",
		"event onC { set(mine, said); set(secret, mine); }",
		"event onC { set(secret, mine); set(mine, said); }",
		"event onC { set(mine, \"a\"); set(secret, mine); } event onM { set(mine, said); export(mine); }",
		"method m(a: string) { set(secret, a); } event onC { call(m, said); }",
		"method m(a: string) { call(n, a); } method n(b: string) { set(secret, b); } event onC { call(m, said); }",
		"method m(a: string) { set(secret, a); } event onC { call(m, \"fine\"); call(m, said); }",
		/* Through a variable of the server that may be set. */
		"event onC { set(text, said); set(secret, text); }",
		"event onC { set(why, \"%said%\"); } event onM { set(secret, why); }",
		"event onC { set(other, TextOld); set(text, said); set(secret, other); }",
		"event onC { set(secret, \"x\"); set(text, said); set(secret, TextOld); }",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		lab_refused(bad[i], "takes no peer value");
}

static void a_table_of_ours_is_the_way_there(void **state)
{
	lab_good(
	    "table t of string to string = [ \"a\" to \"b\" ]; event onC { set(secret, lookup(t, said)); call(tell, lookup(t, lower(said)), said); }");
	lab_good(
	    "event onC { if (said == \"x\") { set(secret, \"y\"); } set(secret, text); set(inputValue, said); call(tell, \"a\", said); }");
	lab_good("event onC { set(why, said); reject(\"%said%\"); }");
	lab_warned("event onC { call(rcpt, peerbox); }", "chooses where this mail goes");
	lab_good(
	    "table t of address = []; event onC { if (peerbox in t) { call(rcpt, peerbox); } }");
	assert_null(strstr(lab_said(), "chooses where"));
}

static void a_long_chain_hides_nothing(void **state)
{
	for (int length = 10; length <= 200; length += 190) {
		struct buf *text = lab_text();

		buf_adds(text, "event onC { set(secret, v0); ");
		for (int i = 0; i < length; i++)
			buf_addf(text, "set(v%d, v%d); ", i, i + 1);
		buf_addf(text, "set(v%d, said); }", length);
		lab_refused(text->p, "takes no peer value");
	}
}

static void no_policy_opens_a_relay(void **state)
{
	static const char *const bad[] = {
		"event onM { set(relay, \"all\"); }",
		"rule \"r\" { then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { flag; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when any { loggedIn; flag; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { not loggedIn; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { loggedIn == no; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { loggedIn != yes; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { login == \"\"; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { loggedIn or flag; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in [\"0.0.0.0/0\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in [\"10.0.0.0/8\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in [\"192.0.2.0/24\", \"::/0\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in [\"0.0.0.0-223.255.255.255\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client2 in [\"192.0.2.1\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client not in [\"192.0.2.0/24\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in []; } then { set(relay, \"all\"); } }",
		"table t of network = [ \"0.0.0.0/1\" ]; rule \"r\" { when all { client in t; } then { set(relay, \"all\"); } }",
		"event onM { if (loggedIn) { return; } else { set(relay, \"all\"); } }",
		"event onM { if (loggedIn) { call(note, \"x\"); } set(relay, \"all\"); }",
		"method open { set(relay, \"all\"); } event onM { if (loggedIn) { call(open); } }",
		/* Through a variable of the same kind. */
		"event onM { set(mine, relay); set(mine, \"all\"); set(relay, mine); }",
	};
	static const char *const good[] = {
		"rule \"r\" { when all { loggedIn; flag; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when any { loggedIn; login != \"\"; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { loggedIn == yes; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { loggedIn and flag; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { login in [\"ann\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in [\"192.0.2.0/24\", \"10.0.0.0/9\", \"2001:db8::/33\"]; } then { set(relay, \"all\"); } }",
		"rule \"r\" { when all { client in near; } then { set(relay, \"all\"); } }",
		"event onM { if (loggedIn) { set(relay, \"all\"); } }",
		"event onM { if (flag) { call(note, \"x\"); } else if (login == \"ann\") { set(relay, \"all\"); } }",
		"event onM { set(relay, \"none\"); set(relay, \"auth\"); }",
		"event onM { if (loggedIn) { set(mine, relay); set(relay, mine); } }",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		lab_refused(bad[i], "open relay");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		lab_good(good[i]);
}

static void what_takes_too_long_is_refused(void **state)
{
	lab_refused(
	    "event onC { foreach a in boxes { foreach b in boxes { foreach c in names { call(note, \"x\"); } } } }",
	    "onC may take");
	lab_good("event onC { foreach a in boxes { call(note, a); } }");
	/* Methods that call one another double the work at each level; that is seen at once. */
	struct buf *text = lab_text();
	for (int i = 0; i < 50; i++)
		buf_addf(text, "method m%d { call(m%d); call(m%d); }\n", i, i + 1, i + 1);
	buf_addf(text, "method m50 { call(note, \"x\"); } rule \"r\" { then { call(m0); } }");
	lab_refused(text->p, "onC may take");
	text = lab_text();
	for (int i = 0; i < 300; i++)
		buf_addf(text, "method m%d { call(m%d); }\n", i, i + 1);
	buf_addf(text, "method m300 { call(note, \"x\"); } event onC { call(m0); }");
	lab_refused(text->p, "deep");
}

static void checks_are_counted(void **state)
{
	lab_good(
	    "method m { call(ask); } event onC { if (ask() == \"answer\") { call(m); } else { call(note, \"x\"); } foreach n in names { call(ask); } }");
	assert_int_equal(lab.policy->program->bounds[0].checks, 202);
	lab_values();
	lab_run("onC");
	assert_int_equal(lab.vm.checks, 4);
}

static void a_bound_is_the_dearest_path(void **state)
{
	lab_good("event onC { if (flag) { call(note, \"x\"); } }");
	uint64_t bound = lab.policy->program->bounds[0].steps;
	*lab_var("flag") = VALUE_YESNO_OF(true);
	lab_run("onC");
	assert_int_equal(lab.vm.steps, bound);
	*lab_var("flag") = VALUE_YESNO_OF(false);
	lab_run("onC");
	assert_true(lab.vm.steps < bound);
}

static void a_fault_ends_the_event(void **state)
{
	lab_good("event onC { foreach a in boxes { set(text, \"%text%%text%x\"); } }");
	struct vm_limits limits = { 100, VM_MEMORY, deadline_in_ms(1000), 100 };
	struct value boxes[1000];
	for (int i = 0; i < 1000; i++)
		boxes[i] = VALUE_TEXT_OF(SLICE("a@b.example"));
	*lab_var("boxes") = (struct value){ .kind = VALUE_LIST, .list = { boxes, 1000 } };
	vm_begin(&lab.vm, lab.policy->program, lab.vars, lab.arena, &limits);
	assert_int_equal(vm_run(&lab.vm, 0), VM_FAULT);
	assert_non_null(strstr(lab.vm.fault, "steps"));
	limits = (struct vm_limits){ VM_STEPS, 20000, deadline_in_ms(1000), 100 };
	vm_begin(&lab.vm, lab.policy->program, lab.vars, lab.arena, &limits);
	assert_int_equal(vm_run(&lab.vm, 0), VM_FAULT);
	assert_non_null(strstr(lab.vm.fault, "memory"));
}

static bool long_answer(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	static char text[50000];

	memset(text, 'x', sizeof text);
	*out = VALUE_TEXT_OF(((slice){ text, sizeof text }));
	return true;
}

static void a_host_that_answers_at_length_is_cut(void **state)
{
	lab.host = lab_small();
	lab.host.call = long_answer;
	lab_good(
	    "event onC { set(text, \"%num%\"); if (field(\"x\") matches \"*y*\") { set(num, 1); } set(num, length(field(\"x\"))); }");
	lab_run("onC");
	assert_int_equal(lab_var("num")->number, 1024000);
	lab.host = lab_small();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_values_reach_no_place_that_takes_none),
		cmocka_unit_test(a_table_of_ours_is_the_way_there),
		cmocka_unit_test(a_long_chain_hides_nothing),
		cmocka_unit_test(no_policy_opens_a_relay),
		cmocka_unit_test(what_takes_too_long_is_refused),
		cmocka_unit_test(checks_are_counted),
		cmocka_unit_test(a_bound_is_the_dearest_path),
		cmocka_unit_test(a_fault_ends_the_event),
		cmocka_unit_test(a_host_that_answers_at_length_is_cut),
	};
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}
