/* Keys and passwords, asked over a channel as other roles do; and TLS with a key in another process. */
#include "lib/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include "net/ask.h"
#include "net/reactor.h"
#include "vault/auth.h"
#include "vault/keys.h"

#define WAIT_MS 20000

/* ---- certificates ---- */

struct pair {
	struct buf certificate, key;
};

static struct pair right, other, rsa;

static void take_pem(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_init(out, 100000);
	buf_add(out, (slice){ p, (size_t)n });
	BIO_free(bio);
}

/* A certificate for "mail.example.test" that its own key signed. */
static void make_pair(struct pair *pair, EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(key);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"mail.example.test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	bool own_hash = EVP_PKEY_is_a(key, "ED25519");
	assert_true(X509_sign(x, key, own_hash ? NULL : EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, x);
	take_pem(bio, &pair->certificate);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	take_pem(bio, &pair->key);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int make_pairs(void **state)
{
	(void)state;
	make_pair(&right, EVP_EC_gen("P-256"));
	make_pair(&other, EVP_EC_gen("P-256"));
	make_pair(&rsa, EVP_RSA_gen(2048));
	return 0;
}

static int free_pairs(void **state)
{
	struct pair *all[] = { &right, &other, &rsa };

	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_free(&all[i]->certificate);
		buf_free(&all[i]->key);
	}
	return 0;
}

/* ---- the roles ---- */

static char folder[40];
static pid_t keys_pid, auth_pid;
static struct peers *peers;
static pthread_t peers_thread;

static void *run(void *p)
{
	peers_run(p);
	return NULL;
}

static int run_keys(int fd)
{
	struct peers *p = peers_new(ROLE_KEYS, 0, keys_services, keys_service_count);
	struct error error;

	/* A server whose certificate was renewed hundreds of times. */
	for (int i = 0; i < KEYS_PURPOSE + 44; i++) {
		char name[20];

		snprintf(name, sizeof name, "tls.%d", i);
		if (!keys_add(slice_of(name), buf_slice(&right.key), &error))
			return 1;
	}
	if (!keys_add(SLICE("tls.default"), buf_slice(&right.key), &error) ||
	    !keys_add(SLICE("tls.rsa"), buf_slice(&rsa.key), &error) ||
	    !keys_add(SLICE("dkim.rsa"), buf_slice(&rsa.key), &error) ||
	    !keys_add(SLICE("dkim.default"), buf_slice(&other.key), &error))
		return 1;
	peers_add(p, ROLE_SMTP, 0, fd);
	return peers_run(p);
}

static int run_auth(int fd, int control_fd)
{
	struct peers *p = peers_new(ROLE_AUTH, 0, auth_services, auth_service_count);
	struct error error;
	char path[80];

	snprintf(path, sizeof path, "%s/auth.db", folder);
	if (!auth_open(path, &error))
		return 1;
	auth_start(2);
	peers_add(p, ROLE_SMTP, 0, fd);
	peers_add(p, ROLE_CONTROL, 0, control_fd);
	return peers_run(p);
}

static void start_peers(enum role me)
{
	peers = peers_new(me, 0, NULL, 0);
	ask_init(peers);
}

static void begin_asking(enum role role, int fd)
{
	peers_add(peers, role, 0, fd);
	pthread_create(&peers_thread, NULL, run, peers);
}

static void end_asking(void)
{
	peers_stop(peers, 0);
	pthread_join(peers_thread, NULL);
	peers_free(peers);
}

static int start_keys(void **state)
{
	int ours, theirs;

	(void)state;
	assert_true(channel_pair(&ours, &theirs));
	keys_pid = fork();
	if (keys_pid == 0) {
		alarm(60);
		_exit(run_keys(theirs));
	}
	close(theirs);
	start_peers(ROLE_SMTP);
	begin_asking(ROLE_KEYS, ours);
	return 0;
}

static int stop_keys(void **state)
{
	(void)state;
	end_asking();
	kill(keys_pid, SIGKILL);
	waitpid(keys_pid, NULL, 0);
	return 0;
}

/* ---- keys ---- */

static void a_key_belongs_to_its_certificate_only(void **state)
{
	enum key_kind kind;
	struct error error;

	(void)state;
	assert_true(
	    keys_match(buf_slice(&right.certificate), buf_slice(&right.key), &kind, &error));
	assert_int_equal(kind, KEY_ECDSA);
	assert_true(keys_match(buf_slice(&rsa.certificate), buf_slice(&rsa.key), &kind, &error));
	assert_int_equal(kind, KEY_RSA);
	assert_false(
	    keys_match(buf_slice(&right.certificate), buf_slice(&other.key), &kind, &error));
	assert_non_null(strstr(error.why, "does not belong"));
	assert_false(keys_match(buf_slice(&right.certificate), buf_slice(&rsa.key), &kind, &error));
	assert_false(keys_match(buf_slice(&rsa.certificate), buf_slice(&right.key), &kind, &error));
	assert_false(keys_match(SLICE("nothing"), buf_slice(&right.key), &kind, &error));
	assert_non_null(strstr(error.why, "no certificate"));
	assert_false(keys_match(buf_slice(&right.certificate), SLICE("nothing"), &kind, &error));
	assert_non_null(strstr(error.why, "no private key"));
	assert_false(keys_add(SLICE("tls.none"), SLICE(""), &error));
}

static void keys_of_other_kinds_are_refused(void **state)
{
	const struct {
		EVP_PKEY *key;
		const char *why;
	} bad[] = {
		{ EVP_RSA_gen(1024), "RSA of 1024 bits; 2048 to 8192 are served" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "neither ECDSA nor RSA" },
	};
	enum key_kind kind;
	struct error error;
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		make_pair(&pair, bad[i].key);
		assert_false(
		    keys_match(buf_slice(&pair.certificate), buf_slice(&pair.key), &kind, &error));
		assert_non_null(strstr(error.why, bad[i].why));
		assert_false(keys_add(SLICE("tls.bad"), buf_slice(&pair.key), &error));
		assert_non_null(strstr(error.why, bad[i].why));
		buf_free(&pair.certificate);
		buf_free(&pair.key);
	}
}

static bool verify(const struct pair *pair, slice digest, slice signature)
{
	BIO *bio = BIO_new_mem_buf(pair->certificate.p, (int)pair->certificate.n);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(X509_get0_pubkey(x), NULL);
	bool ok = EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_verify(ctx, (const unsigned char *)signature.p, signature.n,
		(const unsigned char *)digest.p, digest.n) == 1;

	EVP_PKEY_CTX_free(ctx);
	X509_free(x);
	BIO_free(bio);
	return ok;
}

static void a_digest_is_signed_for_the_right_purpose_only(void **state)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	slice d = { (const char *)digest, sizeof digest };
	struct error error;
	struct buf signature;

	(void)state;
	SHA256((const unsigned char *)"hello", 5, digest);
	buf_init(&signature, 1000);
	assert_true(ask_sign(
	    SLICE("tls.default"), SIGN_ECDSA, d, deadline_in_ms(WAIT_MS), &signature, &error));
	assert_true(verify(&right, d, buf_slice(&signature)));
	assert_false(verify(&other, d, buf_slice(&signature)));
	buf_clear(&signature);
	assert_true(ask_sign(
	    SLICE("tls.8235"), SIGN_ECDSA, d, deadline_in_ms(WAIT_MS), &signature, &error));
	buf_clear(&signature);
	const char *refused[] = { "dkim.default", "tls.unknown", "", "tls.", "tls.0", "tls.45" };
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(ask_sign(slice_of(refused[i]), SIGN_ECDSA, d, deadline_in_ms(WAIT_MS),
		    &signature, &error));
		assert_int_equal(error.fault, FAULT_DENIED);
		assert_false(error.temporary);
	}
	/* Whole texts are never signed, nor what is too short for any digest. */
	slice no_digests[] = {
		SLICE("hello"), SLICE(""),
		SLICE(
		    "a text of more than sixty-four octets, which no digest of TLS would ever have")
	};
	for (size_t i = 0; i < 3; i++) {
		assert_false(ask_sign(SLICE("tls.default"), SIGN_ECDSA, no_digests[i],
		    deadline_in_ms(WAIT_MS), &signature, &error));
		assert_int_equal(error.fault, FAULT_INPUT);
	}
	assert_int_equal(signature.n, 0);
	buf_free(&signature);
}

/* As RFC 8017 has them, with the padding that keys has made. */
static bool verify_rsa(slice digest, slice signature, const EVP_MD *hash, int padding)
{
	BIO *bio = BIO_new_mem_buf(rsa.certificate.p, (int)rsa.certificate.n);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(X509_get0_pubkey(x), NULL);

	assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, hash), 1);
	if (padding == RSA_PKCS1_PSS_PADDING)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST), 1);
	bool ok = EVP_PKEY_verify(ctx, (const unsigned char *)signature.p, signature.n,
		      (const unsigned char *)digest.p, digest.n) == 1;
	EVP_PKEY_CTX_free(ctx);
	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	return ok;
}

static void rsa_signs_digests_of_its_schemes_only(void **state)
{
	static const struct {
		enum sign_scheme scheme;
		size_t octets;
		int padding;
	} schemes[] = {
		{ SIGN_RSA_PSS_SHA256, 32, RSA_PKCS1_PSS_PADDING },
		{ SIGN_RSA_PSS_SHA384, 48, RSA_PKCS1_PSS_PADDING },
		{ SIGN_RSA_PSS_SHA512, 64, RSA_PKCS1_PSS_PADDING },
		{ SIGN_RSA_PKCS1_SHA256, 32, RSA_PKCS1_PADDING },
		{ SIGN_RSA_PKCS1_SHA384, 48, RSA_PKCS1_PADDING },
		{ SIGN_RSA_PKCS1_SHA512, 64, RSA_PKCS1_PADDING },
	};
	static const char octets[256] = "a digest of some length, or a block of the key's own";
	const EVP_MD *hashes[] = { EVP_sha256(), EVP_sha384(), EVP_sha512() };
	struct deadline soon = deadline_in_ms(WAIT_MS);
	struct buf signature;
	struct error error;

	(void)state;
	buf_init(&signature, 1000);
	for (size_t i = 0; i < 6; i++) {
		slice digest = { octets, schemes[i].octets };

		buf_clear(&signature);
		assert_true(ask_sign(
		    SLICE("tls.rsa"), schemes[i].scheme, digest, soon, &signature, &error));
		for (int padding = 0; padding < 2; padding++) {
			int tried = padding ? RSA_PKCS1_PADDING : RSA_PKCS1_PSS_PADDING;

			assert_int_equal(
			    verify_rsa(digest, buf_slice(&signature), hashes[i % 3], tried),
			    tried == schemes[i].padding);
		}
		buf_clear(&signature);
		for (size_t n = 0; n <= 256; n++)
			if (n != schemes[i].octets)
				assert_false(ask_sign(SLICE("tls.rsa"), schemes[i].scheme,
				    (slice){ octets, n }, soon, &signature, &error));
		assert_false(ask_sign(
		    SLICE("dkim.rsa"), schemes[i].scheme, digest, soon, &signature, &error));
		assert_false(ask_sign(
		    SLICE("tls.default"), schemes[i].scheme, digest, soon, &signature, &error));
		assert_int_equal(signature.n, 0);
	}
	/* No scheme, or one of the other kind. */
	for (int scheme = -1; scheme < 100; scheme++)
		if (scheme < SIGN_RSA_PSS_SHA256 || scheme >= SIGN_SCHEMES)
			assert_false(ask_sign(SLICE("tls.rsa"), (enum sign_scheme)scheme,
			    (slice){ octets, 32 }, soon, &signature, &error));
	assert_int_equal(signature.n, 0);
	buf_free(&signature);
}

/* ---- passwords ---- */

static int auth_control_fd;

static int start_auth(void **state)
{
	int ours, theirs, control;

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/vault_test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_true(channel_pair(&ours, &theirs));
	assert_true(channel_pair(&auth_control_fd, &control));
	auth_pid = fork();
	if (auth_pid == 0) {
		alarm(60);
		_exit(run_auth(theirs, control));
	}
	close(theirs);
	close(control);
	start_peers(ROLE_SMTP);
	begin_asking(ROLE_AUTH, ours);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int stop_auth(void **state)
{
	(void)state;
	end_asking();
	kill(auth_pid, SIGKILL);
	waitpid(auth_pid, NULL, 0);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* Who asks changes: a password is set by control, and checked for smtp. */
static void set_passwords(void (*set)(void))
{
	struct peers *smtp = peers;
	pthread_t smtp_thread = peers_thread;

	start_peers(ROLE_CONTROL);
	begin_asking(ROLE_AUTH, fcntl(auth_control_fd, F_DUPFD_CLOEXEC, 0));
	set();
	end_asking();
	peers = smtp;
	peers_thread = smtp_thread;
	ask_init(peers);
}

static bool fits(uint64_t account, slice password)
{
	struct error error;
	bool answer = true;

	if (!ask_password(account, password, deadline_in_ms(WAIT_MS), &answer, &error))
		fail_msg("%s", error.why);
	return answer;
}

static char long_password[600];

static bool set(uint64_t account, slice password)
{
	struct error error = { 0 };
	bool ok = ask_set_password(account, password, deadline_in_ms(WAIT_MS), &error);

	if (!ok) {
		assert_int_equal(error.fault, FAULT_INPUT);
		assert_non_null(strstr(error.why, "a password has 1 to 511 octets"));
	}
	return ok;
}

static void set_first(void)
{
	assert_true(set(1, SLICE("correct horse")));
	assert_true(set(2, SLICE("other")));
	assert_true(set(3, (slice){ long_password, 511 }));
	assert_false(set(4, (slice){ long_password, 512 }));
	assert_false(set(4, (slice){ long_password, 600 }));
	assert_false(set(4, SLICE("")));
	assert_false(set(4, SLICE("with\0nul")));
}

static void set_second(void)
{
	struct error error;

	assert_true(set(1, SLICE("changed")));
	assert_true(ask_remove_password(2, deadline_in_ms(WAIT_MS), &error));
	assert_true(ask_remove_password(99, deadline_in_ms(WAIT_MS), &error));
}

static void passwords_are_checked(void **state)
{
	(void)state;
	memset(long_password, 'x', sizeof long_password);
	assert_false(fits(1, SLICE("correct horse")));
	set_passwords(set_first);
	assert_true(fits(1, SLICE("correct horse")));
	assert_false(fits(1, SLICE("correct horsf")));
	assert_false(fits(1, SLICE("correct")));
	assert_false(fits(1, SLICE("correct horse\0x")));
	assert_false(fits(1, SLICE("")));
	assert_false(fits(2, SLICE("correct horse")));
	assert_true(fits(2, SLICE("other")));
	assert_true(fits(3, (slice){ long_password, 511 }));
	assert_false(fits(3, (slice){ long_password, 510 }));
	assert_false(fits(3, (slice){ long_password, 512 }));
	assert_false(fits(4, (slice){ long_password, 511 }));
	assert_false(fits(4, SLICE("with")));
	assert_false(fits(0, SLICE("nobody has this password")));
	set_passwords(set_second);
	assert_false(fits(1, SLICE("correct horse")));
	assert_true(fits(1, SLICE("changed")));
	assert_false(fits(2, SLICE("other")));
	close(auth_control_fd);
}

static void only_control_sets_passwords(void **state)
{
	struct error error;

	(void)state;
	close(auth_control_fd);
	assert_false(ask_set_password(1, SLICE("mine"), deadline_in_ms(300), &error));
	assert_false(fits(1, SLICE("mine")));
}

/* ---- TLS ---- */

static enum turn greet(struct session *s)
{
	session_want_line(s, 100);
	session_set_timeout(s, 5000);
	buf_addf(&s->out, "hello %s\r\n", session_tls_text(s));
	return TURN_NEXT;
}

static enum turn echo(struct session *s, slice line)
{
	buf_addf(&s->out, "%.*s\r\n", SLICE_ARG(line));
	return slice_eq(line, SLICE("quit")) ? TURN_CLOSE : TURN_NEXT;
}

static void nothing(struct session *s)
{
	(void)s;
}

static const struct protocol echo_protocol = { .name = "echo",
	.open = greet,
	.frame = echo,
	.expired = nothing,
	.drained = nothing,
	.closed = nothing };

struct server {
	struct listener listener;
	struct reactor *reactor;
	struct tls_context *tls;
	pthread_t thread;
	struct sockaddr_in address;
};

static void *run_reactor(void *r)
{
	reactor_run(r);
	return NULL;
}

static void start_server(struct server *s, const struct pair *pair)
{
	socklen_t length = sizeof s->address;
	struct error error;

	*s = (struct server){
		.listener = { .name = "test", .protocol = &echo_protocol, .tls = LISTENER_TLS }
	};
	s->address.sin_family = AF_INET;
	s->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(
	    bind(s->listener.fd, (struct sockaddr *)&s->address, sizeof s->address), 0);
	assert_int_equal(listen(s->listener.fd, 16), 0);
	getsockname(s->listener.fd, (struct sockaddr *)&s->address, &length);
	const struct tls_pair shown = { buf_slice(&pair->certificate),
		pair == &rsa ? SLICE("tls.rsa") : SLICE("tls.default") };
	s->tls = tls_context_new(&shown, 1, NULL, &tls_settings_usual, &error);
	assert_non_null(s->tls);
	struct reactor_config config = { .workers = 2, .max_sessions = 100 };
	s->reactor = reactor_new(&config);
	reactor_listen(s->reactor, &s->listener);
	reactor_set_tls(s->reactor, &s->listener, s->tls);
	pthread_create(&s->thread, NULL, run_reactor, s->reactor);
}

static void stop_server(struct server *s)
{
	reactor_drain(s->reactor, 1000);
	pthread_join(s->thread, NULL);
	reactor_free(s->reactor);
	close(s->listener.fd);
}

/* A client that trusts exactly this certificate. */
static SSL_CTX *client_context(const struct pair *trusted, int version)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	BIO *bio = BIO_new_mem_buf(trusted->certificate.p, (int)trusted->certificate.n);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	X509_STORE_add_cert(SSL_CTX_get_cert_store(c), x);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(c, version);
	SSL_CTX_set_max_proto_version(c, version);
	X509_free(x);
	BIO_free(bio);
	return c;
}

static SSL *connect_client(const struct server *s, SSL_CTX *context)
{
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(context);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	assert_int_equal(connect(fd, (const struct sockaddr *)&s->address, sizeof s->address), 0);
	SSL_set_fd(ssl, fd);
	SSL_set1_host(ssl, "mail.example.test");
	return ssl;
}

static void end_client(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_free(ssl);
	close(fd);
}

/* Reads until this has come at the end. */
static void hear(SSL *ssl, const char *want)
{
	char got[300];
	size_t n = 0;
	int r;

	while (n < sizeof got && !slice_ends((slice){ got, n }, slice_of(want))) {
		r = SSL_read(ssl, got + n, (int)(sizeof got - n));
		if (r <= 0)
			fail_msg("wanted \"%s\", got \"%.*s\"", want, (int)n, got);
		n += (size_t)r;
	}
}

static void talk(const struct server *s, const struct pair *pair, int version, const char *name)
{
	SSL_CTX *context = client_context(pair, version);

	for (int i = 0; i < 3; i++) {
		SSL *ssl = connect_client(s, context);

		assert_int_equal(SSL_connect(ssl), 1);
		assert_int_equal(SSL_get_verify_result(ssl), X509_V_OK);
		assert_string_equal(SSL_get_version(ssl), name);
		hear(ssl, "\r\n");
		assert_int_equal(SSL_write(ssl, "one\r\ntwo\r\nquit\r\n", 16), 16);
		hear(ssl, "one\r\ntwo\r\nquit\r\n");
		end_client(ssl);
	}
	SSL_CTX_free(context);
}

static void a_handshake_uses_the_key_of_another_process(void **state)
{
	struct server s;

	(void)state;
	start_server(&s, &right);
	talk(&s, &right, TLS1_3_VERSION, "TLSv1.3");
	talk(&s, &right, TLS1_2_VERSION, "TLSv1.2");
	SSL_CTX *old = client_context(&right, TLS1_1_VERSION);
	SSL *ssl = connect_client(&s, old);
	assert_true(SSL_connect(ssl) <= 0);
	end_client(ssl);
	SSL_CTX_free(old);
	stop_server(&s);
}

/* Its private key is of RSA, so it is the provider that asks. */
static void an_rsa_handshake_uses_the_key_of_another_process(void **state)
{
	static const char *const hashes[] = { "RSA-PSS+SHA256", "RSA-PSS+SHA384", "RSA-PSS+SHA512",
		"RSA+SHA256", "RSA+SHA384", "RSA+SHA512", "RSA+SHA1" };
	struct server s;

	(void)state;
	start_server(&s, &rsa);
	talk(&s, &rsa, TLS1_3_VERSION, "TLSv1.3");
	talk(&s, &rsa, TLS1_2_VERSION, "TLSv1.2");
	for (int i = 0; i < 7; i++) {
		SSL_CTX *context = client_context(&rsa, TLS1_2_VERSION);
		SSL *ssl = connect_client(&s, context);

		SSL_set_security_level(ssl, 0);
		assert_int_equal(SSL_set1_sigalgs_list(ssl, hashes[i]), 1);
		assert_int_equal(SSL_connect(ssl) == 1, i < 6);
		end_client(ssl);
		SSL_CTX_free(context);
	}
	/* There is no key exchange by RSA: nothing here could decrypt. */
	SSL_CTX *old = client_context(&rsa, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(old, "kRSA"), 1);
	SSL *ssl = connect_client(&s, old);
	assert_true(SSL_connect(ssl) <= 0);
	end_client(ssl);
	SSL_CTX_free(old);
	stop_server(&s);
}

static void a_wrong_key_ends_the_handshake_only(void **state)
{
	struct server s;
	SSL_CTX *context = client_context(&other, TLS1_3_VERSION);

	(void)state;
	start_server(&s, &other);
	for (int i = 0; i < 2; i++) {
		SSL *ssl = connect_client(&s, context);

		assert_true(SSL_connect(ssl) <= 0);
		end_client(ssl);
	}
	SSL_CTX_free(context);
	stop_server(&s);
}

#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, start_keys, stop_keys)
#define WITH_AUTH(test) cmocka_unit_test_setup_teardown(test, start_auth, stop_auth)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_belongs_to_its_certificate_only),
		cmocka_unit_test(keys_of_other_kinds_are_refused),
		WITH_KEYS(a_digest_is_signed_for_the_right_purpose_only),
		WITH_AUTH(passwords_are_checked),
		WITH_AUTH(only_control_sets_passwords),
		WITH_KEYS(a_handshake_uses_the_key_of_another_process),
		WITH_KEYS(rsa_signs_digests_of_its_schemes_only),
		WITH_KEYS(an_rsa_handshake_uses_the_key_of_another_process),
		WITH_KEYS(a_wrong_key_ends_the_handshake_only),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
