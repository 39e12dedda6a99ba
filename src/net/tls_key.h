/*
 * tls_key: an ECDSA key whose private half is in the role keys.
 *
 * The public half comes from the certificate; a signature is asked with ask_sign. OpenSSL's handshake
 * calls it like any key.
 */
#ifndef NET_TLS_KEY_H
#define NET_TLS_KEY_H

#include <openssl/evp.h>

#include "base/error.h"
#include "base/slice.h"

/* A key to give to SSL_CTX_use_PrivateKey; certificate_key is the certificate's public key (still the
 * caller's). NULL and error when it is not an EC key. */
EVP_PKEY *tls_key_new(EVP_PKEY *certificate_key, slice name, struct error *error);

#endif
