/*
 * tls_rsa: an RSA key whose private half is in the role keys, as OpenSSL's provider "hauberk".
 *
 * The provider is part of the program (nothing is loaded) and lives in a library context of its own, so no
 * other use of OpenSSL meets it. It knows one kind of key, which has a public half and the name of its
 * private half, and one operation, a signature over a message: the digest is made here, and asked from keys
 * with its scheme (ask_sign). There is no decryption, so there can be no RSA key exchange.
 */
#ifndef NET_TLS_RSA_H
#define NET_TLS_RSA_H

#include <openssl/evp.h>

#include "base/slice.h"

/* Registers the provider; needed once, before the sandbox is locked. */
void tls_rsa_init(void);
/* A key to sign with, of the public half's numbers. */
EVP_PKEY *tls_rsa_new(EVP_PKEY *public_half, slice name);

#endif
