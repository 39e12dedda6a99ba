/* Sessions on real sockets, with a small protocol that uses every kind of turn. */
#include "lib/split.h"
#include "lib/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/reactor.h"

/* The protocol: "echo X", "many N" (a long answer), "hold" (released by another thread), "take N" (a
 * literal), "block" (waits in a worker until let go), "watch", "quit". */
struct talk {
	long left;
	bool literal;
};

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

	if (t->literal) {
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
	return slice_starts(line, SLICE("echo ")) && !((const struct talk *)s->state)->literal;
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
static pthread_t reactor_thread;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gets_the_same_answers),
		cmocka_unit_test(an_overlong_line_is_answered_once),
		cmocka_unit_test(a_long_answer_waits_for_its_reader_and_comes_whole),
		cmocka_unit_test(quick_commands_are_answered_while_all_workers_are_busy),
		cmocka_unit_test(silence_and_dripping_end_at_the_deadline),
		cmocka_unit_test(a_literal_that_keeps_its_rate_may_take_longer),
		cmocka_unit_test(watchers_are_told),
		cmocka_unit_test(draining_says_goodbye_and_closes_all),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
