#include "net/tls_settings.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

const struct tls_settings tls_settings_usual = {
	.versions = "TLSv1.2 TLSv1.3",
	.ciphers = "DEFAULT",
	.ciphers13 = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
	.server_order = true,
};

/* ---- versions ---- */

static const struct version {
	const char *name;
	int number;
	uint64_t without;
} versions[] = {
	{ "TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1 },
	{ "TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
	{ "TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
	{ "TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};
#define VERSIONS (sizeof versions / sizeof versions[0])

/* A bit for each version named; false and error at the first that is none. */
static bool read_versions(const char *text, unsigned *set_out, struct error *error)
{
	slice rest = slice_trim(slice_of(text));

	*set_out = 0;
	while (rest.n) {
		slice name = slice_head(rest, slice_find(rest, ' '));
		size_t i = 0;

		while (i < VERSIONS && !slice_eq(name, slice_of(versions[i].name)))
			i++;
		if (i == VERSIONS)
			return error_input(error,
			    "there is no version \"%.*s\"; there are TLSv1, TLSv1.1, TLSv1.2 and "
			    "TLSv1.3, with blanks between them",
			    SLICE_ARG(name));
		*set_out |= 1u << i;
		rest = slice_trim(slice_from(rest, name.n));
	}
	return *set_out != 0 || error_input(error, "it names no version of TLS");
}

bool tls_settings_outdated(const char *text)
{
	struct error error;
	unsigned set;

	return read_versions(text, &set, &error) && (set & 3) != 0;
}

static bool apply_versions(SSL_CTX *ssl, const struct tls_settings *s, struct error *error)
{
	unsigned set;
	size_t low = 0, high = VERSIONS - 1;

	if (!read_versions(s->versions, &set, error))
		return false;
	while (!(set & 1u << low))
		low++;
	while (!(set & 1u << high))
		high--;
	for (size_t i = low; i < high; i++)
		if (!(set & 1u << i))
			SSL_CTX_set_options(ssl, versions[i].without);
	/* TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL 3 does on its lowest level only. */
	if (set & 3)
		SSL_CTX_set_security_level(ssl, 0);
	return (SSL_CTX_set_min_proto_version(ssl, versions[low].number) &&
		   SSL_CTX_set_max_proto_version(ssl, versions[high].number)) ||
	    error_input(error, "openssl does not speak \"%s\"", s->versions);
}

/* ---- ciphers ---- */

/* RSA key exchange is no more: it has no forward secrecy, and would need a key that decrypts. */
#define NO_RSA_EXCHANGE ":!kRSA:!kRSAPSK"

static bool apply_ciphers(SSL_CTX *ssl, const struct tls_settings *s, struct error *error)
{
	char list[4096];

	if (s->server_order)
		SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	snprintf(list, sizeof list, "%s" NO_RSA_EXCHANGE, s->ciphers);
	return SSL_CTX_set_cipher_list(ssl, list) ||
	    error_input(
		error, "openssl knows no cipher in \"%.100s\"; see openssl-ciphers(1)", s->ciphers);
}

/* Does it name a cipher, whatever the level of security? */
static bool names_cipher(slice token, const char *without)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	char list[200];

	snprintf(list, sizeof list, "%.*s%s:@SECLEVEL=0", SLICE_ARG(token), without);
	bool named = token.n < 100 && ssl && SSL_CTX_set_cipher_list(ssl, list);
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return named;
}

/* Lists in the field shut out, or put last, what OpenSSL has not had for years: "!RC4", "+MEDIUM". */
static bool names_old(slice token)
{
	static const char *const old[] = { "RC4", "RC2", "IDEA", "DES", "3DES", "DES3", "CBC3",
		"MD5", "SEED", "EXP", "EXPORT", "EXPORT40", "EXPORT56", "LOW", "MEDIUM", "SSLv2",
		"SSLv3", "KRB5", "kDHr", "kDHd", "kDH", "aDH", "kECDHr", "kECDHe", "kECDH", "aECDH",
		"FZA", "DSS", "aDSS", "GOST89MAC", "eNULL", "NULL", "kRSA", "kRSAPSK", "kGOST",
		"aGOST" };

	while (token.n) {
		size_t end = 0;

		while (end < token.n && token.p[end] != '-' && token.p[end] != '+')
			end++;
		for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
			if (slice_eq(slice_head(token, end), slice_of(old[i])))
				return true;
		token = slice_from(token, end + 1);
	}
	return false;
}

static bool is_command(slice token)
{
	return slice_eq(token, SLICE("@STRENGTH")) ||
	    (slice_starts(token, SLICE("@SECLEVEL=")) && token.n == 11 && token.p[10] >= '0' &&
		token.p[10] <= '5');
}

static bool check_token(slice token, struct error *error)
{
	/* takes away, or only behind others */
	bool away = strchr("!-+", token.p[0]) != NULL;
	slice name = slice_from(token, away ? 1 : 0);

	if (is_command(token))
		return true;
	if (!names_cipher(name, "") && !(away && names_old(name)))
		return error_input(error,
		    "openssl knows no cipher \"%.*s\"; see openssl-ciphers(1)", SLICE_ARG(token));
	return away || names_cipher(name, NO_RSA_EXCHANGE) ||
	    error_input(error,
		"\"%.*s\" is RSA key exchange, which is not done here; take one with ECDHE",
		SLICE_ARG(token));
}

static bool check_token13(slice name, struct error *error)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	char text[100];

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(name));
	bool known = name.n < sizeof text && ssl && SSL_CTX_set_ciphersuites(ssl, text);
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return known ||
	    error_input(error,
		"openssl refuses \"%.*s\" for TLS 1.3; it wants names like "
		"TLS_AES_256_GCM_SHA384, with colons between them",
		SLICE_ARG(name));
}

/* OpenSSL passes over what it does not know. Somebody meant it, so each word is tried by itself. */
static bool check_words(const char *list, const char *between,
    bool (*check)(slice word, struct error *error), struct error *error)
{
	for (const char *p = list + strspn(list, between); *p; p += strspn(p, between)) {
		slice word = { p, strcspn(p, between) };

		if (!check(word, error))
			return false;
		p += word.n;
	}
	return true;
}

static bool check_ciphers(const struct tls_settings *s, struct error *error)
{
	return check_words(s->ciphers, ":, ;", check_token, error);
}

static bool check_ciphers13(const struct tls_settings *s, struct error *error)
{
	return check_words(s->ciphers13, ":", check_token13, error);
}

static bool apply_ciphers13(SSL_CTX *ssl, const struct tls_settings *s, struct error *error)
{
	return SSL_CTX_set_ciphersuites(ssl, s->ciphers13) ||
	    error_input(error,
		"openssl refuses \"%.100s\" for TLS 1.3; it wants names like "
		"TLS_AES_256_GCM_SHA384, with colons between them",
		s->ciphers13);
}

/* ---- clients ---- */

static bool add_authorities(SSL_CTX *ssl, slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *one;
	bool ok = true;
	int n = 0;

	while (ok && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), one) &&
		    SSL_CTX_add_client_CA(ssl, one);
		X509_free(one);
		n++;
	}
	BIO_free(bio);
	return ok && n > 0;
}

/* Some senders show a certificate to whoever asks, one that our authorities never signed; their mail is
 * to come nevertheless (RFC 3207 §4.1: what to believe is a local matter). tls.c remembers that nobody
 * vouches for it. */
static bool apply_clients(SSL_CTX *ssl, const struct tls_settings *s, struct error *error)
{
	if (s->client_auth == TLS_CLIENT_NO)
		return true;
	if (!s->client_ca.n)
		return error_input(error,
		    "certificates of clients are asked for, but clientCA does not say who may have "
		    "signed them");
	if (!add_authorities(ssl, s->client_ca))
		return error_input(
		    error, "no certificate in PEM form was found in the clientCA file");
	SSL_CTX_set_verify_depth(ssl, s->client_depth);
	SSL_CTX_set_verify(ssl,
	    SSL_VERIFY_PEER |
		(s->client_auth == TLS_CLIENT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
	    NULL);
	return true;
}

/* ---- */

typedef bool apply_part(SSL_CTX *ssl, const struct tls_settings *s, struct error *error);

static apply_part *const parts[TLS_PARTS] = {
	[TLS_VERSIONS] = apply_versions,
	[TLS_CIPHERS] = apply_ciphers,
	[TLS_CIPHERS13] = apply_ciphers13,
	[TLS_CLIENTS] = apply_clients,
};

bool tls_settings_check(
    const struct tls_settings *settings, enum tls_part part, struct error *error)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	bool ok = ssl || error_local(error, "openssl gives no context");

	if (ok && part == TLS_CIPHERS)
		ok = check_ciphers(settings, error);
	if (ok && part == TLS_CIPHERS13)
		ok = check_ciphers13(settings, error);
	ok = ok && parts[part](ssl, settings, error);

	SSL_CTX_free(ssl);
	ERR_clear_error();
	return ok;
}

bool tls_settings_apply(SSL_CTX *ssl, const struct tls_settings *settings, struct error *error)
{
	/* Versions last: a list of ciphers may set the security level too, and must not raise it again. */
	for (int part = TLS_PARTS - 1; part >= 0; part--)
		if (!parts[part](ssl, settings, error))
			return false;
	ERR_clear_error();
	return true;
}
