/* policy_import: a script of AXIGEN made into a policy. */
#ifndef MAIN_POLICY_IMPORT_H
#define MAIN_POLICY_IMPORT_H

#include "script/policy/policy.h"

/*
 * Adds the policy to out: old functions become operators, old names ours, comments and layout stay. What is not
 * understood becomes a comment there and a line "name:line:column: not imported: why" in lost. The result is a policy
 * that compiles. The number of parts that were lost; UINT_MAX: none of it could be read, and lost says why.
 */
unsigned policy_import(const struct policy_host *host, const char *name, slice text,
    struct arena *arena, struct buf *out, struct buf *lost);

/* Adds the text with operators for the old functions, and nothing else changed; false: it cannot be read, and nothing
 * is added. */
bool policy_import_operators(const struct policy_host *host, const char *name, slice text,
    struct arena *arena, struct buf *out);

#endif
