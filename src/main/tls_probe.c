#include "main/tls_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/slice.h"

#define PATIENCE_MS 10000
#define LINES_MOST  100

/* ---- the socket ---- */

static bool wait_for(int fd, short events, struct deadline deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, deadline_left_ms(deadline)) == 1;
}

static socklen_t address_of(const struct tls_target *t, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;
	/* Where a listener takes all addresses, loopback is one of them. */
	const char *text = strcmp(t->address, "0.0.0.0") == 0 ? "127.0.0.1"
	    : strcmp(t->address, "::") == 0                   ? "::1"
							      : t->address;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)t->port);
		return sizeof *in4;
	}
	inet_pton(AF_INET6, text, &in6->sin6_addr);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)t->port);
	return sizeof *in6;
}

int tls_probe_dial(const struct tls_target *t, struct deadline deadline, struct error *error)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(t, &address), size = sizeof(int);
	int fault = 0,
	    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    (connect(fd, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS))
		fault = errno;
	else if (!wait_for(fd, POLLOUT, deadline))
		fault = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size);
	if (!fault)
		return fd;
	if (fd >= 0)
		close(fd);
	error_local(error, "cannot connect: %s", strerror(fault));
	return -1;
}

/* Octet by octet: what follows the last line belongs to the handshake. */
static bool read_line(int fd, char *line, size_t room, struct deadline deadline)
{
	for (size_t n = 0; n + 1 < room; n++) {
		if (!wait_for(fd, POLLIN, deadline) || recv(fd, line + n, 1, 0) != 1)
			return false;
		if (line[n] == '\n') {
			line[n] = '\0';
			return true;
		}
	}
	return false;
}

static bool say(int fd, const char *text, struct deadline deadline)
{
	size_t n = strlen(text);

	return wait_for(fd, POLLOUT, deadline) && send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* ---- before TLS ---- */

/* Reads to the line that ends the answer; does it begin with `good`? */
static bool answered(
    int fd, const char *protocol, const char *tag, const char *good, struct deadline deadline)
{
	char line[2000];

	for (int i = 0; i < LINES_MOST; i++) {
		if (!read_line(fd, line, sizeof line, deadline))
			return false;
		slice text = slice_of(line);
		bool more = strcmp(protocol, "smtp") == 0 ? text.n > 3 && text.p[3] == '-'
							  : !slice_starts(text, slice_of(tag));
		if (!more)
			return slice_starts(text, slice_of(good));
	}
	return false;
}

bool tls_probe_starttls(const struct tls_target *t, int fd, struct deadline deadline)
{
	const char *p = t->protocol;

	if (strcmp(p, "smtp") == 0)
		return answered(fd, p, "", "220", deadline) &&
		    say(fd, "EHLO localhost\r\n", deadline) &&
		    answered(fd, p, "", "250", deadline) && say(fd, "STARTTLS\r\n", deadline) &&
		    answered(fd, p, "", "220", deadline);
	if (strcmp(p, "imap") == 0)
		return answered(fd, p, "* ", "* OK", deadline) &&
		    say(fd, "a STARTTLS\r\n", deadline) && answered(fd, p, "a ", "a OK", deadline);
	return answered(fd, p, "", "+OK", deadline) && say(fd, "STLS\r\n", deadline) &&
	    answered(fd, p, "", "+OK", deadline);
}

/* ---- TLS ---- */

static int on_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	struct tls_probe *p = SSL_get_app_data(ssl);

	(void)certificate;
	(void)key;
	p->asked = true;
	return 0;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_probe *p = SSL_get_app_data(ssl);

	if (p->session || !SSL_SESSION_has_ticket(session))
		return 0;
	p->session = session;
	return 1;
}

/* The system's authorities are many: read once, kept for the command's life. */
static X509_STORE *authorities(void)
{
	static X509_STORE *store;

	if (!store && (store = X509_STORE_new()))
		X509_STORE_set_default_paths(store);
	return store;
}

static SSL_CTX *client(const struct tls_offer *offer)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	if (!c)
		return NULL;
	/* Everything, so that it is the server who refuses. */
	SSL_CTX_set_security_level(c, 0);
	SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(c, offer->version ? offer->version : TLS1_VERSION);
	SSL_CTX_set_max_proto_version(c, offer->version);
	if (offer->signatures)
		SSL_CTX_set1_sigalgs_list(c, offer->signatures);
	SSL_CTX_set1_cert_store(c, authorities());
	SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_client_cert_cb(c, on_asked);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return c;
}

bool tls_probe_again(SSL *ssl, int returned, struct deadline deadline)
{
	int wants = SSL_get_error(ssl, returned);

	return (wants == SSL_ERROR_WANT_READ && wait_for(SSL_get_fd(ssl), POLLIN, deadline)) ||
	    (wants == SSL_ERROR_WANT_WRITE && wait_for(SSL_get_fd(ssl), POLLOUT, deadline));
}

/* Leaves as a client should, and reads to the end: tickets and refusals come after a handshake. false: the
 * server ended with an alert. */
static bool leave(const struct tls_target *t, SSL *ssl, struct deadline deadline)
{
	const char *bye = strcmp(t->protocol, "imap") == 0 ? "a LOGOUT\r\n" : "QUIT\r\n";
	char octets[4096];
	int n = SSL_write(ssl, bye, (int)strlen(bye));

	for (int i = 0; i < LINES_MOST; i++) {
		n = SSL_read(ssl, octets, sizeof octets);
		if (n <= 0 && !tls_probe_again(ssl, n, deadline))
			return SSL_get_error(ssl, n) != SSL_ERROR_SSL;
	}
	return true;
}

static void shake(
    const struct tls_target *t, SSL *ssl, struct tls_probe *out, struct deadline deadline)
{
	int n;

	while ((n = SSL_connect(ssl)) != 1 && tls_probe_again(ssl, n, deadline))
		;
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	out->chain = chain ? X509_chain_up_ref(chain) : NULL; /* a ticket makes another session */
	bool left = n == 1 && leave(t, ssl, deadline);
	out->refused = out->asked && !left;
	out->spoken = n == 1 || out->asked;
	out->version = SSL_version(ssl);
	out->cipher = SSL_get_cipher_name(ssl);
	out->verified = SSL_get_verify_result(ssl);
	out->resumed = SSL_session_reused(ssl);
}

bool tls_probe(const struct tls_target *target, const struct tls_offer *offer,
    struct tls_probe *out, struct error *error)
{
	struct deadline deadline = deadline_in_ms(PATIENCE_MS);
	int fd = tls_probe_dial(target, deadline, error);

	*out = (struct tls_probe){ 0 };
	if (fd < 0)
		return false;
	SSL_CTX *context = client(offer);
	SSL *ssl = context ? SSL_new(context) : NULL;
	bool ok = ssl || error_local(error, "openssl gives no connection");
	ok = ok &&
	    (!target->starttls || tls_probe_starttls(target, fd, deadline) ||
		error_local(error, "no answer, or TLS is not begun, with %s",
		    strcmp(target->protocol, "pop3") == 0 ? "STLS" : "STARTTLS"));
	if (ok) {
		SSL_set_fd(ssl, fd);
		SSL_set_app_data(ssl, out);
		SSL_set_tlsext_host_name(ssl, target->host);
		if (offer->session)
			SSL_set_session(ssl, offer->session);
		shake(target, ssl, out, deadline);
	}
	/* OpenSSL takes the session of a connection that just ends for one that must not go on. */
	if (ssl && SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	ERR_clear_error();
	return ok;
}

void tls_probe_free(struct tls_probe *p)
{
	sk_X509_pop_free(p->chain, X509_free);
	SSL_SESSION_free(p->session);
	*p = (struct tls_probe){ 0 };
}
