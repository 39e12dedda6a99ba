#include "main/tls_talk.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define LINES_MOST  100

static bool shake(struct tls_talk *t)
{
	int n;

	t->context = SSL_CTX_new(TLS_client_method());
	t->ssl = t->context ? SSL_new(t->context) : NULL;
	if (!t->ssl || !SSL_set_fd(t->ssl, t->fd))
		return false;
	while ((n = SSL_connect(t->ssl)) != 1 && tls_probe_again(t->ssl, n, t->deadline))
		;
	return n == 1;
}

bool tls_talk_open(
    const struct tls_target *target, bool tls, struct tls_talk *out, struct error *error)
{
	char line[1000];

	*out = (struct tls_talk){ .deadline = deadline_in_ms(PATIENCE_MS) };
	out->fd = tls_probe_dial(target, out->deadline, error);
	if (out->fd < 0)
		return false;
	bool ok =
	    (!tls || !target->starttls || tls_probe_starttls(target, out->fd, out->deadline)) &&
	    (!tls || shake(out));
	if (ok && !(tls && target->starttls))
		ok = tls_talk_line(out, line, sizeof line);
	if (ok)
		return true;
	tls_talk_close(out);
	return error_local(error, "there is no greeting, or no TLS");
}

bool tls_talk_say(struct tls_talk *t, slice octets)
{
	while (octets.n) {
		struct pollfd p = { .fd = t->fd, .events = POLLOUT };
		ssize_t n = t->ssl ? SSL_write(t->ssl, octets.p, (int)octets.n)
				   : send(t->fd, octets.p, octets.n, MSG_NOSIGNAL);

		if (n > 0)
			octets = slice_from(octets, (size_t)n);
		else if (t->ssl ? !tls_probe_again(t->ssl, (int)n, t->deadline)
				: poll(&p, 1, deadline_left_ms(t->deadline)) != 1)
			return false;
	}
	return true;
}

static bool octet(struct tls_talk *t, char *out)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	int n;

	if (!t->ssl)
		return poll(&p, 1, deadline_left_ms(t->deadline)) == 1 &&
		    recv(t->fd, out, 1, 0) == 1;
	while ((n = SSL_read(t->ssl, out, 1)) != 1)
		if (!tls_probe_again(t->ssl, n, t->deadline))
			return false;
	return true;
}

bool tls_talk_line(struct tls_talk *t, char *line, size_t room)
{
	for (size_t n = 0; n + 1 < room && octet(t, line + n); n++) {
		if (line[n] != '\n')
			continue;
		line[n > 0 && line[n - 1] == '\r' ? n - 1 : n] = '\0';
		return true;
	}
	return false;
}

void tls_talk_close(struct tls_talk *t)
{
	SSL_free(t->ssl);
	SSL_CTX_free(t->context);
	close(t->fd);
}
