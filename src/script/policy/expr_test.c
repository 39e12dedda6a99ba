/* Types, conversions, unknown values, operators, functions: what a condition answers. */
#include "lib/lab.h"

/* lab_values(): text "Hello World", num 5.5, octets 2048, kilo 10240, span 5 s, client 192.0.2.7, host
 * mx.example.org, box ann@example.org, flag yes, kind green, names Alpha beta; the rest is unknown. */

static void unknown_is_written_as_two_quotes(void **state)
{
	assert_yes("other == \"\"");
	assert_no("other != \"\"");
	assert_yes("text != \"\"");
	assert_no("text == \"\"");
	assert_yes("num2 == \"\"");
	assert_yes("client2 == \"\"");
	assert_yes("flag2 == \"\"");
	assert_yes("\"\" == other");
	assert_yes("boxes == \"\"");
	assert_no("names == \"\"");
	assert_yes("login == \"\"");
}

static void any_other_comparison_with_unknown_is_no(void **state)
{
	static const char *const no[] = { "other == \"x\"", "other == text", "other == other",
		"num2 == 1", "num2 < 1", "num2 <= 1", "num2 > 1", "num2 >= 1", "1 < num2",
		"other in [\"x\"]", "other matches \"*\"", "other matches /x?/", "other in names",
		"num2 in [1..9]", "client2 in [\"0.0.0.0/0\"]", "flag2", "num2 + 1 == 1",
		"num2 * 0 == 0", "flag2 == no", "flag2 == yes" };
	static const char *const yes[] = { "other != \"x\"", "num2 != 1", "other != other",
		"not flag2", "other not in [\"x\"]", "other not matches \"*\"", "flag2 != yes",
		"num2 + 1 == \"\"", "num2 * 2 == \"\"", "-num2 == \"\"" };

	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		assert_no(no[i]);
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		assert_yes(yes[i]);
}

static void arithmetic_that_fails_is_unknown(void **state)
{
	assert_yes("num / 0 == \"\"");
	assert_yes("9223372036854775 * 1000 == \"\"");
	assert_yes("9223372036854775 + 9223372036854775 == \"\"");
	assert_yes("-9223372036854775 - 9223372036854775 == \"\"");
	assert_no("num / 0 == 0");
	assert_yes("10 / 3 == 3.333");
	assert_yes("-10 / 3 == -3.333");
	assert_yes("0.001 * 0.001 == 0");
}

static void case_is_ignored_unless_it_is_asked_for(void **state)
{
	assert_yes("text == \"HELLO world\"");
	assert_yes("text in [\"hello WORLD\"]");
	assert_yes("text matches \"hello*\"");
	assert_yes("kind == \"green\"");
	assert_yes("isCase(text, \"Hello World\")");
	assert_no("isCase(text, \"hello world\")");
	assert_yes("matchCase(text, \"Hello*\")");
	assert_no("matchCase(text, \"hello*\")");
	assert_no("text matches /hello/c");
	assert_yes("text matches /Hello/c");
}

static void constants_fit_the_type_that_is_wanted(void **state)
{
	assert_yes("num == \"5.5\"");
	assert_yes("num == 5.5");
	assert_yes("\"5.5\" == num");
	assert_yes("text == \"Hello World\"");
	assert_yes("client == \"192.0.2.7\"");
	assert_yes("client == \"::ffff:192.0.2.7\"");
	assert_yes("host == \"MX.example.org\"");
	assert_yes("box == \"ann@EXAMPLE.org\"");
	assert_yes("flag == yes");
	assert_yes("flag == \"yes\"");
	assert_no("flag == \"no\"");
	assert_yes("span == 5");
	assert_yes("span == 5s");
	assert_yes("span < 1m");
	assert_yes("octets == 2048");
	assert_yes("octets == 2K");
	assert_yes("kilo == 10");
	assert_yes("kilo == 10K");
	assert_yes("text != 5");
}

static void constants_that_do_not_fit_are_errors(void **state)
{
	static const struct {
		const char *condition, *said;
	} rows[] = { { "num == \"x\"", "is no number" },
		{ "client == \"1.2.3\"", "is no IP address" },
		{ "host == \"a b\"", "is no domain" }, { "box == \"ann\"", "is no address" },
		{ "flag == \"maybe\"", "neither yes nor no" },
		{ "kind == \"gren\"", "did you mean 'green'" }, { "span == 5K", "is no duration" },
		{ "octets == 5s", "is no size" }, { "num in [\"x\"]", "is no number" },
		{ "client in [\"x\"]", "is no network" },
		{ "kind in [\"yellow\"]", "one of: red green blue" },
		{ "text in [1..5]", "is for numbers" }, { "num == 5K", "is no number" } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(lab_condition("", rows[i].condition), -1);
		if (!strstr(lab_said(), rows[i].said))
			fail_msg("%s: wanted '%s', said %s", rows[i].condition, rows[i].said,
			    lab_said());
	}
}

static void types_that_do_not_meet_are_errors(void **state)
{
	static const struct {
		const char *condition, *said;
	} rows[] = { { "text < 5", "compares numbers, sizes and durations" },
		{ "text > text", "compares numbers" }, { "octets < span", "have no order" },
		{ "1 < 2", "two constants" }, { "text", "a condition is yes or no" },
		{ "num", "a condition is yes or no" }, { "names", "a condition is yes or no" },
		{ "text + 1 == 2", "texts are joined in quotes" },
		{ "octets + span == 1", "does not join" },
		{ "octets * octets == 1", "does not join" }, { "1 / octets == 1", "does not join" },
		{ "-text == 1", "'-' is for numbers" },
		{ "text == names", "cannot stand on the right" },
		{ "piece == \"x\"", "only for 'matches'" },
		{ "piece in [\"x\"]", "only for 'matches'" },
		{ "text in text", "neither a list nor a table" },
		{ "text matches text", "patterns stand there" },
		{ "text in homes", "domain(...) makes one of a string" },
		{ "text in near", "ip(...)" }, { "host matches homes", "wants a table of pattern" },
		{ "domainOf(text) == \"x\"", "address(...) makes one of a string" },
		{ "names in names", "a list cannot be looked for" },
		{ "count(text) == 1", "wants a list" },
		{ "nosuch(1) == 1", "there is no function 'nosuch'" },
		{ "lower() == \"x\"", "0 of 1 arguments" },
		{ "lower(text, text) == \"x\"", "an argument too many" },
		{ "note(\"x\") == \"x\"", "has no value" },
		{ "lookup(homes, host) == \"x\"", "leads to no values" },
		{ "extract(text, \"x\") == \"x\"", "between slashes" },
		{ "matchCase(text, other)", "in quotes is wanted" },
		{ "flag matches /(/", "octet" }, { "text matches /(?=x)/", "look-around" },
		{ "/x/ == text", "expected a value" } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (lab_condition("", rows[i].condition) != -1)
			fail_msg("%s compiles", rows[i].condition);
		if (!strstr(lab_said(), rows[i].said))
			fail_msg("%s: wanted '%s', said %s", rows[i].condition, rows[i].said,
			    lab_said());
	}
}

static void two_sides_meet_in_one_type(void **state)
{
	assert_yes("octets == num + 2042.5");
	assert_yes("octets == 2000 + 48");
	assert_yes("octets + 1 == 2049");
	assert_yes("1 + octets == 2049");
	assert_yes("octets + 1K == 3K");
	assert_yes("octets - 48 == 2000");
	assert_yes("kilo + 1 == 11");
	assert_yes("span + 1 == 6");
	assert_yes("span + 500 > 1m");
	assert_yes("octets * 2 == 4K");
	assert_yes("2 * octets == 4K");
	assert_yes("octets / 2 == 1K");
	assert_yes("octets / 1K == 2");
	assert_yes("span * 2 == 10s");
	assert_yes("span / 1s == 5");
	assert_yes("kilo > octets");
	assert_yes("num < octets");
	assert_yes("host == \"mx.example.org\"");
	assert_yes("num != text");
	assert_yes("client == ip(\"192.0.2.7\")");
	assert_yes("\"%num%\" == 5.5");
	assert_yes("flag == flag");
}

static void texts_show_values(void **state)
{
	assert_yes("\"<%num%>\" == \"<5.5>\"");
	assert_yes("\"<%octets%>\" == \"<2048>\"");
	assert_yes("\"<%kilo%>\" == \"<10>\"");
	assert_yes("\"<%span%>\" == \"<5>\"");
	assert_yes("\"<%client%>\" == \"<192.0.2.7>\"");
	assert_yes("\"<%flag%>\" == \"<yes>\"");
	assert_yes("\"<%names%>\" == \"<Alpha, beta>\"");
	assert_yes("\"<%other%>\" == \"<>\"");
	assert_yes("\"100%%\" == \"100%%\"");
	assert_yes("\"a%%num%%\" != \"a%num%\"");
	assert_yes("\"%kind%%kind%\" == \"greengreen\"");
	assert_no("\"%num%\" == \"5\"");
}

static void a_text_has_at_most_a_kibibyte(void **state)
{
	assert_yes("length(\"%text%\") == 11");
	lab_good("event onC { set(text, \"%other%%other%\"); }");
	char big[1000];
	memset(big, 'x', sizeof big);
	*lab_var("other") = VALUE_TEXT_OF(((slice){ big, sizeof big }));
	lab_run("onC");
	assert_int_equal(lab_var("text")->text.n, 1024);
}

static void a_list_on_the_left_means_any_element(void **state)
{
	assert_yes("names == \"alpha\"");
	assert_yes("names == \"BETA\"");
	assert_no("names == \"gamma\"");
	assert_no("names != \"alpha\"");
	assert_yes("names in [\"x\", \"beta\"]");
	assert_yes("names not in [\"x\"]");
	assert_yes("names matches \"al*\"");
	assert_yes("names matches /^b/");
	assert_no("names matches \"z*\"");
	assert_yes("\"alpha\" in names");
	assert_no("\"gamma\" in names");
	assert_yes("\"gamma\" not in names");
	assert_no("boxes == \"ann@example.org\"");
}

static void lists_are_read_by_the_type_on_their_left(void **state)
{
	assert_yes("num in [1, 5..6]");
	assert_no("num in [1..5]");
	assert_yes("num not in [1..5]");
	assert_yes("octets in [1K..3K]");
	assert_yes("octets in [2048]");
	assert_yes("kilo in [10]");
	assert_yes("span in [1..1m]");
	assert_yes("client in [\"192.0.2.0/24\"]");
	assert_yes("client in [\"10.0.0.1\", \"192.0.2.1-192.0.2.9\"]");
	assert_no("client in [\"198.51.100.0/24\"]");
	assert_yes("host in [\".example.org\"]");
	assert_no("host in [\"example.org\"]");
	assert_yes("box in [\"@example.org\"]");
	assert_yes("box in [\"ann@\"]");
	assert_no("box in [\"bob@example.org\"]");
	assert_yes("kind in [\"red\", \"green\"]");
	assert_yes("flag in [\"yes\"]");
	assert_no("num in []");
}

static void tables_answer(void **state)
{
	static const char tables[] =
	    "table d of domain to string = [ \".example.org\" to \"low\", \"mx.example.org\" to \"high\" ];"
	    "table n of number = [ 1, 5..6 ]; table w of network to number = [ \"192.0.0.0/8\" to 1, \"192.0.2.0/24\" to 2 ];"
	    "table p of pattern = [ \"hello*\" ]; table a of address = [ \"@example.org\" ]; table s of string = [ \"green\" ];";

	assert_yes_with(tables, "lookup(d, host) == \"high\"");
	assert_yes_with(tables, "lookup(d, \"a.example.org\") == \"low\"");
	assert_yes_with(tables, "lookup(d, \"example.org\") == \"\"");
	assert_yes_with(tables, "num in n");
	assert_yes_with(tables, "lookup(w, client) + 1 == 3");
	assert_yes_with(tables, "text matches p");
	assert_yes_with(tables, "text in p");
	assert_yes_with(tables, "box in a");
	assert_yes_with(tables, "kind in s");
	assert_yes_with(tables, "names not in s");
	assert_no_with(tables, "other in s");
}

static void tables_come_from_files(void **state)
{
	lab.file_name = "t.txt";
	lab.file_text = "# domains\nexample.org  low\n\t.example.org\thigh # and a comment\r\n\n";
	assert_yes_with(
	    "table d of domain to string = file \"t.txt\";", "lookup(d, host) == \"high\"");
	lab.file_text = "1..3\n5.5\n";
	assert_yes_with("table d of number = file \"t.txt\";", "num in d");
	static const struct {
		const char *text, *said;
	} bad[] = { { "example.org low\nexample net/x y\n", "t.txt:2: 'net/x y'" },
		{ "example.org\n", "t.txt:1: the value behind the key is missing" },
		{ "example.org 1\n\n\na/b 2\n", "t.txt:4: 'a/b' is no domain" },
		{ "a.example 1\xff\n", "t.txt:1: it is no text" },
		{ "a.example 1\x01\n", "t.txt:1: it is no text" },
		{ "a.example x\n", "t.txt:1: 'x' is no number" } };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		lab.file_text = bad[i].text;
		lab_refused(i == 0 ? "table d of domain to number = file \"t.txt\";"
				   : "table d of domain to number = file \"t.txt\";",
		    i == 0 ? "t.txt:1: 'low' is no number" : bad[i].said);
	}
	lab_refused("table d of domain = file \"../t.txt\";", "without '..'");
	lab_refused("table d of domain = file \"none.txt\";", "cannot open");
	lab_refused("table d of domain = sql \"select 1\";", "not built yet");
	lab_refused("table d of domain = directory \"(x=$1)\";", "not built yet");
	lab.file_name = NULL;
}

static void functions_answer(void **state)
{
	static const char *const yes[] = { "count(names) == 2", "count(boxes) == 0",
		"length(text) == 11", "length(piece) == 18", "length(\"é\") == 1",
		"length(other) == 0", "lower(text) == \"hello world\"",
		"isCase(lower(\"ÄB\"), \"äb\")", "lower(other) == \"\"",
		"domainOf(box) == \"example.org\"", "localPartOf(box) == \"ann\"",
		"domainOf(\"<>\") == \"\"",
		"addresses(\"A <a@b.example>, \\\"x@y\\\" <c@d.example>\") == \"c@d.example\"",
		"count(addresses(\"A <a@b.example>, \\\"x@y\\\" <c@d.example>\")) == 2",
		"extract(text, /(w\\w+)/) == \"World\"", "extract(text, /(x)/) == \"\"",
		"number(\" 5.5 \") == num", "number(\"x\") == \"\"", "number(text) == \"\"",
		"ip(\"192.0.2.7\") == client", "ip(\"x\") == \"\"",
		"domain(\"MX.Example.org.\") == host", "domain(\"a b\") == \"\"",
		"domain(\"-a.b\") == \"\"", "address(\"ann@example.org\") == box",
		"address(\"x\") == \"\"", "address(\"<>\") == \"<>\"", "is(text, \"hello world\")",
		"match(text, \"hello*\")", "lessThan(num, \"6\")", "greaterThan(\"6\", num)",
		"ipRange(client, \"192.0.2.0/24\")", "iprange(client, \"192.0.2.0/24\")",
		"anyof(no, flag)", "allof(flag, num == 5.5)", "not(flag2)", "piece matches /two$/",
		"piece matches \"*two\"" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		assert_yes(yes[i]);
	assert_no("allof(flag, no)");
	assert_no("isCase(other, \"\")");
	assert_no("lessThan(text, 5)");
}

static void and_and_or_stop_early(void **state)
{
	lab_good(
	    "event onC { if (flag or ask() == \"x\") { call(note, \"1\"); } if (flag2 and ask() == \"x\") { call(note, \"2\"); } "
	    "if (flag and ask() == \"answer\") { call(note, \"3\"); } }");
	lab_values();
	lab_run("onC");
	assert_string_equal(lab_notes(), "note(1) ask() note(3) ");
}

static void ranges_hold_when_running(void **state)
{
	lab_good(
	    "event onC { set(small, num * 10); set(span, 100s - span * 2); set(kilo, 0 - num); }");
	lab_values();
	lab_run("onC");
	assert_int_equal(lab_var("small")->number, 10000);
	assert_int_equal(lab_var("span")->number, 30000);
	assert_int_equal(lab_var("kilo")->number, 0);
	lab_refused(IN_BLOCK("set(small, 11);"), "out of the range");
	lab_refused(IN_BLOCK("set(small, -1);"), "out of the range");
	lab_refused(IN_BLOCK("set(kilo, 101);"), "out of the range");
	lab_refused(IN_BLOCK("set(kilo, 1M);"), "out of the range");
	lab_good(IN_BLOCK("set(kilo, 100);"));
}

static void values_convert_when_they_are_set(void **state)
{
	lab_good(
	    "event onC { set(text, num); set(other, \"%client%\"); set(octets, num * 2); set(kilo, num); set(span, num); set(why, names); set(inputValue, kind); }");
	lab_values();
	lab_run("onC");
	assert_slice(lab_var("text")->text, "5.5");
	assert_slice(lab_var("other")->text, "192.0.2.7");
	assert_int_equal(lab_var("octets")->number, 11);
	assert_int_equal(lab_var("kilo")->number, 5632);
	assert_int_equal(lab_var("span")->number, 5500);
	assert_slice(lab_var("why")->text, "Alpha, beta");
	assert_slice(lab_var("inputValue")->text, "green");
	lab_refused(IN_BLOCK("set(num, text);"), "number(...) makes one of a string");
	lab_refused(IN_BLOCK("set(client, text);"), "ip(...)");
	lab_refused(IN_BLOCK("set(host, box);"), "wants a domain");
	lab_refused(IN_BLOCK("set(flag, text);"), "wants a yesno");
	lab_refused(IN_BLOCK("set(kind, text);"), "wants a {red green blue}");
	lab_refused(IN_BLOCK("set(names, \"x\");"), "a constant is none");
	lab_refused(IN_BLOCK("set(num, octets);"), "wants a number");
	lab_refused(IN_BLOCK("set(text, piece);"), "wants a string");
	lab_refused(IN_BLOCK("set(mine, piece); call(note, mine);"), "a body cannot be kept");
	lab_refused(IN_BLOCK("call(note, \"a%piece%\");"), "a body cannot be part of a text");
}

static void negative_constants_are_themselves(void **state)
{
	lab_good(IN_BLOCK("set(num, -(5)); set(text, -7); set(num2, -0.5);"));
	lab_run("onC");
	assert_int_equal(lab_var("num")->number, -5000);
	assert_slice(lab_var("text")->text, "-7");
	assert_int_equal(lab_var("num2")->number, -500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_is_written_as_two_quotes),
		cmocka_unit_test(any_other_comparison_with_unknown_is_no),
		cmocka_unit_test(arithmetic_that_fails_is_unknown),
		cmocka_unit_test(case_is_ignored_unless_it_is_asked_for),
		cmocka_unit_test(constants_fit_the_type_that_is_wanted),
		cmocka_unit_test(constants_that_do_not_fit_are_errors),
		cmocka_unit_test(types_that_do_not_meet_are_errors),
		cmocka_unit_test(two_sides_meet_in_one_type),
		cmocka_unit_test(texts_show_values),
		cmocka_unit_test(a_text_has_at_most_a_kibibyte),
		cmocka_unit_test(a_list_on_the_left_means_any_element),
		cmocka_unit_test(lists_are_read_by_the_type_on_their_left),
		cmocka_unit_test(tables_answer),
		cmocka_unit_test(tables_come_from_files),
		cmocka_unit_test(functions_answer),
		cmocka_unit_test(and_and_or_stop_early),
		cmocka_unit_test(ranges_hold_when_running),
		cmocka_unit_test(values_convert_when_they_are_set),
		cmocka_unit_test(negative_constants_are_themselves),
	};
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}
