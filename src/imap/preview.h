/*
 * preview: the first words of a message (RFC 8970 §3.1).
 *
 *     preview_write(charsets, mime.root, out);
 *
 * Those of its first text/plain part, or of its first text/html part without tags: decoded, blanks made single
 * spaces, at most PREVIEW_CHARACTERS. Of a part no more than PREVIEW_OCTETS are looked at.
 */
#ifndef IMAP_PREVIEW_H
#define IMAP_PREVIEW_H

#include "mail/charset.h"
#include "mail/mime.h"

#define PREVIEW_CHARACTERS 200
#define PREVIEW_OCTETS     (16 * 1024)
#define PREVIEW_ROOM       (4 * PREVIEW_CHARACTERS)

/* Adds valid UTF-8, nothing where the message has no text; out has PREVIEW_ROOM. */
void preview_write(struct charsets *charsets, const struct part *root, struct buf *out);

#endif
