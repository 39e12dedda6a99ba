#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void fail(const char *what, const char *said)
{
	fprintf(stderr, "load: %s: %s\n", what, said);
	exit(1);
}

SSL_CTX *wire_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	return context;
}

void wire_open(struct wire *w, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int on = 1;

	w->n = 0;
	w->tls = NULL;
	w->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(w->fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect", "refused");
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void wire_secure(struct wire *w, SSL_CTX *context)
{
	w->tls = SSL_new(context);
	SSL_set_fd(w->tls, w->fd);
	if (SSL_connect(w->tls) != 1)
		fail("TLS", "the handshake failed");
}

void wire_close(struct wire *w)
{
	SSL_free(w->tls);
	close(w->fd);
}

void wire_send(struct wire *w, const char *p, size_t n)
{
	while (n) {
		ssize_t sent =
		    w->tls ? SSL_write(w->tls, p, (int)n) : send(w->fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			fail("send", "the connection is gone");
		p += sent;
		n -= (size_t)sent;
	}
}

static void receive(struct wire *w)
{
	size_t room = sizeof w->in - w->n;
	ssize_t got =
	    w->tls ? SSL_read(w->tls, w->in + w->n, (int)room) : recv(w->fd, w->in + w->n, room, 0);

	if (got <= 0)
		fail("receive", "the connection is gone");
	w->n += (size_t)got;
}

static void take_line(struct wire *w, const char *end, char *line, size_t size)
{
	size_t length = (size_t)(end - w->in), kept = length < size - 1 ? length : size - 1;

	memcpy(line, w->in, kept);
	line[kept && line[kept - 1] == '\r' ? kept - 1 : kept] = '\0';
	w->n -= length + 1;
	memmove(w->in, end + 1, w->n);
}

void wire_line(struct wire *w, char *line, size_t size)
{
	char *end;

	while (!(end = memchr(w->in, '\n', w->n))) {
		if (w->n == sizeof w->in)
			fail("receive", "a line that does not end");
		receive(w);
	}
	take_line(w, end, line, size);
}

/* Where a line begins with `mark`; NULL: nowhere yet. */
static char *find_mark(struct wire *w, const char *mark, bool begins)
{
	char searched[64];
	size_t n = strlen(mark);

	if (begins && w->n >= n && memcmp(w->in, mark, n) == 0)
		return w->in;
	snprintf(searched, sizeof searched, "\n%s", mark);
	char *found = memmem(w->in, w->n, searched, n + 1);
	return found ? found + 1 : NULL;
}

void wire_until(struct wire *w, const char *mark, char *line, size_t size)
{
	bool begins = true; /* what is there begins a line */
	char *found;

	while (!(found = find_mark(w, mark, begins))) {
		size_t tail = strlen(mark) + 1;

		/* All but an end that may be the begin of the mark. */
		if (w->n > tail) {
			memmove(w->in, w->in + w->n - tail, tail);
			w->n = tail;
			begins = false;
		}
		receive(w);
	}
	w->n -= (size_t)(found - w->in);
	memmove(w->in, found, w->n);
	wire_line(w, line, size);
}
