/* Changes of headers. */
#include "lib/unit.h"

#include "mail/charset.h"
#include "mail/edit.h"
#include "mail/encoded_word.h"
#include "mail/header.h"

#define HEADER "Received: one\r\nSubject: old\r\n folded\r\nX-A: 1\r\nx-a: 2\r\n\r\n"

static char *applied(const char *header, const struct edit *edits, size_t n, struct buf *out)
{
	struct arena *arena = arena_new(1 << 20);

	buf_init(out, 1 << 16);
	edit_apply(slice_of(header), edits, n, arena, out);
	arena_free(arena);
	buf_addc(out, '\0');
	return out->p;
}

static void each_kind_does_what_it_says(void **state)
{
	static const struct {
		struct edit edit;
		const char *after;
	} rows[] = {
		{ { EDIT_ADD, { "X-A", 3 }, { "0", 1 } }, "X-A: 0\r\n" HEADER },
		{ { EDIT_ADD_MISSING, { "X-A", 3 }, { "0", 1 } }, HEADER },
		{ { EDIT_ADD_MISSING, { "X-B", 3 }, { "0", 1 } }, "X-B: 0\r\n" HEADER },
		{ { EDIT_MODIFY, { "x-a", 3 }, { "9", 1 } },
		    "Received: one\r\nSubject: old\r\n folded\r\nx-a: 9\r\nx-a: 2\r\n\r\n" },
		{ { EDIT_MODIFY, { "X-B", 3 }, { "9", 1 } }, "X-B: 9\r\n" HEADER },
		{ { EDIT_MODIFY_THERE, { "X-B", 3 }, { "9", 1 } }, HEADER },
		{ { EDIT_MODIFY_THERE, { "SUBJECT", 7 }, { "new", 3 } },
		    "Received: one\r\nSUBJECT: new\r\nX-A: 1\r\nx-a: 2\r\n\r\n" },
		{ { EDIT_REMOVE_FIRST, { "X-A", 3 }, { "", 0 } },
		    "Received: one\r\nSubject: old\r\n folded\r\nx-a: 2\r\n\r\n" },
		{ { EDIT_REMOVE, { "X-A", 3 }, { "", 0 } },
		    "Received: one\r\nSubject: old\r\n folded\r\n\r\n" },
		{ { EDIT_REMOVE, { "X-B", 3 }, { "", 0 } }, HEADER },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out;

		assert_string_equal(applied(HEADER, &rows[i].edit, 1, &out), rows[i].after);
		buf_free(&out);
	}
}

static void edits_follow_one_another(void **state)
{
	static const struct edit edits[] = { { EDIT_ADD, { "X", 1 }, { "1", 1 } },
		{ EDIT_ADD, { "X", 1 }, { "2", 1 } }, { EDIT_REMOVE_FIRST, { "X", 1 }, { "", 0 } },
		{ EDIT_MODIFY, { "X", 1 }, { "3", 1 } } };
	struct buf out;

	assert_string_equal(applied("A: b\r\n\r\n", edits, 4, &out), "X: 3\r\nA: b\r\n\r\n");
	buf_free(&out);
}

/* Whatever the value, the field is lines of at most 78 octets where it can be, and says the same again. */
static void values_come_back(void **state)
{
	static const char *const values[] = {
		"", "short", "=?utf-8?b?aGVsbG8=?= is no word of ours",
		"Grüße aus Köln, und noch mehr Text, der über eine Zeile hinausgeht, bis er zu Ende ist",
		"日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語",
		"a plain value of more than seventy-eight octets is folded between its words, not inside them",
		"averylongwordthatisnotfoldedbecausethereisnoblankinitbutitislongerthanalineshouldbeohyes"
	};

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct buf field, text;
		slice value;

		buf_init(&field, 4096);
		buf_init(&text, 4096);
		field_write(SLICE("Subject"), slice_of(values[i]), &field);
		for (slice rest = buf_slice(&field); rest.n;) {
			slice line = line_of(rest);

			assert_true(slice_ends(line, SLICE("\r\n")));
			assert_true(line.n <= 80 || slice_find(slice_trim(line), ' ') >= 8);
			rest = slice_from(rest, line.n);
		}
		assert_true(header_find(buf_slice(&field), SLICE("Subject"), &value));
		encoded_words_decode(NULL, value, &text);
		slice trimmed = slice_trim(buf_slice(&text));
		assert_int_equal(trimmed.n, strlen(values[i]));
		assert_memory_equal(trimmed.p ? trimmed.p : "", values[i], trimmed.n);
		buf_free(&field);
		buf_free(&text);
	}
}

static void names_are_field_names(void **state)
{
	static const char *const good[] = { "X", "X-Spam", "a_b.c!" };
	static const char *const bad[] = { "", "a b", "a:", "a\r\nb", "\xc3\xa4" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(field_name_valid(slice_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(field_name_valid(slice_of(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_does_what_it_says),
		cmocka_unit_test(edits_follow_one_another),
		cmocka_unit_test(values_come_back),
		cmocka_unit_test(names_are_field_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
