#include "vault/keys.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/log.h"
#include "base/memory.h"

/* A server of 32 listeners may bring as many at each renewal. */
#define KEYS_MAX     512
#define KEYS_PURPOSE 256 /* of one purpose */

struct key {
	char *name;
	EVP_PKEY *key;
};

static struct key keys[KEYS_MAX]; /* oldest first */
static size_t key_count;

static struct key *find(slice name)
{
	for (size_t i = 0; i < key_count; i++)
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

/* Each renewal brings a key under a name of its own; by the time there are many of one purpose, no
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

bool keys_add(slice name, slice pem, struct error *error)
{
	struct key *k = find(name);
	EVP_PKEY *key = parse(pem, error);

	if (!key)
		return false;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
		EVP_PKEY_free(key);
		return error_local(
		    error, "the private key is not ECDSA; other kinds are not served yet");
	}
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
	return true;
}

bool keys_match(slice certificate_pem, slice key_pem, struct error *error)
{
	BIO *bio = BIO_new_mem_buf(certificate_pem.p, (int)certificate_pem.n);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *key = NULL;
	bool ok = leaf != NULL;

	BIO_free(bio);
	if (!ok)
		error_local(error, "the certificate file holds no certificate in PEM form");
	else if (X509_get0_pubkey(leaf) &&
	    EVP_PKEY_get_base_id(X509_get0_pubkey(leaf)) != EVP_PKEY_EC)
		ok = error_local(error,
		    "the certificate is not ECDSA; other kinds are not served yet: make one "
		    "with openssl ecparam -name prime256v1 -genkey");
	else
		ok = (key = parse(key_pem, error)) != NULL;
	if (ok && !X509_check_private_key(leaf, key))
		ok = error_local(error, "the private key does not belong to the certificate");
	EVP_PKEY_free(key);
	X509_free(leaf);
	ERR_clear_error();
	return ok;
}

/* A digest, signed as it is: ECDSA in DER (RFC 3279 §2.2.3). */
static bool sign(const struct key *k, slice digest, struct buf *out, struct error *error)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
	size_t n = 0;
	bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
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

static void answer_sign(struct call *call)
{
	slice name = message_get_text(&call->in), digest = message_get_text(&call->in);
	const struct key *k = find(name);
	struct error error;
	struct message m;
	struct buf signature;

	buf_init(&signature, 1024);
	message_begin(&m, MESSAGE_SIGN);
	if (!message_done(&call->in) || digest.n < 20 || digest.n > 64) {
		error_plain(&error, FAULT_INPUT, "a signature was asked for what is not a digest");
		call_fail(call, &error);
	} else if (!k || !slice_starts(name, SLICE("tls."))) {
		error_plain(&error, FAULT_DENIED, "no such key for this purpose");
		call_fail(call, &error);
	} else if (!sign(k, digest, &signature, &error)) {
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
