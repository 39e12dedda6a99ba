/*
 * data: the octets between DATA and the line with a single dot (RFC 5321 §4.1.1.4, §4.5.2).
 *
 * Takes the stream in any pieces, removes the dots that were stuffed, and finds the end, which is only
 * CR LF . CR LF. A CR or LF that stands alone is refused (RFC 5321 §2.3.8): what one server takes for a
 * line end and another does not is how messages are smuggled.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/buf.h"

struct data_reader {
	enum { DATA_LINE_START, DATA_TEXT, DATA_CR, DATA_DOT, DATA_DOT_CR } state;
};

enum data_result {
	DATA_MORE, /* all of the input was content */
	DATA_END,  /* the end was found; *used_out octets belong to the message */
	DATA_BARE, /* a bare CR or LF at *used_out */
};

/* Begins at the start of a line: { 0 }. Adds content to out, which needs room for input.n + 2 octets. */
enum data_result data_read(struct data_reader *r, slice input, struct buf *out, size_t *used_out);

/* The line ends of a message that comes by BDAT, in any pieces: { 0 } at first. */
struct lines {
	bool after_cr; /* the last octet was a CR */
	bool inside;   /* the last octet did not end a line */
};

/* false: a CR or LF stands alone. */
bool lines_take(struct lines *l, slice octets);

#endif
