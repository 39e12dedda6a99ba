#include "imap/fold.h"

#include <stdbool.h>
#include <string.h>
#include <unicase.h>
#include <unistr.h>

#include "base/octet.h"

/* One character that is not ASCII, from `from` to `to`, which is not behind it; how many octets it was and is. */
static size_t character_fold(const char *from, size_t n, char *to, size_t *made_out)
{
	uint8_t folded[6];
	ucs4_t c;
	int length = u8_mbtoucr(&c, (const uint8_t *)from, n);

	if (length <= 0) {
		*to = *from;
		*made_out = 1;
		return 1;
	}
	int made = u8_uctomb(folded, uc_tolower(uc_toupper(c)), sizeof folded);
	bool fits = made > 0 && made <= length;
	*made_out = (size_t)(fits ? made : length);
	memmove(to, fits ? (const char *)folded : from, *made_out);
	return (size_t)length;
}

size_t fold(char *text, size_t n)
{
	size_t to = 0, made;

	for (size_t at = 0; at < n; to += made) {
		if ((unsigned char)text[at] < 0x80) {
			text[to] = octet_lower(text[at++]);
			made = 1;
		} else {
			at += character_fold(text + at, n - at, text + to, &made);
		}
	}
	return to;
}
