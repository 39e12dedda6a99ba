#include "lib/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "net/reactor.h"

static struct listener listener;
static struct reactor *reactor;
static pthread_t thread;
static uint16_t port;
static char root[] = "/tmp/hauberk-server-XXXXXX";

static void *run(void *r)
{
	reactor_run(r);
	return NULL;
}

static void *worker_start(void *context)
{
	return store_new(root, 10);
}

static void worker_stop(void *worker)
{
	store_free(worker);
}

static void listen_anywhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;

	listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener.fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener.fd, 16), 0);
	getsockname(listener.fd, (struct sockaddr *)&address, &length);
	port = address.sin_port;
}

static void start(
    const struct protocol *protocol, bool plain_login, void *(*begin)(void *), void (*end)(void *))
{
	struct reactor_config config = { .workers = 4,
		.max_sessions = 100,
		.first_id = 1,
		.worker_start = begin,
		.worker_stop = end };

	log_open("test", 2, getenv("LOG") ? LOG_DEBUG : LOG_BUG);
	snprintf(root, sizeof root, "/tmp/hauberk-server-XXXXXX");
	assert_non_null(mkdtemp(root));
	listener =
	    (struct listener){ .name = "test", .protocol = protocol, .plain_login = plain_login };
	listen_anywhere();
	reactor = reactor_new(&config);
	reactor_listen(reactor, &listener);
	assert_int_equal(pthread_create(&thread, NULL, run, reactor), 0);
}

void server_start(const struct protocol *protocol)
{
	start(protocol, true, worker_start, worker_stop);
}

void server_start_strict(const struct protocol *protocol)
{
	start(protocol, false, worker_start, worker_stop);
}

void server_start_workers(
    const struct protocol *protocol, void *(*begin)(void *), void (*end)(void *))
{
	start(protocol, true, begin, end);
}

const char *server_root(void)
{
	return root;
}

void server_stop(void)
{
	char command[100];

	reactor_drain(reactor, 1000);
	pthread_join(thread, NULL);
	reactor_free(reactor);
	close(listener.fd);
	snprintf(command, sizeof command, "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

int server_connect(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = port
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

void server_say(int fd, const char *text)
{
	for (slice rest = slice_of(text); rest.n;) {
		ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);

		assert_true(n > 0);
		rest = slice_from(rest, (size_t)n);
	}
}

/* At most n octets; 0 at the end or after ten seconds. */
static size_t hear_some(int fd, char *to, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, 10000) != 1)
		return 0;
	ssize_t got = read(fd, to, n);
	return got > 0 ? (size_t)got : 0;
}

void server_hear_at(int fd, const char *want, const char *file, int line)
{
	size_t length = strlen(want), n = 0, got = 1;
	char *heard = calloc(1, length + 1);

	while (n < length && got) {
		got = hear_some(fd, heard + n, length - n);
		n += got;
		if (strncmp(heard, want, n) != 0)
			break;
	}
	if (strcmp(heard, want) != 0) {
		/* What follows makes the failure readable. */
		char more[200] = "";

		if (got && poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 100) == 1)
			hear_some(fd, more, sizeof more - 1);
		print_error("heard \"%s%s\"\nwant  \"%s\"\n", heard, more, want);
		_fail(file, line);
	}
	free(heard);
}

void server_hear_line(int fd, const char *start_of_line, struct buf *out)
{
	size_t line = out->n;
	char c;

	while (hear_some(fd, &c, 1)) {
		buf_addc(out, c);
		if (c != '\n')
			continue;
		if (slice_starts(slice_from(buf_slice(out), line), slice_of(start_of_line)))
			return;
		line = out->n;
	}
	print_error("heard \"%s\"\nwant a line that begins with \"%s\"\n", out->p, start_of_line);
	_fail(__FILE__, __LINE__);
}

void server_hear_end(int fd)
{
	char c;

	assert_int_equal(hear_some(fd, &c, 1), 0);
	close(fd);
}

struct store *server_store(void *worker)
{
	return worker;
}

struct store *server_store_new(void)
{
	return store_new(root, 1);
}

enum login_answer server_login(void *worker, slice name, slice password, struct deadline deadline,
    int64_t *account_out, struct error *error)
{
	bool alice = slice_eq(name, SLICE("alice")) && slice_eq(password, SLICE("secret"));
	bool bob = slice_eq(name, SLICE("bob")) && slice_eq(password, SLICE("geheim"));

	*account_out = alice ? 1 : 2;
	if (slice_eq(name, SLICE("broken"))) {
		error_local(error, "auth is down");
		return LOGIN_FAILED;
	}
	return alice || bob ? LOGIN_RIGHT : LOGIN_WRONG;
}

bool server_find(void *worker, slice name, struct login_account *account_out, struct error *error)
{
	(void)error;
	*account_out = (struct login_account){ .id = slice_eq(name, SLICE("alice")) ? 1
		    : slice_eq(name, SLICE("bob"))                                  ? 2
										    : 0 };
	return true;
}

void server_notice(uint64_t key)
{
	reactor_notice(reactor, key);
}
