/*
 * tickets: logs in by IMAP with tickets (GSSAPI), in parallel sessions, each login on a connection of its own.
 *
 *     tickets PORT HOST SESSIONS LOGINS [tls]
 *
 * Speaks to 127.0.0.1 with the ticket cache of the environment. All tokens are made before the clock starts: what
 * is measured is the servers' half. One line of figures: logins a second, and the time of a login in ms (median,
 * 99th percentile), from connecting to the tagged OK.
 */
#include <arpa/inet.h>
#include <gssapi/gssapi.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE 8192

struct login {
	gss_ctx_id_t context;
	gss_buffer_desc token;
};

struct wire {
	int fd;
	SSL *tls; /* NULL: in clear */
	char in[LINE];
	size_t n;
};

static int port, logins;
static struct login *prepared;
static double *latencies;
static _Atomic int next_login;
static SSL_CTX *tls_context;
static gss_name_t service;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *said)
{
	fprintf(stderr, "tickets: %s: %s\n", what, said);
	exit(1);
}

static void wire_open(struct wire *w)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int on = 1;

	*w = (struct wire){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	if (connect(w->fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect", "refused");
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!tls_context)
		return;
	w->tls = SSL_new(tls_context);
	SSL_set_fd(w->tls, w->fd);
	if (SSL_connect(w->tls) != 1)
		fail("TLS", "no handshake");
}

static void wire_send(struct wire *w, const char *p, size_t n)
{
	ssize_t sent = w->tls ? SSL_write(w->tls, p, (int)n) : send(w->fd, p, n, MSG_NOSIGNAL);

	if (sent != (ssize_t)n)
		fail("send", "the connection is gone");
}

/* The next line that is no untagged one, without its end. */
static void wire_line(struct wire *w, char *line)
{
	for (;;) {
		char *end = memchr(w->in, '\n', w->n);

		if (end) {
			size_t length = (size_t)(end - w->in);

			memcpy(line, w->in, length);
			line[length] = '\0';
			w->n -= length + 1;
			memmove(w->in, end + 1, w->n);
			if (strncmp(line, "* ", 2) != 0)
				return;
			continue;
		}
		ssize_t got = w->tls ? SSL_read(w->tls, w->in + w->n, (int)(LINE - 1 - w->n))
				     : recv(w->fd, w->in + w->n, LINE - 1 - w->n, 0);
		if (got <= 0)
			fail("read", "the connection is gone");
		w->n += (size_t)got;
	}
}

static void say_token(struct wire *w, const char *before, gss_buffer_t token)
{
	char line[LINE];
	int n = snprintf(line, sizeof line, "%s", before);

	n += EVP_EncodeBlock((unsigned char *)line + n, token->value, (int)token->length);
	memcpy(line + n, "\r\n", 3);
	wire_send(w, line, (size_t)n + 2);
}

/* The octets of a "+ " line. */
static gss_buffer_desc challenge(struct wire *w, unsigned char *octets)
{
	char line[LINE];

	wire_line(w, line);
	if (line[0] != '+')
		fail("AUTHENTICATE", line);
	size_t n = strcspn(line + 2, "\r");
	line[2 + n] = '\0';
	int decoded = n ? EVP_DecodeBlock(octets, (unsigned char *)line + 2, (int)n) : 0;
	while (n && line[1 + n] == '=')
		decoded--, n--;
	return (gss_buffer_desc){ (size_t)decoded, octets };
}

static void first_token(struct login *l, gss_buffer_t input, gss_buffer_t output)
{
	OM_uint32 minor, major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &l->context, service,
	    GSS_C_NO_OID, GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG, 0, GSS_C_NO_CHANNEL_BINDINGS, input, NULL,
	    output, NULL, NULL);

	if (GSS_ERROR(major))
		fail("ticket", "none for the service");
}

static void log_in(struct wire *w, struct login *l)
{
	unsigned char octets[LINE], none[4] = { 1, 0, 0, 0 };
	gss_buffer_desc empty = GSS_C_EMPTY_BUFFER, layers, choice = { 4, none }, wrapped;
	char line[LINE];
	OM_uint32 minor;

	wire_send(w, "a AUTHENTICATE GSSAPI\r\n", 23);
	challenge(w, octets);
	say_token(w, "", &l->token);
	gss_buffer_desc answer = challenge(w, octets);
	first_token(l, &answer, &empty);
	wire_send(w, "\r\n", 2);
	answer = challenge(w, octets);
	if (GSS_ERROR(gss_unwrap(&minor, l->context, &answer, &layers, NULL, NULL)) ||
	    GSS_ERROR(gss_wrap(&minor, l->context, 0, GSS_C_QOP_DEFAULT, &choice, NULL, &wrapped)))
		fail("layers", "not the server's");
	say_token(w, "", &wrapped);
	gss_release_buffer(&minor, &layers);
	gss_release_buffer(&minor, &wrapped);
	wire_line(w, line);
	if (strncmp(line, "a OK", 4) != 0)
		fail("AUTHENTICATE", line);
}

static void *session(void *nothing)
{
	struct wire *w = malloc(sizeof *w);
	int i;

	while ((i = next_login++) < logins) {
		double start = now();

		wire_open(w);
		log_in(w, &prepared[i]);
		latencies[i] = (now() - start) * 1e3;
		wire_send(w, "b LOGOUT\r\n", 10);
		SSL_free(w->tls);
		close(w->fd);
	}
	free(w);
	return nothing;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		fail("usage", "tickets PORT HOST SESSIONS LOGINS [tls]");
	int sessions = atoi(argv[3]);
	char name[300];
	OM_uint32 minor;

	port = atoi(argv[1]);
	logins = atoi(argv[4]);
	tls_context = argc > 5 ? SSL_CTX_new(TLS_client_method()) : NULL;
	snprintf(name, sizeof name, "imap@%s", argv[2]);
	gss_buffer_desc text = { strlen(name), name }, nothing = GSS_C_EMPTY_BUFFER;
	gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &service);
	prepared = calloc((size_t)logins, sizeof *prepared);
	latencies = calloc((size_t)logins, sizeof *latencies);
	for (int i = 0; i < logins; i++)
		first_token(&prepared[i], &nothing, &prepared[i].token);
	pthread_t *threads = calloc((size_t)sessions, sizeof *threads);
	double start = now();
	for (int i = 0; i < sessions; i++)
		pthread_create(&threads[i], NULL, session, NULL);
	for (int i = 0; i < sessions; i++)
		pthread_join(threads[i], NULL);
	double took = now() - start;
	qsort(latencies, (size_t)logins, sizeof *latencies, compare);
	printf("logins %.1f p50 %.2f p99 %.2f\n", logins / took, latencies[logins / 2],
	    latencies[logins * 99 / 100]);
	return 0;
}
