/* The grammar, and how the parser goes on after an error. */
#include "lib/lab.h"

static void every_declaration_is_read(void **state)
{
	lab_good(
	    "table a of domain = [ \"x.example\", \".x.example\", ];\n"
	    "table b of string to number = [ \"x\" to 5, \"y\" to -1.5 ];\n"
	    "table c of number = [ 1, 2..5, -3..-1 ];\n"
	    "table d of network = [];\n"
	    "method m(p: string, q: number) { set(text, \"%p%%q%\"); }\n"
	    "rule \"r\" priority 1 at onM shadow { when any { num > 1; flag; } then { } }\n"
	    "rule \"s\" disabled { then { set(num, 1); } }\n"
	    "event onC { call(m, \"x\", 2); }\n"
	    "test \"t\" { given num = 5; connect \"192.0.2.1\" port 25; ehlo \"x\"; starttls; auth \"a\" failed;\n"
	    " mail \"a@b.example\" size 5K; rcpt \"c@d.example\"; data { \"a\" \"b\" } rset; wait 5m; process;\n"
	    " relay \"x.example\"; fail \"a@b.example\" 550 5.1.1 \"no\"; expect accept; expect reject 550 5.7.1 \"*\" by rule \"r\";\n"
	    " expect not rule \"r\"; expect did note(\"x\"); expect num == 5; quit; }\n");
}

static void every_statement_is_read(void **state)
{
	lab_good(
	    "method m { return; }\n"
	    "event onM { set(text, \"a\"); set(mine, text); export(mine); call(m);\n"
	    " if (flag) { accept(); } else if (flag2) { reject(550, 5.7.1, \"x\"); } else { reject(\"x\"); }\n"
	    " switch (kind) { case \"red\", \"green\": discard(); case \"blue\": quarantine(\"q\"); default: tmpreject(450, \"y\"); } }\n"
	    "event onR { foreach n in names { call(note, n); } disconnect(\"bye\"); }\n"
	    "event onD { call(note, mine); tmpreject(4.7.1, \"x\"); }\n");
}

static void operators_bind_as_written(void **state)
{
	assert_yes("1 + 2 * 3 == 7");
	assert_yes("(1 + 2) * 3 == 9");
	assert_yes("10 - 3 - 2 == 5");
	assert_yes("12 / 2 / 3 == 2");
	assert_yes("-2 + 5 == 3");
	assert_yes("- - 2 == 2");
	assert_yes("-(2 + 1) == -3");
	assert_yes("flag or flag and no");
	assert_no("(flag or flag) and no");
	assert_yes("not no and flag");
	assert_no("not (no or flag)");
	assert_yes("not not flag");
	assert_yes("not num == 6");
	assert_yes("num not in [1, 2]");
	assert_yes("text not matches \"x*\"");
	assert_yes("text matches /world/");
	assert_no("text matches /world/c");
	assert_yes("text matches [\"x\", /^hello/, \"y\",]");
	assert_yes("num / 2 == 2.75");
}

static void all_errors_come_in_one_run(void **state)
{
	lab_compile(
	    "rule \"a\" { when all { nosuch; num > ; flag } then { set(num 1); set(txet, \"a\"); reject(450, \"x\"); } }\n"
	    "table t of nothing = [];\n"
	    "rule \"b\" priority 1000 { then { frobnicate(); } }\n"
	    "event onNowhere { set(num, ); }\n"
	    "wrong;\n"
	    "event onC { set(num, \"x\"); }\n");
	static const char *const want[] = { "'nosuch'", "expected a value",
		"expected ';' before '}'", "expected ',' before '1'", "500 to 599",
		"expected a key type", "1 to 999", "'frobnicate' begins no statement",
		"'onNowhere'", "expected 'import'", "is no number", "did you mean 'text'" };
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		if (!strstr(lab_said(), want[i]))
			fail_msg("not said: %s\n%s", want[i], lab_said());
}

static void what_is_missing_is_missed_where_it_should_be(void **state)
{
	lab_refused("event onC { set(num, 1)\n  set(text, \"a\"); }",
	    "test.policy:1:24: error: expected ';' before 'set'");
	lab_refused("event onC { set(num, 1);", "expected '}', but the file ends");
	lab_refused("rule \"x\" { }", "expected 'when' or 'then' before '}'");
	lab_refused("rule \"x\" { when some { flag; } then { } }", "expected 'all' or 'any'");
	lab_refused("rule \"x\" { when all { } then { } }", "expected a value before '}'");
	lab_refused("event onC { if flag { } }", "expected '(' before 'flag'");
	lab_refused("event onC { else { } }", "'else' without an 'if'");
	lab_refused("event onC { sett(num, 1); }", "did you mean 'set'?");
	lab_refused("event onC { num = 1; }", "set(name, value) sets a variable");
	lab_refused("event onC { if (num == 1 == 2) { } }", "comparisons cannot be chained");
	lab_refused("event onC { if (num not 5) { } }", "'in' or 'matches' after 'not'");
	lab_refused("event onC { set(if, 1); }", "part of the language");
	lab_refused("event onC { accept(\"x\"); }", "take nothing in their parentheses");
	lab_refused("event onC { reject(451, \"x\"); }", "500 to 599");
	lab_refused("event onC { tmpreject(550, \"x\"); }", "400 to 499");
	lab_refused("event onC { reject(550, 4.7.1, \"x\"); }", "begins with 5");
	lab_refused("event onC { switch (num) { default: return; case 1: return; } }",
	    "nothing may follow 'default'");
	lab_refused(
	    "event onC { set(text, \"50% off\"); }", "write %name%, or %% for a percent sign");
	lab_refused("method m(a) { }", "expected ':'");
	lab_refused("table t of string = [ \"a\" to 1 ];", "leads to no values");
	lab_refused("table t of string to number = [ \"a\" ];", "'to' is missing");
	lab_refused("table t of string = [ 1..5 ];", "for tables of number");
	lab_refused("import \"../x.policy\";", "without '..'");
	lab_refused("import \"/etc/passwd\";", "without '..'");
	lab_refused("import \"none.policy\";", "cannot open");
	lab_refused("rule \"a\" { then { } } rule \"a\" { then { } }", "a rule of this name");
	lab_refused("test \"t\" { frob; }", "expected a line of a session");
}

static void imports_are_read_once_and_lead_nowhere_back(void **state)
{
	lab.file_name = "sub.policy";
	lab.file_text = "table t of string = [ \"Hello World\" ];";
	lab_good(
	    "import \"sub.policy\"; import \"sub.policy\"; event onC { if (text in t) { call(note, \"x\"); } }");
	lab.file_text = "import \"test.policy\";";
	lab_refused("import \"sub.policy\";", "leads back to itself");
	lab.file_text = "event onC { set(num, \"x\"); }";
	lab_refused("import \"sub.policy\";", "sub.policy:1:22: error");
	lab.file_name = NULL;
}

static void nesting_has_an_end(void **state)
{
	static const char *const pairs[][4] = { { "event onC { set(num, ", "(", ")", "1" },
		{ "event onC { set(flag, ", "not ", "", "yes" },
		{ "event onC { ", "if (flag) { ", "} ", "" },
		{ "event onC { set(num, ", "-", "", "1" },
		{ "event onC { set(text, ", "lower(", ")", "\"a\"" },
		{ "event onC { ", "switch (num) { case 1: ", "} ", "" } };

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		for (unsigned deep = 50; deep <= 10000; deep *= 200) {
			struct buf *text = lab_text();

			buf_adds(text, pairs[i][0]);
			for (unsigned k = 0; k < deep; k++)
				buf_adds(text, pairs[i][1]);
			buf_adds(text, pairs[i][3]);
			for (unsigned k = 0; k < deep; k++)
				buf_adds(text, pairs[i][2]);
			buf_adds(text, strchr(pairs[i][0] + 10, '(') ? "); }" : "}");
			struct policy *p = lab_compile(text->p);
			if (deep == 50 && !p)
				fail_msg("%s", lab_said());
			if (deep > 50)
				assert_non_null(strstr(lab_said(), "64 levels deep"));
		}
	}
}

static void long_chains_have_an_end(void **state)
{
	struct buf *text = lab_text();

	buf_adds(text, "event onC { set(num, 1");
	for (int i = 0; i < 50000; i++)
		buf_adds(text, " + 1");
	buf_adds(text, "); }");
	lab_refused(text->p, "this expression is too long");
	text = lab_text();
	buf_adds(text, "event onC { if (flag");
	for (int i = 0; i < 3000; i++)
		buf_adds(text, " or flag2");
	buf_adds(text, ") { call(note, \"x\"); } }");
	lab_good(text->p);
}

static void more_than_twenty_errors_are_counted(void **state)
{
	struct buf *text = lab_text();

	for (int i = 0; i < 500; i++)
		buf_addf(text, "event onC { set(num, nosuch%d); }\n", i);
	assert_null(lab_compile(text->p));
	unsigned errors = 0;
	for (const char *e = lab_said(); (e = strstr(e, ": error:")); e++)
		errors++;
	assert_int_equal(errors, 20);
	assert_non_null(strstr(lab_said(), "480 errors more"));
}

static void names_are_their_own(void **state)
{
	lab_refused("method note { }", "'note' is already a method of the server");
	lab_refused("method text { }", "'text' is already a variable of the server");
	lab_refused("table onC of string = [];", "'onC' is already an event");
	lab_refused("method m { } method m { }", "'m' is already a method");
	lab_refused("method m(text: string) { } event onC { call(m, \"x\"); }",
	    "the name of something else");
	lab_refused("event onC { foreach num in names { } }", "the name of something else");
	lab_refused("event onC { foreach n in names { foreach n in names { } } }",
	    "the name of something else");
	lab_refused("event onC { foreach n in names { set(n, \"x\"); } }", "can only be read");
	lab_refused("method m(a: string) { set(a, \"x\"); } event onC { call(m, \"x\"); }",
	    "can only be read");
	lab_refused("event onC { set(onC, 1); }", "is no variable");
	lab_refused("event onC { call(homes); }", "there is no method 'homes'");
	lab_refused("event onC { set(flag, homes); }", "is a table and has no value");
	lab_refused("event onC { set(text, lower); }", "is called with parentheses");
	lab_refused("event onC { call(note, \"%nuum%\"); }", "did you mean 'num'?");
}

static void an_empty_policy_is_good(void **state)
{
	lab_good("");
	lab_good("# nothing\n");
	assert_int_equal(lab_run("onC"), VM_DONE);
	lab_good("event onC { }");
	assert_int_equal(lab_run("onC"), VM_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_declaration_is_read),
		cmocka_unit_test(every_statement_is_read),
		cmocka_unit_test(operators_bind_as_written),
		cmocka_unit_test(all_errors_come_in_one_run),
		cmocka_unit_test(what_is_missing_is_missed_where_it_should_be),
		cmocka_unit_test(imports_are_read_once_and_lead_nowhere_back),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(long_chains_have_an_end),
		cmocka_unit_test(more_than_twenty_errors_are_counted),
		cmocka_unit_test(names_are_their_own),
		cmocka_unit_test(an_empty_policy_is_good),
	};
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}
