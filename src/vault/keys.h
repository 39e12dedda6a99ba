/*
 * keys: the private keys of the role keys.
 *
 * A key is kept under a name that begins with its purpose ("tls.default"); a TLS key signs only the
 * digests of handshakes, by a scheme of its kind, and of RSA the padding is made here. Nothing here
 * decrypts, and nothing gives a key away.
 */
#ifndef VAULT_KEYS_H
#define VAULT_KEYS_H

#include "proc/peers.h"

enum key_kind { KEY_ECDSA, KEY_RSA, KEY_KINDS };

/* Adds a private key in PEM form under this name, in place of an older one of that name; when its
 * purpose has KEYS_PURPOSE of them, the oldest goes. ECDSA, or RSA of 2048 to 8192 bits. */
#define KEYS_PURPOSE 8192
bool keys_add(slice name, slice pem, struct error *error);
/* Does the certificate (PEM, leaf first) belong to this private key, and is it of a kind that is served?
 * For checks before a start. */
bool keys_match(slice certificate_pem, slice key_pem, enum key_kind *kind_out, struct error *error);
/* "ECDSA", "RSA" */
const char *keys_kind_name(enum key_kind kind);

/* What the role answers. */
extern const struct service keys_services[];
extern const size_t keys_service_count;

#endif
