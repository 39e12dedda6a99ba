/* EC_KEY_METHOD is what OpenSSL 3.0 offers for keys that live elsewhere without a provider; it is
 * marked deprecated there, works with TLS 1.2 and 1.3, and gives us the digest to sign, so the other
 * side can judge what it signs. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "net/tls_key.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/ask.h"
#include "net/tls_rsa.h"

#define SIGN_DEADLINE_MS 10000

static EC_KEY_METHOD *method;
static int name_index;

static int sign(int type, const unsigned char *digest, int digest_length, unsigned char *signature,
    unsigned int *signature_length, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
	slice name = slice_of(EC_KEY_get_ex_data(key, name_index));
	struct error error;
	struct buf out;

	(void)type;
	(void)kinv;
	(void)r;
	buf_init(&out, (size_t)ECDSA_size(key));
	bool ok = ask_sign(name, SIGN_ECDSA, (slice){ (const char *)digest, (size_t)digest_length },
	    deadline_in_ms(SIGN_DEADLINE_MS), &out, &error);
	if (!ok)
		log_warn("tls.sign.failed", kv_text("key", name), kv_why(&error));
	ok = ok && !out.full;
	if (ok) {
		memcpy(signature, out.p, out.n);
		*signature_length = (unsigned)out.n;
	}
	buf_free(&out);
	return ok;
}

static int sign_setup(EC_KEY *key, BN_CTX *ctx, BIGNUM **kinv, BIGNUM **r)
{
	(void)key;
	(void)ctx;
	(void)kinv;
	(void)r;
	return 1;
}

static void free_name(
    void *parent, void *name, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	free(name);
}

static void method_init(void)
{
	int (*verify)(int, const unsigned char *, int, const unsigned char *, int, EC_KEY *);
	int (*verify_sig)(const unsigned char *, int, const ECDSA_SIG *, EC_KEY *);

	method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	EC_KEY_METHOD_set_sign(method, sign, sign_setup, NULL);
	EC_KEY_METHOD_get_verify(EC_KEY_OpenSSL(), &verify, &verify_sig);
	EC_KEY_METHOD_set_verify(method, verify, verify_sig);
	name_index = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, free_name);
}

static EVP_PKEY *ecdsa_new(const EC_KEY *public_half, slice name)
{
	EC_KEY *key = EC_KEY_new();
	EVP_PKEY *result = EVP_PKEY_new();
	char *copy = memory_new(1, name.n + 1);

	memcpy(copy, name.p, name.n);
	if (!EC_KEY_set_group(key, EC_KEY_get0_group(public_half)) ||
	    !EC_KEY_set_public_key(key, EC_KEY_get0_public_key(public_half)) ||
	    !EC_KEY_set_method(key, method) || !EC_KEY_set_ex_data(key, name_index, copy) ||
	    !EVP_PKEY_assign_EC_KEY(result, key))
		panic("openssl refused an EC key method");
	return result;
}

void tls_key_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, method_init);
	tls_rsa_init();
}

EVP_PKEY *tls_key_new(EVP_PKEY *certificate_key, slice name, struct error *error)
{
	EVP_PKEY *key = NULL;

	tls_key_init();
	if (EVP_PKEY_is_a(certificate_key, "RSA"))
		key = tls_rsa_new(certificate_key, name);
	else if (EVP_PKEY_is_a(certificate_key, "EC"))
		key = ecdsa_new(EVP_PKEY_get0_EC_KEY(certificate_key), name);
	else
		error_local(
		    error, "the certificate of key %.*s is neither ECDSA nor RSA", SLICE_ARG(name));
	ERR_clear_error();
	return key;
}
