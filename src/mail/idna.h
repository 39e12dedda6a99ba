/*
 * idna: one form of a name that people write in several.
 *
 *     slice ascii;
 *     if (!idna_ascii(SLICE("Bücher.Example"), arena, &ascii)) ...
 *     (ascii is "xn--bcher-kva.example")
 *
 * Domains are kept and compared as A-labels (RFC 5890 §2.3.2.1), local parts without case and in one
 * Unicode form. Pure functions: no files, no locale.
 */
#ifndef MAIL_IDNA_H
#define MAIL_IDNA_H

#include "base/arena.h"
#include "base/slice.h"

/* The domain in lower case, its U-labels (UTF-8) as A-labels (RFC 5891 §5, non-transitional). ASCII names
 * are only made lower case, whatever they hold. false: not valid UTF-8, or no label may look so; *out is
 * then as for ASCII. The result is the arena's. */
bool idna_ascii(slice domain, struct arena *arena, slice *out);
/* The form by which two local parts are compared: ASCII in lower case; with UTF-8, case folded and
 * composed (Unicode NFC, RFC 6532 §3.1). What is not valid UTF-8 is taken as it is. */
slice idna_fold_local(slice local, struct arena *arena);
/* Does it hold an octet above 127? */
bool idna_needed(slice text);

#endif
