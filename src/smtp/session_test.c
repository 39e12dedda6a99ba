/* SMTP on a real reactor: a directory with alice, a spool whose queue is absent, a role auth of one
 * function. */
#include "lib/server.h"
#include "lib/split.h"
#include "lib/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "directory/directory.h"
#include "net/ask.h"
#include "queue/record.h"
#include "smtp/smtp.h"

/* ---- a disk whose syncs can be kept waiting ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int syncs_begun, syncs_done;

/* In place of the C library's. */
int fdatasync(int fd)
{
	syncs_begun++;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	int result = (int)syscall(SYS_fdatasync, fd);
	syncs_done++;
	return result;
}

/* ---- the role auth ---- */

static void answer_password(struct call *call)
{
	uint64_t account = message_get_number(&call->in);
	bool right = slice_eq(message_get_text(&call->in), SLICE("secret"));
	struct message m;

	message_begin(&m, MESSAGE_VERIFY_PASSWORD);
	message_put_number(&m, account && right);
	call_reply(call, &m);
	message_free(&m);
}

/* ---- the server ---- */

static struct smtp_conf conf = { .hostname = "mx.test",
	.max_message = 100000,
	.max_recipients = 3,
	.max_hops = 30,
	.command_timeout_ms = 5000,
	.data_timeout_ms = 5000,
	.data_rate = 1 };
static struct peers *asking, *authority;
static pthread_t loops[2];
static char directory_path[200], spool_path[200], log_path[200];

static void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

static void start_peers(void)
{
	static const struct service services[] = { { MESSAGE_VERIFY_PASSWORD, ROLE_BIT(ROLE_SMTP),
	    answer_password } };
	int one, two;

	asking = peers_new(ROLE_SMTP, 0, NULL, 0);
	authority = peers_new(ROLE_AUTH, 0, services, 1);
	assert_true(channel_pair(&one, &two));
	peers_add(asking, ROLE_AUTH, 0, one);
	peers_add(authority, ROLE_SMTP, 0, two);
	pthread_create(&loops[0], NULL, run, asking);
	pthread_create(&loops[1], NULL, run, authority);
	ask_init(asking);
}

static void fill_directory(void)
{
	struct directory *dir;
	struct error error;
	int64_t id;

	assert_true(directory_open(directory_path, true, &dir, &error));
	assert_true(directory_domain_add(dir, SLICE("our.test"), &id, &error));
	assert_true(directory_domain_add(dir, SLICE("mx.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("alice"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("bob"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("carol"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("dave"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("gone"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_enable(dir, SLICE("gone"), SLICE("our.test"), false, &error));
	assert_true(directory_account_add(dir, SLICE("postmaster"), SLICE("mx.test"), &id, &error));
	directory_close(dir);
}

static int set_up(void **state)
{
	struct error error;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	start_peers();
	smtp_init(&conf);
	server_start_workers(&smtp_protocol, smtp_worker_start, smtp_worker_stop);
	snprintf(directory_path, sizeof directory_path, "%s/directory.db", server_root());
	snprintf(spool_path, sizeof spool_path, "%s/spool", server_root());
	snprintf(log_path, sizeof log_path, "%s/log", server_root());
	conf.directory = directory_path;
	fill_directory();
	conf.spool = spool_open(spool_path, 0, asking, &error);
	assert_non_null(conf.spool);
	spool_start(conf.spool);
	log_open("test", open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600), LOG_DEBUG);
	return 0;
}

static int tear_down(void **state)
{
	server_stop();
	spool_stop(conf.spool);
	spool_free(conf.spool);
	peers_stop(asking, 0);
	peers_stop(authority, 0);
	pthread_join(loops[0], NULL);
	pthread_join(loops[1], NULL);
	peers_free(asking);
	peers_free(authority);
	return 0;
}

/* ---- clients ---- */

/* The next reply, all of its lines, within `ms`; empty at the end or when time is up. */
static slice reply_within(int fd, int ms)
{
	static char text[4096];
	size_t n = 0, line = 0;

	while (n < sizeof text - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, ms) != 1 || read(fd, text + n, 1) != 1)
			return (slice){ text, 0 };
		if (text[n++] != '\n')
			continue;
		if (n - line > 3 && text[line + 3] == ' ')
			break;
		line = n;
	}
	return (slice){ text, n };
}

static void expect_at(int fd, const char *say, const char *want, int line)
{
	server_say(fd, say);
	slice got = reply_within(fd, 5000);
	if (slice_starts(got, slice_of(want)))
		return;
	print_error("to   \"%s\"\ngot  \"%.*s\"\nwant \"%s\"\n", say, SLICE_ARG(got), want);
	_fail(__FILE__, line);
}
#define expect(fd, say, want) expect_at((fd), (say), (want), __LINE__)

static int client(void)
{
	int fd = server_connect();

	expect(fd, "", "220 mx.test ESMTP");
	return fd;
}

static int greeted(void)
{
	int fd = client();

	expect(fd, "EHLO client.test\r\n", "250-mx.test greets client.test");
	return fd;
}

/* A client that has sent all of a message but its end. */
static int in_message(void)
{
	int fd = greeted();

	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
	expect(fd, "DATA\r\n", "354");
	server_say(fd, "Subject: x\r\n\r\nhello\r\n");
	return fd;
}

static void quit(int fd)
{
	expect(fd, "QUIT\r\n", "221 2.0.0");
	server_hear_end(fd);
}

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
	{ "EXPN all\r\n", "502" },
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
	{ "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\n", "501" },
	{ "MAIL FROM:<a@b.test> RET=FULL\r\n", "555 5.5.4 unknown parameter RET" },
	{ "MAIL FROM:<a@b.test> SIZE=100000 BODY=8BITMIME\r\n", "250 2.1.0" },
	{ "MAIL FROM:<>\r\n", "503 5.5.1 not inside" },
	{ "DATA\r\n", "554 5.5.1 no valid" },
	{ "RCPT\r\n", "501" },
	{ "RCPT TO:<>\r\n", "501" },
	{ "RCPT TO:<alice@our.test> NOTIFY=NEVER\r\n", "555 5.5.4" },
	{ "RCPT TO:<nobody@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<a@other.test>\r\n", "550 5.7.1" },
	{ "RCPT TO:<gone@our.test>\r\n", "550 5.2.1" },
	{ "RCPT TO:<gone+tag@our.test>\r\n", "550 5.2.1" },
	{ "RCPT TO:<nobody+alice@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<+alice@our.test>\r\n", "550 5.1.1" },
	{ "RCPT TO:<Alice+Lists+x@our.test>\r\n", "250 2.1.5" },
	{ "RCPT TO:<POSTMASTER>\r\n", "250" },
	{ "RCPT TO:<Abuse@our.test>\r\n", "250" },
	{ "RCPT TO:<postmaster@our.test>\r\n", "250" },
	{ "RCPT TO:<postmaster@other.test>\r\n", "550 5.7.1" },
	{ "RSET\r\n", "250" },
	{ "RCPT TO:<alice@our.test>\r\n", "503" },
	{ NULL, NULL },
	{ "HELO a.test\r\n", "250 mx.test" },
	{ "mail from:<>\r\n", "250" },
	{ "rcpt to:<ALICE@OUR.TEST>\r\n", "250" },
	{ "Rcpt To:<bob@our.test>\r\n", "250" },
	{ "RCPT TO:<bob@our.test>\r\n", "250" },
	{ "RCPT TO:<carol@our.test>\r\n", "250" },
	{ "RCPT TO:<dave@our.test>\r\n", "452 4.5.3" },
	{ "DATA now\r\n", "501" },
	{ "EHLO again.test\r\n", "250-" }, /* ends the transaction */
	{ "DATA\r\n", "503" },
};

static void commands_are_answered_as_their_grammar_says(void **state)
{
	int fd = client();

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (commands[i].say) {
			expect_at(fd, commands[i].say, commands[i].want, __LINE__);
			continue;
		}
		quit(fd);
		fd = client();
	}
	quit(fd);
}

/* All replies' codes, to the end of the connection. */
static void talk_in_pieces(void *want, const slice *pieces, size_t n)
{
	char codes[200] = "";
	int fd = server_connect();

	for (size_t i = 0; i < n; i++)
		assert_int_equal(send(fd, pieces[i].p, pieces[i].n, MSG_NOSIGNAL), pieces[i].n);
	for (;;) {
		slice reply = reply_within(fd, 5000);

		if (reply.n == 0)
			break;
		snprintf(codes + strlen(codes), sizeof codes - strlen(codes), "%.3s ", reply.p);
	}
	close(fd);
	assert_string_equal(codes, want);
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
	expect(fd, "MAIL FROM:<alice@our.test>\r\n", "250");
	expect(fd, "RCPT TO:<a@other.test>\r\n", "550 5.3.2");
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

/* ---- messages ---- */

/* Is the message that this reply speaks of in the spool, whole? */
static void assert_kept(slice accepted, const char *end)
{
	char path[400];
	unsigned long long segment, place;
	struct segment_file file;
	struct record_head head;
	struct buf envelope, message;
	struct error error;

	assert_int_equal(
	    sscanf(accepted.p, "250 2.0.0 accepted as %llx-%llx", &segment, &place), 2);
	snprintf(path, sizeof path, "%s/%016llx.seg", spool_path, segment);
	int fd = open(path, O_RDONLY);
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	buf_init(&message, 1 << 20);
	assert_true(segment_file_open(fd, segment, &file, &error));
	assert_true(record_read_head(&file, place, &head, &envelope, &error));
	assert_true(record_read_message(&file, &head, &message, &error));
	assert_true(slice_ends(buf_slice(&message), slice_of(end)));
	assert_true(
	    slice_starts(buf_slice(&message), SLICE("Received: from client.test ([127.0.0.1])")));
	buf_free(&envelope);
	buf_free(&message);
	close(fd);
}

static void begin_chunks(int fd)
{
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
}

static void chunks_make_one_message(void **state)
{
	int fd = greeted();

	begin_chunks(fd);
	/* A chunk may end inside a line end, and hold what would end DATA. */
	expect(fd, "BDAT 3\r\n\r\r\n", "554 5.6.0");
	begin_chunks(fd);
	expect(fd, "BDAT 15\r\nSubject: x\r\n\r\n\r", "250 2.0.0 15 octets");
	expect(fd, "NOOP\r\n", "250");
	expect(fd, "BDAT 8\r\n\n.\r\n..\r\n", "250 2.0.0 8 octets");
	expect(fd, "RCPT TO:<bob@our.test>\r\n", "503 5.5.1 the message has begun");
	expect(fd, "DATA\r\n", "503 5.5.1");
	server_say(fd, "BDAT 3 LAST\r\nend");
	assert_kept(reply_within(fd, 5000), "Subject: x\r\n\r\n\r\n.\r\n..\r\nend\r\n");
	begin_chunks(fd);
	expect(fd, "BDAT 3\r\na\r\n", "250");
	server_say(fd, "bdat 0 last\r\n");
	assert_kept(reply_within(fd, 5000), "\r\na\r\n");
	quit(fd);
	(void)state;
}

/* What belongs to a refused chunk is not read as commands. */
static void a_refused_chunk_is_counted_out(void **state)
{
	int fd = greeted();

	(void)state;
	expect(fd, "BDAT 6 LAST\r\nNOOP\r\n", "503 5.5.1 say MAIL first");
	expect(fd, "BDAT 0\r\n", "503 5.5.1 say MAIL first");
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "BDAT 6\r\nNOOP\r\n", "554 5.5.1 no valid");
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RSET\r\n", "250");
	begin_chunks(fd);
	expect(fd, "BDAT 3\r\na\nb", "554 5.6.0 a bare");
	expect(fd, "BDAT 4 LAST\r\nmore", "503 5.5.1 say MAIL first");
	begin_chunks(fd);
	expect(fd, "BDAT 2\r\na\r", "250");
	expect(fd, "BDAT 0 LAST\r\n", "554 5.6.0 a bare");
	begin_chunks(fd);
	expect(fd, "BDAT 1\r\na", "250");
	expect(fd, "RSET\r\n", "250");
	quit(fd);
}

static void a_chunk_without_a_usable_size_ends_the_connection(void **state)
{
	static const struct {
		const char *said, *answer;
	} cases[] = { { "bdat\r\nNOOP\r\n", "501" }, { "BDAT -1\r\nNOOP\r\n", "501" },
		{ "BDAT 5 FIRST\r\nNOOP\r\n", "501" },
		{ "BDAT 18446744073709551616\r\nNOOP\r\n", "501" },
		{ "BDAT 9223372036854775807 LAST\r\nNOOP\r\n", "552 5.3.4" },
		{ "BDAT 100001\r\nNOOP\r\n", "552 5.3.4" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fd = greeted();

		begin_chunks(fd);
		expect(fd, cases[i].said, cases[i].answer);
		server_hear_end(fd);
	}
}

static void chunks_in_every_split_make_the_same_message(void **state)
{
	slice all = SLICE("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@our.test>\r\nBDAT 7\r\na\r\nNOOP"
			  "BDAT 2 LAST\r\n\r\nMAIL FROM:<>\r\nBDAT 4\r\nQUITQUIT\r\n");

	(void)state;
	split_every_way(all, talk_in_pieces, "220 250 250 250 250 250 250 554 221 ");
}

static void accepted_means_synced(void **state)
{
	int fd = in_message(), before = syncs_done, begun = syncs_begun;

	pthread_mutex_lock(&gate);
	server_say(fd, ".\r\nNOOP\r\n");
	while (syncs_begun == begun)
		usleep(1000);
	assert_int_equal(reply_within(fd, 200).n, 0);
	assert_int_equal(syncs_done, before);
	pthread_mutex_unlock(&gate);
	slice reply = reply_within(fd, 5000);
	assert_true(syncs_done > before);
	assert_kept(reply, "\r\nhello\r\n");
	expect(fd, "", "250 2.0.0 ok");
	quit(fd);
}

/* The client is gone while its message is being kept: it is kept, and nothing else happens. */
static void a_client_that_leaves_during_the_commit_harms_nothing(void **state)
{
	int fds[5], begun = syncs_begun, done = syncs_done;

	for (int i = 0; i < 5; i++)
		fds[i] = in_message();
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 5; i++) {
		struct linger reset = { 1, 0 };

		server_say(fds[i], ".\r\n");
		setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	}
	while (syncs_begun == begun)
		usleep(1000);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	usleep(50000);
	pthread_mutex_unlock(&gate);
	while (syncs_done == done)
		usleep(1000);
	quit(greeted());
}

static void too_large_a_message_is_refused_at_its_end(void **state)
{
	char line[1003];
	int fd = in_message();

	memset(line, 'x', sizeof line);
	memcpy(line + 1000, "\r\n", 3);
	for (int i = 0; i < 110; i++)
		server_say(fd, line);
	assert_int_equal(reply_within(fd, 50).n, 0);
	expect(fd, ".\r\n", "552 5.3.4");
	expect(fd, "DATA\r\n", "503");
	expect(fd, "MAIL FROM:<>\r\n", "250");
	quit(fd);
}

/* A message with so many Received fields; the answer. */
static slice goes_round(int fd, int hops)
{
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
	expect(fd, "DATA\r\n", "354");
	for (int i = 0; i < hops; i++)
		server_say(fd, "Received: from a.test\r\n");
	server_say(fd, "\r\nReceived: in the body\r\n.\r\n");
	return reply_within(fd, 5000);
}

static void a_message_that_goes_round_is_refused(void **state)
{
	int fd = in_message();

	(void)state;
	expect(fd, ".\r\n", "250");
	slice refused = goes_round(fd, 31);
	assert_true(slice_starts(
	    refused, SLICE("554 5.4.6 a mail loop: the message has 31 Received fields")));
	assert_kept(goes_round(fd, 30), "\r\nReceived: in the body\r\n");
	quit(fd);
}

static void a_full_disk_is_a_temporary_refusal(void **state)
{
	struct rlimit before, small;
	int fd = in_message();

	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 100, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	server_say(fd, ".\r\n");
	slice reply = reply_within(fd, 5000);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_true(slice_starts(reply, SLICE("452 4.3.1")));
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
	expect(fd, "DATA\r\n", "354");
	server_say(fd, "again\r\n.\r\n");
	assert_kept(reply_within(fd, 5000), "\r\nagain\r\n");
	quit(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_answered_as_their_grammar_says),
		cmocka_unit_test(every_split_is_the_same_dialogue),
		cmocka_unit_test(a_pipeline_is_answered_in_order),
		cmocka_unit_test(chunks_make_one_message),
		cmocka_unit_test(a_refused_chunk_is_counted_out),
		cmocka_unit_test(a_chunk_without_a_usable_size_ends_the_connection),
		cmocka_unit_test(chunks_in_every_split_make_the_same_message),
		cmocka_unit_test(bare_line_ends_end_the_connection),
		cmocka_unit_test(too_long_lines_are_refused_once),
		cmocka_unit_test(too_many_errors_end_the_connection),
		cmocka_unit_test(logins_go_right_and_wrong),
		cmocka_unit_test(passwords_are_not_logged),
		cmocka_unit_test(a_line_cannot_forge_a_log_line_or_a_reply),
		cmocka_unit_test(accepted_means_synced),
		cmocka_unit_test(a_client_that_leaves_during_the_commit_harms_nothing),
		cmocka_unit_test(too_large_a_message_is_refused_at_its_end),
		cmocka_unit_test(a_message_that_goes_round_is_refused),
		cmocka_unit_test(a_full_disk_is_a_temporary_refusal),
		cmocka_unit_test(a_million_greetings_cost_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
