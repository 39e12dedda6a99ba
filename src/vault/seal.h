/*
 * seal: what a process gives away and wants back unread and unchanged.
 *
 * AES-256-GCM under a key that is made at start and never leaves the process.
 */
#ifndef VAULT_SEAL_H
#define VAULT_SEAL_H

#include "base/buf.h"

/* Octets that a seal adds. */
#define SEAL_OCTETS 36

/* Makes the key; before the first use. */
bool seal_start(void);
/* Adds the content, sealed for so many seconds. false: it is too long, or there is no randomness. */
bool seal_close(slice content, int seconds, struct buf *out);
/* Adds what was sealed. false: not sealed by this process, changed, or too long ago. */
bool seal_open(slice sealed, struct buf *out);

#endif
