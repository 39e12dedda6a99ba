/*
 * keys: the private keys of the role keys.
 *
 * A key is kept under a name that begins with its purpose ("tls.default"); a TLS key signs only the
 * digests of handshakes. Nothing here gives a key away.
 */
#ifndef VAULT_KEYS_H
#define VAULT_KEYS_H

#include "proc/peers.h"

/* Adds a private key in PEM form under this name, in place of an older one of that name; when its
 * purpose has 256, the oldest of them goes. */
bool keys_add(slice name, slice pem, struct error *error);
/* Does the certificate (PEM, leaf first) belong to this private key? For checks before a start. */
bool keys_match(slice certificate_pem, slice key_pem, struct error *error);

/* What the role answers. */
extern const struct service keys_services[];
extern const size_t keys_service_count;

#endif
