/*
 * tls_key: an ECDSA or RSA key whose private half is in the role keys.
 *
 * The public half comes from the certificate; a signature is asked with ask_sign. OpenSSL's handshake
 * calls it like any key: ECDSA through a method of the key, RSA through a provider (tls_rsa.h).
 */
#ifndef NET_TLS_KEY_H
#define NET_TLS_KEY_H

#include <openssl/evp.h>

#include "base/error.h"
#include "base/slice.h"

/* Makes what keys need; once before the sandbox is locked, harmless again. */
void tls_key_init(void);
/* A key to give to OpenSSL with its certificate; certificate_key is the certificate's public key (still the
 * caller's). NULL and error when it is of another kind. */
EVP_PKEY *tls_key_new(EVP_PKEY *certificate_key, slice name, struct error *error);

#endif
