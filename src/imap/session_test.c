/* Conversations with the IMAP server over real sockets. */
#include "lib/server.h"
#include "lib/split.h"
#include "lib/unit.h"

#include <unistd.h>

#include "imap/imap.h"

#define CAPABILITIES                                                                               \
	"CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR IDLE NAMESPACE UNSELECT UIDPLUS MOVE "    \
	"CHILDREN SPECIAL-USE ID ENABLE CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN STATUS=SIZE "   \
	"LIST-EXTENDED LIST-STATUS CREATE-SPECIAL-USE BINARY MULTIAPPEND "                         \
	"SORT SORT=DISPLAY ESORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT "                         \
	"QUOTA QUOTA=RES-STORAGE UTF8=ACCEPT UNAUTHENTICATE SAVEDATE PREVIEW REPLACE OBJECTID"
#define GREETING "* OK [" CAPABILITIES " AUTH=PLAIN AUTH=LOGIN] Hauberk ready\r\n"
#define EMPTY_INBOX                                                                                \
	"* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n"                              \
	"* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*)] kept\r\n"       \
	"* 0 EXISTS\r\n* 0 RECENT\r\n"

static void notify(void *worker, const struct store_notice *notice)
{
	server_notice(store_watch_key(notice->account, notice->mailbox));
}

static int server_begin(void **state)
{
	static const struct store_host setup = { .store = server_store,
		.login = server_login,
		.find = server_find,
		.notify = notify,
		.login_timeout_ms = 60000,
		.idle_timeout_ms = 600000,
		.max_errors = 20,
		.max_login_failures = 3 };

	imap_init(&setup);
	server_start(&imap_protocol);
	return 0;
}

static int server_end(void **state)
{
	server_stop();
	return 0;
}

static void talk(int fd, const char *say, const char *hear)
{
	server_say(fd, say);
	server_hear(fd, hear);
}

/* Logged in as alice. */
static int client(void)
{
	int fd = server_connect();

	server_hear(fd, GREETING);
	talk(fd, "l login alice secret\r\n", "l OK logged in\r\n");
	return fd;
}

static void until(int fd, const char *say, const char *start)
{
	struct buf heard;

	buf_init(&heard, 1 << 20);
	server_say(fd, say);
	server_hear_line(fd, start, &heard);
	buf_free(&heard);
}

static void append(int fd, const char *flags, const char *message)
{
	char command[2000];

	snprintf(command, sizeof command,
	    "p append INBOX %s\"17-Jul-1996 02:44:25 -0700\" {%zu+}\r\n%s\r\n", flags,
	    strlen(message), message);
	until(fd, command, "p OK [APPENDUID ");
}

/* Logged in, with n small messages in a selected INBOX; none is recent. */
static int mailbox(int n)
{
	int fd = client();

	for (int i = 1; i <= n; i++) {
		char message[100];

		snprintf(message, sizeof message,
		    "Subject: number %d\r\nFrom: a@b.test\r\n\r\ntext %d\r\n", i, i);
		append(fd, "", message);
	}
	until(fd, "s select inbox\r\n", "s OK [READ-WRITE]");
	until(fd, "s select inbox\r\n", "s OK [READ-WRITE]");
	return fd;
}

static void login_is_checked(void **state)
{
	int fd = server_connect();

	server_hear(fd, GREETING);
	talk(fd, "a select inbox\r\n", "a BAD log in first\r\n");
	talk(fd, "a login alice wrong\r\n",
	    "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
	talk(fd, "a login broken x\r\n",
	    "a NO [UNAVAILABLE] temporary local problem, please try again\r\n");
	talk(fd, "a login {5}\r\n", "+ go on\r\n");
	talk(fd, "alice {6+}\r\nsecret\r\n", "a OK logged in\r\n");
	talk(fd, "a login alice secret\r\n", "a BAD you are logged in already\r\n");
	talk(fd, "a logout\r\n", "* BYE until next time\r\na OK done\r\n");
	server_hear_end(fd);
}

static void plain_is_taken_with_and_without_initial_response(void **state)
{
	int fd = server_connect();

	server_hear(fd, GREETING);
	talk(fd, "a authenticate plain\r\n", "+ \r\n");
	talk(fd, "*\r\n", "a BAD called off\r\n");
	talk(fd, "a authenticate PLAIN AGFsaWNlAHNlY3JldA==\r\n", "a OK logged in\r\n");
	close(fd);
	fd = server_connect();
	server_hear(fd, GREETING);
	talk(fd, "a authenticate plain\r\n", "+ \r\n");
	talk(fd, "AGFsaWNlAHNlY3JldA==\r\n", "a OK logged in\r\n");
	close(fd);
}

static void three_wrong_passwords_end_it(void **state)
{
	int fd = server_connect();

	server_hear(fd, GREETING);
	for (int i = 0; i < 3; i++)
		talk(fd, "a login alice wrong\r\n",
		    "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
	server_hear(fd, "* BYE too many errors\r\n");
	server_hear_end(fd);
}

static void mistakes_are_explained(void **state)
{
	static const struct {
		const char *say, *hear;
	} cases[] = {
		{ "\r\n", "* BAD expected tag at column 1\r\n" },
		{ "a\r\n", "a BAD expected one space at column 2\r\n" },
		{ "a frobnicate\r\n", "a BAD unknown command\r\n" },
		{ "a uid noop\r\n",
		    "a BAD UID goes with FETCH, SEARCH, SORT, THREAD, STORE, COPY, MOVE, REPLACE, EXPUNGE\r\n" },
		{ "a noop \r\n", "a BAD expected end of line at column 7\r\n" },
		{ "a fetch 1 flags\r\n", "a BAD select a mailbox first\r\n" },
		{ "a select \"x\r\n", "a BAD expected closing '\"' at column 10\r\n" },
		{ "a select\r\n", "a BAD expected one space at column 9\r\n" },
		{ "a select nowhere\r\n", "a NO [NONEXISTENT] no such mailbox\r\n" },
		{ "a login {2000000}\r\n", "a BAD command or literal too long\r\n" },
		{ "a status inbox (messages frogs)\r\n",
		    "a BAD expected status item at column 26\r\n" },
	};
	int fd = client();

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		talk(fd, cases[i].say, cases[i].hear);
	close(fd);
}

static void mailboxes_are_made_listed_and_removed(void **state)
{
	int fd = client();

	until(fd, "a create Entw&APw-rfe/alt\r\n", "a OK [MAILBOXID (F");
	talk(fd, "a create Entw&APw-rfe/alt\r\n", "a NO [ALREADYEXISTS] it is there already\r\n");
	talk(fd, "a create a//b\r\n", "a NO [CANNOT] a level of the name is empty\r\n");
	talk(fd, "a list \"\" %\r\n",
	    "* LIST (\\Noselect \\HasChildren) \"/\" \"Entw&APw-rfe\"\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\na OK done\r\n");
	until(fd, "a create Entw&APw-rfe\r\n", "a OK [MAILBOXID (F");
	talk(fd, "a list \"\" *\r\n",
	    "* LIST (\\HasChildren) \"/\" \"Entw&APw-rfe\"\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"Entw&APw-rfe/alt\"\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\na OK done\r\n");
	talk(fd, "a list \"\" \"\"\r\n", "* LIST (\\Noselect) \"/\" \"\"\r\na OK done\r\n");
	talk(fd, "a subscribe Entw&APw-rfe/alt\r\n", "a OK done\r\n");
	talk(fd, "a lsub \"\" *alt\r\n", "* LSUB () \"/\" \"Entw&APw-rfe/alt\"\r\na OK done\r\n");
	talk(fd, "a rename Entw&APw-rfe neu\r\n", "a OK renamed\r\n");
	talk(fd, "a list neu *\r\n",
	    "* LIST (\\HasChildren) \"/\" \"neu\"\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"neu/alt\"\r\na OK done\r\n");
	talk(fd, "a delete neu/alt\r\n", "a OK deleted\r\n");
	talk(fd, "a delete neu/alt\r\n", "a NO [NONEXISTENT] no such mailbox\r\n");
	talk(fd, "a status inbox (messages unseen size)\r\n",
	    "* STATUS \"inbox\" (MESSAGES 0 UNSEEN 0 SIZE 0)\r\na OK done\r\n");
	talk(fd, "a namespace\r\n", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\na OK done\r\n");
	close(fd);
}

static void message_is_fetched_in_every_form(void **state)
{
	int fd = client();

	append(fd, "(\\Seen $Junk) ",
	    "Subject: hello\r\nFrom: A <a@b.test>\r\nX: y\r\n\r\nfirst line\r\nsecond\r\n");
	until(fd, "s select inbox\r\n", "s OK [READ-WRITE]");
	talk(fd, "a fetch 1 fast\r\n",
	    "* 1 FETCH (FLAGS (\\Seen $Junk \\Recent) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
	    "RFC822.SIZE 64)\r\na OK fetched\r\n");
	talk(fd, "a fetch 1:* (envelope body bodystructure)\r\n",
	    "* 1 FETCH (ENVELOPE (NIL \"hello\" ((\"A\" NIL \"a\" \"b.test\")) "
	    "((\"A\" NIL \"a\" \"b.test\")) ((\"A\" NIL \"a\" \"b.test\")) NIL NIL NIL NIL NIL) "
	    "BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 20 2) "
	    "BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 20 2 "
	    "NIL NIL NIL NIL))\r\na OK fetched\r\n");
	talk(fd, "a uid fetch 1 (body.peek[text]<6.9> body[1] body[header.fields (subject x)])\r\n",
	    "* 1 FETCH (UID 1 BODY[TEXT]<6> {9}\r\nline\r\nsec BODY[1] {20}\r\n"
	    "first line\r\nsecond\r\n BODY[HEADER.FIELDS (subject x)] {24}\r\n"
	    "Subject: hello\r\nX: y\r\n\r\n)\r\na OK fetched\r\n");
	talk(fd, "a fetch 1 (rfc822.header body[2] body[mime])\r\n",
	    "a BAD expected section at column 39\r\n");
	talk(fd, "a fetch 1 (body[2] body[1.mime] body[header.fields.not (from x)])\r\n",
	    "* 1 FETCH (BODY[2] NIL BODY[1.MIME] {44}\r\nSubject: hello\r\nFrom: A <a@b.test>\r\n"
	    "X: y\r\n\r\n BODY[HEADER.FIELDS.NOT (from x)] {18}\r\nSubject: hello\r\n\r\n)\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a fetch 2 flags\r\n", "a BAD there are not so many messages\r\n");
	talk(fd, "a uid fetch 7:* flags\r\n",
	    "* 1 FETCH (UID 1 FLAGS (\\Seen $Junk \\Recent))\r\na OK fetched\r\n");
	close(fd);
}

static void reading_a_body_sets_seen(void **state)
{
	int fd = mailbox(3);

	talk(fd, "a fetch 2 body.peek[text]\r\n",
	    "* 2 FETCH (BODY[TEXT] {8}\r\ntext 2\r\n)\r\na OK fetched\r\n");
	talk(fd, "a fetch 2 body[text]\r\n",
	    "* 2 FETCH (FLAGS (\\Seen) BODY[TEXT] {8}\r\ntext 2\r\n)\r\na OK fetched\r\n");
	talk(fd, "a fetch 1:* flags\r\n",
	    "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (FLAGS ())\r\n"
	    "a OK fetched\r\n");
	until(fd, "s examine inbox\r\n", "s OK [READ-ONLY]");
	talk(fd, "a fetch 1 body[text]\r\n",
	    "* 1 FETCH (BODY[TEXT] {8}\r\ntext 1\r\n)\r\na OK fetched\r\n");
	close(fd);
}

static void flags_are_stored_and_told_once(void **state)
{
	int fd = mailbox(3);

	talk(fd, "a store 1,3 +flags (\\Flagged blue)\r\n",
	    "* 1 FETCH (FLAGS (\\Flagged blue))\r\n* 3 FETCH (FLAGS (\\Flagged blue))\r\n"
	    "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft blue)\r\n"
	    "a OK stored\r\n");
	talk(fd, "a noop\r\n", "a OK done\r\n");
	talk(fd, "a uid store 1 -flags.silent blue\r\n", "a OK stored\r\n");
	talk(fd, "a store 1 flags \\Seen \\Draft\r\n",
	    "* 1 FETCH (FLAGS (\\Seen \\Draft))\r\na OK stored\r\n");
	talk(fd, "a store 1 flags (\\Recent)\r\n",
	    "a BAD expected system flag that can be stored at column 25\r\n");
	talk(fd, "a search keyword blue\r\n", "* SEARCH 3\r\na OK searched\r\n");
	until(fd, "s examine inbox\r\n", "s OK [READ-ONLY]");
	talk(fd, "a store 1 flags ()\r\n", "a NO the mailbox is open for reading only\r\n");
	close(fd);
}

static void search_finds_what_was_asked_for(void **state)
{
	static const struct {
		const char *keys, *found;
	} cases[] = {
		{ "all", " 1 2 3 4" },
		{ "2:3", " 2 3" },
		{ "uid 1,4", " 1 4" },
		{ "uid 9:*", " 4" },
		{ "not 2", " 1 3 4" },
		{ "or 1 (2:* unseen 3)", " 1 3" },
		{ "seen", " 4" },
		{ "unseen 1:*", " 1 2 3" },
		{ "recent", " 4" },
		{ "new", "" },
		{ "old", " 1 2 3" },
		{ "subject \"NUMBER 2\"", " 2" },
		{ "from a@b.test", " 1 2 3" },
		{ "header x-mark \"\"", " 4" },
		{ "header subject {8+}\r\nnumber 3", " 3" },
		{ "body text", " 1 2 3" },
		{ "text number", " 1 2 3" },
		{ "not text number", " 4" },
		{ "larger 45", " 4" },
		{ "smaller 46 seen", "" },
		{ "on 17-Jul-1996", " 1 2 3 4" },
		{ "before 17-Jul-1996", "" },
		{ "since 17-Jul-1996 before 18-Jul-1996", " 1 2 3 4" },
		{ "sentbefore 1-Jan-1995", " 4" },
		{ "senton 1-Feb-1994", " 4" },
		{ "sentsince 1-Jan-1995", " 1 2 3" },
		{ "charset utf-8 subject number", " 1 2 3" },
		{ "unkeyword nothing keyword nothing", "" },
	};
	int fd = mailbox(3);

	append(fd, "(\\Seen) ",
	    "Date: 1 Feb 1994 23:00:00 -0800\r\nX-Mark: yes\r\n\r\nanother one\r\n");
	until(fd, "a noop\r\n", "a OK");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char say[200], hear[200];

		snprintf(say, sizeof say, "a search %s\r\n", cases[i].keys);
		snprintf(hear, sizeof hear, "* SEARCH%s\r\na OK searched\r\n", cases[i].found);
		talk(fd, say, hear);
	}
	talk(fd, "a search charset x all\r\n",
	    "a NO [BADCHARSET (US-ASCII UTF-8)] unknown charset\r\n");
	talk(fd, "a search frog\r\n", "a BAD expected search key at column 10\r\n");
	talk(fd, "a search 9\r\n", "* SEARCH\r\na OK searched\r\n");
	close(fd);
}

static void expunge_renumbers(void **state)
{
	int fd = mailbox(5);

	talk(fd, "a store 2,4:5 +flags.silent \\Deleted\r\n", "a OK stored\r\n");
	talk(fd, "a uid expunge 4\r\n", "* 4 EXPUNGE\r\na OK expunged\r\n");
	talk(fd, "a expunge\r\n", "* 4 EXPUNGE\r\n* 2 EXPUNGE\r\na OK expunged\r\n");
	talk(fd, "a fetch 1:* uid\r\n",
	    "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 3)\r\na OK fetched\r\n");
	talk(fd, "a store 1 +flags.silent \\Deleted\r\n", "a OK stored\r\n");
	talk(fd, "a close\r\n", "a OK closed\r\n");
	talk(fd, "a fetch 1 uid\r\n", "a BAD select a mailbox first\r\n");
	talk(fd, "a status INBOX (messages)\r\n",
	    "* STATUS \"INBOX\" (MESSAGES 1)\r\na OK done\r\n");
	close(fd);
}

static void messages_are_copied_and_moved(void **state)
{
	int fd = mailbox(3);

	talk(fd, "a copy 1 elsewhere\r\n", "a NO [TRYCREATE] no such mailbox\r\n");
	until(fd, "a create elsewhere\r\n", "a OK [MAILBOXID (F");
	until(fd, "a copy 1:2 elsewhere\r\n", "a OK [COPYUID ");
	server_say(fd, "a move 3 elsewhere\r\n");
	until(fd, "", "* OK [COPYUID ");
	server_hear(fd, "* 3 EXPUNGE\r\na OK moved\r\n");
	talk(fd, "a status elsewhere (messages)\r\n",
	    "* STATUS \"elsewhere\" (MESSAGES 3)\r\na OK done\r\n");
	close(fd);
}

static void others_changes_are_told_when_they_may_be(void **state)
{
	int one = mailbox(3), two = client();

	until(two, "s select inbox\r\n", "s OK [READ-WRITE]");
	talk(two, "a store 2 +flags.silent (\\Deleted)\r\n", "a OK stored\r\n");
	talk(one, "a noop\r\n", "* 2 FETCH (UID 2 FLAGS (\\Deleted))\r\na OK done\r\n");
	talk(two, "a expunge\r\n", "* 2 EXPUNGE\r\na OK expunged\r\n");
	/* Message numbers may not change while they are being used. */
	talk(one, "a fetch 1:3 uid\r\n",
	    "* 1 FETCH (UID 1)\r\n* 3 FETCH (UID 3)\r\n"
	    "a NO [EXPUNGEISSUED] some of the messages are gone\r\n");
	talk(one, "a store 3 +flags \\Seen\r\n", "* 3 FETCH (FLAGS (\\Seen))\r\na OK stored\r\n");
	talk(one, "a search all\r\n", "* SEARCH 1 3\r\na OK searched\r\n");
	talk(one, "a uid fetch 1 uid\r\n", "* 1 FETCH (UID 1)\r\n* 2 EXPUNGE\r\na OK fetched\r\n");
	append(two, "", "Subject: new\r\n\r\nx\r\n");
	talk(one, "a noop\r\n", "* 3 EXISTS\r\na OK done\r\n");
	close(one);
	close(two);
}

static void idle_hears_of_changes_at_once(void **state)
{
	int one = mailbox(2), two = client();

	talk(one, "a idle\r\n", "+ idling\r\n");
	append(two, "", "Subject: new\r\n\r\nx\r\n");
	server_hear(one, "* 3 EXISTS\r\n* 1 RECENT\r\n");
	until(two, "s select inbox\r\n", "s OK [READ-WRITE]");
	talk(two, "a store 1 flags.silent \\Deleted\r\n", "a OK stored\r\n");
	server_hear(one, "* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n");
	talk(two, "a expunge\r\n", "* 1 EXPUNGE\r\na OK expunged\r\n");
	server_hear(one, "* 1 EXPUNGE\r\n");
	talk(one, "done\r\n", "a OK idled\r\n");
	talk(one, "a idle\r\n", "+ idling\r\n");
	talk(one, "frog\r\n", "a BAD expected DONE\r\n");
	close(one);
	close(two);
}

static void deleted_mailbox_ends_the_session(void **state)
{
	int one = client(), two = client();

	until(one, "a create x\r\n", "a OK [MAILBOXID (F");
	until(one, "a select x\r\n", "a OK");
	talk(two, "a delete x\r\n", "a OK deleted\r\n");
	talk(one, "a noop\r\n", "* BYE the mailbox was deleted\r\n");
	server_hear_end(one);
	close(two);
}

static void long_answer_comes_whole_to_a_slow_reader(void **state)
{
	size_t length = 900000, got = 0;
	char *message = malloc(length + 1), piece[4096], command[100];
	int fd = client();

	for (size_t i = 0; i < length; i++)
		message[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
	message[0] = message[1] = 'X';
	message[length] = '\0';
	snprintf(command, sizeof command, "p append INBOX {%zu+}\r\n", length);
	server_say(fd, command);
	server_say(fd, message);
	until(fd, "\r\n", "p OK [APPENDUID");
	until(fd, "s select inbox\r\n", "s OK [READ-WRITE]");
	server_say(fd, "a fetch 1 (body.peek[] body.peek[] body.peek[])\r\n");
	usleep(200000);
	server_hear(fd, "* 1 FETCH (BODY[] {900000}\r\n");
	while (got < length) {
		ssize_t n = read(fd, piece, length - got < 4096 ? length - got : 4096);

		assert_true(n > 0 && memcmp(piece, message + got, (size_t)n) == 0);
		got += (size_t)n;
	}
	close(fd);
	free(message);
}

static void in_pieces(void *want, const slice *pieces, size_t n)
{
	int fd = server_connect();

	for (size_t i = 0; i < n; i++) {
		char text[2000];

		snprintf(text, sizeof text, "%.*s", SLICE_ARG(pieces[i]));
		server_say(fd, text);
	}
	server_hear(fd, GREETING);
	server_hear(fd, want);
	server_hear_end(fd);
}

static void every_split_gets_the_same_answers(void **state)
{
	split_every_way(SLICE("a login {5}\r\nalice {6+}\r\nsecret\r\nb noop\r\nc logout\r\n"),
	    in_pieces,
	    "+ go on\r\na OK logged in\r\nb OK done\r\n* BYE until next time\r\nc OK done\r\n");
}

static void empty_mailbox_is_no_special_case(void **state)
{
	int fd = client();

	server_say(fd, "s select inbox\r\n");
	server_hear(fd, EMPTY_INBOX);
	until(fd, "", "s OK [READ-WRITE]");
	talk(fd, "a fetch 1:* flags\r\n", "a OK fetched\r\n");
	talk(fd, "a uid fetch 1:* flags\r\n", "a OK fetched\r\n");
	talk(fd, "a search all\r\n", "* SEARCH\r\na OK searched\r\n");
	talk(fd, "a expunge\r\n", "a OK expunged\r\n");
	talk(fd, "a fetch 1 flags\r\n", "a BAD there are not so many messages\r\n");
	close(fd);
}

static void password_needs_tls(void **state)
{
	static const struct store_host setup = { .store = server_store,
		.login = server_login,
		.find = server_find,
		.notify = notify,
		.login_timeout_ms = 60000,
		.idle_timeout_ms = 600000,
		.max_errors = 20,
		.max_login_failures = 3 };
	int fd;

	imap_init(&setup);
	server_start_strict(&imap_protocol);
	fd = server_connect();
	until(fd, "", "* OK [CAPABILITY");
	talk(fd, "a login alice secret\r\n", "a NO [PRIVACYREQUIRED] start TLS first\r\n");
	talk(fd, "a authenticate plain AGFsaWNlAHNlY3JldA==\r\n",
	    "a NO [PRIVACYREQUIRED] start TLS first\r\n");
	talk(fd, "a starttls\r\n", "a NO [CANNOT] no TLS here\r\n");
	talk(fd, "a capability\r\n", "* " CAPABILITIES " LOGINDISABLED\r\na OK done\r\n");
	close(fd);
	server_stop();
}

#define ID_ANSWER "* ID (\"name\" \"Hauberk\" \"version\" \"" HAUBERK_VERSION "\")\r\na OK done\r\n"

static void id_is_answered_before_and_after_the_login(void **state)
{
	static const char *const good[] = { "NIL", "nil", "()",
		"(\"name\" \"mutt\" \"version\" \"2.2\")", "(\"name\" NIL)",
		"({4+}\r\nname {3+}\r\na\r\n)", "(\"os\" \"a\\\"b\" \"x-mine\" \"\")" };
	int fd = server_connect();
	char command[200];

	server_hear(fd, GREETING);
	for (int logged_in = 0; logged_in < 2; logged_in++) {
		for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
			snprintf(command, sizeof command, "a id %s\r\n", good[i]);
			talk(fd, command, ID_ANSWER);
		}
		if (!logged_in)
			talk(fd, "l login alice secret\r\n", "l OK logged in\r\n");
	}
	close(fd);
}

/* "(" and n pairs whose field names have so many octets, and values so many. */
static void say_pairs(int fd, int n, int field, int value)
{
	struct buf command;

	buf_init(&command, 100000);
	buf_adds(&command, "a ID (");
	for (int i = 0; i < n; i++)
		buf_addf(&command, "%s\"%0*d\" \"%0*d\"", i ? " " : "", field, i, value, 0);
	buf_adds(&command, ")\r\n");
	server_say(fd, command.p);
	buf_free(&command);
}

static void id_takes_what_the_rfc_allows_and_no_more(void **state)
{
	static const struct {
		int pairs, field, value;
		const char *says;
	} cases[] = {
		{ 30, 30, 100, ID_ANSWER },
		{ 31, 30, 100, "a BAD more than 30 fields\r\n" },
		{ 1, 30, 1024, ID_ANSWER },
		{ 1, 31, 1, "a BAD a field name is longer than 30 octets\r\n" },
		{ 1, 1, 1025, "a BAD a value is longer than 1024 octets\r\n" },
	};
	int fd = server_connect();

	server_hear(fd, GREETING);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		say_pairs(fd, cases[i].pairs, cases[i].field, cases[i].value);
		server_hear(fd, cases[i].says);
	}
	talk(fd, "a id (\"name\")\r\n", "a BAD a field has no value\r\n");
	talk(fd, "a id (\"a\" \"b\" \"c\")\r\n", "a BAD a field has no value\r\n");
	talk(fd, "a id (\"a\" \"b\" \"A\" \"c\")\r\n", "a BAD a field is given twice\r\n");
	talk(fd, "a id\r\n", "a BAD expected one space at column 5\r\n");
	talk(fd, "a id name\r\n", "a BAD expected '(' or NIL at column 6\r\n");
	talk(fd, "a id (name \"x\")\r\n", "a BAD expected string at column 7\r\n");
	talk(fd, "a id (\"a\" x)\r\n", "a BAD expected string at column 11\r\n");
	talk(fd, "a id (\"a\" \"b\"\r\n", "a BAD expected ')' at column 14\r\n");
	talk(fd, "a id NIL NIL\r\n", "a BAD expected end of line at column 9\r\n");
	talk(fd, "a noop\r\n", "a OK done\r\n");
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_begin, server_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(login_is_checked),
		TEST(plain_is_taken_with_and_without_initial_response),
		TEST(three_wrong_passwords_end_it),
		TEST(id_is_answered_before_and_after_the_login),
		TEST(id_takes_what_the_rfc_allows_and_no_more),
		TEST(mistakes_are_explained),
		TEST(mailboxes_are_made_listed_and_removed),
		TEST(empty_mailbox_is_no_special_case),
		TEST(message_is_fetched_in_every_form),
		TEST(reading_a_body_sets_seen),
		TEST(flags_are_stored_and_told_once),
		TEST(search_finds_what_was_asked_for),
		TEST(expunge_renumbers),
		TEST(messages_are_copied_and_moved),
		TEST(others_changes_are_told_when_they_may_be),
		TEST(idle_hears_of_changes_at_once),
		TEST(deleted_mailbox_ends_the_session),
		TEST(long_answer_comes_whole_to_a_slow_reader),
		TEST(every_split_gets_the_same_answers),
		cmocka_unit_test(password_needs_tls),
	};

	return UNIT_RUN(tests);
}
