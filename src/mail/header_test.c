/* Header fields and parameter lists. */
#include "lib/unit.h"

#include "mail/header.h"
#include "mail/parameter.h"

static void fields_are_found_with_either_line_end(void **state)
{
	static const char *const messages[] = {
		"Subject: one\r\n two\r\nX-Empty:\r\nTo : a@b\r\nnonsense\r\n\r\nbody: no\r\n",
		"Subject: one\n two\nX-Empty:\nTo : a@b\nnonsense\n\nbody: no\n",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		slice message = slice_of(messages[i]), header = header_of(message), rest = header;
		struct header_field field;
		struct buf text;

		assert_true(slice_starts(slice_from(message, header.n), SLICE("body")));
		assert_true(header_next(&rest, &field));
		assert_slice(field.name, "Subject");
		buf_init(&text, 100);
		header_unfold(slice_trim(field.value), &text);
		assert_slice(buf_slice(&text), "one two");
		assert_true(header_next(&rest, &field));
		assert_slice(field.name, "X-Empty");
		assert_slice(field.value, "");
		assert_true(header_next(&rest, &field));
		assert_slice(field.name, "To");
		assert_slice(field.value, " a@b");
		assert_true(header_next(&rest, &field));
		assert_slice(field.name, "");
		assert_slice(field.value, "nonsense");
		assert_false(header_next(&rest, &field));
		buf_free(&text);
	}
}

static void field_is_found_by_name(void **state)
{
	slice value;

	(void)state;
	assert_true(header_find(SLICE("A: 1\r\nsubJECT:  x \r\n\r\n"), SLICE("Subject"), &value));
	assert_slice(value, "x");
	assert_false(header_find(SLICE("A: 1\r\n\r\nB: 2\r\n"), SLICE("B"), &value));
	assert_false(header_find(SLICE(""), SLICE("B"), &value));
}

static void header_may_lack_its_end(void **state)
{
	(void)state;
	assert_slice(header_of(SLICE("A: 1")), "A: 1");
	assert_slice(header_of(SLICE("")), "");
	assert_slice(header_of(SLICE("\r\nbody")), "\r\n");
}

static void unfolding_is_cut_at_the_maximum(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 4);
	header_unfold(SLICE("a\r\n\tb\rcde"), &text);
	assert_slice(buf_slice(&text), "a\tb ");
	buf_free(&text);
}

static void parameters_are_read(void **state)
{
	static const char list[] = "; charset=us-ascii (plain) ;\r\n Name=\"a \\\"b\\\".txt\"; x; ="
				   "; file=two words.txt; f*0=\"open";
	static const char *const want[] = { "charset", "us-ascii", "Name", "a \"b\".txt", "file",
		"two", "f*0", "open" };
	struct parameter p;
	slice rest = SLICE(list);

	(void)state;
	for (size_t i = 0; i < 8; i += 2) {
		struct buf text;

		assert_true(parameter_next(&rest, &p));
		assert_slice(p.name, want[i]);
		buf_init(&text, 100);
		parameter_value(&p, &text);
		assert_slice(buf_slice(&text), want[i + 1]);
		buf_free(&text);
	}
	assert_false(parameter_next(&rest, &p));
	assert_true(parameter_find(SLICE(list), SLICE("NAME"), &p));
	assert_false(parameter_find(SLICE(list), SLICE("x"), &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found_with_either_line_end),
		cmocka_unit_test(field_is_found_by_name),
		cmocka_unit_test(header_may_lack_its_end),
		cmocka_unit_test(unfolding_is_cut_at_the_maximum),
		cmocka_unit_test(parameters_are_read),
	};

	return UNIT_RUN(tests);
}
