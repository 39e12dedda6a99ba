/* What clients that know extensions ask for: ESEARCH, SEARCHRES, WITHIN, CONDSTORE, decoded searches. */
#include "lib/imap_fixture.h"

static void search_returns_what_was_asked_for(void **state)
{
	int fd = mailbox(6);

	talk(fd, "a store 4 +flags.silent \\Deleted\r\n", "a OK stored\r\n");
	talk(fd, "a expunge\r\n", "* 4 EXPUNGE\r\na OK expunged\r\n");
	talk(
	    fd, "a search return () all\r\n", "* ESEARCH (TAG \"a\") ALL 1:5\r\na OK searched\r\n");
	talk(fd, "a uid search return (count all max min) charset utf-8 2:*\r\n",
	    "* ESEARCH (TAG \"a\") UID MIN 2 MAX 6 COUNT 4 ALL 2:3,5:6\r\na OK searched\r\n");
	talk(fd, "a search return (min count) 900\r\n",
	    "* ESEARCH (TAG \"a\") COUNT 0\r\na OK searched\r\n");
	talk(fd, "a search return (most) all\r\n",
	    "a BAD expected search return option at column 18\r\n");
	talk(fd, "a search return min all\r\n", "a BAD expected '(' at column 17\r\n");
	close(fd);
}

static void result_is_kept_for_later_commands(void **state)
{
	int fd = mailbox(5);

	talk(fd, "a search $\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a search return (save) 2:4\r\n", "a OK searched and kept\r\n");
	talk(fd, "a fetch $ uid\r\n",
	    "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\na OK fetched\r\n");
	talk(fd, "a uid search return (count save) uid $ not 3\r\n",
	    "* ESEARCH (TAG \"a\") UID COUNT 2\r\na OK searched\r\n");
	talk(fd, "a search frog\r\n", "a BAD expected search key at column 10\r\n");
	talk(fd, "a store $ +flags (\\Deleted)\r\n",
	    "* 2 FETCH (FLAGS (\\Deleted))\r\n* 4 FETCH (FLAGS (\\Deleted))\r\na OK stored\r\n");
	talk(fd, "a expunge\r\n", "* 4 EXPUNGE\r\n* 2 EXPUNGE\r\na OK expunged\r\n");
	talk(fd, "a search $\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a search return (save min max) all\r\n",
	    "* ESEARCH (TAG \"a\") MIN 1 MAX 3\r\na OK searched\r\n");
	talk(fd, "a uid search $\r\n", "* SEARCH 1 5\r\na OK searched\r\n");
	talk(fd, "a search return (save) charset x all\r\n",
	    "a NO [BADCHARSET (US-ASCII UTF-8)] unknown charset\r\n");
	talk(fd, "a search $\r\n", "* SEARCH\r\na OK searched\r\n");
	close(fd);
}

static void age_is_told_in_seconds(void **state)
{
	int fd = mailbox(1);

	talk(fd, "a search younger 3600\r\n", "* SEARCH 1\r\na OK searched\r\n");
	talk(fd, "a search older 3600\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a search older 0\r\n",
	    "a BAD expected number from 1 to 4294967295 at column 17\r\n");
	close(fd);
}

static void find(int fd, const char *keys, const char *found)
{
	char say[300], hear[100];

	snprintf(say, sizeof say, "a search charset utf-8 %s\r\n", keys);
	snprintf(hear, sizeof hear, "* SEARCH%s\r\na OK searched\r\n", found);
	talk(fd, say, hear);
}

static void encodings_are_undone_before_it_is_searched(void **state)
{
	int fd = mailbox(1);

	append(fd,
	    "Subject: =?iso-8859-15?q?Gr=FC=DFe_f=FCr_5_=A4?=\r\n"
	    "From: =?utf-8?b?w4RybmU=?= <a@b.test>\r\nTo: c@d.test (comment)\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\nein =C3=9Cber=\r\nfall\r\n");
	append(fd,
	    "Subject: two\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n"
	    "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n"
	    "\r\n8NLJ18XU\r\n--x\r\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A4?=\"\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\naGlkZGVu\r\n--x--\r\n");
	until(fd, "a noop\r\n", "a OK");
	find(fd,
	    "subject {8+}\r\nGR\xc3\x9c\xc3\x9f"
	    "E ",
	    " 2");
	find(fd,
	    "subject {7+}\r\nGR\xc3\x9c\xc3\x9f"
	    "E",
	    " 2");
	find(fd, "subject {3+}\r\n\xe2\x82\xac", " 2");
	find(fd, "header subject {3+}\r\n\xe2\x82\xac", " 2");
	find(fd, "from {5+}\r\n\xc3\xa4RNE", " 2");
	find(fd, "from \"<a@B.test>\"", " 2");
	find(fd, "to c@d.test", " 2");
	find(fd, "to comment", " 2");
	find(fd,
	    "body {9+}\r\n\xc3\xbc"
	    "berfall",
	    " 2");
	find(fd, "text {7+}\r\n5 \xe2\x82\xac\xd0\xb0", "");
	find(fd, "body {12+}\r\n\xd0\xbf\xd1\x80\xd0\xb8\xd0\x92\xd0\x95\xd0\xa2", " 3");
	find(fd, "text {2+}\r\n\xc3\x84", " 2 3");
	find(fd, "body two", "");
	find(fd, "text two", " 3");
	find(fd, "text hidden", "");
	close(fd);
}

/* Fields of so many octets in all, then one more, then a long body. */
static void append_long_header(int fd, size_t octets)
{
	struct buf message, command;

	buf_init(&message, 1 << 20);
	buf_init(&command, 2 << 20);
	while (message.n < octets)
		buf_adds(
		    &message, "X-Long: 01234567890123456789012345678901234567890123456789\r\n");
	buf_adds(&message, "X-Last: here\r\n\r\n");
	for (int i = 0; i < 10000; i++)
		buf_adds(&message, "X-Body: there\r\n");
	buf_addf(&command, "p append INBOX {%zu+}\r\n", message.n);
	buf_add(&command, buf_slice(&message));
	buf_adds(&command, "\r\n");
	buf_addc(&command, '\0');
	until(fd, command.p, "p OK [APPENDUID ");
	buf_free(&message);
	buf_free(&command);
}

static void headers_are_searched_alone_however_long(void **state)
{
	int fd = mailbox(1);

	append_long_header(fd, 0);
	append_long_header(fd, 16 * 1024);
	append_long_header(fd, 100000);
	until(fd, "a noop\r\n", "a OK");
	find(fd, "header x-last HERE", " 2 3 4");
	find(fd, "header x-body there", "");
	find(fd, "header subject number", " 1");
	find(fd, "or header x-long 1 body there", " 2 3 4");
	find(fd, "body there header x-last here", " 2 3 4");
	close(fd);
}

static void cases_are_those_of_unicode(void **state)
{
	int fd = mailbox(1);

	append(fd,
	    "Subject: \xc3\x9f \xc8\xba \xff\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	    "\xe1\xbd\x88\xce\xb4\xcf\x85\xcf\x83\xcf\x83\xce\xb5\xcf\x8d\xcf\x82 "
	    "\xe1\x83\x90 \xe2\x84\xa6 end\r\n");
	until(fd, "a noop\r\n", "a OK");
	/* Capital sharp s; capital sigma is also the one at the end of words; Ohm is Omega; Georgian. */
	find(fd, "subject {3+}\r\n\xe1\xba\x9e", " 2");
	find(fd, "subject {2+}\r\n\xc8\xba", " 2");
	find(fd, "text {2+}\r\n\xc8\xba", " 2");
	find(fd, "body {6+}\r\n\xce\x95\xce\x8e\xce\xa3", " 2");
	find(fd, "body {3+}\r\n\xe1\xb2\x90", " 2");
	find(fd, "body {6+}\r\n\xcf\x89 END", " 2");
	find(fd, "body {2+}\r\n\xc8\xba", "");
	close(fd);
}

static void clients_that_know_modseqs_are_told_them(void **state)
{
	int fd = mailbox(3), other = server_connect();

	until(other, "l login alice secret\r\n", "l OK");
	until(other, "s select inbox (condstore)\r\n", "* OK [HIGHESTMODSEQ ");
	until(other, "", "s OK [READ-WRITE]");
	talk(fd, "a enable condstore x-none\r\n", "* ENABLED CONDSTORE\r\na OK done\r\n");
	talk(fd, "a enable condstore\r\n", "* ENABLED\r\na OK done\r\n");
	talk(fd, "a enable \r\n", "a BAD expected capability at column 10\r\n");
	talk(fd, "a fetch 1:* modseq\r\n",
	    "* 1 FETCH (MODSEQ (2))\r\n* 2 FETCH (MODSEQ (3))\r\n* 3 FETCH (MODSEQ (4))\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a store 2 flags \\Flagged\r\n",
	    "* 2 FETCH (FLAGS (\\Flagged) MODSEQ (5))\r\na OK stored\r\n");
	talk(
	    other, "a noop\r\n", "* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (5))\r\na OK done\r\n");
	talk(fd, "a uid store 1:3 (unchangedsince 4) +flags.silent (\\Seen)\r\n",
	    "* 1 FETCH (UID 1 MODSEQ (6))\r\n* 3 FETCH (UID 3 MODSEQ (6))\r\n"
	    "a OK [MODIFIED 2] some were changed by others\r\n");
	talk(fd, "a fetch 1:* (flags) (changedsince 5)\r\n",
	    "* 1 FETCH (MODSEQ (6) FLAGS (\\Seen))\r\n* 3 FETCH (MODSEQ (6) FLAGS (\\Seen))\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a fetch 2 body[text]\r\n",
	    "* 2 FETCH (FLAGS (\\Seen \\Flagged) MODSEQ (7) BODY[TEXT] {8}\r\ntext 2\r\n)\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a search modseq 7\r\n", "* SEARCH 2 (MODSEQ 7)\r\na OK searched\r\n");
	talk(fd, "a search return (min count) modseq \"/flags/\\\\seen\" all 6\r\n",
	    "* ESEARCH (TAG \"a\") MIN 1 COUNT 3 MODSEQ 7\r\na OK searched\r\n");
	talk(fd, "a search return (min) modseq 6\r\n",
	    "* ESEARCH (TAG \"a\") MIN 1 MODSEQ 6\r\na OK searched\r\n");
	talk(fd, "a status inbox (highestmodseq)\r\n",
	    "* STATUS \"inbox\" (HIGHESTMODSEQ 7)\r\na OK done\r\n");
	talk(fd, "a fetch 1 flags (since 3)\r\n",
	    "a BAD expected CHANGEDSINCE or VANISHED at column 18\r\n");
	talk(fd, "a select inbox (frog)\r\n",
	    "a BAD expected CONDSTORE or QRESYNC at column 17\r\n");
	close(fd);
	close(other);
}

static void only_one_session_is_told_that_a_message_is_recent(void **state)
{
	int one = mailbox(1), two = server_connect();

	until(two, "l login alice secret\r\n", "l OK");
	append(two, "Subject: new\r\n\r\nx\r\n");
	talk(two, "a status inbox (recent messages)\r\n",
	    "* STATUS \"inbox\" (MESSAGES 2 RECENT 1)\r\na OK done\r\n");
	until(two, "a examine inbox\r\n", "* 1 RECENT");
	until(two, "", "a OK");
	talk(one, "a noop\r\n", "* 2 EXISTS\r\n* 1 RECENT\r\na OK done\r\n");
	talk(one, "a fetch 1:2 flags\r\n",
	    "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS (\\Recent))\r\na OK fetched\r\n");
	until(two, "a select inbox\r\n", "* 0 RECENT");
	until(two, "", "a OK");
	talk(two, "a search new\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(one, "a search new\r\n", "* SEARCH 2\r\na OK searched\r\n");
	close(one);
	close(two);
}

static void list_selects_and_returns(void **state)
{
	int fd = mailbox(0);

	until(fd, "a create a/b (use (\\sent \\archive))\r\n", "a OK [MAILBOXID (F");
	talk(fd, "a create x (use (\\all))\r\n", "a NO [USEATTR] no mailbox can have that use\r\n");
	talk(fd, "a create x (frog)\r\n", "a BAD expected USE ( at column 13\r\n");
	until(fd, "a create a.c\r\n", "a OK [MAILBOXID (F");
	until(fd, "a create d/e\r\n", "a OK [MAILBOXID (F");
	talk(fd, "a subscribe a/b\r\n", "a OK done\r\n");
	talk(fd, "a subscribe d/e\r\n", "a OK done\r\n");
	talk(fd, "a delete d/e\r\n", "a OK deleted\r\n");
	talk(fd, "a list \"\" %\r\n",
	    "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n"
	    "* LIST (\\Noselect \\HasChildren) \"/\" \"a\"\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"a.c\"\r\na OK done\r\n");
	talk(fd, "a list (subscribed) \"\" (a* d*)\r\n",
	    "* LIST (\\HasNoChildren \\Subscribed \\Sent \\Archive) \"/\" \"a/b\"\r\n"
	    "* LIST (\\NonExistent \\Subscribed) \"/\" \"d/e\"\r\na OK done\r\n");
	talk(fd, "a list (recursivematch subscribed) \"\" % return (status (messages))\r\n",
	    "* LIST (\\NonExistent \\HasChildren) \"/\" \"a\" (CHILDINFO (\"SUBSCRIBED\"))\r\n"
	    "* LIST (\\NonExistent) \"/\" \"d\" (CHILDINFO (\"SUBSCRIBED\"))\r\na OK done\r\n");
	talk(fd, "a list (special-use) \"\" * return (subscribed status (messages uidnext))\r\n",
	    "* LIST (\\HasNoChildren \\Subscribed \\Sent \\Archive) \"/\" \"a/b\"\r\n"
	    "* STATUS \"a/b\" (MESSAGES 0 UIDNEXT 1)\r\na OK done\r\n");
	talk(fd, "a lsub \"\" *\r\n",
	    "* LSUB () \"/\" \"a/b\"\r\n* LSUB () \"/\" \"d/e\"\r\na OK done\r\n");
	talk(fd, "a unsubscribe d/e\r\n", "a OK done\r\n");
	talk(fd, "a unsubscribe d/e\r\n", "a NO [NONEXISTENT] no such mailbox\r\n");
	talk(fd, "a lsub \"\" %\r\n", "* LSUB (\\Noselect) \"/\" \"a\"\r\na OK done\r\n");
	talk(fd, "a list (recursivematch) \"\" %\r\n",
	    "a BAD expected an option for RECURSIVEMATCH to go with at column 8\r\n");
	close(fd);
}

static void parts_are_fetched_without_their_encoding(void **state)
{
	int fd = mailbox(0);

	append(fd,
	    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nAGIAYw==\r\n--x\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n--x\r\n"
	    "Content-Transfer-Encoding: x-own\r\n\r\nyou\r\n--x--\r\n");
	until(fd, "a noop\r\n", "a OK");
	server_say(
	    fd, "a fetch 1 (binary.peek[1]<1.9> binary.size[1] binary.peek[2] binary.peek[9])\r\n");
	server_hear(fd, "* 1 FETCH (BINARY[1]<1> ~{3}\r\nb");
	close(fd);
	fd = mailbox(0);
	talk(fd, "a fetch 1 (binary.size[1] binary.peek[2] binary.peek[9] binary.peek[2]<1.1>)\r\n",
	    "* 1 FETCH (BINARY.SIZE[1] 4 BINARY[2] {3}\r\na=b BINARY[9] NIL BINARY[2]<1> {1}\r\n=)\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a fetch 1 binary.peek[3]\r\n",
	    "* 1 FETCH (BINARY[3] NIL)\r\na NO [UNKNOWN-CTE] an encoding is not known\r\n");
	talk(fd, "a fetch 1 binary[1.mime]\r\n",
	    "a BAD expected part numbers only at column 25\r\n");
	talk(fd, "a fetch 1 binary[2]\r\n",
	    "* 1 FETCH (FLAGS (\\Seen) BINARY[2] {3}\r\na=b)\r\na OK fetched\r\n");
	close(fd);
}

static void several_messages_are_appended_at_once(void **state)
{
	int fd = mailbox(1);

	until(fd, "a append INBOX (\\Seen) {10+}\r\nA: b\r\n\r\nx\r {9+}\r\nA: c\r\n\r\ny\r\n",
	    "a OK [APPENDUID ");
	talk(fd, "a fetch 2:* (flags rfc822)\r\n",
	    "* 2 FETCH (FLAGS (\\Seen \\Recent) RFC822 {11}\r\nA: b\r\n\r\nx\r\n)\r\n"
	    "* 3 FETCH (FLAGS (\\Seen \\Recent) RFC822 {9}\r\nA: c\r\n\r\ny)\r\na OK fetched\r\n");
	/* All or none. */
	talk(fd, "a append INBOX {3+}\r\nabc {3+}\r\nabc (\r\n",
	    "a BAD expected flag at column 37\r\n");
	talk(fd, "a append nowhere {3+}\r\nabc {3+}\r\nabc\r\n",
	    "a NO [TRYCREATE] no such mailbox\r\n");
	talk(fd, "a status inbox (messages)\r\n",
	    "* STATUS \"inbox\" (MESSAGES 3)\r\na OK done\r\n");
	until(fd,
	    "a append INBOX ~{56+}\r\nA: b\r\nContent-Transfer-Encoding: binary\r\nD: e\r\n\r\nx\ny\r\nz\xff\r\n",
	    "a OK [APPENDUID ");
	talk(fd, "a fetch 4 (body.peek[] binary.size[1])\r\n",
	    "* 4 FETCH (BODY[] {61}\r\nA: b\r\nContent-Transfer-Encoding: base64\r\nD: e\r\n\r\n"
	    "eAp5DQp6/w== BINARY.SIZE[1] 7)\r\na OK fetched\r\n");
	close(fd);
}

static void messages_are_sorted_and_threaded(void **state)
{
	int fd = mailbox(0);

	append(fd,
	    "Date: 3 Jan 2020 00:00:00 +0000\r\nFrom: Zoe <a@x>\r\nSubject: beta\r\n"
	    "Message-ID: <1@x>\r\n\r\nlonger text\r\n");
	append(fd,
	    "Date: 1 Jan 2020 00:00:00 +0000\r\nFrom: =?utf-8?q?=C3=84da?= <c@x>\r\n"
	    "Subject: Re: Alpha\r\nMessage-ID: <2@x>\r\n\r\n\r\n");
	append(fd,
	    "Date: 2 Jan 2020 00:00:00 +0000\r\nFrom: b@x\r\nSubject: =?utf-8?q?ALPHA?=\r\n"
	    "References: <1@x>\r\n\r\n\r\n");
	until(fd, "a noop\r\n", "a OK");
	talk(fd, "a sort (date) utf-8 all\r\n", "* SORT 2 3 1\r\na OK sorted\r\n");
	talk(fd, "a uid sort (subject reverse date) us-ascii all\r\n",
	    "* SORT 3 2 1\r\na OK sorted\r\n");
	talk(fd, "a sort (from) utf-8 not 3\r\n", "* SORT 1 2\r\na OK sorted\r\n");
	talk(fd, "a sort (displayfrom) utf-8 all\r\n", "* SORT 3 1 2\r\na OK sorted\r\n");
	talk(fd, "a sort (reverse size arrival cc to displayto) utf-8 all\r\n",
	    "* SORT 2 1 3\r\na OK sorted\r\n");
	talk(fd, "a sort return (all count min max) (date) utf-8 all\r\n",
	    "* ESEARCH (TAG \"a\") MIN 2 MAX 1 COUNT 3 ALL 2:3,1\r\na OK sorted\r\n");
	talk(fd, "a sort (date) utf-8 9\r\n", "* SORT\r\na OK sorted\r\n");
	talk(fd, "a sort (date) koi8-r all\r\n",
	    "a NO [BADCHARSET (US-ASCII UTF-8)] unknown charset\r\n");
	talk(fd, "a sort (frog) utf-8 all\r\n", "a BAD expected sort criterion at column 9\r\n");
	talk(fd, "a thread references utf-8 all\r\n", "* THREAD (2)(1 3)\r\na OK threaded\r\n");
	talk(fd, "a uid thread orderedsubject utf-8 all\r\n",
	    "* THREAD (2 3)(1)\r\na OK threaded\r\n");
	talk(fd, "a thread refs utf-8 9\r\n",
	    "a BAD expected REFERENCES or ORDEREDSUBJECT at column 10\r\n");
	talk(fd, "a thread references utf-8 9\r\n", "* THREAD\r\na OK threaded\r\n");
	close(fd);
}

static void a_full_account_takes_nothing_more(void **state)
{
	int fd = mailbox(2);

	talk(fd, "a getquotaroot inbox\r\n", "* QUOTAROOT \"inbox\"\r\na OK done\r\n");
	talk(fd, "a getquota account\r\n", "* QUOTA \"account\" ()\r\na OK done\r\n");
	quota = 2048;
	talk(fd, "a getquotaroot inbox\r\n",
	    "* QUOTAROOT \"inbox\" \"account\"\r\n* QUOTA \"account\" (STORAGE 1 2)\r\na OK done\r\n");
	talk(fd, "a getquota user\r\n", "a NO [NONEXISTENT] no such quota root\r\n");
	until(fd, "a copy 1 inbox\r\n", "a OK [COPYUID ");
	quota = 100;
	talk(fd, "a append inbox {20+}\r\n12345678901234567890\r\n",
	    "a NO [OVERQUOTA] the account is full\r\n");
	talk(fd, "a copy 2 inbox\r\n", "a NO [OVERQUOTA] the account is full\r\n");
	until(fd, "a move 2 inbox\r\n", "a OK");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(search_returns_what_was_asked_for),
		WITH_SERVER(result_is_kept_for_later_commands),
		WITH_SERVER(age_is_told_in_seconds),
		WITH_SERVER(encodings_are_undone_before_it_is_searched),
		WITH_SERVER(headers_are_searched_alone_however_long),
		WITH_SERVER(cases_are_those_of_unicode),
		WITH_SERVER(clients_that_know_modseqs_are_told_them),
		WITH_SERVER(list_selects_and_returns),
		WITH_SERVER(parts_are_fetched_without_their_encoding),
		WITH_SERVER(several_messages_are_appended_at_once),
		WITH_SERVER(messages_are_sorted_and_threaded),
		WITH_SERVER(a_full_account_takes_nothing_more),
		WITH_SERVER(only_one_session_is_told_that_a_message_is_recent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
