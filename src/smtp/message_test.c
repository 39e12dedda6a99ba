/* Messages on a real reactor, from their first octet to the spool. */
#include "lib/smtp_fixture.h"
#include "lib/split.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "queue/envelope.h"
#include "queue/record.h"

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

/* ---- messages ---- */

/* The message that this reply speaks of, and its envelope, as they are in the spool. */
static void read_kept(slice accepted, struct buf *envelope, struct buf *message)
{
	char path[400];
	unsigned long long segment, place;
	struct segment_file file;
	struct record_head head;
	struct error error;

	assert_int_equal(
	    sscanf(accepted.p, "250 2.0.0 accepted as %llx-%llx", &segment, &place), 2);
	snprintf(path, sizeof path, "%s/%016llx.seg", spool_path, segment);
	int fd = open(path, O_RDONLY);
	buf_init(envelope, RECORD_ENVELOPE_MAX);
	buf_init(message, 1 << 20);
	assert_true(segment_file_open(fd, segment, &file, &error));
	assert_true(record_read_head(&file, place, &head, envelope, &error));
	assert_true(record_read_message(&file, &head, message, &error));
	close(fd);
}

/* Is it there, whole? */
static void assert_kept(slice accepted, const char *end)
{
	struct buf envelope, message;

	read_kept(accepted, &envelope, &message);
	assert_true(slice_ends(buf_slice(&message), slice_of(end)));
	assert_true(
	    slice_starts(buf_slice(&message), SLICE("Received: from client.test ([127.0.0.1])")));
	buf_free(&envelope);
	buf_free(&message);
}

static void what_was_said_of_a_message_is_kept_with_it(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct buf encoded, message;
	struct envelope e;
	int fd = greeted();

	(void)state;
	expect(fd, "MAIL FROM:<j\xc3\xb6@x.test> SMTPUTF8 BODY=BINARYMIME RET=HDRS ENVID=a+2Bb\r\n",
	    "250");
	expect(fd, "RCPT TO:<alice@our.test> NOTIFY=DELAY,FAILURE ORCPT=rfc822;al+2Bice@x.test\r\n",
	    "250");
	expect(fd, "RCPT TO:<bob@our.test> NOTIFY=NEVER\r\n", "250");
	expect(fd, "RCPT TO:<carol@our.test>\r\n", "250");
	server_say(fd, "BDAT 6 LAST\r\n\r\na\nb\r");
	read_kept(reply_within(fd, 5000), &encoded, &message);
	assert_true(envelope_decode(buf_slice(&encoded), arena, &e));
	assert_slice(e.sender, "j\xc3\xb6@x.test");
	assert_int_equal(e.flags, ENVELOPE_UTF8 | ENVELOPE_BINARY | ENVELOPE_RETURN_HEADER);
	assert_slice(e.id, "a+2Bb");
	assert_int_equal(e.recipient_count, 3);
	assert_int_equal(e.recipients[0].notify, NOTIFY_DELAY | NOTIFY_FAILURE);
	assert_slice(e.recipients[0].original, "rfc822;al+2Bice@x.test");
	assert_int_equal(e.recipients[1].notify, NOTIFY_NEVER);
	assert_int_equal(e.recipients[2].notify, 0);
	assert_int_equal(e.recipients[2].original.n, 0);
	assert_true(slice_ends(buf_slice(&message), SLICE("\r\n\r\na\nb\r")));
	buf_free(&encoded);
	buf_free(&message);
	arena_free(arena);
	quit(fd);
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

static void long_lines_are_refused_where_they_are_limited(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = { { "123456789\r\n1234567890\r\n\r\n1\r\n.\r\n", "250" },
		{ "12345\r\n12345678901\r\n.\r\n", "554 5.6.0 a line" },
		{ "12345\r\n\r\n123456789012345\r\n.\r\n", "554 5.6.0 a line" } };
	int fd = greeted();

	conf.max_line = 10;
	for (size_t i = 0; i < 3; i++) {
		expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
		expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
		expect(fd, "DATA\r\n", "354");
		expect(fd, cases[i].text, cases[i].want);
	}
	quit(fd);
	conf.max_line = 0;
}

static void too_large_a_header_is_refused(void **state)
{
	static char line[1000];
	int fd = greeted();

	memset(line, 'x', sizeof line - 3);
	memcpy(line, "X-Long: ", 8);
	memcpy(line + sizeof line - 3, "\r\n", 3);
	conf.max_header = 16 * 1024;
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
	expect(fd, "DATA\r\n", "354");
	for (int i = 0; i < 20; i++)
		server_say(fd, line);
	expect(fd, ".\r\n", "552 5.3.4 the header is larger than 16384 octets");
	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
	expect(fd, "DATA\r\n", "354");
	server_say(fd, "Subject: x\r\n\r\n");
	for (int i = 0; i < 20; i++)
		server_say(fd, line);
	expect(fd, ".\r\n", "250");
	quit(fd);
	conf.max_header = 256 * 1024;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_said_of_a_message_is_kept_with_it),
		cmocka_unit_test(chunks_make_one_message),
		cmocka_unit_test(a_refused_chunk_is_counted_out),
		cmocka_unit_test(a_chunk_without_a_usable_size_ends_the_connection),
		cmocka_unit_test(chunks_in_every_split_make_the_same_message),
		cmocka_unit_test(long_lines_are_refused_where_they_are_limited),
		cmocka_unit_test(too_large_a_header_is_refused),
		cmocka_unit_test(accepted_means_synced),
		cmocka_unit_test(a_client_that_leaves_during_the_commit_harms_nothing),
		cmocka_unit_test(too_large_a_message_is_refused_at_its_end),
		cmocka_unit_test(a_message_that_goes_round_is_refused),
		cmocka_unit_test(a_full_disk_is_a_temporary_refusal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
