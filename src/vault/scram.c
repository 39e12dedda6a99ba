#include "vault/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/encode.h"

#define TEXT_HEAD "SCRAM-SHA-256$"

static void hmac(const unsigned char *key, slice data, unsigned char *out)
{
	unsigned length = SCRAM_KEY;

	HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)data.p, data.n, out, &length);
}

/* SaltedPassword := Hi(Normalize(password), salt, i) */
static bool salted_password(slice password, slice salt, unsigned iterations, unsigned char *out)
{
	return PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p,
		   (int)salt.n, (int)iterations, EVP_sha256(), SCRAM_KEY, out) == 1;
}

bool scram_derive(slice password, slice salt, unsigned iterations, struct scram_verifier *out,
    struct error *error)
{
	unsigned char salted[SCRAM_KEY], client_key[SCRAM_KEY];

	*out = (struct scram_verifier){ 0 };
	if (salt.n > sizeof out->salt || !salted_password(password, salt, iterations, salted))
		return error_local(error, "no SCRAM verifier could be derived");
	hmac(salted, SLICE("Client Key"), client_key);
	SHA256(client_key, SCRAM_KEY, out->stored_key);
	hmac(salted, SLICE("Server Key"), out->server_key);
	if (salt.n)
		memcpy(out->salt, salt.p, salt.n);
	out->salt_octets = salt.n;
	out->iterations = iterations;
	OPENSSL_cleanse(salted, sizeof salted);
	OPENSSL_cleanse(client_key, sizeof client_key);
	return true;
}

bool scram_make(slice password, struct scram_verifier *out, struct error *error)
{
	unsigned char salt[SCRAM_SALT];

	if (RAND_bytes(salt, sizeof salt) != 1)
		return error_local(error, "no randomness for a salt");
	return scram_derive(
	    password, (slice){ (const char *)salt, sizeof salt }, SCRAM_ITERATIONS, out, error);
}

void scram_text(const struct scram_verifier *v, struct buf *out)
{
	buf_addf(out, TEXT_HEAD "%u:", v->iterations);
	base64_encode((slice){ (const char *)v->salt, v->salt_octets }, out);
	buf_addc(out, '$');
	base64_encode((slice){ (const char *)v->stored_key, SCRAM_KEY }, out);
	buf_addc(out, ':');
	base64_encode((slice){ (const char *)v->server_key, SCRAM_KEY }, out);
}

/* Takes base64 up to `stop` (or the end) into room octets at p. */
static bool take_base64(slice *rest, char stop, unsigned char *p, size_t room, size_t *n_out)
{
	size_t end = slice_find(*rest, stop);
	struct buf octets;

	buf_init(&octets, room);
	bool ok = base64_decode(slice_head(*rest, end), &octets) && !octets.full;
	if (ok && octets.n)
		memcpy(p, octets.p, octets.n);
	*n_out = octets.n;
	*rest = slice_from(*rest, end + 1);
	buf_free(&octets);
	return ok;
}

bool scram_parse(slice text, struct scram_verifier *out)
{
	slice rest = slice_from(text, sizeof TEXT_HEAD - 1);
	size_t colon = slice_find(rest, ':'), stored, server;
	uint64_t iterations;

	*out = (struct scram_verifier){ 0 };
	if (!slice_starts(text, SLICE(TEXT_HEAD)) ||
	    !slice_number(slice_head(rest, colon), 10000000, &iterations) || iterations == 0)
		return false;
	out->iterations = (unsigned)iterations;
	rest = slice_from(rest, colon + 1);
	return take_base64(&rest, '$', out->salt, sizeof out->salt, &out->salt_octets) &&
	    take_base64(&rest, ':', out->stored_key, SCRAM_KEY, &stored) &&
	    take_base64(&rest, '\0', out->server_key, SCRAM_KEY, &server) && stored == SCRAM_KEY &&
	    server == SCRAM_KEY;
}

/* ClientKey := ClientProof XOR HMAC(StoredKey, AuthMessage); right when H(ClientKey) = StoredKey */
bool scram_proof_right(const struct scram_verifier *v, slice auth_message, slice proof)
{
	unsigned char key[SCRAM_KEY], hashed[SCRAM_KEY];

	if (proof.n != SCRAM_KEY)
		return false;
	hmac(v->stored_key, auth_message, key);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= (unsigned char)proof.p[i];
	SHA256(key, SCRAM_KEY, hashed);
	return CRYPTO_memcmp(hashed, v->stored_key, SCRAM_KEY) == 0;
}

void scram_signature(const struct scram_verifier *v, slice auth_message, unsigned char *out)
{
	hmac(v->server_key, auth_message, out);
}

bool scram_client_proof(
    slice password, slice salt, unsigned iterations, slice auth_message, unsigned char *proof_out)
{
	unsigned char salted[SCRAM_KEY], client_key[SCRAM_KEY], stored[SCRAM_KEY];

	if (!salted_password(password, salt, iterations, salted))
		return false;
	hmac(salted, SLICE("Client Key"), client_key);
	SHA256(client_key, SCRAM_KEY, stored);
	hmac(stored, auth_message, proof_out);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		proof_out[i] ^= client_key[i];
	return true;
}
