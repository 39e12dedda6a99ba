#include "lib/talk.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "lib/unit.h"
#include "net/internal.h"
#include "net/layer.h"

struct talk {
	long left;
	bool literal, body;
	_Atomic int inside; /* handlers that run now: at most one */
};

struct reactor *talk_reactor;
struct gate *talk_gate;
in_port_t talk_port;
pthread_mutex_t talk_backend = PTHREAD_MUTEX_INITIALIZER;
_Atomic int talk_blocked, talk_closed, talk_frames, talk_doubled;
_Atomic size_t talk_most_out, talk_most_kept;
struct session *_Atomic talk_kept;

static pthread_t reactor_thread;
static int timeout_ms;

static enum turn open_talk(struct session *s)
{
	s->state = NEW(struct talk);
	session_want_line(s, 100);
	session_set_timeout(s, timeout_ms);
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
	if (s->out.n > talk_most_out)
		talk_most_out = s->out.n;
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

static void use_backend(void)
{
	talk_blocked++;
	pthread_mutex_lock(&talk_backend);
	pthread_mutex_unlock(&talk_backend);
	talk_blocked--;
}

static void ask(struct session *s, bool fails)
{
	struct error error;

	if (!session_may_ask(s, &error)) {
		buf_addf(&s->out, "refused: %s\r\n", error.said);
		return;
	}
	use_backend();
	if (fails)
		session_ask_failed(s);
	buf_adds(&s->out, fails ? "failed\r\n" : "asked\r\n");
}

static struct gate *gate_of(const struct session *s, slice line)
{
	(void)s;
	return slice_eq(line, SLICE("ask")) || slice_eq(line, SLICE("fail")) ? talk_gate : NULL;
}

/* LIST */
/* A layer that anybody can break: each octet but its lowest bit. */
static bool turn_bits(void *context, slice octets, struct buf *out)
{
	(void)context;
	for (size_t i = 0; i < octets.n; i++)
		buf_addc(out, (char)(octets.p[i] ^ 1));
	return slice_find(octets, '\x7f') == octets.n;
}

static void nothing_to_free(void *context)
{
	(void)context;
}

static const struct session_layer talk_layer = { turn_bits, turn_bits, nothing_to_free, 100, NULL };

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
	} else if (slice_eq(line, SLICE("layer"))) {
		session_set_layer(s, &talk_layer);
		buf_adds(&s->out, "layered\r\n");
	} else if (slice_starts(line, SLICE("long "))) {
		buf_addf(&s->out, "%zu octets\r\n", line.n);
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
		use_backend();
		buf_adds(&s->out, "unblocked\r\n");
	} else if (slice_eq(line, SLICE("ask")) || slice_eq(line, SLICE("fail"))) {
		ask(s, slice_eq(line, SLICE("fail")));
	} else if (slice_eq(line, SLICE("where"))) {
		buf_adds(&s->out,
		    pthread_equal(pthread_self(), reactor_thread) ? "reactor\r\n" : "worker\r\n");
	} else if (slice_eq(line, SLICE("keep"))) {
		talk_kept = s;
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

/* A session has one owner: no two handlers of it run at once. */
static enum turn frame(struct session *s, slice line)
{
	struct talk *t = s->state;

	talk_frames++;
	if (t->inside++)
		talk_doubled++;
	enum turn turn = answer(s, line);
	/* After TURN_HELD somebody else may have it already. */
	if (turn != TURN_HELD)
		t->inside--;
	return turn;
}

/* Lines that begin so may have a hundred thousand octets. */
static size_t longest(struct session *s, slice begun)
{
	return slice_starts(begun, SLICE("long ")) ? 100000 : 0;
}

static enum turn oversized(struct session *s)
{
	buf_adds(&s->out, "too long\r\n");
	return TURN_NEXT;
}

static enum turn resume(struct session *s)
{
	((struct talk *)s->state)->inside--;
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
	if (s->own->in.cap + s->out.cap > talk_most_kept)
		talk_most_kept = s->own->in.cap + s->out.cap;
	buf_adds(&s->out, "drained\r\n");
}

static void closed(struct session *s)
{
	talk_closed++;
	free(s->state);
}

static const struct protocol talk_protocol = { .name = "talk",
	.open = open_talk,
	.frame = frame,
	.gate = gate_of,
	.oversized = oversized,
	.longest = longest,
	.more = more,
	.resume = resume,
	.notice = notice,
	.quick = quick,
	.expired = expired,
	.drained = drained,
	.closed = closed };

/* ---- the server and its clients ---- */

static struct listener listener = { .name = "test", .protocol = &talk_protocol };

static void *run(void *r)
{
	reactor_run(r);
	return NULL;
}

void talk_start(const struct talk_setup *setup)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	struct reactor_config config = {
		.workers = setup->workers, .max_sessions = 1000, .first_id = 0x100
	};

	timeout_ms = setup->timeout_ms ? setup->timeout_ms : 700;
	talk_frames = talk_doubled = 0;
	talk_most_out = talk_most_kept = 0;
	listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bind(listener.fd, (struct sockaddr *)&address, sizeof address);
	listen(listener.fd, 1024);
	getsockname(listener.fd, (struct sockaddr *)&address, &length);
	talk_port = address.sin_port;
	talk_reactor = reactor_new(&config);
	talk_gate = setup->gate.most ? reactor_gate(talk_reactor, &setup->gate) : NULL;
	reactor_listen(talk_reactor, &listener);
	assert_int_equal(pthread_create(&reactor_thread, NULL, run, talk_reactor), 0);
}

void talk_join(void)
{
	pthread_join(reactor_thread, NULL);
}

void talk_free(void)
{
	reactor_free(talk_reactor);
	close(listener.fd);
}

void talk_stop(void)
{
	reactor_drain(talk_reactor, 1000);
	talk_join();
	talk_free();
}

int talk_connect(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = talk_port };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

void talk_say(int fd, slice text)
{
	while (text.n) {
		ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);

		assert_true(n > 0);
		text = slice_from(text, (size_t)n);
	}
}

/* Reads exactly this, within five seconds. */
void talk_hear(int fd, const char *want)
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

void talk_hear_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(read(fd, &c, 1) <= 0);
	close(fd);
}
