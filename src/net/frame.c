#include "net/frame.h"

void frame_want(struct frame *f, enum frame_kind kind, size_t max)
{
	f->kind = kind;
	f->max = max;
	f->scanned = 0;
}

static enum frame_result line_whole(struct frame *f, slice line, slice *frame_out)
{
	f->end = FRAME_LF;
	if (line.n && line.p[line.n - 1] == '\r') {
		f->end = FRAME_CRLF;
		line.n--;
	}
	*frame_out = line;
	return line.n > f->max ? FRAME_OVERLONG : FRAME_WHOLE;
}

static enum frame_result line_next(struct frame *f, slice input, slice *frame_out, size_t *used_out)
{
	slice fresh = slice_from(input, f->scanned);
	size_t at = f->scanned + slice_find(fresh, '\n');

	if (at < input.n) {
		bool swallowed = f->dropping;

		f->scanned = 0;
		f->dropping = false;
		*used_out = at + 1;
		if (!swallowed)
			return line_whole(f, slice_head(input, at), frame_out);
		/* The end of a line that was reported already: look at the next one. */
		size_t used = *used_out;
		enum frame_result next = line_next(f, slice_from(input, used), frame_out, used_out);
		*used_out += used;
		return next;
	}
	f->scanned = input.n;
	*used_out = 0;
	if (f->dropping || input.n > f->max + 1) {
		bool first = !f->dropping;

		f->dropping = true;
		f->scanned = 0;
		*used_out = input.n;
		return first ? FRAME_OVERLONG : FRAME_PARTIAL;
	}
	return FRAME_PARTIAL;
}

enum frame_result frame_next(struct frame *f, slice input, slice *frame_out, size_t *used_out)
{
	*used_out = 0;
	if (f->kind == FRAME_LINE)
		return line_next(f, input, frame_out, used_out);
	size_t least = f->kind == FRAME_OCTETS ? f->max : 1;
	if (input.n < least)
		return FRAME_PARTIAL;
	*frame_out = slice_head(input, f->max);
	*used_out = frame_out->n;
	return FRAME_WHOLE;
}
