/* The tree of parts, the sections IMAP asks for, and messages made to hurt. */
#include "lib/unit.h"

#include "base/buf.h"
#include "mail/section.h"

/* The example of RFC 9051 §6.4.5.1 for part numbers, filled in. */
static const char numbered[] =
    "Subject: outer\r\nContent-Type: multipart/mixed; boundary=\"out er\"\r\n\r\n"
    "preamble\r\n"
    "--out er\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
    "--out er\r\nContent-Type: application/octet-stream\r\n\r\nsecond\r\nline\r\n\r\n"
    "--out er  \r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\nTo: b@c\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n"
    "--in\r\n\r\nthree one\r\n--in\r\nX: y\r\n\r\nthree two\r\n--in--\r\nepilogue\r\n"
    "--out er\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n"
    "--in\r\nContent-Type: image/gif\r\n\r\n--in\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: deep\r\n\r\ndeep text\r\n--in--\r\n"
    "--out er--\r\nend\r\n";

static struct arena *arena;

static struct mime parsed(slice message)
{
	struct mime mime;

	arena_reset(arena);
	mime_parse(message, arena, &mime);
	return mime;
}

/* "1.2" */
static size_t path_read(const char *text, unsigned *path)
{
	size_t n = 0;

	for (; *text; text += *text == '.')
		path[n++] = (unsigned)strtoul(text, (char **)&text, 10);
	return n;
}

static void section_is(
    const struct mime *mime, const char *path, enum section_kind kind, const char *want)
{
	struct section section = { .kind = kind };
	slice got;

	section.depth = path_read(path, section.path);
	bool found = section_find(mime->root, &section, &got);
	if (found != (want != NULL))
		print_error("section %s kind %d\n", path, (int)kind);
	assert_int_equal(found, want != NULL);
	if (want)
		assert_slice(got, want);
}

static void sections_are_those_of_the_standard(void **state)
{
	struct mime mime = parsed(SLICE(numbered));

	(void)state;
	section_is(&mime, "", SECTION_ALL, numbered);
	section_is(&mime, "", SECTION_HEADER,
	    "Subject: outer\r\nContent-Type: multipart/mixed; boundary=\"out er\"\r\n\r\n");
	section_is(&mime, "", SECTION_TEXT, strstr(numbered, "preamble"));
	section_is(&mime, "1", SECTION_ALL, "first");
	section_is(&mime, "1", SECTION_MIME, "Content-Type: text/plain\r\n\r\n");
	section_is(&mime, "2", SECTION_ALL, "second\r\nline\r\n");
	section_is(&mime, "3", SECTION_MIME, "Content-Type: message/rfc822\r\n\r\n");
	section_is(&mime, "3", SECTION_HEADER,
	    "Subject: inner\r\nTo: b@c\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n");
	section_is(&mime, "3", SECTION_TEXT,
	    "--in\r\n\r\nthree one\r\n--in\r\nX: y\r\n\r\nthree two\r\n--in--\r\nepilogue");
	section_is(&mime, "3.1", SECTION_ALL, "three one");
	section_is(&mime, "3.2", SECTION_MIME, "X: y\r\n\r\n");
	section_is(&mime, "3.2", SECTION_ALL, "three two");
	section_is(&mime, "4.1", SECTION_ALL, "");
	section_is(&mime, "4.1", SECTION_MIME, "Content-Type: image/gif\r\n\r\n");
	section_is(&mime, "4.2", SECTION_ALL, "Subject: deep\r\n\r\ndeep text");
	section_is(&mime, "4.2", SECTION_HEADER, "Subject: deep\r\n\r\n");
	section_is(&mime, "4.2", SECTION_TEXT, "deep text");
	section_is(&mime, "4.2.1", SECTION_ALL, "deep text");
	section_is(&mime, "4.2.1", SECTION_MIME, "Subject: deep\r\n\r\n");
	assert_int_equal(mime.parts, 11);
	assert_int_equal(mime.ambiguities.seen & ~(UINT64_C(1) << AMBIGUITY_BOUNDARY_REPEATED), 0);
}

static void section_that_is_not_there_is_not_found(void **state)
{
	struct mime mime = parsed(SLICE(numbered));

	(void)state;
	section_is(&mime, "5", SECTION_ALL, NULL);
	section_is(&mime, "0", SECTION_ALL, NULL);
	section_is(&mime, "1.1", SECTION_ALL, NULL);
	section_is(&mime, "4.2.1.1", SECTION_ALL, NULL);
	section_is(&mime, "4.2.2", SECTION_ALL, NULL);
	section_is(&mime, "1", SECTION_HEADER, NULL);
	section_is(&mime, "1", SECTION_TEXT, NULL);
	section_is(&mime, "", SECTION_MIME, NULL);
}

static void plain_message_is_its_part_one(void **state)
{
	struct mime mime = parsed(SLICE("Subject: x\n\none\ntwo\n"));

	(void)state;
	section_is(&mime, "1", SECTION_ALL, "one\ntwo\n");
	section_is(&mime, "1", SECTION_MIME, "Subject: x\n\n");
	section_is(&mime, "2", SECTION_ALL, NULL);
	section_is(&mime, "1.1", SECTION_ALL, NULL);
	assert_int_equal(mime.root->body_lines, 2);
	assert_true(part_is(mime.root, "TEXT", "plain"));
}

static void header_fields_are_chosen(void **state)
{
	slice names[] = { SLICE("TO"), SLICE("x") };
	struct section section = { .kind = SECTION_FIELDS, .fields = names, .field_count = 2 };
	slice header = SLICE("Subject: s\r\nTo: a,\r\n b\r\nX: 1\r\nto: c\r\n\r\n");
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	section_fields_write(header, &section, &out);
	assert_slice(buf_slice(&out), "To: a,\r\n b\r\nX: 1\r\nto: c\r\n\r\n");
	buf_clear(&out);
	section.kind = SECTION_FIELDS_NOT;
	section_fields_write(header, &section, &out);
	assert_slice(buf_slice(&out), "Subject: s\r\n\r\n");
	buf_free(&out);
}

static void longest_boundary_wins(void **state)
{
	struct mime mime = parsed(SLICE("Content-Type: multipart/mixed; boundary=foobar\n\n"
					"--foobar\nContent-Type: multipart/mixed; boundary=foo\n\n"
					"--foo\n\na\n--foobar\n\nb\n--foobar--\n"));

	(void)state;
	section_is(&mime, "1.1", SECTION_ALL, "a");
	section_is(&mime, "2", SECTION_ALL, "b");
	section_is(&mime, "3", SECTION_ALL, NULL);
}

#define MIXED "Content-Type: multipart/mixed; "

/* Where the standards leave a choice, mime.h says which is taken. */
static void choices_are_those_of_the_header(void **state)
{
	static const struct {
		const char *message, *path, *want;
	} cases[] = {
		{ MIXED "boundary=a; boundary=b\n\n--b\n\n1\n--a\n\n2\n--a--\n", "1", "2" },
		{ MIXED "boundary=a\n" MIXED "boundary=b\n\n--b\n\n1\n--a\n\n2\n--a--\n", "1",
		    "2" },
		{ MIXED "boundary=\"a\\b\"\n\n--ab\n\n1\n--ab--\n", "1", "1" },
		{ MIXED "boundary*1=b; boundary*0=a\n\n--ab\n\n1\n--ab--\n", "1", "1" },
		{ MIXED "boundary*=us-ascii''a%20b\n\n--a b\n\n1\n--a b--\n", "1", "1" },
		{ MIXED "boundary*0=c; boundary=a\n\n--c\n--a\n\n1\n--a--\n", "1", "1" },
		{ MIXED "boundary=\"a \"\n\n--a \n\n1\n--a\n--a --\n", "1", "1\n--a" },
		{ MIXED "boundary=a\n\n--a--\n--a\n\nhidden\n", "1", "" },
		{ MIXED "boundary=a\n\n--a\n\n1\n--a--\n--a\n\nhidden\n", "2", NULL },
		{ MIXED "boundary=a\n\n--a\n\n1\n --a\n--abc\n\n2\n--a--\n", "1", "1\n --a" },
		{ MIXED "boundary=a\n\n--a\n" MIXED "boundary=b\n\n--b\n\n1\n--a\n\n2", "2", "2" },
		{ MIXED "boundary=a\n\n--a\n" MIXED "boundary=a\n\n--a\n\n1\n--a--\n--a\n\n2",
		    "1.1", "1" },
		{ MIXED "boundary=a\n\nx\n--a\n\n1", "1", "1" },
		{ MIXED "boundary=a\n\n--a", "1", "" },
		{ "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nWDogeQ==",
		    "1", "WDogeQ==" },
		{ "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nWDogeQ==",
		    "1.1", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mime mime = parsed(slice_of(cases[i].message));

		section_is(&mime, cases[i].path, SECTION_ALL, cases[i].want);
	}
}

/* Of a boundary that is much too long the first octets count. */
static void long_boundary_is_cut(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 10000);
	buf_adds(&text, MIXED "boundary=");
	for (int i = 0; i < MIME_BOUNDARY + 50; i++)
		buf_addc(&text, 'b');
	buf_adds(&text, "\n\n--");
	for (int i = 0; i < MIME_BOUNDARY; i++)
		buf_addc(&text, 'b');
	buf_adds(&text, "c\n\n1");
	struct mime mime = parsed(buf_slice(&text));
	section_is(&mime, "1", SECTION_ALL, "1");
	assert_int_equal(mime.ambiguities.of[AMBIGUITY_BOUNDARY_LONG].count, 1);
	buf_free(&text);
}

static void part_without_empty_line_is_all_header(void **state)
{
	struct mime mime = parsed(SLICE("Content-Type: multipart/mixed; boundary=x\r\n\r\n"
					"--x\r\nContent-Type: message/rfc822\r\n--x\r\n\r\nb"));

	(void)state;
	section_is(&mime, "1", SECTION_ALL, "");
	section_is(&mime, "2", SECTION_ALL, "b");
	assert_true(mime.root->children->opaque);
}

static void digest_holds_messages(void **state)
{
	struct mime mime = parsed(SLICE("Content-Type: multipart/digest; boundary=x\r\n\r\n"
					"--x\r\n\r\nSubject: a\r\n\r\ntext\r\n--x--\r\n"));

	(void)state;
	section_is(&mime, "1", SECTION_HEADER, "Subject: a\r\n\r\n");
	section_is(&mime, "1.1", SECTION_ALL, "text");
}

static void malformed_type_is_text(void **state)
{
	static const char *const cases[] = { "Content-Type: \r\n\r\n", "Content-Type: x\r\n\r\n",
		"Content-Type: /plain\r\n\r\n", "Content-Type: text\r\nContent-Type: a/b\r\n\r\n",
		"", "\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mime mime = parsed(slice_of(cases[i]));

		assert_true(part_is(mime.root, "text", "plain"));
	}
	struct mime mime = parsed(SLICE("Content-Type: multipart/mixed\r\n\r\nx"));
	assert_int_equal(mime.ambiguities.seen, UINT64_C(1) << AMBIGUITY_BOUNDARY_MISSING);
	assert_true(mime.root->opaque);
}

/* `head`, then `unit` again and again up to about n octets. */
static struct mime repeated(struct buf *text, const char *head, const char *unit, size_t n)
{
	buf_init(text, n + 1000);
	buf_adds(text, head);
	while (text->n < n)
		buf_adds(text, unit);
	return parsed(buf_slice(text));
}

static void hostile_message_is_harmless(void **state)
{
	static const struct {
		const char *head, *unit;
		enum ambiguity_kind kind;
	} cases[] = {
		{ "Content-Type: multipart/mixed; boundary=x\n\n", "--x\n", AMBIGUITY_TOO_MANY },
		{ "", "Content-Type: multipart/mixed; boundary=x\n\n--x\n", AMBIGUITY_TOO_DEEP },
		{ "", "Content-Type: message/rfc822\n\n", AMBIGUITY_TOO_DEEP },
		{ "Content-Type: multipart/digest; boundary=x\n\n", "--x\n\n\n",
		    AMBIGUITY_TOO_MANY },
		{ "", "X: y\n", AMBIGUITY_HEADER_CUT },
		{ "X:", " y", AMBIGUITY_HEADER_CUT },
		{ "Content-Type: text/plain;", "\"(\\", AMBIGUITY_HEADER_CUT },
		{ "", "\r", AMBIGUITY_HEADER_CUT },
		{ "Content-Type: multipart/mixed; boundary=\"-\"\n\n", "-",
		    AMBIGUITY_DELIMITER_TAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf text;
		struct mime mime = repeated(&text, cases[i].head, cases[i].unit, 4 << 20);

		assert_true(mime.ambiguities.of[cases[i].kind].count > 0);
		assert_true(mime.parts <= MIME_PARTS);
		buf_free(&text);
	}
}

static int arena_make(void **state)
{
	arena = arena_new(MIME_ARENA);
	return 0;
}

static int arena_end(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_are_those_of_the_standard),
		cmocka_unit_test(section_that_is_not_there_is_not_found),
		cmocka_unit_test(plain_message_is_its_part_one),
		cmocka_unit_test(header_fields_are_chosen),
		cmocka_unit_test(longest_boundary_wins),
		cmocka_unit_test(choices_are_those_of_the_header),
		cmocka_unit_test(long_boundary_is_cut),
		cmocka_unit_test(part_without_empty_line_is_all_header),
		cmocka_unit_test(digest_holds_messages),
		cmocka_unit_test(malformed_type_is_text),
		cmocka_unit_test(hostile_message_is_harmless),
	};

	return cmocka_run_group_tests(tests, arena_make, arena_end);
}
