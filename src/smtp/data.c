#include "smtp/data.h"

/* Adds input[from..to). */
static void keep(slice input, size_t from, size_t to, struct buf *out)
{
	if (to > from)
		buf_add(out, (slice){ input.p + from, to - from });
}

/* Length of the run from `at` without CR and LF. */
static size_t run(slice input, size_t at)
{
	slice rest = slice_from(input, at);
	size_t cr = slice_find(rest, '\r');

	return slice_find(slice_head(rest, cr), '\n');
}

/* One octet in a state other than DATA_TEXT. false: it may not stand here. */
static bool step(struct data_reader *r, char c, struct buf *out)
{
	switch (r->state) {
	case DATA_LINE_START:
		if (c == '.') {
			r->state = DATA_DOT; /* stuffed, or the end: not content either way */
			return true;
		}
		r->state = DATA_TEXT;
		break;
	case DATA_DOT:
		r->state = c == '\r' ? DATA_DOT_CR : DATA_TEXT;
		if (c == '\r')
			return true;
		break;
	case DATA_CR:
		buf_adds(out, "\r\n");
		r->state = DATA_LINE_START;
		return c == '\n';
	case DATA_DOT_CR:
	case DATA_TEXT:
		break;
	}
	if (c == '\r') {
		r->state = DATA_CR;
		return true;
	}
	buf_addc(out, c);
	return c != '\n';
}

enum data_result data_read(struct data_reader *r, slice input, struct buf *out, size_t *used_out)
{
	size_t at = 0;

	while (at < input.n) {
		if (r->state == DATA_TEXT) {
			size_t n = run(input, at);

			keep(input, at, at + n, out);
			at += n;
			if (at == input.n)
				break;
		}
		char c = input.p[at];
		if (r->state == DATA_DOT_CR && c == '\n') {
			*used_out = at + 1;
			return DATA_END;
		}
		if (r->state == DATA_DOT_CR || !step(r, c, out)) {
			*used_out = at;
			return DATA_BARE;
		}
		at++;
	}
	*used_out = at;
	return DATA_MORE;
}

bool lines_take(struct lines *l, slice octets)
{
	for (size_t at = 0; at < octets.n; at++) {
		if (!l->after_cr)
			at += run(octets, at);
		if (at == octets.n)
			break;
		if (l->after_cr != (octets.p[at] == '\n'))
			return false;
		l->after_cr = octets.p[at] == '\r';
	}
	if (octets.n)
		l->inside = octets.p[octets.n - 1] != '\n';
	return true;
}
