/* IMAP4rev2 (RFC 9051) where it differs, and the small extensions beside it. */
#include "lib/imap_fixture.h"

#include <poll.h>
#include <sys/socket.h>

#include "imap/preview.h"
#include "net/compress.h"

static void rev2_answers_differ(void **state)
{
	int fd = mailbox(3);

	talk(fd, "a unselect\r\n", "a OK unselected\r\n");
	talk(fd, "a enable imap4rev2\r\n", "* ENABLED IMAP4rev2\r\na OK done\r\n");
	append(fd, "Subject: new\r\n\r\nx\r\n");
	server_say(fd, "a select inbox\r\n");
	server_hear(fd,
	    "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*)] kept\r\n"
	    "* 4 EXISTS\r\n* LIST () \"/\" \"INBOX\"\r\n* OK [UIDVALIDITY ");
	until(fd, "", "a OK [READ-WRITE]");
	talk(fd, "a fetch 4 flags\r\n", "* 4 FETCH (FLAGS ())\r\na OK fetched\r\n");
	talk(fd, "a search 2:3\r\n", "* ESEARCH (TAG \"a\") ALL 2:3\r\na OK searched\r\n");
	talk(fd, "a uid search subject nothing\r\n",
	    "* ESEARCH (TAG \"a\") UID\r\na OK searched\r\n");
	talk(fd, "a search return (count) all\r\n",
	    "* ESEARCH (TAG \"a\") COUNT 4\r\na OK searched\r\n");
	append(fd, "Subject: newer\r\n\r\nx\r\n");
	talk(fd, "a sort (arrival) utf-8 5\r\n", "* SORT 5\r\na OK sorted\r\n");
	/* The messages are recent still, to somebody who asks. */
	int other = client();
	until(other, "a select inbox\r\n", "* 2 RECENT");
	close(other);
	close(fd);
}

static void names_are_utf8_once_enabled(void **state)
{
	int fd = client();

	talk(fd, "a enable utf8=accept imap4rev2\r\n",
	    "* ENABLED IMAP4rev2 UTF8=ACCEPT\r\na OK done\r\n");
	until(fd, "a create \"Entw\xc3\xbcrfe/a&b\"\r\n", "a OK [MAILBOXID (F");
	talk(fd, "a list \"\" Entw*\r\n",
	    "* LIST (\\HasNoChildren) \"/\" \"Entw\xc3\xbcrfe/a&b\"\r\na OK done\r\n");
	talk(fd, "a list \"\" %fe\r\n",
	    "* LIST (\\NonExistent \\HasChildren) \"/\" \"Entw\xc3\xbcrfe\"\r\na OK done\r\n");
	talk(fd, "a create \"x\xc2\x85y\"\r\n",
	    "a BAD expected mailbox name in UTF-8 at column 16\r\n");
	talk(fd, "a create {4+}\r\nx\xe2\x80\xa8\r\n",
	    "a BAD expected mailbox name in UTF-8 at column 20\r\n");
	talk(fd, "a create \"x\xff\"\r\n", "a BAD expected mailbox name in UTF-8 at column 14\r\n");
	close(fd);
	fd = client();
	talk(fd, "a list \"\" Entw&APw-rfe/*\r\n",
	    "* LIST (\\HasNoChildren) \"/\" \"Entw&APw-rfe/a&-b\"\r\na OK done\r\n");
	close(fd);
}

static void messages_with_utf8_headers_are_appended(void **state)
{
	int fd = mailbox(0);

	talk(fd, "a append inbox utf8 (~{18+}\r\nSubject: \xc3\xa4\r\n\r\nx\r\n)\r\n",
	    "a BAD UTF8 needs ENABLE UTF8=ACCEPT first\r\n");
	talk(fd, "a enable utf8=accept\r\n", "* ENABLED UTF8=ACCEPT\r\na OK done\r\n");
	until(fd, "a append inbox (\\Seen) utf8 (~{18+}\r\nSubject: \xc3\xa4\r\n\r\nx\r\n)\r\n",
	    "a OK [APPENDUID ");
	talk(fd, "a fetch 1 envelope\r\n",
	    "* 1 FETCH (ENVELOPE (NIL {2}\r\n\xc3\xa4 NIL NIL NIL NIL NIL NIL NIL NIL))\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a search subject \"\xc3\x84\"\r\n", "* SEARCH 1\r\na OK searched\r\n");
	talk(fd, "a search charset utf-8 all\r\n", "a BAD no CHARSET after ENABLE UTF8=ACCEPT\r\n");
	talk(fd, "a append inbox utf8 ({3+}\r\nabc)\r\n", "a BAD expected '~' at column 22\r\n");
	close(fd);
}

static void one_connection_serves_several_users(void **state)
{
	int fd = mailbox(2);

	talk(fd, "a enable qresync imap4rev2\r\n", "* ENABLED QRESYNC IMAP4rev2\r\na OK done\r\n");
	talk(fd, "a unauthenticate now\r\n", "a BAD expected end of line at column 17\r\n");
	talk(fd, "a unauthenticate\r\n", "a OK who are you\r\n");
	talk(fd, "a unauthenticate\r\n", "a BAD log in first\r\n");
	talk(fd, "a fetch 1 uid\r\n", "a BAD log in first\r\n");
	talk(fd, "a login bob geheim\r\n", "a OK logged in\r\n");
	talk(fd, "a status inbox (messages)\r\n",
	    "* STATUS \"inbox\" (MESSAGES 0)\r\na OK done\r\n");
	until(fd, "a select inbox\r\n", "* 0 RECENT");
	until(fd, "", "a OK");
	talk(fd, "a search all\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a select inbox (qresync (1 1))\r\n",
	    "a BAD QRESYNC needs ENABLE QRESYNC first\r\n");
	talk(fd, "a unauthenticate\r\n", "a OK who are you\r\n");
	/* Literals are short again. */
	talk(fd, "a login {2000}\r\n", "a BAD command or literal too long\r\n");
	close(fd);
}

static void dates_of_saving_are_told(void **state)
{
	int fd = mailbox(0);

	until(fd, "a append inbox \"17-Jul-1996 02:44:25 -0700\" {7+}\r\nA: b\r\n\r\n\r\n",
	    "a OK [APPENDUID ");
	until(fd, "a fetch 1 savedate\r\n", "* 1 FETCH (SAVEDATE \"");
	until(fd, "", "a OK fetched");
	talk(fd, "a search savedatesupported savedsince 1-jan-2020\r\n",
	    "* SEARCH 1\r\na OK searched\r\n");
	talk(fd, "a search savedbefore 1-jan-2020\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a search savedon 17-jul-1996\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a search on 17-jul-1996\r\n", "* SEARCH 1\r\na OK searched\r\n");
	close(fd);
}

static void previews_are_the_first_words(void **state)
{
	int fd = mailbox(0);

	append(fd, "Subject: a\r\n\r\n  first   line\r\n\r\nsecond\tline \r\n");
	append(fd,
	    "Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n"
	    "Content-Type: text/html\r\n\r\n<html><head><title>no</title><style>p{}</style></head>"
	    "<body><p>one &amp; two<br>three</p>&lt;&nbsp;four&zwnj; &x;</body></html>\r\n--x--\r\n");
	append(fd,
	    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Disposition: attachment\r\n\r\n"
	    "not this\r\n--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n--x--\r\n");
	append(fd, "Content-Type: image/png\r\n\r\nx\r\n");
	until(fd, "a noop\r\n", "a OK");
	talk(fd, "a fetch 1 preview\r\n",
	    "* 1 FETCH (PREVIEW \"first line second line\")\r\na OK fetched\r\n");
	talk(fd, "a fetch 2 (preview (lazy) uid)\r\n",
	    "* 2 FETCH (PREVIEW \"one & two three < four &x;\" UID 2)\r\na OK fetched\r\n");
	talk(fd, "a fetch 3 (flags preview)\r\n",
	    "* 3 FETCH (FLAGS (\\Recent) PREVIEW {7}\r\nGr\xc3\xbc\xc3\x9f"
	    "e)\r\na OK fetched\r\n");
	talk(fd, "a fetch 4 preview\r\n", "* 4 FETCH (PREVIEW \"\")\r\na OK fetched\r\n");
	talk(fd, "a fetch 4 (preview (eager))\r\n", "a BAD expected FETCH item at column 20\r\n");
	close(fd);
}

static void assert_preview(slice message, const char *want)
{
	struct arena *arena = arena_new(2 * (size_t)MIME_ARENA);
	struct mime mime;
	struct buf words;

	mime_parse(message, arena, &mime);
	buf_init(&words, PREVIEW_ROOM);
	preview_write(NULL, mime.root, &words);
	assert_false(words.full);
	assert_slice(buf_slice(&words), want);
	buf_free(&words);
	arena_free(arena);
}

static void previews_are_short(void **state)
{
	struct buf message, want;

	buf_init(&message, 4000);
	buf_init(&want, 4000);
	buf_adds(&message, "A: b\r\n\r\n");
	for (int i = 0; i < PREVIEW_CHARACTERS; i++) {
		buf_adds(&message, "\xe2\x82\xac");
		buf_adds(&want, "\xe2\x82\xac");
	}
	buf_adds(&message, "and more");
	buf_addc(&want, '\0');
	assert_preview(buf_slice(&message), want.p);
	buf_free(&message);
	buf_free(&want);
	assert_preview(SLICE("A: b\r\n\r\na\xff z"), "a\xef\xbf\xbd z");
	assert_preview(SLICE("Content-Type: text/html\r\n\r\n<style>x"), "");
	assert_preview(SLICE("Content-Type: text/html\r\n\r\na<b"), "a");
	assert_preview(SLICE("Content-Type: text/html\r\n\r\n<header>a</header>&"), "a &");
	assert_preview(SLICE(""), "");
}

static void messages_are_replaced(void **state)
{
	int fd = mailbox(3);

	until(fd, "a replace 2 inbox (\\Draft) {9+}\r\nA: b\r\n\r\ny\r\n", "* OK [APPENDUID ");
	server_hear(fd, "* 4 EXISTS\r\n* 1 RECENT\r\n* 2 EXPUNGE\r\na OK replaced\r\n");
	talk(fd, "a fetch 1:* (uid rfc822.size)\r\n",
	    "* 1 FETCH (UID 1 RFC822.SIZE 29)\r\n* 2 FETCH (UID 3 RFC822.SIZE 29)\r\n"
	    "* 3 FETCH (UID 4 RFC822.SIZE 9)\r\na OK fetched\r\n");
	until(fd, "a uid replace 3 nowhere {4+}\r\nA: b\r\n", "a NO [TRYCREATE]");
	until(fd, "a uid replace 2 inbox {4+}\r\nA: b\r\n", "a NO [NONEXISTENT]");
	talk(fd, "a replace 9 inbox {4+}\r\nA: b\r\n", "a BAD there are not so many messages\r\n");
	talk(fd, "a replace 1:2 inbox {4+}\r\nA: b\r\n",
	    "a BAD expected one message at column 11\r\n");
	until(fd, "a create x\r\n", "a OK");
	until(fd, "a uid replace 3 x {4+}\r\nA: b\r\n", "* OK [APPENDUID ");
	server_hear(fd, "* 2 EXPUNGE\r\na OK replaced\r\n");
	talk(fd, "a status x (messages)\r\n", "* STATUS \"x\" (MESSAGES 1)\r\na OK done\r\n");
	until(fd, "a examine inbox\r\n", "a OK");
	talk(fd, "a replace 1 inbox {4+}\r\nA: b\r\n",
	    "a NO the mailbox is open for reading only\r\n");
	close(fd);
}

static void say_compressed(int fd, struct compress *c, const char *text)
{
	struct buf plain;

	buf_init(&plain, 10000);
	buf_adds(&plain, text);
	compress_out(c, &plain);
	assert_true(plain.n == 0 && !c->held);
	assert_int_equal(send(fd, c->wire.p, c->wire.n, 0), c->wire.n);
	buf_free(&c->wire);
	buf_free(&plain);
}

static void hear_compressed(int fd, struct compress *c, const char *want)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct buf heard;

	buf_init(&heard, 100000);
	while (heard.n < strlen(want)) {
		assert_int_equal(poll(&ready, 1, 10000), 1);
		ssize_t n = recv(fd, buf_room(&c->raw, 100), 100, 0);
		assert_true(n > 0);
		buf_grow(&c->raw, (size_t)n);
		while (compress_pending(c))
			assert_true(compress_in(c, &heard, 1000));
	}
	assert_slice(buf_slice(&heard), want);
	buf_free(&heard);
}

static void a_connection_is_compressed(void **state)
{
	struct compress *c = compress_new();
	int fd = mailbox(2), other = client();

	talk(fd, "a compress lzma\r\n", "a BAD DEFLATE is the only algorithm\r\n");
	talk(fd, "a compress\r\n", "a BAD expected one space at column 11\r\n");
	talk(fd, "a compress deflate\r\n", "a OK compress from now on\r\n");
	say_compressed(fd, c, "a fetch 1:2 uid\r\nb noop\r\n");
	hear_compressed(
	    fd, c, "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK fetched\r\nb OK done\r\n");
	say_compressed(fd, c, "a compress deflate\r\n");
	hear_compressed(fd, c, "a NO [COMPRESSIONACTIVE] DEFLATE is in use already\r\n");
	say_compressed(fd, c, "a idle\r\n");
	hear_compressed(fd, c, "+ idling\r\n");
	append(other, "Subject: new\r\n\r\n");
	hear_compressed(fd, c, "* 3 EXISTS\r\n* 1 RECENT\r\n");
	say_compressed(fd, c, "done\r\n");
	hear_compressed(fd, c, "a OK idled\r\n");
	say_compressed(fd, c, "a logout\r\n");
	hear_compressed(fd, c, "* BYE until next time\r\na OK done\r\n");
	server_hear_end(fd);
	close(other);
	compress_free(c);
}

static void things_have_ids(void **state)
{
	int fd = mailbox(2);

	talk(fd, "a status inbox (mailboxid messages)\r\n",
	    "* STATUS \"inbox\" (MESSAGES 2 MAILBOXID (F1))\r\na OK done\r\n");
	until(fd, "a copy 2 inbox\r\n", "a OK");
	talk(fd, "a fetch 1:3 (emailid threadid)\r\n",
	    "* 1 FETCH (EMAILID (M1) THREADID NIL)\r\n* 2 FETCH (EMAILID (M2) THREADID NIL)\r\n"
	    "* 3 FETCH (EMAILID (M2) THREADID NIL)\r\na OK fetched\r\n");
	talk(fd, "a search emailid M2\r\n", "* SEARCH 2 3\r\na OK searched\r\n");
	talk(fd, "a search emailid m2\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a search or threadid T1 emailid M1\r\n", "* SEARCH 1\r\na OK searched\r\n");
	talk(fd, "a create x\r\n", "a OK [MAILBOXID (F2)] created\r\n");
	talk(fd, "a rename x y\r\n", "a OK renamed\r\n");
	until(fd, "a select y\r\n", "* OK [MAILBOXID (F2)] id");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(rev2_answers_differ),
		WITH_SERVER(names_are_utf8_once_enabled),
		WITH_SERVER(messages_with_utf8_headers_are_appended),
		WITH_SERVER(one_connection_serves_several_users),
		WITH_SERVER(dates_of_saving_are_told),
		WITH_SERVER(previews_are_the_first_words),
		cmocka_unit_test(previews_are_short),
		WITH_SERVER(messages_are_replaced),
		WITH_SERVER(a_connection_is_compressed),
		WITH_SERVER(things_have_ids),
	};

	return UNIT_RUN(tests);
}
