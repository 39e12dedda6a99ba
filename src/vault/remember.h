/*
 * remember: successful password checks of the last ten minutes.
 *
 * A check costs about 29 ms and 16 MB by design, and mail clients log in again and again. What is kept
 * is not the password but an HMAC of account, password and the verifier's time of change, under a key
 * made at start: a new password is therefore never taken for the old one. Safe for threads.
 */
#ifndef VAULT_REMEMBER_H
#define VAULT_REMEMBER_H

#include "base/slice.h"

#define REMEMBER_US    (600 * 1000000LL)
#define REMEMBER_SLOTS 65536

/* Makes the key. */
bool remember_start(void);
/* Was this right not long ago? */
bool remember_knows(int64_t account, slice password, int64_t changed_us);
void remember_add(int64_t account, slice password, int64_t changed_us);

#endif
