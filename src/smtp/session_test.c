/* SMTP's commands and logins on a real reactor. */
#include "lib/smtp_fixture.h"
#include "lib/split.h"

#include "base/file.h"

/* ---- the commands ---- */

static const struct {
	const char *say, *want;
} commands[] = {
	{ "NOOP\r\n", "250 2.0.0" },
	{ "noop anything\r\n", "250 2.0.0" },
	{ "MAIL FROM:<>\r\n", "503 5.5.1 say EHLO" },
	{ "AUTH PLAIN\r\n", "503 5.5.1" },
	{ "STARTTLS\r\n", "502 5.5.1" },
	{ "EHLO\r\n", "501 5.5.4" },
	{ "EHLO  \r\n", "501 5.5.4" },
	{ "HELO two words\r\n", "501 5.5.4" },
	{ "HELO under_score\r\n", "250 mx.test" },
	{ "EHLO [192.0.2.1]\r\n", "250-mx.test greets [192.0.2.1]" },
	{ "STARTTLS\r\n", "502 5.5.1" },
	{ "STARTTLS now\r\n", "501 5.5.4" },
	{ "RCPT TO:<alice@our.test>\r\n", "503 5.5.1 say MAIL" },
	{ "DATA\r\n", "503 5.5.1" },
	{ "VRFY\r\n", "501" },
	{ "VRFY alice\r\n", "252" },
	{ "VRFY alice SMTPUTF8\r\n", "252" },
	{ "VRFY <alice@our.test>\r\n", "252" },
	{ "VRFY a@b@c\r\n", "501" },
	{ "EXPN all\r\n", "502" },
	{ "EXPN\r\n", "501" },
	{ "HELP\r\n", "214" },
	{ "RSET now\r\n", "501" },
	{ "QUIT now\r\n", "501" },
	{ "WHAT\r\n", "500 5.5.2" },
	{ "NOOPS\r\n", "500 5.5.2" },
	{ "\r\n", "500 5.5.2" },
	{ NULL, NULL },
	{ "EHLO a.test\r\n", "250-" },
	{ "MAIL\r\n", "501" },
	{ "MAIL TO:<a@b.test>\r\n", "501" },
	{ "MAIL FROM:a@b.test\r\n", "501" },
	{ "MAIL FROM:<a@b.test> SIZE=x\r\n", "501" },
	{ "MAIL FROM:<a@b.test> SIZE=100001\r\n", "552 5.3.4" },
	{ "MAIL FROM:<a@b.test> SIZE=1 SIZE=1\r\n", "501" },
	{ "MAIL FROM:<a@b.test> BODY=9BIT\r\n", "501" },
	{ "MAIL FROM:<a@b.test> BODY\r\n", "501" },
	{ "MAIL FROM:<a@b.test> BODY=8BITMIME BODY=BINARYMIME\r\n", "501" },
	{ "MAIL FROM:<a@b.test> RET=HALF\r\n", "501" },
	{ "MAIL FROM:<a@b.test> RET=FULL RET=FULL\r\n", "501" },
	{ "MAIL FROM:<a@b.test> ENVID=a+2\r\n", "501" },
	{ "MAIL FROM:<a@b.test> ENVID=a+2b\r\n", "501" },
	{ "MAIL FROM:<a@b.test> ENVID=a=b\r\n", "501" },
	{ "MAIL FROM:<a@b.test> SMTPUTF8=yes\r\n", "501" },
	{ "MAIL FROM:<a@b.test> FUTURE=yes\r\n", "555 5.5.4 unknown parameter FUTURE" },
	{ "MAIL FROM:<a@b.test> REQUIRETLS\r\n", "530 5.7.10" },
	{ "MAIL FROM:<j\xc3\xbc@b.test>\r\n", "553 5.6.7" },
	{ "MAIL FROM:<a@b\xc3\xbc.test>\r\n", "553 5.6.7" },
	{ "MAIL FROM:<a@b.test> AUTH=<> ENVID=a+2B RET=HDRS SIZE=100000 BODY=8BITMIME\r\n",
	    "250 2.1.0" },
	{ "MAIL FROM:<>\r\n", "503 5.5.1 not inside" },
	{ "DATA\r\n", "554 5.5.1 no valid" },
	{ "RCPT\r\n", "501" },
	{ "RCPT TO:<>\r\n", "501" },
	{ "RCPT TO:<alice@our.test> FUTURE\r\n", "555 5.5.4" },
	{ "RCPT TO:<alice@our.test> NOTIFY\r\n", "501" },
	{ "RCPT TO:<alice@our.test> NOTIFY=SOMETIMES\r\n", "501" },
	{ "RCPT TO:<alice@our.test> NOTIFY=NEVER,DELAY\r\n", "501" },
	{ "RCPT TO:<alice@our.test> NOTIFY=SUCCESS,\r\n", "501" },
	{ "RCPT TO:<alice@our.test> NOTIFY=DELAY NOTIFY=DELAY\r\n", "501" },
	{ "RCPT TO:<alice@our.test> ORCPT=a@b.test\r\n", "501" },
	{ "RCPT TO:<alice@our.test> ORCPT=rfc822;\r\n", "501" },
	{ "RCPT TO:<alice@our.test> ORCPT=rfc822;a+zz\r\n", "501" },
	{ "RCPT TO:<j\xc3\xbc@our.test>\r\n", "553 5.6.7" },
	{ "RCPT TO:<nobody@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<a@other.test>\r\n", "550 5.7.1" },
	{ "RCPT TO:<gone@our.test>\r\n", "550 5.2.1" },
	{ "RCPT TO:<gone+tag@our.test>\r\n", "550 5.2.1" },
	{ "RCPT TO:<nobody+alice@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<+alice@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<Alice+Lists+x@our.test> NOTIFY=success,Failure ORCPT=rfc822;a+2Bb@c.test\r\n",
	    "250 2.1.5" },
	{ "RCPT TO:<POSTMASTER>\r\n", "250" },
	{ "RCPT TO:<Abuse@our.test>\r\n", "250" },
	{ "RCPT TO:<postmaster@our.test>\r\n", "250" },
	{ "RCPT TO:<postmaster@other.test>\r\n", "550 5.7.1" },
	{ "RSET\r\n", "250" },
	{ "RCPT TO:<alice@our.test>\r\n", "503" },
	{ NULL, NULL },
	{ "EHLO a.test\r\n", "250-" },
	{ "MAIL FROM:<j\xc3\xbc@b\xc3\xbc.test> smtputf8\r\n", "250" },
	{ "RCPT TO:<j\xc3\xbc@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<alice@our.test>\r\n", "250" },
	{ "RSET\r\n", "250" },
	{ "MAIL FROM:<> BODY=BINARYMIME\r\n", "250" },
	{ "RCPT TO:<alice@our.test>\r\n", "250" },
	{ "DATA\r\n", "503 5.5.1 BODY=BINARYMIME wants BDAT" },
	{ "BDAT 3 LAST\r\n\r\n\n", "250 2.0.0" },
	{ NULL, NULL },
	{ "HELO a.test\r\n", "250 mx.test" },
	{ "mail from:<>\r\n", "250" },
	{ "rcpt to:<ALICE@OUR.TEST>\r\n", "250" },
	{ "Rcpt To:<bob@our.test>\r\n", "250" },
	{ "RCPT TO:<bob@our.test>\r\n", "250" },
	{ "RCPT TO:<carol@our.test>\r\n", "250" },
	{ "RCPT TO:<carol@our.test>\r\n", "250" },
	{ "RCPT TO:<dave@our.test>\r\n", "452 4.5.3" },
	{ "DATA now\r\n", "501" },
	{ "EHLO again.test\r\n", "250-" }, /* ends the transaction */
	{ "DATA\r\n", "503" },
};

static void commands_are_answered_as_their_grammar_says(void **state)
{
	int fd = client();

	conf.max_errors = 100;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (commands[i].say) {
			expect_at(fd, commands[i].say, commands[i].want, __LINE__);
			continue;
		}
		quit(fd);
		fd = client();
	}
	quit(fd);
	conf.max_errors = 20;
}

static void every_split_is_the_same_dialogue(void **state)
{
	split_every_way(
	    SLICE(
		"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@our.test>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n"),
	    talk_in_pieces, "220 250 250 250 354 250 221 ");
}

static void a_pipeline_is_answered_in_order(void **state)
{
	slice all =
	    SLICE("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@our.test>\r\nRCPT TO:<bob@our.test>\r\n"
		  "DATA\r\nx\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nDATA\r\nQUIT\r\n");

	talk_in_pieces("220 250 250 550 250 354 250 250 250 250 554 221 ", &all, 1);
}

static void bare_line_ends_end_the_connection(void **state)
{
	static const struct {
		const char *say, *want;
	} cases[] = {
		{ "NOOP\n", "500 5.5.2" },
		{ "NO\rOP\r\n", "500 5.5.2" },
	};

	for (size_t i = 0; i < 2; i++) {
		int fd = client();

		expect(fd, cases[i].say, cases[i].want);
		server_say(fd, "NOOP\r\n");
		server_hear_end(fd);
	}
	int fd = in_message();
	server_say(fd, "\n.\r\nMAIL FROM:<evil@x.test>\r\n");
	expect(fd, "", "554 5.6.0");
	server_hear_end(fd);
	slice nul = { "NO\0OP\r\n", 7 };
	fd = client();
	send(fd, nul.p, nul.n, 0);
	expect(fd, "", "500 5.5.2 a NUL");
	server_hear_end(fd);
}

static void too_long_lines_are_refused_once(void **state)
{
	char line[20000];
	int fd = greeted();

	memset(line, 'x', sizeof line);
	memcpy(line, "NOOP ", 5);
	line[2500] = '\0';
	server_say(fd, line);
	expect(fd, "\r\n", "500 5.5.6 the line is longer than 2000");
	line[2500] = 'x';
	line[sizeof line - 1] = '\0';
	server_say(fd, line);
	expect(fd, "\r\n", "500 5.5.6 the line is longer than 12288");
	memcpy(line, "EHLO ", 5);
	line[300] = '\0';
	server_say(fd, line);
	expect(fd, "\r\n", "501 5.5.4");
	quit(fd);
}

static void too_many_errors_end_the_connection(void **state)
{
	int fd = greeted();

	for (int i = 0; i < 21; i++)
		expect(fd, "WHAT\r\n", "500");
	expect(fd, "", "421 4.7.0");
	server_hear_end(fd);
}

/* What a client says again and again may not cost memory each time. */
static void a_million_greetings_cost_nothing(void **state)
{
	enum { AT_ONCE = 200, ROUNDS = 1500 };
	static char hello[AT_ONCE * 260 + 1], got[65536];
	size_t n = 0, replies = 0;
	int fd = client();

	for (int i = 0; i < AT_ONCE; i++)
		n += (size_t)snprintf(hello + n, sizeof hello - n, "HELO %0250d\r\n", i);
	for (int i = 0; i < ROUNDS; i++) {
		server_say(fd, hello);
		for (size_t heard = 0; heard < AT_ONCE * strlen("250 mx.test\r\n");) {
			ssize_t some = read(fd, got, sizeof got);

			assert_true(some > 0);
			heard += (size_t)some;
		}
		replies += AT_ONCE;
	}
	assert_int_equal(replies, AT_ONCE * ROUNDS);
	quit(fd);
}

/* ---- AUTH ---- */

#define ALICE  "AGFsaWNlQG91ci50ZXN0AHNlY3JldA==" /* \0alice@our.test\0secret */
#define WRONG  "AGFsaWNlQG91ci50ZXN0AGd1ZXNzZWQ=" /* \0alice@our.test\0guessed */
#define NAME   "YWxpY2VAb3VyLnRlc3Q="
#define SECRET "c2VjcmV0"
#define GUESS  "Z3Vlc3NlZA=="

static void logins_go_right_and_wrong(void **state)
{
	int fd = greeted();

	expect(fd, "AUTH PLAIN " ALICE "\r\n", "235 2.7.0");
	expect(fd, "AUTH PLAIN " ALICE "\r\n", "503 5.5.1");
	expect(fd, "EHLO again.test\r\n", "250-");
	expect(fd, "MAIL FROM:<bob@our.test>\r\n", "553 5.7.1 alice@our.test may not send as bob");
	expect(fd, "MAIL FROM:<a@other.test>\r\n", "553 5.7.1");
	expect(fd, "MAIL FROM:<Alice+x@Our.test>\r\n", "250");
	expect(fd, "RCPT TO:<a@other.test>\r\n", "550 5.3.2");
	expect(fd, "VRFY bob@our.test\r\n", "250 2.1.5 <bob@our.test>");
	expect(fd, "VRFY <nobody@our.test>\r\n", "550 5.1.1");
	expect(fd, "VRFY bob@other.test\r\n", "550 5.1.2");
	expect(fd, "EXPN bob@our.test\r\n", "250 2.1.5 <bob@our.test>");
	expect(fd, "RSET\r\n", "250");
	expect(fd, "MAIL FROM:<>\r\n", "250");
	expect(fd, "RSET\r\n", "250");
	expect(fd, "MAIL FROM:<all@our.test>\r\n", "250"); /* an alias that leads to alice too */
	expect(fd, "EXPN all@our.test\r\n", "250-2.1.5 <alice@our.test>\r\n250 2.1.5 <bob@our");
	quit(fd);

	fd = greeted();
	expect(fd, "AUTH PLAIN\r\n", "334 ");
	expect(fd, ALICE "\r\n", "235");
	quit(fd);

	fd = greeted();
	expect(fd, "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6");
	expect(fd, NAME "\r\n", "334 UGFzc3dvcmQ6");
	expect(fd, SECRET "\r\n", "235");
	quit(fd);

	fd = greeted();
	expect(fd, "AUTH\r\n", "501");
	expect(fd, "AUTH CRAM-MD5\r\n", "504");
	expect(fd, "AUTH PLAIN =\r\n", "501");
	expect(fd, "AUTH PLAIN not*base64\r\n", "501");
	expect(fd, "AUTH LOGIN\r\n", "334");
	expect(fd, "*\r\n", "501 5.5.2 called off");
	expect(fd, "MAIL FROM:<>\r\n", "250");
	expect(fd, "AUTH PLAIN " ALICE "\r\n", "503");
	expect(fd, "RSET\r\n", "250");
	expect(fd, "AUTH PLAIN " WRONG "\r\n", "535 5.7.8");
	expect(fd, "AUTH PLAIN " WRONG "\r\n", "535 5.7.8");
	expect(fd, "AUTH PLAIN " WRONG "\r\n", "535 5.7.8");
	server_hear_end(fd);
}

#define CAROL "AGNhcm9sQG91ci50ZXN0AHNlY3JldA==" /* \0carol@our.test\0secret */

static void groups_take_mail_from_whom_they_say(void **state)
{
	int fd = greeted();

	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<staff@our.test>\r\n", "550 5.7.1 only users who have logged in");
	expect(fd, "RCPT TO:<all@our.test>\r\n", "550 5.7.1 only its members");
	quit(fd);
	fd = greeted();
	expect(fd, "AUTH PLAIN " CAROL "\r\n", "235");
	expect(fd, "MAIL FROM:<carol@our.test>\r\n", "250");
	expect(fd, "RCPT TO:<staff@our.test>\r\n", "250");
	expect(fd, "RCPT TO:<all@our.test>\r\n", "550 5.7.1 only its members");
	quit(fd);
	fd = greeted();
	expect(fd, "AUTH PLAIN " ALICE "\r\n", "235");
	expect(fd, "MAIL FROM:<alice@our.test>\r\n", "250");
	expect(fd, "RCPT TO:<all@our.test>\r\n", "250");
	quit(fd);
}

static void who_may_says_for_whom_it_speaks(void **state)
{
	struct error error;
	int fd = greeted();

	expect(fd, "XCLIENT ADDR=192.0.2.9\r\n", "550 5.7.1");
	quit(fd);
	conf.xclient_from = ip_set_new(SLICE("127.0.0.1"), &error);
	conf.relay_from = ip_set_new(SLICE("192.0.2.10"), &error);
	fd = greeted();
	expect(fd, "XCLIENT ADDR=mail.test\r\n", "501 5.5.4 ADDR");
	expect(fd, "XCLIENT COLOUR=red\r\n", "501 5.5.4");
	expect(fd, "XCLIENT NAME\r\n", "501 5.5.4");
	expect(fd, "XCLIENT NAME=a+20b\r\n", "501 5.5.4 NAME");
	expect(fd, "XCLIENT LOGIN=nobody@our.test\r\n", "501 5.7.8");
	expect(fd, "XCLIENT LOGIN=gone@our.test\r\n", "501 5.7.8 the account is disabled");
	expect(fd,
	    "XCLIENT NAME=printer.our.test ADDR=192.0.2.10 PORT=7 HELO=printer PROTO=ESMTP\r\n",
	    "220 mx.test");
	/* Now it is a host that may send as users do, and no proxy any more. */
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<staff@our.test>\r\n", "250");
	expect(fd, "RCPT TO:<a@other.test>\r\n", "550 5.3.2");
	expect(fd, "RSET\r\n", "250");
	expect(fd, "XCLIENT ADDR=192.0.2.9\r\n", "550 5.7.1");
	quit(fd);
	fd = greeted();
	expect(
	    fd, "XCLIENT ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE] LOGIN=alice@our.test\r\n", "220");
	expect(fd, "EHLO c.test\r\n", "250-");
	expect(fd, "MAIL FROM:<bob@our.test>\r\n", "553 5.7.1 alice@our.test may not");
	quit(fd);
	ip_set_free(conf.xclient_from);
	ip_set_free(conf.relay_from);
	conf.xclient_from = conf.relay_from = NULL;
}

static void passwords_are_not_logged(void **state)
{
	static const char *const secrets[] = { ALICE, WRONG, SECRET, GUESS, "guessed" };
	struct buf log;
	struct error error;
	int fd = greeted();

	expect(fd, "AUTH LOGIN\r\n", "334");
	expect(fd, NAME "\r\n", "334");
	expect(fd, GUESS "\r\n", "535");
	expect(fd, "AUTH PLAIN\r\n", "334");
	expect(fd, WRONG "\r\n", "535");
	expect(fd, " AUTH PLAIN " WRONG "\r\n", "500");
	expect(fd, "AUTHPLAIN " WRONG "\r\n", "500");
	quit(fd);
	buf_init(&log, 64 << 20);
	assert_true(file_read(log_path, &log, &error));
	assert_true(slice_search_nocase(buf_slice(&log), SLICE("refused")) != SIZE_MAX);
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		assert_true(slice_search_nocase(buf_slice(&log), slice_of(secrets[i])) == SIZE_MAX);
	buf_free(&log);
}

static void a_line_cannot_forge_a_log_line_or_a_reply(void **state)
{
	struct buf log;
	struct error error;
	int fd = greeted();

	expect(fd, "MAIL FROM:<a@b.test> X\x1b[31m=1\r\n", "501");
	expect(fd, "MAIL FROM:<a@b.test> X=\" forged=yes\r\n", "555");
	expect(fd, "\xff\x80 forged=\"yes\r\n", "500 5.5.2 unknown");
	quit(fd);
	buf_init(&log, 64 << 20);
	assert_true(file_read(log_path, &log, &error));
	assert_true(slice_find(buf_slice(&log), '\x1b') == log.n);
	assert_true(slice_find(buf_slice(&log), '\xff') == log.n);
	buf_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_answered_as_their_grammar_says),
		cmocka_unit_test(every_split_is_the_same_dialogue),
		cmocka_unit_test(a_pipeline_is_answered_in_order),
		cmocka_unit_test(bare_line_ends_end_the_connection),
		cmocka_unit_test(too_long_lines_are_refused_once),
		cmocka_unit_test(too_many_errors_end_the_connection),
		cmocka_unit_test(logins_go_right_and_wrong),
		cmocka_unit_test(groups_take_mail_from_whom_they_say),
		cmocka_unit_test(who_may_says_for_whom_it_speaks),
		cmocka_unit_test(passwords_are_not_logged),
		cmocka_unit_test(a_line_cannot_forge_a_log_line_or_a_reply),
		cmocka_unit_test(a_million_greetings_cost_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
