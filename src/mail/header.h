/*
 * header: the header fields of a message or a MIME part.
 *
 *     slice header = header_of(message);
 *     struct header_field field;
 *     for (slice rest = header; header_next(&rest, &field);)
 *             if (slice_eq_nocase(field.name, SLICE("Subject"))) ...
 *
 * Nothing is copied: all slices point into the message. Lines may end in CRLF or LF. A line that is
 * no field (no colon, or a blank in the name) is given with an empty name, so that nothing of the
 * message is lost. One pass over the octets, whatever they are.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"
#include "base/cursor.h"

struct header_field {
	slice name;  /* without blanks; empty for a line that is no field */
	slice value; /* after the colon, folded as it came, without the last line end */
	slice whole; /* name to line end */
};

/* The header of a message with the empty line that ends it; all of it when there is none. */
slice header_of(slice message);
/* Takes the first field off *rest; false at the empty line or the end (RFC 5322 §2.2). */
bool header_next(slice *rest, struct header_field *out);
/* The first field of this name, case ignored; its value trimmed, still folded. */
bool header_find(slice header, slice name, slice *value_out);
/* Adds a value without its line ends (RFC 5322 §2.2.3), NUL and bare CR replaced by a blank. What
 * does not fit into out is cut off. */
void header_unfold(slice value, struct buf *out);

/* The line at the start of text with its line end; all of it when there is no line end. */
slice line_of(slice text);
bool line_is_empty(slice line);

/* Skips blanks, line ends and comments (RFC 5322 §3.2.2, CFWS); a comment's depth is not limited,
 * only counted. The text of the last comment, parentheses excluded, goes to *comment_out if wanted. */
void cfws_skip(struct cursor *c, slice *comment_out);
/* Takes a quoted-string (RFC 5322 §3.2.4) and adds its content, unquoted and unfolded; without a
 * closing quote the rest of the input is the content. */
void quoted_string_take(struct cursor *c, struct buf *out);

#endif
