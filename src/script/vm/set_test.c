/* Sets: what lies in them, what is most exact, what they refuse, what they cost. */
#include "lib/unit.h"

#include "script/vm/set.h"

static struct arena *arena;
static struct error error;

static int set_up(void **state)
{
	arena = arena_new(256 << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

/* Items with blanks between; each leads to its number. */
static const struct set *make(enum set_kind kind, const char *items, bool values)
{
	struct set_maker m;
	int64_t number = 0;

	set_begin(&m, kind, arena);
	for (slice rest = slice_of(items); rest.n;) {
		slice one = slice_head(rest, slice_find(rest, ' '));

		rest = slice_from(rest, one.n + 1);
		struct value value = { 0 };
		number++;
		if (values)
			value = VALUE_NUMBER_OF(number);
		if (!set_add(&m, one, value, &error))
			return NULL;
	}
	return set_end(&m, &error);
}

/* The number that the key leads to; 0: it is not there. */
static int64_t at(const struct set *set, const char *key)
{
	struct value v = VALUE_TEXT_OF(slice_of(key)), found = { 0 };

	if (set_key_kind(set) == VALUE_IP) {
		v.kind = VALUE_IP;
		assert_true(ip_parse(slice_of(key), &v.ip));
	}
	return set_find(set, &v, NULL, &found) ? found.kind == VALUE_NUMBER ? found.number : 1 : 0;
}

static void domains_are_found_from_the_most_exact(void **state)
{
	const struct set *s = make(SET_DOMAIN,
	    ".example.org mx.example.org example.org .a.b.example.org münchen.example", true);

	assert_int_equal(at(s, "example.org"), 3);
	assert_int_equal(at(s, "EXAMPLE.org"), 3);
	assert_int_equal(at(s, "mx.example.org"), 2);
	assert_int_equal(at(s, "x.mx.example.org"), 1);
	assert_int_equal(at(s, "c.a.b.example.org"), 4);
	assert_int_equal(at(s, "a.b.example.org"), 1);
	assert_int_equal(at(s, "xn--mnchen-3ya.example"), 5);
	assert_int_equal(at(s, "notexample.org"), 0);
	assert_int_equal(at(s, "org"), 0);
	assert_int_equal(at(s, ""), 0);
}

static void addresses_are_found_from_the_most_exact(void **state)
{
	const struct set *s =
	    make(SET_ADDRESS, "@.example.org root@ ann@example.org @example.org", true);

	assert_int_equal(at(s, "ann@example.org"), 3);
	assert_int_equal(at(s, "Ann@Example.ORG"), 3);
	assert_int_equal(at(s, "bob@example.org"), 4);
	assert_int_equal(at(s, "root@example.org"), 4);
	assert_int_equal(at(s, "root@sub.example.org"), 1);
	assert_int_equal(at(s, "root@elsewhere.test"), 2);
	assert_int_equal(at(s, "bob@elsewhere.test"), 0);
	assert_int_equal(at(s, "<>"), 0);
	assert_int_equal(at(s, "@"), 0);
}

static void networks_are_found_from_the_narrowest(void **state)
{
	const struct set *s = make(SET_NETWORK,
	    "10.0.0.0/8 10.1.0.0/255.255.0.0 10.1.2.3 192.0.2.10-192.0.2.20 2001:db8::/32 0.0.0.0/0",
	    true);

	assert_non_null(s);
	assert_int_equal(at(s, "10.9.9.9"), 1);
	assert_int_equal(at(s, "10.1.9.9"), 2);
	assert_int_equal(at(s, "10.1.2.3"), 3);
	assert_int_equal(at(s, "192.0.2.15"), 4);
	assert_int_equal(at(s, "192.0.2.21"), 6);
	assert_int_equal(at(s, "::ffff:10.1.2.3"), 3);
	assert_int_equal(at(s, "2001:db8:1::1"), 5);
	assert_int_equal(at(s, "2001:db9::1"), 0);
	assert_int_equal(set_narrowest(s, true), 0);
	assert_int_equal(set_narrowest(s, false), 32);
	assert_int_equal(set_narrowest(make(SET_NETWORK, "10.0.0.0/9", false), true), 9);
}

static void networks_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0.256", "10.0.0.0/255.0.255.0",
		"10.0.0.9-10.0.0.1", "10.0.0.1-::1", "2001:db8::/129", "example.org", "10.0.0.0/",
		"10.0.0.0/-1", "/8", "-" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (make(SET_NETWORK, bad[i], false))
			fail_msg("%s is taken", bad[i]);
	assert_null(make(SET_NETWORK, "10.0.0.0-10.0.0.9 10.0.0.5-10.0.0.20", true));
	assert_non_null(strstr(error.said, "overlap"));
	assert_non_null(make(SET_NETWORK, "10.0.0.0-10.0.0.9 10.0.0.5-10.0.0.20", false));
}

static void numbers_lie_in_ranges(void **state)
{
	const struct set *s = make(SET_NUMBER, "1..10 5 20 -5..-1 0.5", true);
	static const struct {
		int64_t key, want;
	} rows[] = { { 1000, 1 }, { 10000, 1 }, { 10001, 0 }, { 5000, 2 }, { 20000, 3 },
		{ -3000, 4 }, { 0, 0 }, { 500, 5 }, { INT64_MIN, 0 }, { INT64_MAX, 0 } };

	assert_non_null(s);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct value v = VALUE_NUMBER_OF(rows[i].key), found = { 0 };

		assert_int_equal(set_find(s, &v, NULL, &found) ? found.number : 0, rows[i].want);
	}
	assert_null(make(SET_NUMBER, "10..1", false));
	assert_null(make(SET_NUMBER, "x", false));
	assert_null(make(SET_NUMBER, "1..", false));
}

static void texts_and_patterns(void **state)
{
	const struct set *s = make(SET_TEXT, "One two ÄRGER", true),
			 *p = make(SET_PATTERN, "a* *b c", true);

	assert_int_equal(at(s, "ONE"), 1);
	assert_int_equal(at(s, "ärger"), 3);
	assert_int_equal(at(s, "three"), 0);
	assert_int_equal(at(p, "Ab"), 1);
	assert_int_equal(at(p, "xb"), 2);
	assert_int_equal(at(p, "C"), 3);
	assert_int_equal(at(p, "d"), 0);
}

static void what_is_no_item_is_refused(void **state)
{
	static const struct {
		enum set_kind kind;
		const char *item;
	} bad[] = { { SET_DOMAIN, "a/b" }, { SET_DOMAIN, "." }, { SET_ADDRESS, "ann" },
		{ SET_ADDRESS, "@" }, { SET_ADDRESS, "ann@a/b" }, { SET_DOMAIN, "a\x01.b" } };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (make(bad[i].kind, bad[i].item, false))
			fail_msg("%s is taken", bad[i].item);
}

static void an_empty_set_holds_nothing(void **state)
{
	for (int kind = SET_TEXT; kind <= SET_PATTERN; kind++) {
		const struct set *s = make((enum set_kind)kind, "", false);
		struct value number = VALUE_NUMBER_OF(0), unknown = { 0 };

		assert_int_equal(set_count(s), 0);
		assert_false(set_find(s, &number, NULL, NULL));
		assert_false(set_find(s, &unknown, NULL, NULL));
		if (set_key_kind(s) == VALUE_TEXT)
			assert_int_equal(at(s, "x"), 0);
	}
}

static void a_hundred_thousand_items_are_found(void **state)
{
	struct set_maker m;
	char text[32];

	set_begin(&m, SET_DOMAIN, arena);
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof text, "d%d.example", i);
		assert_true(set_add(&m, slice_of(text), VALUE_NUMBER_OF(i), &error));
	}
	const struct set *s = set_end(&m, &error);
	for (int i = 0; i < 100000; i += 7) {
		snprintf(text, sizeof text, "D%d.example", i);
		struct value key = VALUE_TEXT_OF(slice_of(text)), found;

		assert_true(set_find(s, &key, NULL, &found));
		assert_int_equal(found.number, i);
	}
}

static void a_set_has_a_most(void **state)
{
	struct set_maker m;
	bool good = true;

	set_begin(&m, SET_PATTERN, arena);
	for (int i = 0; i < SET_PATTERNS_MAX; i++)
		good &= set_add(&m, SLICE("a*"), (struct value){ 0 }, &error);
	assert_true(good);
	assert_false(set_add(&m, SLICE("a*"), (struct value){ 0 }, &error));
	assert_non_null(strstr(error.said, "1000"));
}

/* ---- regular expressions ---- */

static void *take(size_t n, void *from)
{
	return arena_alloc(from, n);
}

static const struct set *regex(const char *text, bool exact)
{
	struct set_maker m;

	set_begin(&m, SET_PATTERN, arena);
	return set_add_regex(&m, slice_of(text), exact, &error) ? set_end(&m, &error) : NULL;
}

static bool matches(const struct set *s, slice text, struct set_memory *memory)
{
	struct value v = VALUE_TEXT_OF(text);

	return set_find(s, &v, memory, NULL);
}

static bool one(const char *expression, const char *text, bool exact)
{
	struct set_memory memory = { .take = take, .from = arena };
	const struct set *s = regex(expression, exact);

	if (!s)
		fail_msg("%s: %s", expression, error.said);
	return matches(s, slice_of(text), &memory);
}

static void expressions_are_found_anywhere(void **state)
{
	assert_true(one("b+c", "aBBCd", false));
	assert_false(one("b+c", "aBBCd", true));
	assert_true(one("^ab$", "ab", false));
	assert_false(one("^b$", "ab", false));
	assert_true(one("é", "CAFÉ", false));
	assert_true(one("a{2,3}[[:digit:]]", "xaa7", false));
	assert_true(one("(?i:x)|y", "X", true));
	assert_true(one("\\bfoo\\b", "a foo b", false));
	assert_true(one("a.c",
	    "a\xff"
	    "c abc",
	    false));
}

static void a_group_is_extracted(void **state)
{
	struct set_memory memory = { .take = take, .from = arena };
	slice group;

	assert_true(
	    set_extract(regex("\\[(\\d+)\\]", false), SLICE("x [12] [3]"), &memory, &group));
	assert_slice(group, "12");
	assert_false(set_extract(regex("a(b)?c", false), SLICE("ac"), &memory, &group));
	assert_false(set_extract(regex("ab", false), SLICE("ab"), &memory, &group));
	assert_false(set_extract(regex("(x)", false), SLICE("y"), &memory, &group));
}

static void what_might_not_end_is_refused(void **state)
{
	static const char *const bad[] = { "(a)\\1", "\\g{1}", "(?<n>a)\\k<n>", "(?=a)", "(?!a)",
		"(?<=a)", "(?<!a)", "(?R)", "(?1)", "(?P>n)", "(?C1)", "(*ACCEPT)", "(?(1)a|b)",
		"\\Qa", "\\C", "(", "a{2", "[a", "(?#x)", "\\c[(?=a)]", "[](?=a)", "a{1001}",
		"a{2,40000}", "" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (regex(bad[i], false) && strcmp(bad[i], "a{2") != 0 &&
		    strcmp(bad[i], "[](?=a)") != 0)
			fail_msg("%s is taken", bad[i]);
	char long_one[2000];
	memset(long_one, 'a', sizeof long_one);
	long_one[sizeof long_one - 1] = '\0';
	assert_null(regex(long_one, false));
}

/* Whatever is done to it, an expression takes at most its units, and is charged at most what is proved. */
static void hostile_expressions_come_to_their_bound(void **state)
{
	static const char *const hostile[] = { "(a+)+$", "(a|a)+$", "(a|aa)+$", "(a*)*b", "(.*)*x",
		"a*a*a*a*a*b", "(?:a?){500}b", ".*.*.*.*=", "(\\w+\\s?)+!", "([a-z]+)*[0-9]",
		"a{900}b", "(x?a*)+y", "(?>a+)b" };
	size_t n = 65536;
	char *text = malloc(n);

	memset(text, 'a', n);
	text[n - 1] = '%';
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		const struct set *s = regex(hostile[i], false);
		struct set_memory memory = { .take = take, .from = arena };

		if (!s)
			fail_msg("%s: %s", hostile[i], error.said);
		assert_false(matches(s, (slice){ text, n }, &memory));
		assert_true(memory.units <= 4 * n + 10000);
		assert_true(set_cost(s, n) + memory.cost <= set_cost_max(s, n));
	}
	free(text);
}

static void what_a_look_costs_is_counted(void **state)
{
	struct set_memory memory = { .take = take, .from = arena };
	const struct set *s = regex("^x", false);

	assert_false(matches(s, SLICE("aaaaaaaaaaaaaaaaaaaaaaa"), &memory));
	assert_true(memory.cost < 20 && !memory.given_up);
	assert_true(set_cost_max(s, 8192) > 3000);
	s = regex("(a+)+$", false);
	assert_false(matches(s, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), &memory));
	assert_true(memory.given_up);
	const struct set *glob = make(SET_PATTERN, "*abc* plain", false);
	assert_int_equal(set_cost(glob, 0), 4);
	assert_int_equal(set_cost(glob, 640), 44);
	assert_int_equal(set_cost(make(SET_TEXT, "a", false), 640), 14);
	/* 127 labels, each looked up with what is behind it. */
	assert_true(set_cost(make(SET_DOMAIN, "a", false), 255) > 250);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(domains_are_found_from_the_most_exact),
		T(addresses_are_found_from_the_most_exact),
		T(networks_are_found_from_the_narrowest),
		T(networks_that_are_none_are_refused),
		T(numbers_lie_in_ranges),
		T(texts_and_patterns),
		T(what_is_no_item_is_refused),
		T(an_empty_set_holds_nothing),
		T(a_hundred_thousand_items_are_found),
		T(a_set_has_a_most),
		T(expressions_are_found_anywhere),
		T(a_group_is_extracted),
		T(what_might_not_end_is_refused),
		T(hostile_expressions_come_to_their_bound),
		T(what_a_look_costs_is_counted),
	};

	return UNIT_RUN(tests);
}
