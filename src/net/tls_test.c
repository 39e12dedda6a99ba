/* Sessions over TLS, with a key that another process signs with (here: another loop). */
#include "lib/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/memory.h"
#include "net/ask.h"
#include "net/reactor.h"
#include "net/tls_ticket.h"
#include "proc/peers.h"

/* ---- the key and its certificate ---- */

static EVP_PKEY *key;

static void answer_sign(struct call *call)
{
	unsigned char signature[200];
	size_t n = sizeof signature;
	struct message m;

	message_get_text(&call->in);
	message_get_number(&call->in);
	slice digest = message_get_text(&call->in);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	EVP_PKEY_sign_init(ctx);
	EVP_PKEY_sign(ctx, signature, &n, (const unsigned char *)digest.p, digest.n);
	EVP_PKEY_CTX_free(ctx);
	message_begin(&m, MESSAGE_SIGN);
	message_put_text(&m, (slice){ (const char *)signature, n });
	call_reply(call, &m);
	message_free(&m);
}

static struct buf pem;

static void make_certificate(void)
{
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;

	key = EVP_EC_gen("P-256");
	X509_set_pubkey(certificate, key);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_sign(certificate, key, EVP_sha256());
	PEM_write_bio_X509(bio, certificate);
	long n = BIO_get_mem_data(bio, &p);
	buf_init(&pem, 10000);
	buf_add(&pem, (slice){ p, (size_t)n });
	BIO_free(bio);
	X509_free(certificate);
}

/* With one host of its own, and sessions that go on. */
static struct tls_context *make_context(void)
{
	struct tls_settings settings = tls_settings_usual;
	struct tls_pair pair = { buf_slice(&pem), SLICE("tls.default") };
	struct tls_hosts *hosts = tls_hosts_new();
	struct error error;

	settings.ticket_s = 100;
	settings.alpn = "talk other";
	assert_true(tls_hosts_add(hosts, SLICE("host.example"), &pair, 1, &error));
	struct tls_context *context = tls_context_new(&pair, 1, hosts, &settings, &error);
	assert_non_null(context);
	tls_hosts_free(hosts);
	return context;
}

static void turn_ticket_keys(void)
{
	static unsigned char keys[2 * TLS_TICKET_KEY];
	struct error error;

	memmove(keys + TLS_TICKET_KEY, keys, TLS_TICKET_KEY);
	RAND_bytes(keys, TLS_TICKET_KEY);
	assert_true(tls_tickets_set((slice){ (const char *)keys, sizeof keys }, &error));
}

/* ---- the protocol: "take N" (slowly), "body" (refused in its middle), "echo X", "quit" ---- */

struct talk {
	bool taking, body;
};

static enum turn greet(struct session *s)
{
	s->state = NEW(struct talk);
	session_want_line(s, 100);
	session_set_timeout(s, 4000);
	return TURN_NEXT;
}

static enum turn answer(struct session *s, slice frame)
{
	struct talk *t = s->state;
	uint64_t n;

	if (t->body) {
		buf_adds(&s->out, "no\r\n");
		return TURN_CLOSE;
	}
	if (t->taking) {
		usleep(80000); /* longer than a turn goes on with the next frame */
		t->taking = false;
		session_want_line(s, 100);
		buf_addf(&s->out, "took %zu\r\n", frame.n);
	} else if (slice_starts(frame, SLICE("echo "))) {
		buf_addf(&s->out, "%.*s\r\n", SLICE_ARG(slice_from(frame, 5)));
	} else if (slice_eq(frame, SLICE("body"))) {
		t->body = true;
		session_want_chunk(s);
	} else if (slice_eq(frame, SLICE("quit"))) {
		return TURN_CLOSE;
	} else if (slice_number(slice_from(frame, 5), 1000000, &n)) {
		t->taking = true;
		session_want_octets(s, n);
	}
	return TURN_NEXT;
}

static enum turn oversized(struct session *s)
{
	return TURN_CLOSE;
}

static void expired(struct session *s)
{
	buf_adds(&s->out, "expired\r\n");
}

static void closed(struct session *s)
{
	free(s->state);
}

static const struct protocol protocol = { .name = "talk",
	.open = greet,
	.frame = answer,
	.oversized = oversized,
	.expired = expired,
	.closed = closed };

/* ---- both sides ---- */

static struct listener listener = { .name = "test", .protocol = &protocol, .tls = LISTENER_TLS };
static struct peers *asking, *signing;
static struct reactor *reactor;
static struct tls_context *context;
static SSL_CTX *client_context;
static pthread_t threads[3];
static struct sockaddr_in address = { .sin_family = AF_INET };

static void *run_reactor(void *r)
{
	reactor_run(r);
	return NULL;
}

static void *run_peers(void *p)
{
	peers_run(p);
	return NULL;
}

static int start_server(void **state)
{
	static const struct service services[] = { { MESSAGE_SIGN, ROLE_BIT(ROLE_SMTP),
	    answer_sign } };
	struct reactor_config config = { .workers = 2, .max_sessions = 100, .first_id = 1 };
	socklen_t length = sizeof address;
	int one, two;

	signal(SIGPIPE, SIG_IGN);
	make_certificate();
	turn_ticket_keys();
	context = make_context();
	asking = peers_new(ROLE_SMTP, 0, NULL, 0);
	signing = peers_new(ROLE_KEYS, 0, services, 1);
	assert_true(channel_pair(&one, &two));
	peers_add(asking, ROLE_KEYS, 0, one);
	peers_add(signing, ROLE_SMTP, 0, two);
	ask_init(asking);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bind(listener.fd, (struct sockaddr *)&address, sizeof address);
	listen(listener.fd, 128);
	getsockname(listener.fd, (struct sockaddr *)&address, &length);
	reactor = reactor_new(&config);
	reactor_listen(reactor, &listener);
	reactor_set_tls(reactor, &listener, context);
	pthread_create(&threads[0], NULL, run_peers, asking);
	pthread_create(&threads[1], NULL, run_peers, signing);
	pthread_create(&threads[2], NULL, run_reactor, reactor);
	client_context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(client_context, SSL_SESS_CACHE_CLIENT);
	return 0;
}

static int stop_server(void **state)
{
	reactor_drain(reactor, 1000);
	pthread_join(threads[2], NULL);
	reactor_free(reactor);
	peers_stop(asking, 0);
	peers_stop(signing, 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	peers_free(asking);
	peers_free(signing);
	SSL_CTX_free(client_context);
	EVP_PKEY_free(key);
	buf_free(&pem);
	return close(listener.fd);
}

static SSL *client(int version)
{
	struct timeval patience = { .tv_sec = 3 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(client_context);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	SSL_set_fd(ssl, fd);
	SSL_set_max_proto_version(ssl, version);
	assert_int_equal(SSL_connect(ssl), 1);
	return ssl;
}

static void client_close(SSL *ssl)
{
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
}

static void hear(SSL *ssl, const char *want)
{
	char got[200];
	size_t n = 0, one;

	while (n < strlen(want) && SSL_read_ex(ssl, got + n, strlen(want) - n, &one))
		n += one;
	assert_slice(((slice){ got, n }), want);
}

static void handshakes_of_both_versions_use_the_far_key(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL *ssl = client(version);

		assert_int_equal(SSL_version(ssl), version);
		SSL_write(ssl, "echo a\r\nquit\r\n", 14);
		hear(ssl, "a\r\n");
		assert_int_equal(
		    SSL_get_error(ssl, SSL_read(ssl, (char[1]){ 0 }, 1)), SSL_ERROR_ZERO_RETURN);
		client_close(ssl);
	}
}

/* The end of the octets and the next line came in one record, of which only the octets had room. */
static void input_inside_openssl_is_found_without_the_socket(void **state)
{
	static char octets[66000 + 8];
	SSL *ssl = client(TLS1_3_VERSION);

	memset(octets, 'x', sizeof octets);
	memcpy(octets + 66000, "echo z\r\n", 8);
	SSL_write(ssl, "take 66000\r\necho ready\r\n", 12);
	usleep(50000);
	for (size_t at = 0; at < sizeof octets; at += 16384) {
		size_t n = sizeof octets - at < 16384 ? sizeof octets - at : 16384;

		SSL_write(ssl, octets + at, (int)n);
	}
	hear(ssl, "took 66000\r\nz\r\n");
	client_close(ssl);
}

static void the_last_answer_and_the_end_arrive(void **state)
{
	static char flood[100000];
	SSL *ssl = client(TLS1_3_VERSION);

	SSL_write(ssl, "body\r\n", 6);
	SSL_write(ssl, flood, sizeof flood);
	usleep(100000);
	SSL_write(ssl, flood, sizeof flood);
	hear(ssl, "no\r\n");
	assert_int_equal(
	    SSL_get_error(ssl, SSL_read(ssl, (char[1]){ 0 }, 1)), SSL_ERROR_ZERO_RETURN);
	client_close(ssl);
}

static void malformed_ticket_keys_are_refused(void **state)
{
	static const char octets[3 * TLS_TICKET_KEY];
	const size_t bad[] = { 0, 1, TLS_TICKET_KEY - 1, TLS_TICKET_KEY + 1, 3 * TLS_TICKET_KEY };
	struct error error;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(tls_tickets_set((slice){ octets, bad[i] }, &error));
}

/* Sessions of one thread, each going on with the one before; how many did. */
static void *come_again(void *name)
{
	SSL_SESSION *session = NULL;
	intptr_t resumed = 0;

	for (int i = 0; i < 30; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		SSL *ssl = SSL_new(client_context);

		connect(fd, (struct sockaddr *)&address, sizeof address);
		SSL_set_fd(ssl, fd);
		SSL_set_tlsext_host_name(ssl, name);
		if (session)
			SSL_set_session(ssl, session);
		if (SSL_connect(ssl) != 1)
			return (void *)-1;
		SSL_write(ssl, "echo a\r\nquit\r\n", 14);
		hear(ssl, "a\r\n");
		resumed += SSL_session_reused(ssl);
		SSL_SESSION_free(session);
		session = SSL_get1_session(ssl);
		SSL_shutdown(ssl);
		client_close(ssl);
	}
	SSL_SESSION_free(session);
	OPENSSL_thread_stop();
	return (void *)resumed;
}

static void certificates_and_ticket_keys_change_under_load(void **state)
{
	static const char *const names[] = { "host.example", "host.example", "other.example" };
	pthread_t clients[3];
	void *resumed;

	for (int i = 0; i < 3; i++)
		pthread_create(&clients[i], NULL, come_again, (void *)names[i]);
	for (int i = 0; i < 20; i++) {
		reactor_set_tls(reactor, &listener, make_context());
		if (i % 5 == 0)
			turn_ticket_keys();
		usleep(2000);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(clients[i], &resumed);
		assert_in_range((intptr_t)resumed, 1, 29);
	}
}

static void only_what_is_spoken_is_chosen(void **state)
{
	static const struct {
		const char *offer;
		int served;
	} cases[] = { { "\004talk", 1 }, { "\002h2\005other", 1 }, { "\005talkx", 0 },
		{ "\003tal", 0 }, { "\002h2\010http/1.1", 0 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		SSL *ssl = SSL_new(client_context);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
		SSL_set_fd(ssl, fd);
		SSL_set_alpn_protos(
		    ssl, (const unsigned char *)cases[i].offer, (unsigned)strlen(cases[i].offer));
		assert_int_equal(SSL_connect(ssl) == 1, cases[i].served);
		client_close(ssl);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_of_both_versions_use_the_far_key),
		cmocka_unit_test(input_inside_openssl_is_found_without_the_socket),
		cmocka_unit_test(the_last_answer_and_the_end_arrive),
		cmocka_unit_test(malformed_ticket_keys_are_refused),
		cmocka_unit_test(only_what_is_spoken_is_chosen),
		cmocka_unit_test(certificates_and_ticket_keys_change_under_load),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
