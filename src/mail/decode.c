#include "mail/decode.h"

#include "mail/header.h"

#define LINE_MOST 76 /* RFC 2045 §6.7 (5), §6.8 */

/* encoding = "Content-Transfer-Encoding" ":" mechanism */
enum encoding encoding_of(slice field, bool *clean_out)
{
	static const char *const names[] = { [ENCODING_7BIT] = "7bit",
		[ENCODING_8BIT] = "8bit",
		[ENCODING_BINARY] = "binary",
		[ENCODING_BASE64] = "base64",
		[ENCODING_QUOTED] = "quoted-printable" };
	struct cursor c = cursor_of(field);

	cfws_skip(&c, NULL);
	slice word = cursor_skip(&c, OCTET_TOKEN);
	cfws_skip(&c, NULL);
	if (clean_out)
		*clean_out = cursor_end(&c) && (word.n || !field.p);
	if (!field.p)
		return ENCODING_7BIT;
	for (int i = 0; i < ENCODING_UNKNOWN; i++)
		if (slice_eq_nocase(word, slice_of(names[i])))
			return (enum encoding)i;
	return ENCODING_UNKNOWN;
}

void decoder_open(struct decoder *d, enum encoding encoding)
{
	memset(d, 0, offsetof(struct decoder, held));
	d->encoding = encoding;
	d->held_count = 0;
}

static void fault(struct decoder *d, enum decode_fault kind, size_t at)
{
	if (d->faults[kind].count++ == 0)
		d->faults[kind].at = at;
}

/* ---- base64 ---- */

enum { BLANK = 64, PAD = 65, OTHER = 66 };

/* What each character is worth (RFC 4648 §4). */
/* clang-format off */
#define O OTHER
static const uint8_t values[256] = {
	O, O, O, O, O, O, O, O, O, BLANK, BLANK, O, O, BLANK, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	BLANK, O, O, O, O, O, O, O, O, O, O, 62, O, O, O, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, O, O, O, PAD, O, O,
	O, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, O, O, O, O, O,
	O, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
};
/* clang-format on */
#undef O

/* Whole groups at the start of the text; how many characters they took. */
static size_t groups_take(const unsigned char *p, size_t n, char *out, size_t groups)
{
	size_t i = 0;

	for (size_t g = 0; g < groups && i + 4 <= n; g++, i += 4) {
		unsigned a = values[p[i]], b = values[p[i + 1]], c = values[p[i + 2]],
			 e = values[p[i + 3]];

		if ((a | b | c | e) > 63)
			break;
		uint32_t bits = a << 18 | b << 12 | c << 6 | e;
		*out++ = (char)(bits >> 16);
		*out++ = (char)(bits >> 8);
		*out++ = (char)bits;
	}
	return i;
}

/* What an open group holds, when it ends early with padding or at the end of the text. */
static size_t group_end(struct decoder *d, char *out)
{
	uint32_t bits = d->bits << 6 * (4 - d->have);
	size_t n = d->have > 1 ? d->have - 1 : 0;

	if (d->have == 1 || (d->have == 2 && (bits & 0xffff)) || (d->have == 3 && (bits & 0xff)))
		fault(d, DECODE_CUT, d->offset);
	if (n > 0)
		out[0] = (char)(bits >> 16);
	if (n > 1)
		out[1] = (char)(bits >> 8);
	d->bits = 0;
	d->have = 0;
	return n;
}

/* padding = one "=" behind three characters, two behind two */
static size_t padding_take(struct decoder *d, char *out)
{
	if (d->padded)
		return 0;
	if (d->have < 2)
		fault(d, DECODE_PADDING, d->offset);
	d->padded = true;
	return group_end(d, out);
}

static size_t base64_octet(struct decoder *d, unsigned char octet, char *out)
{
	unsigned value = values[octet];

	if (octet == '\n' || octet == '\r') {
		d->line = 0;
		return 0;
	}
	if (++d->line == LINE_MOST + 1)
		fault(d, DECODE_LINE, d->offset);
	if (value == OTHER)
		fault(d, DECODE_CHARACTER, d->offset);
	if (value == PAD)
		return padding_take(d, out);
	if (value > 63)
		return 0;
	if (d->padded) {
		fault(d, DECODE_PADDING, d->offset);
		if (d->stop_at_padding)
			return 0;
		d->padded = false;
	}
	d->bits = d->bits << 6 | value;
	if (++d->have < 4)
		return 0;
	out[0] = (char)(d->bits >> 16);
	out[1] = (char)(d->bits >> 8);
	out[2] = (char)d->bits;
	d->bits = 0;
	d->have = 0;
	return 3;
}

static size_t base64_run(struct decoder *d, slice *in, char *out, size_t room)
{
	const unsigned char *p = (const unsigned char *)in->p;
	size_t i = 0, n = 0;

	while (i < in->n && room - n >= 3) {
		if (d->have == 0 && !d->padded) {
			size_t taken = groups_take(p + i, in->n - i, out + n, (room - n) / 3);

			if (d->line <= LINE_MOST && d->line + taken > LINE_MOST)
				fault(d, DECODE_LINE, d->offset + LINE_MOST - d->line);
			i += taken;
			n += taken / 4 * 3;
			d->offset += taken;
			d->line += taken;
			if (i == in->n || room - n < 3)
				break;
		}
		n += base64_octet(d, p[i++], out + n);
		d->offset++;
	}
	*in = slice_from(*in, i);
	return n;
}

/* ---- quoted-printable ---- */

/* An octet that is itself in quoted-printable: no blank, no line end, no '=', no control, 7 bits. */
static bool is_plain(char c)
{
	return c > ' ' && c < 127 && c != '=';
}

static size_t held_flush(struct decoder *d, char *out)
{
	size_t n = d->held_count;

	memcpy(out, d->held, n);
	d->held_count = 0;
	return n;
}

/* Behind a '=' and what is held after it: true when the octet goes on with it, adding to *n what it makes.
 * False: the '=' began nothing, what was held is written, and the octet is still to be taken. */
static bool escape_take(struct decoder *d, char octet, char *out, size_t *n)
{
	bool first = d->held_count == 1;
	int high = first ? -1 : octet_hex(d->held[1]);
	bool blank = high < 0 && (octet == '\r' || octet == ' ' || octet == '\t');

	if (octet == '\n' && high < 0) {
		d->held_count = 0; /* a soft line break */
		return true;
	}
	if (high >= 0 && octet_hex(octet) >= 0) {
		out[(*n)++] = (char)(high << 4 | octet_hex(octet));
		d->held_count = 0;
		return true;
	}
	if ((blank || (first && octet_hex(octet) >= 0)) && d->held_count < DECODE_BLANKS) {
		d->held[d->held_count++] = octet;
		return true;
	}
	fault(d, DECODE_QUOTED, d->offset - d->held_count);
	*n += held_flush(d, out + *n);
	return false;
}

/* Any octet where no '=' is open. */
static size_t plain_octet(struct decoder *d, char octet, char *out)
{
	size_t n = 0;

	if (octet == ' ' || octet == '\t' || octet == '\r') {
		if (d->held_count == DECODE_BLANKS)
			n = held_flush(d, out);
		d->held[d->held_count++] = octet;
		return n;
	}
	if (octet == '\n') {
		/* Blanks at a line's end were added on the way (RFC 2045 §6.7 (3)). */
		bool cr = d->held_count && d->held[d->held_count - 1] == '\r';

		d->held_count = 0;
		if (cr)
			out[n++] = '\r';
		out[n++] = '\n';
		return n;
	}
	n = held_flush(d, out);
	if (octet == '=') {
		d->held[d->held_count++] = '=';
		return n;
	}
	if ((unsigned char)octet > 126 || (unsigned char)octet < ' ')
		fault(d, DECODE_EIGHT_BIT, d->offset);
	out[n++] = octet;
	return n;
}

static size_t quoted_octet(struct decoder *d, char octet, char *out)
{
	size_t n = 0;

	if (d->held_count && d->held[0] == '=' && escape_take(d, octet, out, &n))
		return n;
	return n + plain_octet(d, octet, out + n);
}

static size_t quoted_run(struct decoder *d, slice *in, char *out, size_t room)
{
	size_t i = 0, n = 0;

	while (i < in->n && room - n > DECODE_BLANKS + 8) {
		size_t run = 0, most = in->n - i;

		if (most > room - n - DECODE_BLANKS)
			most = room - n - DECODE_BLANKS;
		while (d->held_count == 0 && run < most && is_plain(in->p[i + run]))
			run++;
		memcpy(out + n, in->p + i, run);
		n += run;
		i += run;
		if (d->line <= LINE_MOST && d->line + run > LINE_MOST)
			fault(d, DECODE_LINE, d->offset + LINE_MOST - d->line);
		d->offset += run;
		d->line += run;
		if (i == in->n || room - n <= DECODE_BLANKS + 8)
			break;
		char octet = in->p[i++];
		d->line = octet == '\n' ? 0 : d->line + 1;
		if (d->line == LINE_MOST + 1 && octet != '\r')
			fault(d, DECODE_LINE, d->offset);
		n += quoted_octet(d, octet, out + n);
		d->offset++;
	}
	*in = slice_from(*in, i);
	return n;
}

/* ---- the others ---- */

#define BLOCK 64

/* The first octet above 127; n when there is none. In blocks, which compilers make vectors of. */
static size_t eight_bit_find(const char *p, size_t n)
{
	size_t i = 0;

	for (; i + BLOCK <= n; i += BLOCK) {
		unsigned char all = 0;

		for (size_t k = 0; k < BLOCK; k++)
			all |= (unsigned char)p[i + k];
		if (all & 0x80)
			break;
	}
	while (i < n && !((unsigned char)p[i] & 0x80))
		i++;
	return i;
}

static size_t plain_run(struct decoder *d, slice *in, char *out, size_t room)
{
	size_t n = in->n < room ? in->n : room;

	if (d->encoding == ENCODING_7BIT) {
		size_t at = eight_bit_find(in->p, n);

		if (at < n)
			fault(d, DECODE_EIGHT_BIT, d->offset + at);
	}
	if (n)
		memcpy(out, in->p, n);
	d->offset += n;
	*in = slice_from(*in, n);
	return n;
}

size_t decoder_run(struct decoder *d, slice *in, char *out, size_t room)
{
	switch (d->encoding) {
	case ENCODING_BASE64:
		return base64_run(d, in, out, room);
	case ENCODING_QUOTED:
		return quoted_run(d, in, out, room);
	case ENCODING_7BIT:
	case ENCODING_8BIT:
	case ENCODING_BINARY:
	case ENCODING_UNKNOWN:
		break;
	}
	return plain_run(d, in, out, room);
}

size_t decoder_end(struct decoder *d, char *out, size_t room)
{
	(void)room;
	if (d->encoding == ENCODING_BASE64) {
		if (d->have)
			fault(d, DECODE_CUT, d->offset);
		return group_end(d, out);
	}
	if (d->encoding != ENCODING_QUOTED || d->held_count == 0)
		return 0;
	if (d->held[0] == '=') {
		fault(d, DECODE_QUOTED, d->offset - d->held_count);
		return held_flush(d, out);
	}
	/* Blanks at the end of the last line. A bare CR stays. */
	while (d->held_count && d->held[d->held_count - 1] != '\r')
		d->held_count--;
	return held_flush(d, out);
}

/* Adds what fits; false when that is not all. */
static bool fit(slice text, struct buf *out)
{
	size_t room = out->max - out->n;

	buf_add(out, slice_head(text, room));
	return text.n <= room;
}

bool decode_all(struct decoder *d, enum encoding encoding, slice text, struct buf *out)
{
	char room[DECODE_ROOM];
	bool whole = true;

	decoder_open(d, encoding);
	while (whole && text.n) {
		size_t n = decoder_run(d, &text, room, sizeof room);

		whole = fit((slice){ room, n }, out);
	}
	return whole && fit((slice){ room, decoder_end(d, room, sizeof room) }, out);
}
