#include "net/tls_rsa.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/ask.h"

#define SIGN_DEADLINE_MS 10000
/* OpenSSL asks a key by which name its signatures go. No other provider has this one, so it is always
 * ours that signs. */
#define SIGNATURE "HAUBERK-RSA"
#define KEY_NAME  "hauberk-name"

typedef void any_function(void);

/* ---- keys ---- */

struct rsa {
	BIGNUM *n, *e;
	char *name; /* in the role keys; NULL: a public half that is only compared */
};

static void *key_new(void *provider)
{
	(void)provider;
	return NEW(struct rsa);
}

static void key_free(void *key)
{
	struct rsa *k = key;

	if (!k)
		return;
	BN_free(k->n);
	BN_free(k->e);
	free(k->name);
	free(k);
}

/* The private half counts as there: it can sign. */
static int key_has(const void *key, int selection)
{
	const struct rsa *k = key;
	bool private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;

	return k && k->n && k->e && (!private || k->name);
}

static int key_match(const void *one, const void *other, int selection)
{
	const struct rsa *a = one, *b = other;

	(void)selection;
	return BN_cmp(a->n, b->n) == 0 && BN_cmp(a->e, b->e) == 0;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *n = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_N);
	const OSSL_PARAM *e = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E);
	const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, KEY_NAME);
	struct rsa *k = key;

	(void)selection;
	if (!n || !e || k->n || !OSSL_PARAM_get_BN(n, &k->n) || !OSSL_PARAM_get_BN(e, &k->e))
		return 0;
	return !name || OSSL_PARAM_get_utf8_string(name, &k->name, 0);
}

/* Only the public half can leave, because nothing else is here. */
static int key_export(
    void *key, int selection, int (*take)(const OSSL_PARAM params[], void *context), void *context)
{
	const struct rsa *k = key;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (!(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && build &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, k->n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, k->e))
		params = OSSL_PARAM_BLD_to_param(build);
	int ok = params && take(params, context);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return ok;
}

static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(KEY_NAME, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return types;
}

static int key_get(void *key, OSSL_PARAM params[])
{
	const struct rsa *k = key;
	OSSL_PARAM *p;
	int bits = BN_num_bits(k->n);

	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_BITS)) && !OSSL_PARAM_set_int(p, bits))
		return 0;
	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_SECURITY_BITS)) &&
	    !OSSL_PARAM_set_int(p, BN_security_bits(bits, -1)))
		return 0;
	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MAX_SIZE)) &&
	    !OSSL_PARAM_set_int(p, (bits + 7) / 8))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST);
	return !p || OSSL_PARAM_set_utf8_string(p, "SHA256");
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = { OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0), OSSL_PARAM_END };

	(void)provider;
	return gettable;
}

static const char *key_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? SIGNATURE : NULL;
}

static const OSSL_DISPATCH key_functions[] = {
	{ OSSL_FUNC_KEYMGMT_NEW, (any_function *)key_new },
	{ OSSL_FUNC_KEYMGMT_FREE, (any_function *)key_free },
	{ OSSL_FUNC_KEYMGMT_HAS, (any_function *)key_has },
	{ OSSL_FUNC_KEYMGMT_MATCH, (any_function *)key_match },
	{ OSSL_FUNC_KEYMGMT_IMPORT, (any_function *)key_import },
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (any_function *)key_types },
	{ OSSL_FUNC_KEYMGMT_EXPORT, (any_function *)key_export },
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (any_function *)key_types },
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, (any_function *)key_get },
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (any_function *)key_gettable },
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (any_function *)key_operation },
	{ 0, NULL },
};

/* ---- signatures ---- */

static const struct hash {
	const char *name;
	const EVP_MD *(*digest)(void);
	enum sign_scheme pss, pkcs1;
} hashes[] = {
	{ "SHA256", EVP_sha256, SIGN_RSA_PSS_SHA256, SIGN_RSA_PKCS1_SHA256 },
	{ "SHA384", EVP_sha384, SIGN_RSA_PSS_SHA384, SIGN_RSA_PKCS1_SHA384 },
	{ "SHA512", EVP_sha512, SIGN_RSA_PSS_SHA512, SIGN_RSA_PKCS1_SHA512 },
};

struct signing {
	const struct rsa *key; /* OpenSSL holds it as long as this */
	const struct hash *hash;
	bool pss;
};

static void *signing_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return NEW(struct signing);
}

static void signing_free(void *context)
{
	free(context);
}

/* "SHA256", "SHA2-256" and the like; NULL: none that we sign. */
static const struct hash *hash_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof hashes / sizeof hashes[0]; i++)
		if (EVP_MD_is_a(hashes[i].digest(), name))
			return &hashes[i];
	return NULL;
}

static int pad_mode(const OSSL_PARAM *p)
{
	const char *text;
	int mode = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return !OSSL_PARAM_get_utf8_string_ptr(p, &text)        ? 0
		    : strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0     ? RSA_PKCS1_PSS_PADDING
		    : strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
									: 0;
	return OSSL_PARAM_get_int(p, &mode) ? mode : 0;
}

/* TLS wants a salt as long as the digest, and keys makes no other. */
static bool salt_fits(const OSSL_PARAM *p, const struct hash *hash)
{
	int wanted = EVP_MD_get_size(hash->digest()), length = 0;
	const char *text;
	uint64_t n;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_utf8_string_ptr(p, &text) &&
		    (strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0 ||
			(slice_number(slice_of(text), 1000, &n) && (int)n == wanted));
	return OSSL_PARAM_get_int(p, &length) &&
	    (length == RSA_PSS_SALTLEN_DIGEST || length == wanted);
}

static int signing_set(void *context, const OSSL_PARAM params[])
{
	const OSSL_PARAM *mode =
	    params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
	const OSSL_PARAM *salt =
	    params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN) : NULL;
	struct signing *s = context;

	if (mode) {
		int padding = pad_mode(mode);

		if (padding != RSA_PKCS1_PSS_PADDING && padding != RSA_PKCS1_PADDING)
			return 0;
		s->pss = padding == RSA_PKCS1_PSS_PADDING;
	}
	return !salt || (s->hash && salt_fits(salt, s->hash));
}

static const OSSL_PARAM *signing_settable(void *context, void *provider)
{
	static const OSSL_PARAM settable[] = { OSSL_PARAM_utf8_string(
						   OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END };

	(void)context;
	(void)provider;
	return settable;
}

static int signing_begin(void *context, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signing *s = context;

	if (key)
		s->key = key;
	s->hash = hash_find(digest);
	return s->key && s->key->name && s->hash && signing_set(s, params);
}

static int signing_ask(const struct signing *s, slice digest, struct buf *out)
{
	slice name = slice_of(s->key->name);
	struct error error;
	bool ok = ask_sign(name, s->pss ? s->hash->pss : s->hash->pkcs1, digest,
	    deadline_in_ms(SIGN_DEADLINE_MS), out, &error);

	if (!ok)
		log_warn("tls.sign.failed", kv_text("key", name), kv_why(&error));
	return ok && !out->full;
}

static int signing_do(void *context, unsigned char *signature, size_t *length, size_t room,
    const unsigned char *text, size_t n)
{
	const struct signing *s = context;
	size_t size = (size_t)BN_num_bytes(s->key->n);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_length;
	struct buf out;

	*length = size;
	if (!signature)
		return 1;
	if (room < size || !EVP_Digest(text, n, digest, &digest_length, s->hash->digest(), NULL))
		return 0;
	buf_init(&out, size);
	int ok =
	    signing_ask(s, (slice){ (const char *)digest, digest_length }, &out) && out.n == size;
	if (ok)
		memcpy(signature, out.p, size);
	buf_free(&out);
	return ok;
}

static const OSSL_DISPATCH signing_functions[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, (any_function *)signing_new },
	{ OSSL_FUNC_SIGNATURE_FREECTX, (any_function *)signing_free },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (any_function *)signing_begin },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (any_function *)signing_do },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (any_function *)signing_set },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (any_function *)signing_settable },
	{ 0, NULL },
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *provider_query(void *provider, int operation, int *no_cache)
{
	/* The names of RSA that OpenSSL compares keys by. */
	static const OSSL_ALGORITHM kinds[] = { { "RSA:rsaEncryption:1.2.840.113549.1.1.1",
						    "provider=hauberk", key_functions, "" },
		{ NULL, NULL, NULL, NULL } };
	static const OSSL_ALGORITHM signatures[] = {
		{ SIGNATURE, "provider=hauberk", signing_functions, "" }, { NULL, NULL, NULL, NULL }
	};

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT  ? kinds
	    : operation == OSSL_OP_SIGNATURE ? signatures
					     : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (any_function *)provider_query },
		{ 0, NULL },
	};
	static int something;

	(void)handle;
	(void)in;
	*out = functions;
	*provider = &something;
	return 1;
}

static OSSL_LIB_CTX *library; /* as long as the process */
static EVP_PKEY_CTX *maker(void)
{
	return EVP_PKEY_CTX_new_from_name(library, "RSA", "provider=hauberk");
}

static void init(void)
{
	library = OSSL_LIB_CTX_new();
	if (!library || !OSSL_PROVIDER_add_builtin(library, "hauberk", provider_init) ||
	    !OSSL_PROVIDER_load(library, "hauberk"))
		panic("openssl refused the provider");
	EVP_PKEY_CTX *first = maker();
	if (!first)
		panic("openssl refused the provider's keys");
	EVP_PKEY_CTX_free(first);
}

void tls_rsa_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

EVP_PKEY *tls_rsa_new(EVP_PKEY *public_half, slice name)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = NULL, *e = NULL;
	EVP_PKEY *key = NULL;

	tls_rsa_init();
	EVP_PKEY_CTX *make = maker();
	if (!EVP_PKEY_get_bn_param(public_half, OSSL_PKEY_PARAM_RSA_N, &n) ||
	    !EVP_PKEY_get_bn_param(public_half, OSSL_PKEY_PARAM_RSA_E, &e) ||
	    !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) ||
	    !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) ||
	    !OSSL_PARAM_BLD_push_utf8_string(build, KEY_NAME, name.p, name.n))
		panic("openssl gave no numbers of an RSA key");
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	if (!make || EVP_PKEY_fromdata_init(make) != 1 ||
	    EVP_PKEY_fromdata(make, &key, EVP_PKEY_KEYPAIR, params) != 1)
		panic("openssl refused an RSA key of the provider");
	EVP_PKEY_CTX_free(make);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return key;
}
