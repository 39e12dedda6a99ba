#include "net/tls.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/tls_key.h"

struct tls_context {
	SSL_CTX *ssl;
};

struct tls {
	SSL *ssl;
	char text[80];
	char client[256]; /* the subject of its certificate */
	int client_fault; /* X509_V_OK: none */
};

/* Of an optional certificate: whatever is wrong with it is remembered, and nothing is refused. */
static int remember_fault(int good, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);

	if (!good && t->client_fault == X509_V_OK)
		t->client_fault = X509_STORE_CTX_get_error(store);
	return 1;
}

static bool add_chain(SSL_CTX *ssl, slice chain_pem, X509 **leaf_out, struct error *error)
{
	BIO *bio = BIO_new_mem_buf(chain_pem.p, (int)chain_pem.n);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL), *next;
	bool ok = leaf && SSL_CTX_use_certificate(ssl, leaf);

	while (ok && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		ok = SSL_CTX_add0_chain_cert(ssl, next);
	BIO_free(bio);
	ERR_clear_error();
	*leaf_out = leaf;
	return ok ||
	    error_local(error, "no certificate in PEM form was found in the certificate file");
}

static bool add_key(SSL_CTX *ssl, X509 *leaf, slice key_name, struct error *error)
{
	EVP_PKEY *key = tls_key_new(X509_get0_pubkey(leaf), key_name, error);
	bool ok = key &&
	    (SSL_CTX_use_PrivateKey(ssl, key) ||
		error_local(error, "openssl refused the key of the certificate"));

	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

struct tls_context *tls_context_new(
    slice chain_pem, slice key_name, const struct tls_settings *settings, struct error *error)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	X509 *leaf = NULL;

	if (!ssl)
		panic("openssl: no context");
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ssl,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY |
		/* our chain is what its file holds, never what the clients' authorities would add */
		SSL_MODE_NO_AUTO_CHAIN);
	/* Tickets need keys that all processes share; until main makes them there are none. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT);
	bool ok = tls_settings_apply(ssl, settings, error) &&
	    add_chain(ssl, chain_pem, &leaf, error) && add_key(ssl, leaf, key_name, error);
	if (settings->client_auth == TLS_CLIENT_OPTIONAL)
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, remember_fault);
	X509_free(leaf);
	if (!ok) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	struct tls_context *c = NEW(struct tls_context);
	c->ssl = ssl;
	return c;
}

void tls_context_free(struct tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}

struct tls *tls_new(struct tls_context *c, int fd)
{
	struct tls *t = NEW(struct tls);

	t->ssl = SSL_new(c->ssl);
	if (!t->ssl || !SSL_set_fd(t->ssl, fd))
		panic("openssl: no connection");
	SSL_set_app_data(t->ssl, t);
	SSL_set_accept_state(t->ssl);
	return t;
}

static enum tls_result result_of(struct tls *t, int returned)
{
	switch (SSL_get_error(t->ssl, returned)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return TLS_FAILED;
	}
}

static void read_client(struct tls *t)
{
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	BIO *bio = certificate ? BIO_new(BIO_s_mem()) : NULL;
	char *text;

	if (!bio)
		return;
	X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
	long n = BIO_get_mem_data(bio, &text);
	snprintf(t->client, sizeof t->client, "%.*s", (int)n, text);
	BIO_free(bio);
}

enum tls_result tls_handshake(struct tls *t, char *why, size_t why_size)
{
	ERR_clear_error();
	enum tls_result result = result_of(t, SSL_do_handshake(t->ssl));
	if (result == TLS_DONE) {
		snprintf(t->text, sizeof t->text, "%s %s", SSL_get_version(t->ssl),
		    SSL_get_cipher_name(t->ssl));
		read_client(t);
	}
	if (result == TLS_FAILED) {
		const char *reason = ERR_reason_error_string(ERR_peek_last_error());

		snprintf(why, why_size, "%s", reason ? reason : "the client closed the connection");
	}
	ERR_clear_error();
	return result;
}

enum tls_result tls_read(struct tls *t, char *p, size_t n, size_t *got_out)
{
	*got_out = 0;
	ERR_clear_error();
	enum tls_result result = result_of(t, SSL_read_ex(t->ssl, p, n, got_out));
	ERR_clear_error();
	return result;
}

enum tls_result tls_write(struct tls *t, slice data, size_t *written_out)
{
	*written_out = 0;
	ERR_clear_error();
	enum tls_result result = result_of(t, SSL_write_ex(t->ssl, data.p, data.n, written_out));
	ERR_clear_error();
	return result;
}

bool tls_pending(const struct tls *t)
{
	return SSL_pending(t->ssl) > 0;
}

void tls_end(struct tls *t)
{
	if (SSL_is_init_finished(t->ssl) && !(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

void tls_thread_end(void)
{
	OPENSSL_thread_stop();
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	tls_end(t);
	SSL_free(t->ssl);
	free(t);
}

const char *tls_text(const struct tls *t)
{
	return t->text;
}

const char *tls_client(const struct tls *t)
{
	return t->client_fault == X509_V_OK ? t->client : "";
}

const char *tls_client_fault(const struct tls *t)
{
	return t->client_fault == X509_V_OK ? "" : X509_verify_cert_error_string(t->client_fault);
}

/* RFC 9266 §2: 32 octets for the label, without context. */
static bool bind_exporter(const struct tls *t, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char octets[32];

	if (SSL_version(t->ssl) < TLS1_3_VERSION ||
	    SSL_export_keying_material(
		t->ssl, octets, sizeof octets, label, sizeof label - 1, NULL, 0, 0) != 1)
		return false;
	buf_add(out, (slice){ (const char *)octets, sizeof octets });
	return true;
}

/* RFC 5929 §4.1: the certificate's digest by the hash of its own signature, SHA-256 for weaker ones. */
static bool bind_end_point(const struct tls *t, struct buf *out)
{
	X509 *certificate = SSL_get_certificate(t->ssl);
	unsigned char octets[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int hash = NID_undef;

	if (!certificate || !X509_get_signature_info(certificate, &hash, NULL, NULL, NULL))
		return false;
	const EVP_MD *md = hash == NID_md5 || hash == NID_sha1 ? NULL : EVP_get_digestbynid(hash);
	if (X509_digest(certificate, md ? md : EVP_sha256(), octets, &n) != 1)
		return false;
	buf_add(out, (slice){ (const char *)octets, n });
	return true;
}

bool tls_binding(const struct tls *t, slice type, struct buf *out)
{
	bool bound = slice_eq(type, SLICE("tls-exporter"))  ? bind_exporter(t, out)
	    : slice_eq(type, SLICE("tls-server-end-point")) ? bind_end_point(t, out)
							    : false;

	ERR_clear_error();
	return bound;
}
