/*
 * scram: the arithmetic of SCRAM-SHA-256 (RFC 5802, RFC 7677), and its verifier as text.
 *
 * What is kept of a password is not the password: "SCRAM-SHA-256$4096:SALT$StoredKey:ServerKey", the
 * last three in base64 (RFC 5803's form). Whoever steals it can try passwords, but not log in with it.
 *
 *     struct scram_verifier v;
 *     scram_derive(password, salt, 4096, &v);
 *     if (scram_proof_right(&v, auth_message, proof)) scram_signature(&v, auth_message, out);
 */
#ifndef VAULT_SCRAM_H
#define VAULT_SCRAM_H

#include "base/buf.h"
#include "base/error.h"

#define SCRAM_KEY        32 /* octets of SHA-256 */
#define SCRAM_SALT       16
#define SCRAM_ITERATIONS 4096 /* RFC 7677 §4: at least */
#define SCRAM_TEXT       256

struct scram_verifier {
	unsigned char salt[64];
	size_t salt_octets;
	unsigned iterations;
	unsigned char stored_key[SCRAM_KEY], server_key[SCRAM_KEY];
};

/* Derives the verifier of a password (octets as they are: SASLprep is the client's and ours to agree on,
 * both take UTF-8 as written) with this salt of at most 64 octets. */
bool scram_derive(slice password, slice salt, unsigned iterations, struct scram_verifier *out,
    struct error *error);
/* With a fresh salt. */
bool scram_make(slice password, struct scram_verifier *out, struct error *error);
/* "SCRAM-SHA-256$..." */
void scram_text(const struct scram_verifier *v, struct buf *out);
bool scram_parse(slice text, struct scram_verifier *out);
/* Does the client's proof (SCRAM_KEY octets) fit this AuthMessage? RFC 5802 §3 */
bool scram_proof_right(const struct scram_verifier *v, slice auth_message, slice proof);
/* ServerSignature, SCRAM_KEY octets. */
void scram_signature(const struct scram_verifier *v, slice auth_message, unsigned char *out);
/* What a client sends: for tests and for our own client. */
bool scram_client_proof(
    slice password, slice salt, unsigned iterations, slice auth_message, unsigned char *proof_out);

#endif
