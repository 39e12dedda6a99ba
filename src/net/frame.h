/*
 * frame: finds the end of the next whole thing in the input.
 *
 * The only incremental reader of the program: parsers get whole lines, literals and chunks.
 *
 *     struct frame frame = { .kind = FRAME_LINE, .max = 510 };
 *     switch (frame_next(&frame, buf_slice(&in), &text, &used)) {
 *     case FRAME_WHOLE: handle(text); buf_drop(&in, used); break;
 *     ...
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include "base/slice.h"

enum frame_kind { FRAME_LINE, FRAME_OCTETS, FRAME_CHUNK };
enum frame_end { FRAME_CRLF, FRAME_LF };

struct frame {
	enum frame_kind kind;
	size_t max;         /* a line's longest, the octets' number, a chunk's longest */
	enum frame_end end; /* of the last line */
	size_t scanned;     /* octets of the input known to hold no LF */
	bool dropping;      /* inside a line that was too long */
};

enum frame_result {
	FRAME_WHOLE,    /* *frame_out is it; *used_out octets of the input belong to it */
	FRAME_PARTIAL,  /* more input is needed; *used_out octets may be dropped already */
	FRAME_OVERLONG, /* a line is too long; reported once, its rest is swallowed */
};

/* Starts on a new kind of frame. */
void frame_want(struct frame *f, enum frame_kind kind, size_t max);
enum frame_result frame_next(struct frame *f, slice input, slice *frame_out, size_t *used_out);

#endif
