#include "vault/keys.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/ask.h"

#define KEYS_MAX  9000
#define RSA_LEAST 2048
#define RSA_MOST  8192

/* Renewals bring the same key again under another name: it is parsed and held once. */
struct key {
	char *name;
	EVP_PKEY *key;
	unsigned char digest[32]; /* of its PEM */
};

static struct key *keys; /* room for KEYS_MAX, oldest first */
static size_t key_count;

/* The newest are asked for most. */
static struct key *find(slice name)
{
	for (size_t i = key_count; i-- > 0;)
		if (slice_eq(slice_of(keys[i].name), name))
			return &keys[i];
	return NULL;
}

/* No prompt for a passphrase: there is nobody to answer. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static EVP_PKEY *parse(slice pem, struct error *error)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	ERR_clear_error();
	if (!key)
		error_local(
		    error, "the key file holds no private key in PEM form without a passphrase");
	return key;
}

/* Its kind; KEY_KINDS and error when it is of none that is served. */
static enum key_kind kind_of(const EVP_PKEY *key, const char *what, struct error *error)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		return KEY_ECDSA;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		error_local(error,
		    "the %s is neither ECDSA nor RSA; make one with openssl ecparam -name "
		    "prime256v1 -genkey",
		    what);
	else if (EVP_PKEY_get_bits(key) < RSA_LEAST || EVP_PKEY_get_bits(key) > RSA_MOST)
		error_local(error, "the %s is RSA of %d bits; %d to %d are served", what,
		    EVP_PKEY_get_bits(key), RSA_LEAST, RSA_MOST);
	else
		return KEY_RSA;
	return KEY_KINDS;
}

const char *keys_kind_name(enum key_kind kind)
{
	return kind == KEY_RSA ? "RSA" : "ECDSA";
}

/* Each renewal brings keys under names of their own; by the time there are many of one purpose, no
 * handshake uses its oldest any more. */
static void retire_oldest(slice name)
{
	slice purpose = slice_head(name, slice_find(name, '.') + 1);
	size_t oldest = key_count, count = 0;

	for (size_t i = key_count; i-- > 0;) {
		if (slice_starts(slice_of(keys[i].name), purpose)) {
			oldest = i;
			count++;
		}
	}
	if (count < KEYS_PURPOSE)
		return;
	free(keys[oldest].name);
	EVP_PKEY_free(keys[oldest].key);
	memmove(&keys[oldest], &keys[oldest + 1], (key_count - oldest - 1) * sizeof keys[0]);
	keys[--key_count] = (struct key){ 0 };
}

/* Parsed, or found again. */
static EVP_PKEY *take(slice pem, const unsigned char digest[32], struct error *error)
{
	for (size_t i = key_count; i-- > 0;) {
		if (memcmp(keys[i].digest, digest, 32) == 0) {
			EVP_PKEY_up_ref(keys[i].key);
			return keys[i].key;
		}
	}
	EVP_PKEY *key = parse(pem, error);
	if (key && kind_of(key, "private key", error) == KEY_KINDS) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

bool keys_add(slice name, slice pem, struct error *error)
{
	unsigned char digest[32];
	struct key *k = find(name);

	EVP_Digest(pem.p, pem.n, digest, NULL, EVP_sha256(), NULL);
	EVP_PKEY *key = take(pem, digest, error);
	if (!key)
		return false;
	if (!keys)
		keys = memory_new(KEYS_MAX, sizeof keys[0]);
	if (!k)
		retire_oldest(name);
	if (!k && key_count == KEYS_MAX) {
		EVP_PKEY_free(key);
		return error_local(error, "more than %d keys", KEYS_MAX);
	}
	if (!k) {
		k = &keys[key_count++];
		k->name = memory_new(1, name.n + 1);
		memcpy(k->name, name.p, name.n);
	}
	EVP_PKEY_free(k->key);
	k->key = key;
	memcpy(k->digest, digest, sizeof digest);
	return true;
}

bool keys_match(slice certificate_pem, slice key_pem, enum key_kind *kind_out, struct error *error)
{
	BIO *bio = BIO_new_mem_buf(certificate_pem.p, (int)certificate_pem.n);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *key = NULL, *public_half = leaf ? X509_get0_pubkey(leaf) : NULL;
	bool ok = public_half != NULL;

	BIO_free(bio);
	if (!ok)
		error_local(error, "the certificate file holds no certificate in PEM form");
	else
		ok = (*kind_out = kind_of(public_half, "certificate", error)) != KEY_KINDS &&
		    (key = parse(key_pem, error)) != NULL;
	if (ok && !X509_check_private_key(leaf, key))
		ok = error_local(error, "the private key does not belong to the certificate");
	EVP_PKEY_free(key);
	X509_free(leaf);
	ERR_clear_error();
	return ok;
}

/* ---- signing ---- */

/* What may be asked for. SHA-1 is what TLS 1.0 and 1.1 sign with by ECDSA. */
static const struct scheme {
	int type; /* of the key */
	int padding;
	size_t least, most; /* octets of the digest */
	const EVP_MD *(*hash)(void);
} schemes[SIGN_SCHEMES] = {
	[SIGN_ECDSA] = { EVP_PKEY_EC, 0, 20, 64, NULL },
	[SIGN_RSA_PSS_SHA256] = { EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING, 32, 32, EVP_sha256 },
	[SIGN_RSA_PSS_SHA384] = { EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING, 48, 48, EVP_sha384 },
	[SIGN_RSA_PSS_SHA512] = { EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING, 64, 64, EVP_sha512 },
	[SIGN_RSA_PKCS1_SHA256] = { EVP_PKEY_RSA, RSA_PKCS1_PADDING, 32, 32, EVP_sha256 },
	[SIGN_RSA_PKCS1_SHA384] = { EVP_PKEY_RSA, RSA_PKCS1_PADDING, 48, 48, EVP_sha384 },
	[SIGN_RSA_PKCS1_SHA512] = { EVP_PKEY_RSA, RSA_PKCS1_PADDING, 64, 64, EVP_sha512 },
};

/* OpenSSL makes the padding from the digest and the name of its hash. */
static bool set_padding(EVP_PKEY_CTX *ctx, const struct scheme *s)
{
	if (s->type != EVP_PKEY_RSA)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, s->padding) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, s->hash()) == 1 &&
	    (s->padding != RSA_PKCS1_PSS_PADDING ||
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool sign(
    const struct key *k, const struct scheme *s, slice digest, struct buf *out, struct error *error)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
	size_t n = 0;
	bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 && set_padding(ctx, s) &&
	    EVP_PKEY_sign(ctx, NULL, &n, (const unsigned char *)digest.p, digest.n) == 1;
	char *room = ok ? buf_room(out, n) : NULL;

	ok = room &&
	    EVP_PKEY_sign(
		ctx, (unsigned char *)room, &n, (const unsigned char *)digest.p, digest.n) == 1;
	if (ok)
		buf_grow(out, n);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok || error_local(error, "openssl did not sign with %s", k->name);
}

/* Everything about a request that is not as it must be. */
static bool judge(
    const struct key *k, slice name, uint64_t scheme, slice digest, bool whole, struct error *error)
{
	const struct scheme *s = scheme < SIGN_SCHEMES ? &schemes[scheme] : NULL;

	if (!whole || !s || digest.n < s->least || digest.n > s->most)
		return error_plain(
		    error, FAULT_INPUT, "a signature was asked for what is not a digest");
	if (!k || !slice_starts(name, SLICE("tls.")))
		return error_plain(error, FAULT_DENIED, "no such key for this purpose");
	return EVP_PKEY_get_base_id(k->key) == s->type ||
	    error_plain(error, FAULT_DENIED, "the key is of another kind than its scheme");
}

static void answer_sign(struct call *call)
{
	slice name = message_get_text(&call->in);
	uint64_t scheme = message_get_number(&call->in);
	slice digest = message_get_text(&call->in);
	const struct key *k = find(name);
	struct error error;
	struct message m;
	struct buf signature;

	buf_init(&signature, 1024);
	message_begin(&m, MESSAGE_SIGN);
	if (!judge(k, name, scheme, digest, message_done(&call->in), &error) ||
	    !sign(k, &schemes[scheme], digest, &signature, &error)) {
		call_fail(call, &error);
	} else {
		message_put_text(&m, buf_slice(&signature));
		call_reply(call, &m);
	}
	message_free(&m);
	buf_free(&signature);
}

const struct service keys_services[] = {
	{ MESSAGE_SIGN, ROLE_BIT(ROLE_SMTP) | ROLE_BIT(ROLE_IMAP), answer_sign },
};
const size_t keys_service_count = sizeof keys_services / sizeof keys_services[0];
