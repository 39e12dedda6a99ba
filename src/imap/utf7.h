/*
 * utf7: mailbox names on the wire of IMAP4rev1, modified UTF-7 (RFC 3501 §5.1.3).
 *
 *     utf7_encode(SLICE("Entw\xc3\xbcrfe"), out);     "Entw&APw-rfe"
 *
 * Names inside are UTF-8. Clients that send plain UTF-8 are understood too.
 */
#ifndef IMAP_UTF7_H
#define IMAP_UTF7_H

#include "base/buf.h"

/* Adds name as modified UTF-7; name must be valid UTF-8. */
void utf7_encode(slice name, struct buf *out);
/* Adds wire as UTF-8. false when it is malformed, holds a control or does not fit. */
bool utf7_decode(slice wire, struct buf *out);

#endif
