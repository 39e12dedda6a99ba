#include "vault/verifier.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/encode.h"

struct digest {
	const char *prefix;
	const EVP_MD *(*md)(void);
	bool salted;
};

static const struct digest digests[] = {
	{ "{SSHA}", EVP_sha1, true },
	{ "{SSHA256}", EVP_sha256, true },
	{ "{SSHA512}", EVP_sha512, true },
	{ "{SHA}", EVP_sha1, false },
	{ "{SHA256}", EVP_sha256, false },
	{ "{SHA512}", EVP_sha512, false },
};

/* Other servers' names for "ask crypt". */
static const char *const crypt_prefixes[] = { "{CRYPT}", "{SHA512-CRYPT}", "{SHA256-CRYPT}",
	"{MD5-CRYPT}", "{BLF-CRYPT}" };

bool password_usable(slice password)
{
	return password.n > 0 && password.n < PASSWORD_MAX &&
	    slice_find(password, '\0') == password.n;
}

bool verifier_make(slice password, char *out, struct error *error)
{
	struct crypt_data data = { 0 };
	char salt[CRYPT_GENSALT_OUTPUT_SIZE], text[PASSWORD_MAX];
	const char *made = NULL;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(password));
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof salt))
		made = crypt_rn(text, salt, &data, sizeof data);
	if (made)
		snprintf(out, VERIFIER_MAX, "%s", made);
	OPENSSL_cleanse(text, sizeof text);
	OPENSSL_cleanse(&data, sizeof data);
	return made || error_local(error, "no yescrypt verifier could be made");
}

static slice without_crypt_prefix(slice verifier)
{
	for (size_t i = 0; i < sizeof crypt_prefixes / sizeof crypt_prefixes[0]; i++) {
		slice prefix = slice_of(crypt_prefixes[i]);

		if (slice_starts_nocase(verifier, prefix))
			return slice_from(verifier, prefix.n);
	}
	return verifier;
}

static bool crypt_fits(slice verifier, slice password)
{
	struct crypt_data data = { 0 };
	char text[PASSWORD_MAX], want[VERIFIER_MAX];

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(password));
	snprintf(want, sizeof want, "%.*s", SLICE_ARG(without_crypt_prefix(verifier)));
	const char *made = crypt_rn(text, want, &data, sizeof data);
	bool fits = made && made[0] != '*' && strlen(made) == strlen(want) &&
	    CRYPTO_memcmp(made, want, strlen(want)) == 0;
	OPENSSL_cleanse(text, sizeof text);
	OPENSSL_cleanse(&data, sizeof data);
	return fits;
}

static const struct digest *digest_of(slice verifier)
{
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
		if (slice_starts_nocase(verifier, slice_of(digests[i].prefix)))
			return &digests[i];
	return NULL;
}

/* Splits base64(digest [salt]) into out; false when it has not the form. */
static bool digest_parts(const struct digest *d, slice verifier, struct buf *out)
{
	size_t size = (size_t)EVP_MD_get_size(d->md());
	slice text = slice_from(verifier, strlen(d->prefix));

	return base64_decode(text, out) && (d->salted ? out->n > size : out->n == size);
}

static bool digest_fits(const struct digest *d, slice verifier, slice password)
{
	size_t size = (size_t)EVP_MD_get_size(d->md());
	unsigned char made[EVP_MAX_MD_SIZE];
	struct buf parts;

	buf_init(&parts, VERIFIER_MAX);
	bool fits = digest_parts(d, verifier, &parts);
	if (fits) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		fits = EVP_DigestInit_ex(ctx, d->md(), NULL) &&
		    EVP_DigestUpdate(ctx, password.p, password.n) &&
		    EVP_DigestUpdate(ctx, parts.p + size, parts.n - size) &&
		    EVP_DigestFinal_ex(ctx, made, NULL) && CRYPTO_memcmp(made, parts.p, size) == 0;
		EVP_MD_CTX_free(ctx);
	}
	buf_free(&parts);
	return fits;
}

bool verifier_fits(slice verifier, slice password)
{
	const struct digest *d = digest_of(verifier);

	return d ? digest_fits(d, verifier, password) : crypt_fits(verifier, password);
}

bool verifier_known(slice verifier, struct error *error)
{
	const struct digest *d = digest_of(verifier);
	char text[VERIFIER_MAX];
	struct buf parts;

	if (verifier.n == 0 || verifier.n >= VERIFIER_MAX ||
	    slice_find(verifier, '\0') < verifier.n)
		return error_plain(
		    error, FAULT_INPUT, "a verifier has 1 to %d octets", VERIFIER_MAX - 1);
	if (d) {
		buf_init(&parts, VERIFIER_MAX);
		bool ok = digest_parts(d, verifier, &parts);
		buf_free(&parts);
		return ok ||
		    error_plain(error, FAULT_INPUT, "after %s comes base64 of the digest%s",
			d->prefix, d->salted ? " and its salt" : "");
	}
	snprintf(text, sizeof text, "%.*s", SLICE_ARG(without_crypt_prefix(verifier)));
	int kind = crypt_checksalt(text);
	/* Traditional DES has no mark and takes nearly anything for a salt; it protects nobody any more. */
	if (text[0] != '$' || kind == CRYPT_SALT_INVALID)
		return error_plain(error, FAULT_INPUT,
		    "the verifier's scheme is not known; crypt(5), {SSHA}, {SSHA256}, {SSHA512} and the like are");
	return true;
}
