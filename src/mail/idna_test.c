#include "mail/idna.h"

#include "lib/unit.h"

static struct arena *arena;

static bool becomes(const char *name, const char *want)
{
	slice out;

	return idna_ascii(slice_of(name), arena, &out) && slice_eq(out, slice_of(want));
}

static void u_labels_become_a_labels(void **state)
{
	assert_true(becomes("B\xc3\xbc"
			    "cher.Example",
	    "xn--bcher-kva.example"));
	/* The same letter in two octet forms, composed and not. */
	assert_true(becomes("bu\xcc\x88"
			    "cher.example",
	    "xn--bcher-kva.example"));
	/* RFC 5891: sharp s is a letter of its own, not "ss". */
	assert_true(becomes("fa\xc3\x9f.de", "xn--fa-hia.de"));
	assert_true(becomes("XN--BCHER-KVA.Example", "xn--bcher-kva.example"));
	/* The ideographic full stop is a dot. */
	assert_true(becomes("\xe4\xbe\x8b\xe3\x80\x82\xe6\xb5\x8b", "xn--fsq.xn--0zw"));
}

static void ascii_names_are_only_made_lower_case(void **state)
{
	assert_true(becomes("", ""));
	assert_true(becomes("_A.b-.Example", "_a.b-.example"));
}

static void what_is_no_name_is_said_to_be_none(void **state)
{
	static const char *const none[] = { "\xff.example", "a\xe2\x80\x8b\xe2\x80\x8d.example",
		"\xcc\x88g.example", "-\xc3\xbc.example", "a \xc3\xbc.example" };
	char longer[2000];
	slice out;

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		if (idna_ascii(slice_of(none[i]), arena, &out))
			fail_msg("%s became %.*s", none[i], SLICE_ARG(out));
	memset(longer, 0xc3, sizeof longer);
	assert_false(idna_ascii((slice){ longer, sizeof longer }, arena, &out));
	assert_false(idna_ascii((slice){ "\xc3\xbc\0x", 4 }, arena, &out));
}

static void local_parts_are_compared_without_case_and_in_one_form(void **state)
{
	assert_true(slice_eq(idna_fold_local(SLICE("Alice+X"), arena), SLICE("alice+x")));
	slice composed = idna_fold_local(SLICE("JOS\xc3\x89"), arena);
	slice two = idna_fold_local(SLICE("jose\xcc\x81"), arena);
	assert_true(slice_eq(composed, two));
	assert_true(slice_eq(composed, SLICE("jos\xc3\xa9")));
	assert_true(slice_eq(idna_fold_local(SLICE("A\xff"), arena), SLICE("a\xff")));
}

int main(void)
{
	arena = arena_new(1 << 20);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u_labels_become_a_labels),
		cmocka_unit_test(ascii_names_are_only_made_lower_case),
		cmocka_unit_test(what_is_no_name_is_said_to_be_none),
		cmocka_unit_test(local_parts_are_compared_without_case_and_in_one_form),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_free(arena);
	return failed;
}
