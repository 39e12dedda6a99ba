/* Names of files, letters of flags. */
#include "lib/unit.h"

#include "main/account_files.h"

static void assert_name(const char *mailbox, const char *file)
{
	struct buf out;

	buf_init(&out, 4096);
	assert_true(files_name_write(slice_of(mailbox), &out));
	assert_string_equal(out.p, file);
	buf_clear(&out);
	assert_true(files_name_read(slice_of(file), &out));
	assert_string_equal(out.p, mailbox);
	buf_free(&out);
}

static void mailbox_names_become_names_of_files(void **state)
{
	(void)state;
	assert_name("INBOX", "INBOX");
	assert_name("Work/Entw\xc3\xbcrfe", "Work.Entw&APw-rfe");
	assert_name("a.b/c.d", "a&AC4-b.c&AC4-d");
	assert_name("...", "&AC4-&AC4-&AC4-");
	assert_name("R&D/\xf0\x9f\x93\xa7", "R&-D.&2D3c5w-");
}

static void names_that_no_mailbox_has_are_refused(void **state)
{
	static const char *const names[] = { "", ".", "..", "a..b", ".a", "a.", "\xff", "&AC",
		"a.&" };
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < 7; i++) {
		buf_clear(&out);
		assert_false(files_name_read(slice_of(names[i]), &out));
	}
	/* What is no modified UTF-7 may be a name of another program. */
	for (size_t i = 7; i < sizeof names / sizeof names[0]; i++) {
		buf_clear(&out);
		assert_true(files_name_read(slice_of(names[i]), &out));
	}
	buf_free(&out);
}

static void a_long_name_is_no_name_of_a_file(void **state)
{
	char name[FILES_NAME_MAX + 2];
	struct buf out;

	(void)state;
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	buf_init(&out, 4096);
	assert_false(files_name_write(slice_of(name), &out));
	name[FILES_NAME_MAX] = '\0';
	buf_clear(&out);
	assert_true(files_name_write(slice_of(name), &out));
	buf_free(&out);
}

static void flags_are_letters(void **state)
{
	int keywords[FILES_KEYWORDS];
	struct buf out;

	(void)state;
	for (int i = 0; i < FILES_KEYWORDS; i++)
		keywords[i] = -1;
	keywords[0] = 9;
	keywords[2] = 62;
	const int64_t flags = STORE_SEEN | STORE_DRAFT | 1 << 9 | INT64_C(1) << 62;
	buf_init(&out, 100);
	files_letters_write(flags, keywords, &out);
	assert_string_equal(out.p, "DSac");
	assert_true(files_letters_read(buf_slice(&out), keywords) == flags);
	assert_true(files_letters_read(SLICE("P,bz?SS"), keywords) == STORE_SEEN);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailbox_names_become_names_of_files),
		cmocka_unit_test(names_that_no_mailbox_has_are_refused),
		cmocka_unit_test(a_long_name_is_no_name_of_a_file),
		cmocka_unit_test(flags_are_letters),
	};

	return UNIT_RUN(tests);
}
