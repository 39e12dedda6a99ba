#include "imap/utf7.h"

#include "base/cursor.h"
#include "base/encode.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* One code point off valid UTF-8. */
static uint32_t point_take(slice *text)
{
	unsigned char first = (unsigned char)text->p[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t point = n == 1 ? first : first & (0xffu >> (n + 1));

	for (size_t i = 1; i < n && i < text->n; i++)
		point = point << 6 | ((unsigned char)text->p[i] & 0x3f);
	*text = slice_from(*text, n);
	return point;
}

static void point_add(uint32_t point, struct buf *out)
{
	static const unsigned char marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	buf_addc(out, (char)(n == 1 ? point : marks[n] | point >> (6 * (n - 1))));
	for (size_t i = n - 1; i-- > 0;)
		buf_addc(out, (char)(0x80 | (point >> (6 * i) & 0x3f)));
}

/* Bits gathered into base64 digits, or the other way. */
struct bits {
	uint32_t value;
	unsigned count;
};

static void unit_encode(struct bits *bits, uint32_t unit, struct buf *out)
{
	bits->value = bits->value << 16 | unit;
	for (bits->count += 16; bits->count >= 6; bits->count -= 6)
		buf_addc(out, digits[bits->value >> (bits->count - 6) & 63]);
}

/* The run of what is not printable ASCII, as UTF-16 in base64. */
static slice run_encode(slice name, struct buf *out)
{
	struct bits bits = { 0 };

	buf_addc(out, '&');
	while (name.n && (name.p[0] < 0x20 || name.p[0] > 0x7e)) {
		uint32_t point = point_take(&name);

		if (point >= 0x10000) {
			unit_encode(&bits, 0xd800 + ((point - 0x10000) >> 10), out);
			point = 0xdc00 + ((point - 0x10000) & 0x3ff);
		}
		unit_encode(&bits, point, out);
	}
	if (bits.count)
		buf_addc(out, digits[bits.value << (6 - bits.count) & 63]);
	buf_addc(out, '-');
	return name;
}

void utf7_encode(slice name, struct buf *out)
{
	while (name.n) {
		char c = name.p[0];

		if (c >= 0x20 && c <= 0x7e) {
			buf_addc(out, c);
			if (c == '&')
				buf_addc(out, '-');
			name = slice_from(name, 1);
		} else {
			name = run_encode(name, out);
		}
	}
}

/* Joins surrogates; false for one alone, or for what should have been written plainly. */
static bool unit_decode(uint32_t unit, uint32_t *high, struct buf *out)
{
	if (unit >= 0xd800 && unit < 0xdc00) {
		bool alone = *high != 0;

		*high = unit;
		return !alone;
	}
	if (unit >= 0xdc00 && unit < 0xe000) {
		if (!*high)
			return false;
		point_add(0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00), out);
		*high = 0;
		return true;
	}
	if (*high || (unit >= 0x20 && unit <= 0x7e))
		return false;
	point_add(unit, out);
	return true;
}

/* "&" *base64 "-", the "&" taken already */
static bool run_decode(struct cursor *c, struct buf *out)
{
	struct bits bits = { 0 };
	uint32_t high = 0;

	if (cursor_try_char(c, '-')) {
		buf_addc(out, '&');
		return true;
	}
	while (!cursor_try_char(c, '-')) {
		const char *digit = cursor_end(c) ? NULL : strchr(digits, c->rest.p[0]);

		if (!digit || !*digit)
			return false;
		cursor_take(c, 1, "digit");
		bits.value = bits.value << 6 | (uint32_t)(digit - digits);
		bits.count += 6;
		if (bits.count >= 16) {
			bits.count -= 16;
			if (!unit_decode(bits.value >> bits.count & 0xffff, &high, out))
				return false;
		}
	}
	return !high && bits.count < 6 && (bits.value & ((1u << bits.count) - 1)) == 0;
}

bool utf7_decode(slice wire, struct buf *out)
{
	struct cursor c = cursor_of(wire);

	while (!cursor_end(&c)) {
		char octet = c.rest.p[0];

		cursor_take(&c, 1, "octet");
		if (octet_is(octet, OCTET_CONTROL))
			return false;
		if (octet != '&')
			buf_addc(out, octet);
		else if (!run_decode(&c, out))
			return false;
	}
	for (size_t i = 0; i < out->n; i++)
		if (octet_is(out->p[i], OCTET_CONTROL))
			return false;
	return !out->full && utf8_valid(buf_slice(out));
}
