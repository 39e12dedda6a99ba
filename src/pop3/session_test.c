/* Conversations with the POP3 server over real sockets. */
#include "lib/server.h"
#include "lib/split.h"
#include "lib/unit.h"

#include <unistd.h>

#include "pop3/pop3.h"

static int notices;

static void notify(void *worker, const struct store_notice *notice)
{
	notices++;
}

static const struct store_host setup = { .store = server_store,
	.login = server_login,
	.find = server_find,
	.notify = notify,
	.login_timeout_ms = 60000,
	.idle_timeout_ms = 600000,
	.max_errors = 20,
	.max_login_failures = 3 };

static int server_begin(void **state)
{
	pop3_init(&setup);
	server_start(&pop3_protocol);
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

static void deliver(const char *content)
{
	struct store_message message = {
		.segment = STORE_NO_SEGMENT, .mailbox = SLICE("INBOX"), .content = slice_of(content)
	};
	struct store *store = server_store_new();
	struct store_result result;
	struct store_notice notice;
	struct error error;
	size_t count;

	assert_true(store_deliver(store, 1, &message, 1, 0, &result, &notice, &count, &error));
	assert_int_equal(result.outcome, STORE_STORED);
	store_free(store);
}

/* Logged in as alice; the greeting says how many messages there are. */
static int client(const char *welcome)
{
	int fd = server_connect();

	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "USER alice\r\n", "+OK and the password?\r\n");
	talk(fd, "PASS secret\r\n", welcome);
	return fd;
}

static void login_is_checked(void **state)
{
	int fd = server_connect();

	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "STAT\r\n", "-ERR log in first\r\n");
	talk(fd, "PASS secret\r\n", "-ERR USER comes first\r\n");
	talk(fd, "USER\r\n", "-ERR expected one space at column 5\r\n");
	talk(fd, "FROG\r\n", "-ERR unknown command\r\n");
	talk(fd, "\r\n", "-ERR expected a command\r\n");
	talk(fd, "USER broken\r\n", "+OK and the password?\r\n");
	talk(fd, "PASS x\r\n", "-ERR [SYS/TEMP] temporary local problem, please try again\r\n");
	talk(fd, "user alice\r\n", "+OK and the password?\r\n");
	talk(fd, "pass secret\r\n", "+OK 0 messages\r\n");
	talk(fd, "USER alice\r\n", "-ERR you are logged in\r\n");
	talk(fd, "QUIT\r\n", "+OK until next time\r\n");
	server_hear_end(fd);
}

static void three_wrong_passwords_end_it(void **state)
{
	int fd = server_connect();

	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "USER alice\r\n", "+OK and the password?\r\n");
	for (int i = 0; i < 3; i++)
		talk(fd, "PASS wrong\r\n", "-ERR [AUTH] wrong name or password\r\n");
	server_hear_end(fd);
}

static void plain_is_taken_with_and_without_initial_response(void **state)
{
	int fd = server_connect();

	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "AUTH\r\n", "+OK mechanisms\r\nPLAIN\r\nLOGIN\r\n.\r\n");
	talk(fd, "AUTH PLAIN\r\n", "+ \r\n");
	talk(fd, "*\r\n", "-ERR called off\r\n");
	talk(fd, "AUTH PLAIN\r\n", "+ \r\n");
	talk(fd, "AGFsaWNlAHNlY3JldA==\r\n", "+OK 0 messages\r\n");
	close(fd);
	fd = server_connect();
	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", "+OK 0 messages\r\n");
	close(fd);
}

static void messages_are_listed_and_read(void **state)
{
	int fd;

	deliver("Subject: one\r\n\r\ntext\r\n");
	deliver("Subject: two\r\n\r\n.dot\r\n..\r\nlast line");
	fd = client("+OK 2 messages\r\n");
	talk(fd, "STAT\r\n", "+OK 2 57\r\n");
	talk(fd, "LIST\r\n", "+OK they follow\r\n1 22\r\n2 35\r\n.\r\n");
	talk(fd, "LIST 2\r\n", "+OK 2 35\r\n");
	talk(fd, "LIST 3\r\n", "-ERR no such message\r\n");
	talk(fd, "LIST x\r\n", "-ERR expected message number at column 6\r\n");
	talk(fd, "LIST 1 2\r\n", "-ERR expected end of line at column 7\r\n");
	talk(fd, "RETR 1\r\n", "+OK 22 octets\r\nSubject: one\r\n\r\ntext\r\n.\r\n");
	talk(fd, "RETR 2\r\n",
	    "+OK 35 octets\r\nSubject: two\r\n\r\n..dot\r\n...\r\nlast line\r\n.\r\n");
	talk(fd, "TOP 2 0\r\n", "+OK the top follows\r\nSubject: two\r\n\r\n.\r\n");
	talk(fd, "TOP 2 1\r\n", "+OK the top follows\r\nSubject: two\r\n\r\n..dot\r\n.\r\n");
	talk(fd, "TOP 2 99\r\n",
	    "+OK the top follows\r\nSubject: two\r\n\r\n..dot\r\n...\r\nlast line\r\n.\r\n");
	talk(fd, "TOP 2\r\n", "-ERR expected one space at column 6\r\n");
	talk(fd, "NOOP\r\n", "+OK done\r\n");
	close(fd);
}

static void deletion_comes_true_at_quit_only(void **state)
{
	struct buf first, again;
	int fd;

	buf_init(&first, 1000);
	buf_init(&again, 1000);
	deliver("Subject: one\r\n\r\n");
	deliver("Subject: two\r\n\r\n");
	fd = client("+OK 2 messages\r\n");
	server_say(fd, "UIDL 2\r\n");
	server_hear_line(fd, "+OK 2 ", &first);
	talk(fd, "DELE 1\r\n", "+OK marked\r\n");
	talk(fd, "DELE 1\r\n", "-ERR marked for deletion\r\n");
	talk(fd, "RETR 1\r\n", "-ERR marked for deletion\r\n");
	talk(fd, "STAT\r\n", "+OK 1 16\r\n");
	talk(fd, "RSET\r\n", "+OK nothing is marked\r\n");
	talk(fd, "STAT\r\n", "+OK 2 32\r\n");
	talk(fd, "DELE 1\r\n", "+OK marked\r\n");
	close(fd); /* without QUIT */
	fd = client("+OK 2 messages\r\n");
	talk(fd, "DELE 1\r\n", "+OK marked\r\n");
	notices = 0;
	talk(fd, "QUIT\r\n", "+OK until next time\r\n");
	server_hear_end(fd);
	assert_int_equal(notices, 2);
	fd = client("+OK 1 messages\r\n");
	server_say(fd, "UIDL 1\r\n");
	server_hear_line(fd, "+OK 1 ", &again);
	assert_true(slice_eq(slice_from(buf_slice(&first), 6), slice_from(buf_slice(&again), 6)));
	close(fd);
	buf_free(&first);
	buf_free(&again);
}

static void long_message_comes_whole(void **state)
{
	size_t length = 2000000, got = 0;
	char *message = malloc(length + 1), piece[4096];
	int fd;

	for (size_t i = 0; i < length; i++)
		message[i] = i % 100000 == 99998 ? '\r' : i % 100000 == 99999 ? '\n' : 'x';
	message[length] = '\0';
	deliver(message);
	fd = client("+OK 1 messages\r\n");
	talk(fd, "RETR 1\r\n", "+OK 2000000 octets\r\n");
	usleep(100000);
	while (got < length) {
		ssize_t n = read(fd, piece, length - got < 4096 ? length - got : 4096);

		assert_true(n > 0 && memcmp(piece, message + got, (size_t)n) == 0);
		got += (size_t)n;
	}
	server_hear(fd, ".\r\n");
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
	server_hear(fd, want);
	server_hear_end(fd);
}

static void every_split_gets_the_same_answers(void **state)
{
	split_every_way(SLICE("AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\nLIST\r\nQUIT\r\n"), in_pieces,
	    "+OK Hauberk ready\r\n+ \r\n+OK 0 messages\r\n+OK they follow\r\n.\r\n"
	    "+OK until next time\r\n");
}

static void languages_and_utf8_are_told(void **state)
{
	int fd = server_connect();

	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "LANG\r\n", "+OK languages\r\nen English\r\ni-default English\r\n.\r\n");
	talk(fd, "LANG en\r\n", "+OK en English\r\n");
	talk(fd, "LANG *\r\n", "+OK en English\r\n");
	talk(fd, "LANG de\r\n", "-ERR answers are in English only; LANG lists what there is\r\n");
	talk(fd, "UTF8 now\r\n", "-ERR expected end of line at column 5\r\n");
	talk(fd, "UTF8\r\n", "+OK UTF-8 it is\r\n");
	talk(fd, "USER alice\r\n", "+OK and the password?\r\n");
	talk(fd, "PASS secret\r\n", "+OK 0 messages\r\n");
	talk(fd, "UTF8\r\n", "-ERR you are logged in\r\n");
	talk(fd, "QUIT\r\n", "+OK until next time\r\n");
	close(fd);
}

static void password_needs_tls(void **state)
{
	int fd;

	pop3_init(&setup);
	server_start_strict(&pop3_protocol);
	fd = server_connect();
	server_hear(fd, "+OK Hauberk ready\r\n");
	talk(fd, "USER alice\r\n", "-ERR start TLS first\r\n");
	talk(fd, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", "-ERR start TLS first\r\n");
	talk(fd, "STLS\r\n", "-ERR no TLS here\r\n");
	talk(fd, "CAPA\r\n",
	    "+OK what there is\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
	    "EXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\nIMPLEMENTATION Hauberk\r\n.\r\n");
	close(fd);
	server_stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, server_begin, server_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(login_is_checked),
		TEST(three_wrong_passwords_end_it),
		TEST(plain_is_taken_with_and_without_initial_response),
		TEST(messages_are_listed_and_read),
		TEST(deletion_comes_true_at_quit_only),
		TEST(long_message_comes_whole),
		TEST(every_split_gets_the_same_answers),
		TEST(languages_and_utf8_are_told),
		cmocka_unit_test(password_needs_tls),
	};

	return UNIT_RUN(tests);
}
