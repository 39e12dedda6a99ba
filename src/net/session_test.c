/* Sessions on real sockets, with a small protocol that uses every kind of turn (lib/talk.h). */
#include "lib/split.h"
#include "lib/talk.h"
#include "lib/unit.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

static int start_server(void **state)
{
	(void)state;
	talk_start(&(struct talk_setup){ .workers = 2 });
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	talk_stop();
	return 0;
}

static void talk_in_pieces(void *want, const slice *pieces, size_t n)
{
	int fd = talk_connect();

	for (size_t i = 0; i < n; i++)
		talk_say(fd, pieces[i]);
	talk_hear(fd, "hello\r\n");
	talk_hear(fd, want);
	talk_hear_end(fd);
}

static void every_split_gets_the_same_answers(void **state)
{
	(void)state;
	split_every_way(SLICE("echo a\r\ntake 4\r\nx\r\nyhold\r\necho b\r\nquit\r\n"),
	    talk_in_pieces, "a\r\ntook 4\r\nreleased\r\nb\r\nbye\r\n");
}

static void an_overlong_line_is_answered_once(void **state)
{
	char line[5000];
	int fd = talk_connect();

	(void)state;
	memset(line, 'x', sizeof line);
	talk_hear(fd, "hello\r\n");
	talk_say(fd, (slice){ line, sizeof line });
	talk_say(fd, SLICE("\r\necho next\r\nquit\r\n"));
	talk_hear(fd, "too long\r\nnext\r\nbye\r\n");
	talk_hear_end(fd);
}

/* In pieces of any size, and what follows is as short again. */
static void a_line_may_be_longer_where_the_protocol_lets_it(void **state)
{
	static char line[100000];
	static const size_t pieces[] = { 1, 250, 65536, 90000 };

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		int fd = talk_connect();

		memset(line, 'x', sizeof line);
		memcpy(line, "long ", 5);
		talk_hear(fd, "hello\r\n");
		talk_say(fd, (slice){ line, pieces[i] });
		talk_say(fd, (slice){ line + pieces[i], sizeof line - pieces[i] });
		talk_say(fd, SLICE("\r\n"));
		talk_hear(fd, "100000 octets\r\n");
		memset(line, 'x', 5);
		talk_say(fd, (slice){ line, 5000 });
		talk_hear(fd, "too long\r\n");
		talk_say(fd, SLICE("\r\nquit\r\n"));
		talk_hear(fd, "bye\r\n");
		talk_hear_end(fd);
	}
}

/* Who begins such lines and does not end them takes no more than SESSION_LONG from all others. */
static void long_lines_of_all_sessions_together_are_bounded(void **state)
{
	enum { MANY = SESSION_LONG / 100000 };
	static char line[70000];
	static int fds[MANY];

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "long ", 5);
	for (int i = 0; i < MANY; i++) {
		fds[i] = talk_connect();
		talk_hear(fds[i], "hello\r\n");
		talk_say(fds[i], (slice){ line, 5000 });
	}
	/* A turn of each has been: so all hold what they hold. */
	for (int turn = 0; turn < 100; turn++) {
		int fd = talk_connect();

		talk_hear(fd, "hello\r\n");
		talk_say(fd, (slice){ line, sizeof line });
		talk_say(fd, SLICE("\r\nquit\r\n"));
		char answer[10] = "";
		bool refused =
		    recv(fd, answer, 8, MSG_WAITALL) == 8 && !memcmp(answer, "too long", 8);
		close(fd);
		if (refused)
			break;
		assert_int_not_equal(turn, 99);
		usleep(20000);
	}
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	/* and they give it back */
	a_line_may_be_longer_where_the_protocol_lets_it(state);
}

static void what_follows_an_overlong_line_is_not_swallowed_with_it(void **state)
{
	char line[300];
	int fd = talk_connect();

	(void)state;
	memset(line, 'x', sizeof line);
	talk_hear(fd, "hello\r\n");
	talk_say(fd, (slice){ line, sizeof line });
	talk_hear(fd, "too long\r\n");
	talk_say(fd, SLICE("xxx\r\nec"));
	usleep(50000);
	talk_say(fd, SLICE("ho next\r\nquit\r\n"));
	talk_hear(fd, "next\r\nbye\r\n");
	talk_hear_end(fd);
}

static void a_hundred_thousand_commands_at_once_are_answered_soon(void **state)
{
	struct buf commands;
	char c[65536];
	size_t got = 0;
	ssize_t n;
	int fd = talk_connect();

	(void)state;
	buf_init(&commands, 2 << 20);
	for (int i = 0; i < 100000; i++)
		buf_adds(&commands, "echo x\r\n");
	buf_adds(&commands, "quit\r\n");
	if (fork() == 0) {
		talk_say(fd, buf_slice(&commands));
		_exit(0);
	}
	alarm(20);
	while ((n = read(fd, c, sizeof c)) > 0)
		got += (size_t)n;
	alarm(0);
	assert_int_equal(got, strlen("hello\r\nbye\r\n") + 3 * 100000);
	buf_free(&commands);
	close(fd);
}

static double cpu_seconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The client sends and does not read: what does not fit must not be asked for over and over. */
static void a_flood_into_a_full_buffer_costs_nothing(void **state)
{
	char flood[4096];
	int fd = talk_connect();

	(void)state;
	memset(flood, 'x', sizeof flood);
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("many 200000\r\n"));
	usleep(200000);
	for (int i = 0; i < 100; i++)
		send(fd, flood, sizeof flood, MSG_DONTWAIT | MSG_NOSIGNAL);
	usleep(100000);
	double before = cpu_seconds();
	usleep(300000);
	assert_true(cpu_seconds() - before < 0.1);
	close(fd);
}

static void without_descriptors_it_waits_quietly(void **state)
{
	struct rlimit before, few;
	int waiting = socket(AF_INET, SOCK_STREAM, 0), next = dup(waiting);
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = talk_port };

	(void)state;
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	few = (struct rlimit){ (rlim_t)next, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
	usleep(50000);
	double used = cpu_seconds();
	usleep(500000);
	used = cpu_seconds() - used;
	setrlimit(RLIMIT_NOFILE, &before);
	assert_true(used < 0.2);
	talk_hear(waiting, "hello\r\n");
	close(waiting);
}

static void an_answer_that_does_not_fit_ends_the_connection(void **state)
{
	int fd = talk_connect();

	(void)state;
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("huge\r\necho after\r\n"));
	talk_hear_end(fd);
}

/* Reads to the end: its length, -1 when the connection was reset. */
static ssize_t read_all(int fd, char *p, size_t n)
{
	size_t got = 0;
	ssize_t r = 1;

	while (r > 0 && got < n) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (poll(&ready, 1, 5000) != 1)
			return -1;
		r = read(fd, p + got, n - got);
		got += r > 0 ? (size_t)r : 0;
	}
	return r < 0 ? -1 : (ssize_t)got;
}

static void the_last_answer_survives_what_the_client_still_sends(void **state)
{
	char flood[100000], got[100];
	int fd = talk_connect();

	(void)state;
	memset(flood, 'x', sizeof flood);
	flood[0] = '!';
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("body\r\n"));
	talk_say(fd, (slice){ flood, sizeof flood });
	usleep(100000);
	talk_say(fd, (slice){ flood, sizeof flood });
	assert_int_equal(read_all(fd, got, sizeof got), 4);
	assert_memory_equal(got, "no\r\n", 4);
	/* It does not wait for ever, nor read for ever. */
	for (int i = 0; reactor_sessions(talk_reactor) && i < 300; i++)
		usleep(10000);
	assert_int_equal(reactor_sessions(talk_reactor), 0);
	close(fd);
}

static void a_lingering_client_does_not_send_for_ever(void **state)
{
	static char flood[100000];
	int fd = talk_connect();
	ssize_t n = 1;

	(void)state;
	memset(flood, 'x', sizeof flood);
	flood[0] = '!';
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("body\r\n"));
	int64_t start = clock_us();
	size_t sent = 0;
	while (n > 0 && sent < 100u << 20) {
		n = send(fd, flood, sizeof flood, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
	}
	assert_true(n < 0 && clock_us() - start < 1900000);
	close(fd);
}

static void a_body_below_its_rate_ends(void **state)
{
	int fd = talk_connect(), i;

	(void)state;
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("body\r\n"));
	for (i = 0; i < 40 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 100) == 1)
			break;
	}
	assert_true(i < 30);
	talk_hear(fd, "expired\r\n");
	close(fd);
}

static void a_long_answer_waits_for_its_reader_and_comes_whole(void **state)
{
	char chunk[30000];
	size_t total = 0;
	ssize_t n;
	int fd = talk_connect();

	(void)state;
	talk_say(fd, SLICE("many 200000\r\nquit\r\n"));
	usleep(200000);
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		total += (size_t)n;
	assert_int_equal(total, strlen("hello\r\nbye\r\n") + 200000 * 57);
	close(fd);
}

static void quick_commands_are_answered_while_all_workers_are_busy(void **state)
{
	int busy[4], fd = talk_connect();

	(void)state;
	pthread_mutex_lock(&talk_backend);
	for (int i = 0; i < 4; i++) {
		busy[i] = talk_connect();
		talk_hear(busy[i], "hello\r\n");
	}
	talk_hear(fd, "hello\r\n");
	for (int i = 0; i < 4; i++)
		talk_say(busy[i], SLICE("block\r\n"));
	while (talk_blocked < 2)
		usleep(1000);
	for (int i = 0; i < 1000; i++) {
		talk_say(fd, SLICE("echo still here\r\n"));
		talk_hear(fd, "still here\r\n");
	}
	assert_int_equal(talk_blocked, 2);
	pthread_mutex_unlock(&talk_backend);
	for (int i = 0; i < 4; i++) {
		talk_hear(busy[i], "unblocked\r\n");
		close(busy[i]);
	}
	close(fd);
}

static void only_quick_commands_run_in_the_reactor(void **state)
{
	int fd = talk_connect();

	(void)state;
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("echo a\r\necho b\r\nwhere\r\necho c\r\n"));
	talk_hear(fd, "a\r\nb\r\nworker\r\nc\r\n");
	close(fd);
}

static void silence_and_dripping_end_at_the_deadline(void **state)
{
	int silent = talk_connect(), dripping = talk_connect(), literal = talk_connect();

	(void)state;
	talk_hear(silent, "hello\r\n");
	talk_hear(dripping, "hello\r\n");
	talk_hear(literal, "hello\r\n");
	talk_say(literal, SLICE("take 5000\r\n"));
	for (int i = 0; i < 10; i++) {
		usleep(100000);
		send(dripping, "x", 1, MSG_NOSIGNAL);
		send(literal, "x", 1, MSG_NOSIGNAL);
	}
	talk_hear(silent, "expired\r\n");
	talk_hear(dripping, "expired\r\n");
	talk_hear(literal, "expired\r\n");
	talk_hear_end(silent);
	talk_hear_end(dripping);
	talk_hear_end(literal);
}

static void a_literal_that_keeps_its_rate_may_take_longer(void **state)
{
	char some[400];
	int fd = talk_connect();

	(void)state;
	memset(some, 'x', sizeof some);
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("take 6000\r\n"));
	for (int i = 0; i < 15; i++) {
		usleep(100000);
		talk_say(fd, (slice){ some, sizeof some });
	}
	talk_hear(fd, "took 6000\r\n");
	close(fd);
}

static void watchers_are_told(void **state)
{
	int one = talk_connect(), other = talk_connect();

	(void)state;
	talk_hear(one, "hello\r\n");
	talk_hear(other, "hello\r\n");
	talk_say(one, SLICE("watch\r\n"));
	talk_say(other, SLICE("watch\r\n"));
	talk_hear(one, "noticed\r\n"); /* beginning to watch is a look by itself */
	talk_hear(other, "noticed\r\n");
	reactor_notice(talk_reactor, 78);
	reactor_notice(talk_reactor, 77);
	talk_hear(one, "noticed\r\n");
	talk_hear(other, "noticed\r\n");
	close(one);
	talk_say(other, SLICE("quit\r\n"));
	talk_hear(other, "bye\r\n");
	talk_hear_end(other);
}

static void draining_says_goodbye_and_closes_all(void **state)
{
	int before = talk_closed, idle = talk_connect(), held = talk_connect();

	(void)state;
	talk_hear(idle, "hello\r\n");
	talk_hear(held, "hello\r\n");
	talk_say(held, SLICE("take 5\r\n123"));
	usleep(50000);
	reactor_drain(talk_reactor, 600);
	talk_hear(idle, "drained\r\n");
	talk_hear_end(idle);
	talk_say(held, SLICE("45"));
	talk_hear(held, "took 5\r\ndrained\r\n");
	talk_hear_end(held);
	talk_join();
	assert_int_equal(reactor_sessions(talk_reactor), 0);
	assert_true(talk_closed >= before + 2);
	talk_free();
	start_server(NULL);
}

static void *release_late(void *nothing)
{
	(void)nothing;
	usleep(400000);
	session_release(talk_kept);
	return NULL;
}

static void a_held_session_outlives_the_drain(void **state)
{
	pthread_t thread;
	int fd = talk_connect();

	(void)state;
	talk_hear(fd, "hello\r\n");
	talk_kept = NULL;
	talk_say(fd, SLICE("keep\r\n"));
	while (!talk_kept)
		usleep(1000);
	pthread_create(&thread, NULL, release_late, NULL);
	reactor_drain(talk_reactor, 50);
	talk_join();
	pthread_join(thread, NULL);
	talk_hear(fd, "released\r\n");
	close(fd);
	talk_free();
	start_server(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gets_the_same_answers),
		cmocka_unit_test(an_overlong_line_is_answered_once),
		cmocka_unit_test(a_line_may_be_longer_where_the_protocol_lets_it),
		cmocka_unit_test(long_lines_of_all_sessions_together_are_bounded),
		cmocka_unit_test(what_follows_an_overlong_line_is_not_swallowed_with_it),
		cmocka_unit_test(a_hundred_thousand_commands_at_once_are_answered_soon),
		cmocka_unit_test(a_flood_into_a_full_buffer_costs_nothing),
		cmocka_unit_test(without_descriptors_it_waits_quietly),
		cmocka_unit_test(an_answer_that_does_not_fit_ends_the_connection),
		cmocka_unit_test(the_last_answer_survives_what_the_client_still_sends),
		cmocka_unit_test(a_lingering_client_does_not_send_for_ever),
		cmocka_unit_test(a_body_below_its_rate_ends),
		cmocka_unit_test(a_held_session_outlives_the_drain),
		cmocka_unit_test(a_long_answer_waits_for_its_reader_and_comes_whole),
		cmocka_unit_test(quick_commands_are_answered_while_all_workers_are_busy),
		cmocka_unit_test(only_quick_commands_run_in_the_reactor),
		cmocka_unit_test(silence_and_dripping_end_at_the_deadline),
		cmocka_unit_test(a_literal_that_keeps_its_rate_may_take_longer),
		cmocka_unit_test(watchers_are_told),
		cmocka_unit_test(draining_says_goodbye_and_closes_all),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
