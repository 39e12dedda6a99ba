/* Sessions on real sockets, with a small protocol that uses every kind of turn. */
#include "lib/split.h"
#include "lib/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/reactor.h"

/* The protocol: "echo X", "many N" (a long answer), "hold" (released by another thread), "take N" (a
 * literal), "block" (waits in a worker until let go), "watch", "keep" (held until the test releases it), "body" (in
 * chunks, up to a dot; an exclamation mark ends everything), "huge" (more than fits), "where" (says which thread runs it), "quit". */
struct talk {
	long left;
	bool literal, body;
};

static struct session *_Atomic kept;
static pthread_t reactor_thread;

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int handler_threads, closed_sessions;

static enum turn open_talk(struct session *s)
{
	s->state = NEW(struct talk);
	session_want_line(s, 100);
	session_set_timeout(s, 700);
	session_set_rate(s, 1000);
	buf_adds(&s->out, "hello\r\n");
	return TURN_NEXT;
}

static enum turn more(struct session *s)
{
	struct talk *t = s->state;

	while (t->left && s->out.n < SESSION_MARK)
		buf_addf(
		    &s->out, "line %08ld of a long answer ........................\r\n", --t->left);
	return t->left ? TURN_MORE : TURN_NEXT;
}

static void *release_soon(void *session)
{
	session_release(session);
	return NULL;
}

static enum turn hold(struct session *s)
{
	pthread_t thread;

	pthread_create(&thread, NULL, release_soon, s);
	pthread_detach(thread);
	return TURN_HELD;
}

static enum turn answer(struct session *s, slice line)
{
	struct talk *t = s->state;
	uint64_t n;

	if (t->body) {
		if (slice_find(line, '!') < line.n)
			return buf_adds(&s->out, "no\r\n"), TURN_CLOSE;
		t->body = slice_find(line, '.') == line.n;
		if (!t->body)
			session_want_line(s, 100);
	} else if (t->literal) {
		t->literal = false;
		session_want_line(s, 100);
		buf_addf(&s->out, "took %zu\r\n", line.n);
	} else if (slice_starts(line, SLICE("echo "))) {
		buf_addf(&s->out, "%.*s\r\n", SLICE_ARG(slice_from(line, 5)));
	} else if (slice_starts(line, SLICE("many ")) &&
	    slice_number(slice_from(line, 5), 1000000, &n)) {
		t->left = (long)n;
		return more(s);
	} else if (slice_starts(line, SLICE("take ")) &&
	    slice_number(slice_from(line, 5), 1000000, &n)) {
		t->literal = true;
		session_want_octets(s, n);
	} else if (slice_eq(line, SLICE("hold"))) {
		return hold(s);
	} else if (slice_eq(line, SLICE("block"))) {
		handler_threads++;
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
		handler_threads--;
		buf_adds(&s->out, "unblocked\r\n");
	} else if (slice_eq(line, SLICE("where"))) {
		buf_adds(&s->out,
		    pthread_equal(pthread_self(), reactor_thread) ? "reactor\r\n" : "worker\r\n");
	} else if (slice_eq(line, SLICE("keep"))) {
		kept = s;
		return TURN_HELD;
	} else if (slice_eq(line, SLICE("body"))) {
		t->body = true;
		session_want_chunk(s);
	} else if (slice_eq(line, SLICE("huge"))) {
		for (int i = 0; i < 9000; i++)
			buf_addf(&s->out, "%01000d", i);
	} else if (slice_eq(line, SLICE("watch"))) {
		session_watch(s, 77);
	} else if (slice_eq(line, SLICE("quit"))) {
		buf_adds(&s->out, "bye\r\n");
		return TURN_CLOSE;
	}
	return TURN_NEXT;
}

static enum turn oversized(struct session *s)
{
	buf_adds(&s->out, "too long\r\n");
	return TURN_NEXT;
}

static enum turn resume(struct session *s)
{
	buf_adds(&s->out, "released\r\n");
	return TURN_NEXT;
}

static enum turn notice(struct session *s)
{
	buf_adds(&s->out, "noticed\r\n");
	return TURN_NEXT;
}

static bool quick(const struct session *s, slice line)
{
	return slice_starts(line, SLICE("echo ")) && !((const struct talk *)s->state)->literal &&
	    !((const struct talk *)s->state)->body;
}

static void expired(struct session *s)
{
	buf_adds(&s->out, "expired\r\n");
}

static void drained(struct session *s)
{
	buf_adds(&s->out, "drained\r\n");
}

static void closed(struct session *s)
{
	closed_sessions++;
	free(s->state);
}

static const struct protocol talk_protocol = { .name = "talk",
	.open = open_talk,
	.frame = answer,
	.oversized = oversized,
	.more = more,
	.resume = resume,
	.notice = notice,
	.quick = quick,
	.expired = expired,
	.drained = drained,
	.closed = closed };

/* ---- the server and its clients ---- */

static struct listener listener = { .name = "test", .protocol = &talk_protocol };
static struct reactor *reactor;
static uint16_t port;

static void *run(void *r)
{
	reactor_run(r);
	return NULL;
}

static int start_server(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	struct reactor_config config = { .workers = 2, .max_sessions = 1000, .first_id = 0x100 };

	(void)state;
	listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bind(listener.fd, (struct sockaddr *)&address, sizeof address);
	listen(listener.fd, 128);
	getsockname(listener.fd, (struct sockaddr *)&address, &length);
	port = address.sin_port;
	reactor = reactor_new(&config);
	reactor_listen(reactor, &listener);
	return pthread_create(&reactor_thread, NULL, run, reactor);
}

static int stop_server(void **state)
{
	(void)state;
	reactor_drain(reactor, 1000);
	pthread_join(reactor_thread, NULL);
	reactor_free(reactor);
	return close(listener.fd);
}

static int client(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = port
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void say(int fd, slice text)
{
	while (text.n) {
		ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);

		assert_true(n > 0);
		text = slice_from(text, (size_t)n);
	}
}

/* Reads exactly this, within five seconds. */
static void hear(int fd, const char *want)
{
	char got[4096];
	size_t n = 0, length = strlen(want);

	while (n < length) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 5000) != 1)
			break;
		ssize_t r = read(fd, got + n, length - n);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	slice heard = { got, n };
	assert_slice(heard, want);
}

static void hear_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(read(fd, &c, 1) <= 0);
	close(fd);
}

static void talk_in_pieces(void *want, const slice *pieces, size_t n)
{
	int fd = client();

	for (size_t i = 0; i < n; i++)
		say(fd, pieces[i]);
	hear(fd, "hello\r\n");
	hear(fd, want);
	hear_end(fd);
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
	int fd = client();

	(void)state;
	memset(line, 'x', sizeof line);
	hear(fd, "hello\r\n");
	say(fd, (slice){ line, sizeof line });
	say(fd, SLICE("\r\necho next\r\nquit\r\n"));
	hear(fd, "too long\r\nnext\r\nbye\r\n");
	hear_end(fd);
}

static void what_follows_an_overlong_line_is_not_swallowed_with_it(void **state)
{
	char line[300];
	int fd = client();

	(void)state;
	memset(line, 'x', sizeof line);
	hear(fd, "hello\r\n");
	say(fd, (slice){ line, sizeof line });
	hear(fd, "too long\r\n");
	say(fd, SLICE("xxx\r\nec"));
	usleep(50000);
	say(fd, SLICE("ho next\r\nquit\r\n"));
	hear(fd, "next\r\nbye\r\n");
	hear_end(fd);
}

static void a_hundred_thousand_commands_at_once_are_answered_soon(void **state)
{
	struct buf commands;
	char c[65536];
	size_t got = 0;
	ssize_t n;
	int fd = client();

	(void)state;
	buf_init(&commands, 2 << 20);
	for (int i = 0; i < 100000; i++)
		buf_adds(&commands, "echo x\r\n");
	buf_adds(&commands, "quit\r\n");
	if (fork() == 0) {
		say(fd, buf_slice(&commands));
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
	int fd = client();

	(void)state;
	memset(flood, 'x', sizeof flood);
	hear(fd, "hello\r\n");
	say(fd, SLICE("many 200000\r\n"));
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
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = port
	};

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
	hear(waiting, "hello\r\n");
	close(waiting);
}

static void an_answer_that_does_not_fit_ends_the_connection(void **state)
{
	int fd = client();

	(void)state;
	hear(fd, "hello\r\n");
	say(fd, SLICE("huge\r\necho after\r\n"));
	hear_end(fd);
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
	int fd = client();

	(void)state;
	memset(flood, 'x', sizeof flood);
	flood[0] = '!';
	hear(fd, "hello\r\n");
	say(fd, SLICE("body\r\n"));
	say(fd, (slice){ flood, sizeof flood });
	usleep(100000);
	say(fd, (slice){ flood, sizeof flood });
	assert_int_equal(read_all(fd, got, sizeof got), 4);
	assert_memory_equal(got, "no\r\n", 4);
	/* It does not wait for ever, nor read for ever. */
	for (int i = 0; reactor_sessions(reactor) && i < 300; i++)
		usleep(10000);
	assert_int_equal(reactor_sessions(reactor), 0);
	close(fd);
}

static void a_lingering_client_does_not_send_for_ever(void **state)
{
	static char flood[100000];
	int fd = client();
	ssize_t n = 1;

	(void)state;
	memset(flood, 'x', sizeof flood);
	flood[0] = '!';
	hear(fd, "hello\r\n");
	say(fd, SLICE("body\r\n"));
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
	int fd = client(), i;

	(void)state;
	hear(fd, "hello\r\n");
	say(fd, SLICE("body\r\n"));
	for (i = 0; i < 40 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 100) == 1)
			break;
	}
	assert_true(i < 30);
	hear(fd, "expired\r\n");
	close(fd);
}

static void a_long_answer_waits_for_its_reader_and_comes_whole(void **state)
{
	char chunk[30000];
	size_t total = 0;
	ssize_t n;
	int fd = client();

	(void)state;
	say(fd, SLICE("many 200000\r\nquit\r\n"));
	usleep(200000);
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		total += (size_t)n;
	assert_int_equal(total, strlen("hello\r\nbye\r\n") + 200000 * 57);
	close(fd);
}

static void quick_commands_are_answered_while_all_workers_are_busy(void **state)
{
	int busy[4], fd = client();

	(void)state;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 4; i++) {
		busy[i] = client();
		hear(busy[i], "hello\r\n");
	}
	hear(fd, "hello\r\n");
	for (int i = 0; i < 4; i++)
		say(busy[i], SLICE("block\r\n"));
	while (handler_threads < 2)
		usleep(1000);
	for (int i = 0; i < 1000; i++) {
		say(fd, SLICE("echo still here\r\n"));
		hear(fd, "still here\r\n");
	}
	assert_int_equal(handler_threads, 2);
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < 4; i++) {
		hear(busy[i], "unblocked\r\n");
		close(busy[i]);
	}
	close(fd);
}

static void only_quick_commands_run_in_the_reactor(void **state)
{
	int fd = client();

	(void)state;
	hear(fd, "hello\r\n");
	say(fd, SLICE("echo a\r\necho b\r\nwhere\r\necho c\r\n"));
	hear(fd, "a\r\nb\r\nworker\r\nc\r\n");
	close(fd);
}

static void silence_and_dripping_end_at_the_deadline(void **state)
{
	int silent = client(), dripping = client(), literal = client();

	(void)state;
	hear(silent, "hello\r\n");
	hear(dripping, "hello\r\n");
	hear(literal, "hello\r\n");
	say(literal, SLICE("take 5000\r\n"));
	for (int i = 0; i < 10; i++) {
		usleep(100000);
		send(dripping, "x", 1, MSG_NOSIGNAL);
		send(literal, "x", 1, MSG_NOSIGNAL);
	}
	hear(silent, "expired\r\n");
	hear(dripping, "expired\r\n");
	hear(literal, "expired\r\n");
	hear_end(silent);
	hear_end(dripping);
	hear_end(literal);
}

static void a_literal_that_keeps_its_rate_may_take_longer(void **state)
{
	char some[400];
	int fd = client();

	(void)state;
	memset(some, 'x', sizeof some);
	hear(fd, "hello\r\n");
	say(fd, SLICE("take 6000\r\n"));
	for (int i = 0; i < 15; i++) {
		usleep(100000);
		say(fd, (slice){ some, sizeof some });
	}
	hear(fd, "took 6000\r\n");
	close(fd);
}

static void watchers_are_told(void **state)
{
	int one = client(), other = client();

	(void)state;
	hear(one, "hello\r\n");
	hear(other, "hello\r\n");
	say(one, SLICE("watch\r\n"));
	say(other, SLICE("watch\r\n"));
	hear(one, "noticed\r\n"); /* beginning to watch is a look by itself */
	hear(other, "noticed\r\n");
	reactor_notice(reactor, 78);
	reactor_notice(reactor, 77);
	hear(one, "noticed\r\n");
	hear(other, "noticed\r\n");
	close(one);
	say(other, SLICE("quit\r\n"));
	hear(other, "bye\r\n");
	hear_end(other);
}

static void draining_says_goodbye_and_closes_all(void **state)
{
	int before = closed_sessions, idle = client(), held = client();

	(void)state;
	hear(idle, "hello\r\n");
	hear(held, "hello\r\n");
	say(held, SLICE("take 5\r\n123"));
	usleep(50000);
	reactor_drain(reactor, 600);
	hear(idle, "drained\r\n");
	hear_end(idle);
	say(held, SLICE("45"));
	hear(held, "took 5\r\ndrained\r\n");
	hear_end(held);
	pthread_join(reactor_thread, NULL);
	assert_int_equal(reactor_sessions(reactor), 0);
	assert_true(closed_sessions >= before + 2);
	reactor_free(reactor);
	close(listener.fd);
	start_server(NULL);
}

static void *release_late(void *nothing)
{
	(void)nothing;
	usleep(400000);
	session_release(kept);
	return NULL;
}

static void a_held_session_outlives_the_drain(void **state)
{
	pthread_t thread;
	int fd = client();

	(void)state;
	hear(fd, "hello\r\n");
	kept = NULL;
	say(fd, SLICE("keep\r\n"));
	while (!kept)
		usleep(1000);
	pthread_create(&thread, NULL, release_late, NULL);
	reactor_drain(reactor, 50);
	pthread_join(reactor_thread, NULL);
	pthread_join(thread, NULL);
	hear(fd, "released\r\n");
	close(fd);
	reactor_free(reactor);
	close(listener.fd);
	start_server(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gets_the_same_answers),
		cmocka_unit_test(an_overlong_line_is_answered_once),
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
