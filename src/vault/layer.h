/*
 * layer: a security layer of GSSAPI (RFC 4752 §3.1) in the session's process, which gets the finished context, with the
 * session's key and no other.
 */
#ifndef VAULT_LAYER_H
#define VAULT_LAYER_H

#include "base/error.h"
#include "net/layer.h"

/* What the library would open at its first use; before the sandbox is locked. */
bool layer_warm_up(struct error *error);
/* exported: by gss_export_sec_context, in the role auth. confidential: nobody else can read it, else only not change it.
 * most: the longest piece that the client takes. */
bool layer_make(
    slice exported, bool confidential, size_t most, struct session_layer *out, struct error *error);

#endif
