#include "net/tls.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/tls_key.h"
#include "net/tls_ticket.h"

struct tls_context {
	atomic_int held; /* by whoever made it and by its connections */
	SSL_CTX *ssl;
	struct tls_identity *identity; /* shown unless hosts have another */
	struct tls_hosts *hosts;       /* NULL: none */
	const char *alpn;
};

struct tls {
	SSL *ssl;
	struct tls_context *context;
	const struct tls_identity *identity; /* what this client is shown */
	char name[256];                      /* the host it asked for, in lower case */
	char text[80];
	char client[256]; /* the subject of its certificate */
	int client_fault; /* X509_V_OK: none */
	bool finished;    /* our Finished is sent */
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

/* ---- who is asked for ---- */

/* RFC 6066 §3. A name that is none of a host's is as good as no name: the default is shown. */
static void read_name(struct tls *t)
{
	const unsigned char *p;
	size_t n;

	t->name[0] = '\0';
	if (!SSL_client_hello_get0_ext(t->ssl, TLSEXT_TYPE_server_name, &p, &n) || n < 5 ||
	    p[2] != TLSEXT_NAMETYPE_host_name)
		return;
	size_t length = (size_t)p[3] << 8 | p[4];
	if (length > n - 5 || length >= sizeof t->name || memchr(p + 5, '\0', length))
		return;
	for (size_t i = 0; i < length; i++)
		t->name[i] = (char)tolower(p[5 + i]);
	t->name[length] = '\0';
}

/* Before anything else of a hello is looked at, so that tickets are judged by the host asked for. */
static int on_hello(SSL *ssl, int *alert, void *context)
{
	struct tls *t = SSL_get_app_data(ssl);
	const struct tls_context *c = t->context;

	(void)context;
	read_name(t);
	const struct tls_identity *host =
	    c->hosts && t->name[0] ? tls_hosts_find(c->hosts, slice_of(t->name)) : NULL;
	t->identity = host ? host : c->identity;
	if (!host || tls_identity_use(host, ssl))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

static int on_name(SSL *ssl, int *alert, void *context)
{
	const struct tls *t = SSL_get_app_data(ssl);

	(void)alert;
	(void)context;
	return t->identity != t->context->identity ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* RFC 7301 §3.2: a client that wants to speak something else was sent here by somebody else. */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_length,
    const unsigned char *in, unsigned int n, void *context)
{
	const struct tls *t = SSL_get_app_data(ssl);

	(void)context;
	for (unsigned i = 0; i < n && in[i] < n - i; i += in[i] + 1u) {
		slice offered = { (const char *)in + i + 1, in[i] },
		      rest = slice_of(t->context->alpn);

		while (rest.n) {
			slice ours = slice_head(rest, slice_find(rest, ' '));

			if (slice_eq(offered, ours)) {
				*out = in + i + 1;
				*out_length = in[i];
				return SSL_TLSEXT_ERR_OK;
			}
			rest = slice_from(rest, ours.n + 1);
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void on_message(
    int write, int version, int type, const void *message, size_t n, SSL *ssl, void *context)
{
	struct tls *t = SSL_get_app_data(ssl);

	(void)version;
	(void)context;
	if (write && type == SSL3_RT_HANDSHAKE && n && *(const char *)message == SSL3_MT_FINISHED)
		t->finished = true;
}

/* ---- tickets ---- */

/* What a ticket is good for: the host's name as it was asked for and the certificates that it was shown,
 * then the binding of RFC 5929 to the one of them that the session was made with. The listener's settings
 * are OpenSSL's to compare (the session id context). */
static void host_digest(const struct tls *t, unsigned char out[TLS_HOST_DIGEST])
{
	unsigned char both[TLS_HOST_DIGEST + sizeof t->name];
	size_t n = strlen(t->name);

	memcpy(both, tls_identity_digest(t->identity), TLS_HOST_DIGEST);
	memcpy(both + TLS_HOST_DIGEST, t->name, n);
	EVP_Digest(both, TLS_HOST_DIGEST + n, out, NULL, EVP_sha256(), NULL);
}

static int on_ticket_made(SSL *ssl, void *context)
{
	struct tls *t = SSL_get_app_data(ssl);
	unsigned char host[TLS_HOST_DIGEST];
	struct buf data;

	(void)context;
	if (SSL_session_reused(ssl))
		return 1; /* it has what its first ticket had */
	buf_init(&data, TLS_HOST_DIGEST + EVP_MAX_MD_SIZE);
	host_digest(t, host);
	buf_add(&data, (slice){ (const char *)host, sizeof host });
	int ok = tls_binding(t, SLICE("tls-server-end-point"), &data) &&
	    SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data.p, data.n);
	buf_free(&data);
	return ok;
}

static slice ticket_data(SSL_SESSION *session)
{
	void *p = NULL;
	size_t n = 0;

	if (!SSL_SESSION_get0_ticket_appdata(session, &p, &n) || n <= TLS_HOST_DIGEST)
		return (slice){ 0 };
	return (slice){ p, n };
}

/* A client's certificate is looked at anew in each handshake, so a session that began with one is never
 * resumed. */
static SSL_TICKET_RETURN on_ticket_shown(SSL *ssl, SSL_SESSION *session,
    const unsigned char *key_name, size_t key_name_length, SSL_TICKET_STATUS status, void *context)
{
	const struct tls *t = SSL_get_app_data(ssl);
	unsigned char host[TLS_HOST_DIGEST];

	(void)key_name;
	(void)key_name_length;
	(void)context;
	if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_ABORT;
	host_digest(t, host);
	if (!slice_starts(ticket_data(session), (slice){ (const char *)host, sizeof host }) ||
	    SSL_SESSION_get0_peer(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* The settings that a session was made under are its own: none goes on under others. */
static void set_session_context(SSL_CTX *ssl, const struct tls_settings *s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf all;
	unsigned n;

	buf_init(&all, 2u << 20);
	buf_addf(&all, "%s\n%s\n%s\n%d\n%d\n%s\n", s->versions, s->ciphers, s->ciphers13,
	    (int)s->client_auth, s->client_depth, s->alpn ? s->alpn : "");
	buf_add(&all, s->client_ca);
	EVP_Digest(all.p, all.n, digest, &n, EVP_sha256(), NULL);
	SSL_CTX_set_session_id_context(ssl, digest, n);
	buf_free(&all);
}

/* ---- contexts ---- */

static void set_tickets(SSL_CTX *ssl, const struct tls_settings *settings)
{
	set_session_context(ssl, settings);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ssl, 0);
	if (!settings->ticket_s) {
		SSL_CTX_set_num_tickets(ssl, 0);
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
		return;
	}
	SSL_CTX_set_num_tickets(ssl, 1);
	SSL_CTX_set_timeout(ssl, settings->ticket_s);
	SSL_CTX_set_session_ticket_cb(ssl, on_ticket_made, on_ticket_shown, NULL);
	tls_tickets_use(ssl);
}

static SSL_CTX *make_ssl(const struct tls_settings *settings)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());

	if (!ssl)
		panic("openssl: no context");
	SSL_CTX_set_options(
	    ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(ssl,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY |
		/* our chain is what its file holds, never what the clients' authorities would add */
		SSL_MODE_NO_AUTO_CHAIN);
	/* a record's head and body in one read; what comes with it, too */
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_msg_callback(ssl, on_message);
	SSL_CTX_set_client_hello_cb(ssl, on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ssl, on_name);
	if (settings->alpn)
		SSL_CTX_set_alpn_select_cb(ssl, on_protocols, NULL);
	set_tickets(ssl, settings);
	return ssl;
}

struct tls_context *tls_context_new(const struct tls_pair *pairs, int n, struct tls_hosts *hosts,
    const struct tls_settings *settings, struct error *error)
{
	struct tls_context *c = NEW(struct tls_context);

	tls_key_init();
	*c = (struct tls_context){ .held = 1,
		.ssl = make_ssl(settings),
		.hosts = tls_hosts_hold(hosts),
		.alpn = settings->alpn,
		.identity = tls_identity_new(pairs, n, error) };
	bool ok = c->identity && tls_settings_apply(c->ssl, settings, error) &&
	    (tls_identity_use_always(c->identity, c->ssl) ||
		error_local(error, "openssl refused a certificate or its key: %s",
		    ERR_reason_error_string(ERR_peek_last_error())));
	if (ok && settings->client_auth == TLS_CLIENT_OPTIONAL)
		SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, remember_fault);
	ERR_clear_error();
	if (ok)
		return c;
	tls_context_free(c);
	return NULL;
}

void tls_context_free(struct tls_context *c)
{
	if (!c || --c->held > 0)
		return;
	SSL_CTX_free(c->ssl);
	tls_identity_free(c->identity);
	tls_hosts_free(c->hosts);
	free(c);
}

/* ---- connections ---- */

struct tls *tls_new(struct tls_context *c, int fd)
{
	struct tls *t = NEW(struct tls);

	t->ssl = SSL_new(c->ssl);
	if (!t->ssl || !SSL_set_fd(t->ssl, fd))
		panic("openssl: no connection");
	c->held++;
	t->context = c;
	t->identity = c->identity;
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
	return SSL_has_pending(t->ssl);
}

bool tls_nearly_done(const struct tls *t)
{
	return t->finished && SSL_version(t->ssl) == TLS1_3_VERSION &&
	    SSL_get_verify_mode(t->ssl) == SSL_VERIFY_NONE;
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
	tls_context_free(t->context);
	free(t);
}

const char *tls_text(const struct tls *t)
{
	return t->text;
}

bool tls_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl);
}

const char *tls_client(const struct tls *t)
{
	return t->client_fault == X509_V_OK ? t->client : "";
}

/* The text of a name of that kind; p NULL: it is of another. */
static slice name_text(const GENERAL_NAME *name, enum tls_client_name kind)
{
	const ASN1_STRING *text = NULL;

	if (kind == TLS_CLIENT_EMAIL && name->type == GEN_EMAIL)
		text = name->d.rfc822Name;
	else if (kind == TLS_CLIENT_UPN && name->type == GEN_OTHERNAME &&
	    OBJ_obj2nid(name->d.otherName->type_id) == NID_ms_upn &&
	    name->d.otherName->value->type == V_ASN1_UTF8STRING)
		text = name->d.otherName->value->value.utf8string;
	if (!text)
		return (slice){ 0 };
	return (
	    slice){ (const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text) };
}

static bool is_printed(slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return text.n > 0;
}

void tls_client_names(const struct tls *t, enum tls_client_name kind, struct buf *out)
{
	X509 *certificate = t->client_fault == X509_V_OK ? SSL_get0_peer_certificate(t->ssl) : NULL;
	GENERAL_NAMES *names =
	    certificate ? X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL) : NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		slice text = name_text(sk_GENERAL_NAME_value(names, i), kind);

		if (is_printed(text)) {
			buf_add(out, text);
			buf_addc(out, '\n');
		}
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
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

/* RFC 5929 §4.1: the certificate's digest by the hash of its own signature, SHA-256 for weaker ones. A
 * session that is resumed has that of the certificate which it was made with. */
static bool bind_end_point(const struct tls *t, struct buf *out)
{
	if (SSL_session_reused(t->ssl)) {
		slice made = slice_from(ticket_data(SSL_get_session(t->ssl)), TLS_HOST_DIGEST);

		buf_add(out, made);
		return made.n > 0;
	}
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
