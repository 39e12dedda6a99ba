#include "mail/crlf.h"

/* Octets of the line end that text begins with: 2, 1 for a CR or LF alone, 0 for none. */
static size_t line_end(slice text)
{
	if (text.n == 0 || (text.p[0] != '\r' && text.p[0] != '\n'))
		return 0;
	return slice_starts(text, SLICE("\r\n")) ? 2 : 1;
}

slice crlf_of(slice text, struct buf *room)
{
	size_t bare = 0, kept = 0, n;

	for (size_t at = 0; at < text.n; at += n ? n : 1) {
		n = line_end(slice_from(text, at));
		bare += n == 1;
	}
	if (bare == 0)
		return text;
	buf_init(room, text.n + bare);
	for (size_t at = 0; at < text.n; at += n ? n : 1) {
		n = line_end(slice_from(text, at));
		if (n != 1)
			continue;
		buf_add(room, slice_head(slice_from(text, kept), at - kept));
		buf_adds(room, "\r\n");
		kept = at + 1;
	}
	buf_add(room, slice_from(text, kept));
	return buf_slice(room);
}
