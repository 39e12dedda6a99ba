/*
 * ask: the asking side of the roles keys, auth and queue: ordinary blocking functions.
 *
 * Each waits at most until its deadline, also when the role died and is being started again; each may
 * be called from any thread but the one that runs the peers.
 */
#ifndef NET_ASK_H
#define NET_ASK_H

#include "proc/peers.h"

/* The peers that are asked; set once at start, before the first question. */
void ask_init(struct peers *peers);

/* How a digest is signed. Of RSA the padding is made by the role keys, from the digest: nobody else can
 * have any other octets put through a key. */
enum sign_scheme {
	SIGN_ECDSA,          /* in DER (RFC 3279 §2.2.3) */
	SIGN_RSA_PSS_SHA256, /* RFC 8446 §4.2.3: salt as long as the digest */
	SIGN_RSA_PSS_SHA384,
	SIGN_RSA_PSS_SHA512,
	SIGN_RSA_PKCS1_SHA256, /* RFC 8017 §8.2; TLS 1.2 only */
	SIGN_RSA_PKCS1_SHA384,
	SIGN_RSA_PKCS1_SHA512,
	SIGN_SCHEMES
};

/* keys: signs a digest with the private key of that name, as the TLS handshake needs it. The signature is
 * added to signature_out. */
bool ask_sign(slice key, enum sign_scheme scheme, slice digest, struct deadline deadline,
    struct buf *signature_out, struct error *error);

/* auth: is this the account's password? account 0 stands for "no such account" and costs the same
 * time. *right_out is the answer; false is returned only when there is none. */
bool ask_password(uint64_t account, slice password, struct deadline deadline, bool *right_out,
    struct error *error);

/* auth: sets or removes an account's password (control asks this). */
bool ask_set_password(
    uint64_t account, slice password, struct deadline deadline, struct error *error);
/* A verifier made by another server (vault/verifier.h); refused when its scheme is not known. */
bool ask_set_verifier(
    uint64_t account, slice verifier, struct deadline deadline, struct error *error);
bool ask_remove_password(uint64_t account, struct deadline deadline, struct error *error);

/* auth: what a SCRAM exchange needs of the account (RFC 5802). Nobody (account 0), and who has no
 * verifier, gets a salt made from the name that is the same each time. */
bool ask_scram_salt(uint64_t account, slice name, struct deadline deadline,
    unsigned *iterations_out, struct buf *salt_out, struct error *error);
/* auth: does the proof fit the AuthMessage? If so, ServerSignature is added to signature_out. */
bool ask_scram_proof(uint64_t account, slice auth_message, slice proof, struct deadline deadline,
    bool *right_out, struct buf *signature_out, struct error *error);

/* auth: what it says to a token of Kerberos. Texts are borrowed from the reply. */
struct ask_kerberos {
	struct peers_reply reply;
	int result; /* enum kerberos_result */
	slice code, why, principal, token, challenge, state, authorize_as;
	unsigned layer;    /* enum kerberos_layer; with one, the state is its context */
	size_t layer_most; /* the longest piece that the client takes */
};
/* auth: is this the token of a ticket for the service (enum kerberos_service), with layers offered (enum kerberos_layer)? On success *out is freed with
 * peers_reply_free(&out->reply). Asking twice is refused as a replay, which harms nobody. */
bool ask_kerberos_accept(unsigned service, unsigned layers, slice token, struct deadline deadline,
    struct ask_kerberos *out, struct error *error);
/* auth: the client's answer to the challenge. */
bool ask_kerberos_finish(unsigned service, slice state, slice response, struct deadline deadline,
    struct ask_kerberos *out, struct error *error);

#endif
