/*
 * decode: the content of a part without its Content-Transfer-Encoding (RFC 2045 §6).
 *
 *     struct decoder d;
 *     char out[DECODE_ROOM];
 *     size_t n;
 *     decoder_open(&d, encoding_of(part->encoding, NULL));
 *     for (slice rest = part->body; (n = decoder_run(&d, &rest, out, sizeof out)) > 0 || rest.n;)
 *             ... n octets of out
 *     n = decoder_end(&d, out, sizeof out);
 *
 * Any octets decode to something, in one pass and in the room that is given. What the standard does not
 * allow is counted (d.faults): characters outside of the alphabet of base64 are skipped (RFC 2045 §6.8), data
 * behind its padding goes on unless `stop_at_padding` is set, a '=' that begins nothing stays a '=' (§6.7).
 */
#ifndef MAIL_DECODE_H
#define MAIL_DECODE_H

#include "base/buf.h"
#include "base/slice.h"

#define DECODE_ROOM   4096 /* a good size of the room */
#define DECODE_LEAST  1024 /* octets of room that decoder_run needs */
#define DECODE_BLANKS 1000 /* that are held back: a run of more is no transport padding */

enum encoding {
	ENCODING_7BIT,
	ENCODING_8BIT,
	ENCODING_BINARY,
	ENCODING_BASE64,
	ENCODING_QUOTED,
	ENCODING_UNKNOWN, /* RFC 2045 §6.4: the octets as they are, and the part application/octet-stream */
};

enum decode_fault {
	DECODE_CHARACTER, /* outside of base64's alphabet, no blank and no line end */
	DECODE_PADDING,   /* base64 behind its padding, or padding where none can be */
	DECODE_CUT,       /* base64 that ends inside of a group, or with bits that are not 0 */
	DECODE_QUOTED,    /* '=' without two hexadecimal digits or a line end */
	DECODE_EIGHT_BIT, /* an octet above 127, or NUL, where the encoding says there are none */
	DECODE_LINE,      /* an encoded line longer than 76 */
	DECODE_FAULTS
};

struct decoder {
	enum encoding encoding;
	bool stop_at_padding;
	struct {
		size_t count, at; /* how many, and the offset of the first in the encoded text */
	} faults[DECODE_FAULTS];
	/* private */
	size_t offset, line;          /* octets taken; octets since the line's start */
	uint32_t bits;                /* base64: of the open group */
	unsigned have;                /* base64: characters in it */
	bool padded;                  /* base64: its last group was padded */
	char held[DECODE_BLANKS + 4]; /* quoted-printable: blanks, or what follows '=' */
	size_t held_count;
};

/* What a Content-Transfer-Encoding field says; 7bit where there is none. *clean_out (if wanted) is false when
 * there is more than the word and comments. */
enum encoding encoding_of(slice field, bool *clean_out);

void decoder_open(struct decoder *d, enum encoding encoding);
/* Takes octets off *in and writes decoded ones, at most `room` (at least DECODE_LEAST); how many. Ends with
 * *in empty or the room as good as full. */
size_t decoder_run(struct decoder *d, slice *in, char *out, size_t room);
/* What is left when nothing comes any more. */
size_t decoder_end(struct decoder *d, char *out, size_t room);
/* Adds the decoded text to out, at most up to its maximum; false when it was cut there. The faults are in
 * *d. */
bool decode_all(struct decoder *d, enum encoding encoding, slice text, struct buf *out);

#endif
