#include "imap/fold.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/octet.h"

/* Ranges of capital letters, ascending, and how far their small ones are; by 2: every second is a capital. */
static const struct {
	uint16_t lo, hi, distance, by;
} ranges[] = {
	{ 0x00c0, 0x00d6, 32, 1 },
	{ 0x00d8, 0x00de, 32, 1 },
	{ 0x0100, 0x012e, 1, 2 },
	{ 0x0132, 0x0136, 1, 2 },
	{ 0x0139, 0x0147, 1, 2 },
	{ 0x014a, 0x0176, 1, 2 },
	{ 0x0179, 0x017d, 1, 2 },
	{ 0x0391, 0x03a1, 32, 1 },
	{ 0x03a3, 0x03a9, 32, 1 },
	{ 0x0400, 0x040f, 80, 1 },
	{ 0x0410, 0x042f, 32, 1 },
	{ 0x0460, 0x0480, 1, 2 },
	{ 0x048a, 0x04be, 1, 2 },
	{ 0x04d0, 0x052e, 1, 2 },
	{ 0x0531, 0x0556, 48, 1 },
};

static unsigned lower(unsigned c)
{
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && c >= ranges[i].lo; i++)
		if (c <= ranges[i].hi && (c - ranges[i].lo) % ranges[i].by == 0)
			return c + ranges[i].distance;
	return c;
}

void fold(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char lead = (unsigned char)text[i];

		if (lead < 0x80) {
			text[i] = octet_lower(text[i]);
			continue;
		}
		/* All letters of the table have two octets. */
		bool two =
		    lead >= 0xc3 && lead <= 0xd5 && i + 1 < n && (text[i + 1] & 0xc0) == 0x80;
		if (!two)
			continue;
		unsigned c = lower((lead & 0x1fu) << 6 | (text[i + 1] & 0x3f));
		text[i++] = (char)(0xc0 | c >> 6);
		text[i] = (char)(0x80 | (c & 0x3f));
	}
}
