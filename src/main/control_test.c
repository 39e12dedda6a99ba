/* Commands as the role control does them, and answers of any length on their way to the client. */
#include "lib/unit.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/answer.h"
#include "main/control.h"

#define ACCOUNTS 5000

static char folder[] = "/tmp/hauberk-control-XXXXXX";
static struct directory *dir;

static int make_directory(void **state)
{
	char path[100];
	struct error error;
	int64_t id;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/directory.db", folder);
	assert_true(directory_open(path, true, &dir, &error));
	assert_true(directory_domain_add(dir, SLICE("example.test"), &id, &error));
	return 0;
}

static int remove_directory(void **state)
{
	char command[100];

	directory_close(dir);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static int command(const char *noun, const char *verb, const char *object, struct buf *out)
{
	struct command_request request = { .words = { slice_of(noun), slice_of(verb),
					       slice_of(object) },
		.count = object ? 3 : 2 };

	buf_clear(out);
	return control_command(dir, &request, out);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *noun, *verb, *object, *said;
	} cases[] = {
		{ "domain", "add", "example.test", "hauberk: " },
		{ "domain", "add", "no_such domain", "hauberk: " },
		{ "domain", "add", NULL, "hauberk: " },
		{ "domain", "remove", "other.test", "hauberk: " },
		{ "account", "enable", "nobody", "hauberk: \"nobody\" is not an address" },
		{ "account", "enable", "@", "hauberk: " },
		{ "account", "passwd", "nobody@example.test", "hauberk: there is no account" },
		{ "account", "passwd", "nobody@other.test",
		    "hauberk: the domain other.test is not" },
		{ "account", "fly", NULL, "hauberk: the server does not know account fly" },
		{ "", "", NULL, "hauberk: the server does not know" },
	};
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(command(cases[i].noun, cases[i].verb, cases[i].object, &out), 1);
		assert_true(slice_starts(buf_slice(&out), slice_of(cases[i].said)));
		assert_true(slice_ends(buf_slice(&out), SLICE("\n")));
	}
	buf_free(&out);
}

/* ---- long answers ---- */

struct sending {
	int fd;
	slice text;
	bool sent;
};

static void *send_all(void *argument)
{
	struct sending *s = argument;

	s->sent = answer_send(s->fd, 0, s->text, 5000);
	close(s->fd);
	return NULL;
}

static void take(void *buf, uint64_t status, slice text)
{
	assert_int_equal(status, 0);
	buf_add(buf, text);
}

/* Sends through a socket like the one of commands. */
static void expect_through(slice text)
{
	int pair[2];
	struct sending s = { .text = text };
	struct buf got;
	pthread_t thread;
	uint64_t status = 7;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	s.fd = pair[0];
	buf_init(&got, 64 << 20);
	pthread_create(&thread, NULL, send_all, &s);
	assert_true(answer_receive(pair[1], 5000, take, &got, &status));
	pthread_join(thread, NULL);
	assert_true(s.sent);
	assert_int_equal(status, 0);
	assert_true(slice_eq(buf_slice(&got), text));
	buf_free(&got);
	close(pair[1]);
}

static void thousands_of_accounts_are_listed_to_the_last(void **state)
{
	struct error error;
	struct buf out;
	char local[40];
	size_t lines = 0;
	int64_t id;

	for (int i = 0; i < ACCOUNTS; i++) {
		snprintf(local, sizeof local, "somebody.with-a-name-%d", i);
		assert_true(directory_account_add(
		    dir, slice_of(local), SLICE("example.test"), &id, &error));
	}
	buf_init(&out, 64 << 20);
	assert_int_equal(command("account", "list", NULL, &out), 0);
	assert_false(out.full);
	for (size_t i = 0; i < out.n; i++)
		lines += out.p[i] == '\n';
	assert_int_equal(lines, ACCOUNTS);
	assert_true(out.n > 128 * 1024);
	expect_through(buf_slice(&out));
	buf_free(&out);
}

static void answers_of_every_length_arrive(void **state)
{
	static const size_t lengths[] = { 0, 1, ANSWER_PIECE - 1, ANSWER_PIECE, ANSWER_PIECE + 1,
		3 * ANSWER_PIECE, 5 << 20 };
	char *text = malloc(5 << 20);

	for (size_t i = 0; i < 5 << 20; i++)
		text[i] = (char)(' ' + i % 91);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		expect_through((slice){ text, lengths[i] });
	free(text);
}

static void an_answer_cut_short_is_noticed(void **state)
{
	static char text[200000];
	struct buf got;
	uint64_t status;
	int pair[2];

	memset(text, 'x', sizeof text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	buf_init(&got, 1 << 20);
	/* Nobody reads: some of it stands in the socket, the rest is given up. */
	int64_t start = clock_us();
	while (answer_send(pair[0], 0, (slice){ text, sizeof text }, 100))
		assert_true(clock_us() - start < 5000000);
	close(pair[0]);
	bool whole = true;
	while (whole)
		whole = answer_receive(pair[1], 1000, take, &got, &status);
	assert_true(got.n > 0);
	buf_free(&got);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(thousands_of_accounts_are_listed_to_the_last),
		cmocka_unit_test(answers_of_every_length_arrive),
		cmocka_unit_test(an_answer_cut_short_is_noticed),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
