/* ENVELOPE, BODYSTRUCTURE and BODY as IMAP wants them. */
#include "lib/unit.h"

#include <stdio.h>

#include "mail/summary.h"

static struct arena *arena;
static struct buf envelope, structure, body;

static void summarize(slice message)
{
	struct mime mime;

	arena_reset(arena);
	mime_parse(message, arena, &mime);
	summary_write(&mime, &envelope, &structure);
	buf_clear(&body);
	structure_strip(buf_slice(&structure), &body);
}

/* After the example of RFC 9051 §8. */
static void envelope_is_that_of_the_standard(void **state)
{
	(void)state;
	summarize(SLICE("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
			"From: Terry Gray <gray@cac.washington.edu>\r\n"
			"Subject: IMAP4rev2 WG mtg\r\n summary and minutes\r\n"
			"To: imap@cac.washington.edu\r\n"
			"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
			"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
			"MIME-Version: 1.0\r\n"
			"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\none\r\ntwo\r\n"));
	assert_slice(buf_slice(&envelope),
	    "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((NIL NIL \"imap\" \"cac.washington.edu\")) "
	    "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
	    "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
	    "\"<B27397-0100000@cac.washington.edu>\")");
	assert_slice(buf_slice(&structure),
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
	    "\"7bit\" 10 2 NIL NIL NIL NIL)");
	assert_slice(buf_slice(&body),
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2)");
}

static void groups_and_missing_domains_are_told_apart(void **state)
{
	(void)state;
	summarize(SLICE("To: g: a@b, c;\r\nReply-To: <@r.test:x@y.test>\r\nSubject:\r\n\r\n"));
	assert_slice(buf_slice(&envelope),
	    "(NIL \"\" NIL NIL ((NIL \"@r.test\" \"x\" \"y.test\")) ((NIL NIL \"g\" NIL)"
	    "(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"MISSING_DOMAIN\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
}

static void fields_that_are_there_again_are_one_list(void **state)
{
	(void)state;
	summarize(SLICE(
	    "To: a@b\r\nFrom: f@g\r\nTo: c@d\r\nFrom: h@i\r\nSubject: 1\r\nSubject: 2\r\n\r\n"));
	assert_slice(buf_slice(&envelope),
	    "(NIL \"1\" ((NIL NIL \"f\" \"g\")) ((NIL NIL \"f\" \"g\")) ((NIL NIL \"f\" \"g\")) "
	    "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)");
	summarize(SLICE("To: All of you, <>, <a b@c>, <d:;@e>, \" f  g \" <h@i>\r\nTo:\r\n\r\n"));
	assert_slice(buf_slice(&envelope),
	    "(NIL NIL NIL NIL NIL ((\"All of you\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")"
	    "(NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")(NIL NIL \"a\" \"SYNTAX_ERROR\")"
	    "(NIL NIL \"d\" \"SYNTAX_ERROR\")(\"f g\" NIL \"h\" \"i\")) NIL NIL NIL NIL)");
}

static void strange_octets_become_literals_or_blanks(void **state)
{
	(void)state;
	summarize(
	    SLICE("Subject: gr\xc3\xbc\xc3\x9f\r\nIn-Reply-To: a\"b\\c\r\nMessage-ID: a\0b\rc\r\n"
		  "\r\n"));
	assert_slice(buf_slice(&envelope),
	    "(NIL {6}\r\ngr\xc3\xbc\xc3\x9f NIL NIL NIL NIL NIL NIL "
	    "\"a\\\"b\\\\c\" \"a b c\")");
}

static void structure_of_nested_parts_is_written(void **state)
{
	(void)state;
	summarize(SLICE(
	    "Content-Type: multipart/mixed; boundary=\"b\"; x=y\r\nContent-Language: en, de\r\n\r\n"
	    "--b\r\nContent-Type: image/GIF; name=a.gif\r\nContent-ID: <i@x>\r\n"
	    "Content-Description: a picture\r\nContent-Transfer-Encoding: BASE64\r\n"
	    "Content-Disposition: attachment; filename=\"a b.gif\"\r\nContent-MD5: Q2hlY2s=\r\n"
	    "Content-Location: here\r\n\r\nR0lG\r\n"
	    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\ny\r\n"
	    "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\nnothing\r\n--b--\r\n"));
	assert_slice(buf_slice(&structure),
	    "((\"image\" \"GIF\" (\"name\" \"a.gif\") \"<i@x>\" \"a picture\" \"BASE64\" 4 "
	    "\"Q2hlY2s=\" (\"attachment\" (\"filename\" \"a b.gif\")) NIL \"here\")"
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 "
	    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1 NIL NIL NIL NIL) "
	    "3 NIL NIL NIL NIL)"
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) \"alternative\" "
	    "(\"boundary\" \"c\") NIL NIL NIL) \"mixed\" (\"boundary\" \"b\" \"x\" \"y\") NIL "
	    "(\"en\" \"de\") NIL)");
	assert_slice(buf_slice(&body),
	    "((\"image\" \"GIF\" (\"name\" \"a.gif\") \"<i@x>\" \"a picture\" \"BASE64\" 4)"
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 "
	    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1) 3)"
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"alternative\") \"mixed\")");
}

static void what_was_not_looked_into_is_octets(void **state)
{
	(void)state;
	summarize(SLICE("Content-Type: multipart/mixed; x=y\r\n\r\nbody"));
	assert_slice(buf_slice(&structure),
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
	    "\"mixed\" (\"x\" \"y\") NIL NIL NIL)");
	summarize(SLICE("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
			"U3Vi"));
	assert_slice(buf_slice(&structure),
	    "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 4 "
	    "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
	    "0 NIL NIL NIL NIL)");
}

/* The Content-Disposition of one leaf. */
static void disposition_is(const char *value, const char *want)
{
	char text[1000];

	snprintf(text, sizeof text, "Content-Type: a/b\r\nContent-Disposition: %s\r\n\r\n", value);
	summarize(slice_of(text));
	snprintf(
	    text, sizeof text, "(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL (\"x\" %s) NIL NIL)", want);
	assert_slice(buf_slice(&structure), text);
}

/* RFC 2231 §6 */
static void parameter_sections_are_put_together(void **state)
{
	(void)state;
	disposition_is("x; filename*1=b.c; filename*0=\"a \"; size=1",
	    "(\"size\" \"1\" \"filename\" \"a b.c\")");
	disposition_is("x; filename*0*=utf-8''%c3%a4; filename*1=\"b c\"",
	    "(\"filename*\" \"utf-8''%c3%a4b%20c\")");
	disposition_is("x; filename*=utf-8'en'a", "(\"filename*\" \"utf-8'en'a\")");
	disposition_is(
	    "x; filename*0=a; filename*2=b", "(\"filename*0\" \"a\" \"filename*2\" \"b\")");
	disposition_is("x; FileName=a; a*0=1; A*1=2", "(\"FileName\" \"a\" \"a\" \"12\")");
}

/* RFC 2046 §4.1.2; blanks of a Subject are one, of a Date they stay, types keep their case. */
static void text_has_its_charset(void **state)
{
	(void)state;
	summarize(SLICE(
	    "Subject: a\r\n \t \r\n b \r\nDate: c\r\n  d \r\nContent-Type: Text/x; a=b\r\n\r\n"));
	assert_slice(buf_slice(&structure),
	    "(\"Text\" \"x\" (\"a\" \"b\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)");
	assert_slice(buf_slice(&envelope), "(\"c  d \" \"a b\" NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void summary_that_does_not_fit_is_short(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_adds(&text, "To: ");
	for (int i = 0; i < 10000; i++)
		buf_adds(&text, "a@b.test,");
	buf_adds(&text, "\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n");
	for (int i = 0; i < 5000; i++)
		buf_adds(&text, "--x\r\n\r\n");
	summarize(buf_slice(&text));
	assert_slice(buf_slice(&envelope), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	assert_true(slice_starts(buf_slice(&structure), SLICE("(\"application\"")));
	buf_free(&text);
}

static int make(void **state)
{
	arena = arena_new(MIME_ARENA);
	buf_init(&envelope, 100000);
	buf_init(&structure, 100000);
	buf_init(&body, 100000);
	return 0;
}

static int end(void **state)
{
	arena_free(arena);
	buf_free(&envelope);
	buf_free(&structure);
	buf_free(&body);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelope_is_that_of_the_standard),
		cmocka_unit_test(groups_and_missing_domains_are_told_apart),
		cmocka_unit_test(fields_that_are_there_again_are_one_list),
		cmocka_unit_test(strange_octets_become_literals_or_blanks),
		cmocka_unit_test(structure_of_nested_parts_is_written),
		cmocka_unit_test(what_was_not_looked_into_is_octets),
		cmocka_unit_test(parameter_sections_are_put_together),
		cmocka_unit_test(text_has_its_charset),
		cmocka_unit_test(summary_that_does_not_fit_is_short),
	};

	return cmocka_run_group_tests(tests, make, end);
}
