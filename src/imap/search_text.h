/*
 * search_text: what SEARCH looks at in a message, as UTF-8 in lower case (fold.h).
 *
 *     search_text_header(&reader, message, SLICE("Subject"), needle)
 *     search_text_write(&reader, message, out, &body_at);      header and body, decoded
 *
 * Encoded words (RFC 2047), transfer encodings and charsets are undone. Beyond the limits of mail/mime.h, and of
 * the buffer given, text is not looked at.
 */
#ifndef IMAP_SEARCH_TEXT_H
#define IMAP_SEARCH_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "imap/envelope.h"
#include "mail/charset.h"
#include "mail/mime.h"

/* Is there a field of this name whose value holds needle (folded)? Any value holds an empty one. */
bool search_text_header(struct charsets *charsets, slice message, slice name, slice needle);
/* The same of a value of an envelope. */
bool search_text_value(struct charsets *charsets, slice value, slice needle);
/* Does one of the addresses, as "name <mailbox@host>", or a group's name hold it? */
bool search_text_addresses(
    struct charsets *charsets, slice list, struct arena *arena, slice needle);
/* Fills out, which is empty, with all fields of the message and its parts, and their texts; *body_at_out: where the message's own header
 * ends. Parts that are no text are left out if they are base64. */
void search_text_write(
    struct charsets *charsets, slice message, struct buf *out, size_t *body_at_out);

/* Adds the decoded text of a leaf and a line end. */
void search_text_leaf_write(struct charsets *charsets, const struct part *part, struct buf *out);
/* The part after this one, children first; NULL at the end. */
const struct part *search_text_part_after(const struct part *part);

static inline bool search_text_holds(slice text, slice needle)
{
	return needle.n == 0 || (text.n && memmem(text.p, text.n, needle.p, needle.n));
}

#endif
