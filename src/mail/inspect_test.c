/* Each ambiguity is found, named, and its place kept; a good message has none. */
#include "lib/unit.h"

#include "mail/inspect.h"

static struct arena *arena;
static struct charsets *set;

static struct mime inspected(slice message)
{
	struct mime mime;

	arena_reset(arena);
	mime_parse(message, arena, &mime);
	mime_inspect(&mime, set);
	return mime;
}

/* "kind path offset, ..." of what was found, in the order of kinds. */
static void found_is(slice message, const char *want)
{
	struct mime mime = inspected(message);
	struct buf out;

	buf_init(&out, 4000);
	for (int kind = ambiguity_next(&mime.ambiguities, 0); kind >= 0;
	     kind = ambiguity_next(&mime.ambiguities, kind + 1)) {
		const struct ambiguity *one = &mime.ambiguities.of[kind];

		assert_true(mime.ambiguities.seen & UINT64_C(1) << kind);
		buf_addf(
		    &out, "%s%s ", out.n ? ", " : "", ambiguity_name((enum ambiguity_kind)kind));
		part_path_write(one->part, &out);
		buf_addf(&out, " %zu", one->offset);
	}
	if (!slice_eq(buf_slice(&out), slice_of(want)))
		print_error("%.*s\n", SLICE_ARG(message));
	assert_slice(buf_slice(&out), want);
	buf_free(&out);
}

#define HEAD            "From: a@b.test\r\nMIME-Version: 1.0\r\n" /* 34 octets */
#define MIXED(boundary) HEAD "Content-Type: multipart/mixed; boundary=" boundary "\r\n\r\n"

static void good_message_has_none(void **state)
{
	static const char *const good[] = {
		"",
		"\r\n",
		"From: \"A. B.\" <a@b.test>\r\nSubject: =?utf-8?q?=C3=A4?=\r\nTo: c@d.test,\r\n e@f.test\r\n\r\ntext\r\n",
		"From: a@b.test, c@d.test\r\nSender: a@b.test\r\n\r\n",
		"From: \"a@b.test\" <a@b.test>\r\n\r\n",
		"From: \xc3\xa4 <\xc3\xa4@b.test>\r\n\r\n",
		HEAD
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\r\n",
		HEAD
		"Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\r\none\r\n"
		"--a b \t\r\nContent-Type: application/x; name=\"x.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment; filename=\"x.bin\"; filename*=utf-8''x.bin\r\n\r\nZm9v\r\n"
		"--a b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.test\r\n\r\nin\r\n"
		"--a b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n"
		"--a b--\r\nepilogue\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		found_is(slice_of(good[i]), "");
	struct mime mime = inspected(slice_of(good[2]));
	assert_int_equal(ambiguity_effects(&mime.ambiguities), 0);
}

static void fields_that_are_there_twice_are_found(void **state)
{
	(void)state;
	found_is(SLICE(HEAD "From: c@d.test\r\n\r\n"), "from-twice 0 35");
	found_is(SLICE(HEAD "Subject: a\r\nSubject: b\r\n\r\n"), "subject-twice 0 47");
	found_is(SLICE(HEAD "Date: a\r\ndate: b\r\n\r\n"), "field-twice 0 44");
	found_is(SLICE(HEAD "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n"),
	    "content-type-twice 0 54");
	found_is(SLICE(HEAD
		     "Content-Transfer-Encoding: 7bit\r\nContent-transfer-encoding: 8bit\r\n\r\n"),
	    "encoding-twice 0 68");
	found_is(SLICE(HEAD "Content-Disposition: a\r\nContent-Disposition: b\r\n\r\n"),
	    "disposition-twice 0 59");
	found_is(SLICE(HEAD "Content-ID: a\r\nContent-ID: b\r\n\r\n"), "content-field-twice 0 50");
}

static void broken_headers_are_found(void **state)
{
	(void)state;
	found_is(SLICE(HEAD "no field\r\n\r\n"), "no-field 0 35");
	found_is(SLICE(HEAD "X : y\r\n\r\n"), "blank-before-colon 0 35");
	found_is(SLICE(HEAD "X: y\r\n \r\n z\r\n\r\n"), "blank-fold 0 35");
	found_is(SLICE(HEAD "X: \xff\r\n\r\n"), "header-not-utf8 0 35");
	found_is(SLICE(HEAD "Subject: =?utf-8?q?a b?=\r\n\r\n"), "encoded-word-bad 0 43");
	found_is(SLICE(HEAD "Subject: =?utf-7?q?a?=\r\n\r\n"), "charset-unknown 0 43");
	found_is(SLICE("Content-Type: text/plain\r\n\r\n"), "no-mime-version 0 0");
	found_is(SLICE("From: a@b.test, c@d.test\r\n\r\n"), "from-unclear 0 5");
	found_is(SLICE("From: a@b.test <c@d.test>\r\n\r\n"), "from-unclear 0 5");
	found_is(SLICE("From: g: a@b.test;\r\n\r\n"), "from-unclear 0 5");
	found_is(SLICE("From: <@r.test:a@b.test>\r\n\r\n"), "from-unclear 0 5");
	found_is(SLICE("From: nobody\r\n\r\n"), "from-unclear 0 5");
}

static void strange_types_and_parameters_are_found(void **state)
{
	(void)state;
	found_is(SLICE(HEAD "Content-Type: text\r\n\r\n"), "content-type-bad 0 48");
	found_is(SLICE(HEAD "Content-Type: text/(x)plain\r\n\r\n"), "comment 0 48");
	found_is(SLICE(HEAD "Content-Type: a/b; x=y z\r\n\r\n"), "parameter-bad 0 57");
	found_is(SLICE(HEAD "Content-Type: a/b; x=y z=1\r\n\r\n"), "parameter-bad 0 57");
	found_is(SLICE(HEAD "Content-Type: a/b x=y\r\n\r\n"), "parameter-bad 0 52");
	found_is(SLICE(HEAD "Content-Type: a/b;; x=y\r\n\r\n"), "parameter-bad 0 52");
	found_is(SLICE(HEAD "Content-Type: a/b ; x = y ;\r\n\r\n"), "");
	found_is(SLICE(HEAD "Content-Type: a/b; x=y[z\r\n\r\n"), "parameter-bad 0 54");
	found_is(SLICE(HEAD "Content-Type: a/b; x=\"y\r\n\r\n"), "parameter-bad 0 54");
	found_is(SLICE(HEAD "Content-Type: a/b; x=1; X=1\r\n\r\n"), "parameter-twice 0 59");
	found_is(SLICE(HEAD "Content-Type: a/b; x*0=1; x*2=1\r\n\r\n"), "parameter-sections 0 54");
	found_is(SLICE(HEAD "Content-Type: a/b; name=\"=?utf-8?q?a?=\"\r\n\r\n"),
	    "parameter-encoded-word 0 54");
	found_is(
	    SLICE(HEAD "Content-Type: a/b; name=a\r\nContent-Disposition: c; filename=b\r\n\r\n"),
	    "names-differ 0 52");
	found_is(
	    SLICE(HEAD "Content-Disposition: c; filename=a.txt; filename*=utf-8''a.exe\r\n\r\n"),
	    "names-differ 0 59");
	found_is(SLICE(HEAD "Content-Disposition: c; filename*=utf-7''a\r\n\r\n"),
	    "charset-unknown 0 57");
	found_is(
	    SLICE(HEAD "Content-Type: text/html; charset=UTF-7\r\n\r\n"), "charset-unknown 0 60");
	found_is(SLICE(HEAD "Content-Type: text/html; charset=\"Windows-1251\"\r\n\r\n"), "");
	found_is(SLICE(HEAD "Content-Type: message/partial; id=a; number=1\r\n\r\n"),
	    "message-partial 0 0");
}

static void strange_boundaries_are_found(void **state)
{
	(void)state;
	found_is(SLICE(HEAD "Content-Type: multipart/mixed\r\n\r\nx"), "boundary-missing 0 68");
	found_is(SLICE(MIXED("\"\"") "x"), "boundary-missing 0 81");
	found_is(SLICE(MIXED("a; boundary=b") "--a\r\n\r\n--a--\r\n"), "boundary-twice 0 78");
	found_is(SLICE(MIXED("\"a \"") "--a \r\n\r\n--a --\r\n"), "boundary-blank 0 83");
	found_is(SLICE(MIXED("\"a%\"") "--a%\r\n\r\n--a%--\r\n"), "boundary-character 0 83");
	found_is(
	    SLICE(MIXED(
		"a123456789b123456789c123456789d123456789e123456789f123456789g123456789h") "x"),
	    "boundary-long 0 150, delimiter-missing 0 151");
	found_is(
	    SLICE(MIXED(
		"a") "--a\r\nContent-Type: multipart/x; boundary=a\r\n\r\n--a\r\n\r\n--a--\r\n--a--\r\n"),
	    "boundary-repeated 1 126");
	found_is(
	    SLICE(MIXED(
		"a") "--a\r\nContent-Type: multipart/x; boundary=ab\r\n\r\n--ab\r\n\r\n--ab--\r\n--a--\r\n"),
	    "boundary-prefix 1 127");
	found_is(SLICE(MIXED("a") "--a\r\n\r\n--abc\r\n\r\n--a--\r\n"), "delimiter-tail 0 87");
	found_is(SLICE(MIXED("a") "--a\r\n\r\n--a--x\r\n"), "delimiter-tail 0 87");
	found_is(SLICE(MIXED("a") "text\r\n"), "delimiter-missing 0 86");
	found_is(SLICE(MIXED("a") "--a\r\n\r\ntext\r\n"), "delimiter-unclosed 0 93");
	found_is(
	    SLICE(MIXED(
		"a") "--a\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\n--a--\r\n"),
	    "delimiter-unclosed 1 133");
	found_is(SLICE(MIXED("a") "--a\r\n\r\n--a--\r\n\r\n--a\r\n\r\nhidden"),
	    "delimiter-after-end 0 96");
	found_is(SLICE(MIXED("a") "--a\r\nX: y\r\n--a\r\n\r\n--a--\r\n"), "header-unended 1 91");
	found_is(
	    SLICE(HEAD
		"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\n--ab--\r\n"),
	    "parameter-sections 0 66");
}

static void bad_encodings_are_found(void **state)
{
	(void)state;
#define ENCODED(encoding) HEAD "Content-Transfer-Encoding: " encoding "\r\n\r\n"
	found_is(SLICE(ENCODED("uuencode") "x"), "encoding-unknown 0 62");
	found_is(SLICE(ENCODED("base64, 7bit") "Zm9v"), "encoding-bad 0 62");
	found_is(SLICE(ENCODED("(x) 7bit") "Zm9v"), "comment 0 62");
	found_is(SLICE(ENCODED("base64") "Zm9v!"), "base64-character 0 76");
	found_is(SLICE(ENCODED("base64") "Zg==Zg=="), "base64-padding 0 76");
	found_is(SLICE(ENCODED("base64") "Zm9vZg"), "base64-cut 0 78");
	found_is(SLICE(ENCODED("quoted-printable") "a=zz"), "quoted-bad 0 83");
	found_is(SLICE(ENCODED("7bit") "a\xc3\xa4"), "eight-bit 0 71");
	found_is(SLICE("X: y\r\n\r\na\xc3\xa4"), "eight-bit 0 9");
	found_is(
	    SLICE(HEAD
		"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nZm9v"),
	    "encoding-nested 0 92");
	found_is(
	    SLICE(HEAD
		"Content-Transfer-Encoding: base64\r\nContent-Type: multipart/x; boundary=a\r\n\r\n--a--\r\n"),
	    "delimiter-missing 0 111, encoding-nested 0 62");
}

static void strange_octets_are_found(void **state)
{
	(void)state;
	found_is(SLICE("X: y\r\n\r\na\0b"), "nul 0 9");
	found_is(SLICE("X: y\r\n\r\na\rb"), "bare-cr 0 9");
	found_is(SLICE("X: y\r\n\r\na\nb"), "bare-lf 0 9");
	found_is(SLICE("X: y\r\n\r\na\r"), "bare-cr 0 9");
	found_is(SLICE("\nX"), "bare-lf 0 0");
	found_is(
	    SLICE(MIXED(
		"a") "--a\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
		     "01234567890123456789\n0123456789\r\n--a--\r\n"),
	    "bare-lf 1 177");
}

static void long_lines_and_counts(void **state)
{
	struct buf text;
	struct mime mime;

	(void)state;
	buf_init(&text, 10000);
	buf_adds(&text, "X: y\r\n\r\n");
	for (int line = 0; line < 3; line++) {
		for (int i = 0; i < 998 + (line > 0); i++)
			buf_addc(&text, 'a');
		buf_adds(&text, "\r\n");
	}
	mime = inspected(buf_slice(&text));
	assert_int_equal(mime.ambiguities.of[AMBIGUITY_LINE_LONG].count, 2);
	assert_int_equal(mime.ambiguities.of[AMBIGUITY_LINE_LONG].offset, 8 + 1000);
	assert_int_equal(ambiguity_effects(&mime.ambiguities), AMBIGUITY_FORM);
	buf_free(&text);
}

static void many_parameters_are_found(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 10000);
	buf_adds(&text, HEAD "Content-Type: a/b");
	for (int i = 0; i < 65; i++)
		buf_addf(&text, "; p%d=x", i);
	buf_adds(&text, "\r\n\r\n");
	found_is(buf_slice(&text), "parameter-many 0 492");
	buf_free(&text);
}

/* Names are for policies and logs: all there, all different. */
static void kinds_have_names(void **state)
{
	(void)state;
	for (int kind = 0; kind < AMBIGUITY_SIZE; kind++) {
		const char *name = ambiguity_name((enum ambiguity_kind)kind);

		assert_non_null(name);
		assert_int_equal(
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
		assert_int_equal(
		    strncmp(ambiguity_reference((enum ambiguity_kind)kind), "RFC ", 4), 0);
		assert_true(ambiguity_effect((enum ambiguity_kind)kind) != 0);
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(name, ambiguity_name((enum ambiguity_kind)other));
	}
}

static void paths_name_each_part_once(void **state)
{
	static const char *const want[] = { "0", "1", "2", "2.0", "2.1", "2.2", "3", "3.0" };
	struct mime mime = inspected(SLICE(MIXED(
	    "a") "--a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\n"
		 "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\n--b\r\n\r\n--b--\r\n"
		 "--a\r\nContent-Type: message/rfc822\r\n\r\nX: y\r\n\r\nz\r\n--a--\r\n"));
	const struct part *parts[] = { mime.root, mime.root->children, mime.root->children->next,
		mime.root->children->next->children, mime.root->children->next->children->children,
		mime.root->children->next->children->children->next, mime.root->last_child,
		mime.root->last_child->children };
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		buf_clear(&out);
		part_path_write(parts[i], &out);
		assert_slice(buf_slice(&out), want[i]);
		assert_ptr_equal(
		    part_at(&mime, (size_t)(parts[i]->header.p - mime.message.p)), parts[i]);
	}
	buf_free(&out);
}

static int begin(void **state)
{
	(void)state;
	arena = arena_new(MIME_ARENA);
	set = charsets_open();
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	charsets_close(set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_message_has_none),
		cmocka_unit_test(fields_that_are_there_twice_are_found),
		cmocka_unit_test(broken_headers_are_found),
		cmocka_unit_test(strange_types_and_parameters_are_found),
		cmocka_unit_test(strange_boundaries_are_found),
		cmocka_unit_test(bad_encodings_are_found),
		cmocka_unit_test(strange_octets_are_found),
		cmocka_unit_test(long_lines_and_counts),
		cmocka_unit_test(many_parameters_are_found),
		cmocka_unit_test(kinds_have_names),
		cmocka_unit_test(paths_name_each_part_once),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
