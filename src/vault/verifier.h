/*
 * verifier: what is kept of a password, and whether a password fits it.
 *
 * Ours is yescrypt (crypt(5), "$y$..."). Those of other servers are taken as they are: any scheme of
 * crypt(5), with or without "{CRYPT}" and its relatives in front, and the salted and plain digests of
 * LDAP and Dovecot ({SSHA}, {SSHA256}, {SSHA512}, {SHA}, {SHA256}, {SHA512}; base64 of digest and salt).
 */
#ifndef VAULT_VERIFIER_H
#define VAULT_VERIFIER_H

#include "base/error.h"
#include "base/slice.h"

#define VERIFIER_MAX 384 /* octets of its text, with NUL */
#define PASSWORD_MAX 512 /* octets, with NUL; libxcrypt's own limit */

/* A yescrypt verifier of this password into out (VERIFIER_MAX). Costs about 29 ms. */
bool verifier_make(slice password, char *out, struct error *error);
/* Does the password fit? A scheme that is not known fits nothing. */
bool verifier_fits(slice verifier, slice password);
/* Could any password fit it: is its scheme known and its form right? */
bool verifier_known(slice verifier, struct error *error);
/* 1 to PASSWORD_MAX - 1 octets, no NUL. */
bool password_usable(slice password);

#endif
