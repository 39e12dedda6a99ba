#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/memory.h"
#include "base/octet.h"

#define REPLACEMENT  "\xef\xbf\xbd"
#define PIECE        1024
#define CLOSED       ((iconv_t)-1)
#define MOST_ALIASES 6

/* LIST: converters by the name that iconv knows, and the other names that messages use. No UTF-7 and no
 * ISO-2022-CN-EXT: the one hides ASCII from scanners, the other was a hole in glibc. */
static const char *const rows[][1 + MOST_ALIASES] = {
	{ "ISO-8859-2", "latin2" },
	{ "ISO-8859-3", "latin3" },
	{ "ISO-8859-4", "latin4" },
	{ "ISO-8859-5", "cyrillic" },
	{ "ISO-8859-6", "arabic" },
	{ "ISO-8859-7", "greek" },
	{ "ISO-8859-8", "ISO-8859-8-I", "hebrew" },
	{ "ISO-8859-9", "latin5" },
	{ "ISO-8859-10", "latin6" },
	{ "ISO-8859-11" },
	{ "ISO-8859-13" },
	{ "ISO-8859-14" },
	{ "ISO-8859-15", "latin-9" },
	{ "ISO-8859-16" },
	{ "CP1250", "windows-1250" },
	{ "CP1251", "windows-1251" },
	{ "CP1252", "windows-1252" },
	{ "CP1253", "windows-1253" },
	{ "CP1254", "windows-1254" },
	{ "CP1255", "windows-1255" },
	{ "CP1256", "windows-1256" },
	{ "CP1257", "windows-1257" },
	{ "CP1258", "windows-1258" },
	{ "CP874", "windows-874" },
	{ "TIS-620" },
	{ "KOI8-R" },
	{ "KOI8-U" },
	{ "IBM437", "cp437" },
	{ "IBM850", "cp850" },
	{ "IBM852", "cp852" },
	{ "IBM866", "cp866" },
	{ "MACINTOSH", "x-mac-roman" },
	{ "GB18030" },
	{ "GBK", "cp936", "x-gbk" },
	{ "GB2312", "euc-cn", "csgb2312" },
	{ "BIG5", "cn-big5", "csbig5" },
	{ "BIG5-HKSCS" },
	{ "SHIFT_JIS", "shift-jis", "x-sjis", "sjis" },
	{ "CP932", "windows-31j" },
	{ "EUC-JP", "x-euc-jp" },
	{ "ISO-2022-JP", "csiso2022jp" },
	{ "EUC-KR", "ks_c_5601-1987", "korean", "cseuckr" },
	{ "CP949", "uhc" },
	{ "ISO-2022-KR", "csiso2022kr" },
};

#define ROWS (sizeof rows / sizeof rows[0])

struct charsets {
	iconv_t of[ROWS];
};

struct charsets *charsets_open(void)
{
	struct charsets *set = NEW(struct charsets);

	for (size_t i = 0; i < ROWS; i++)
		set->of[i] = iconv_open("UTF-8", rows[i][0]);
	return set;
}

void charsets_close(struct charsets *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < ROWS; i++)
		if (set->of[i] != CLOSED)
			iconv_close(set->of[i]);
	free(set);
}

size_t charsets_count(const struct charsets *set)
{
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		n += set->of[i] != CLOSED;
	return n;
}

static slice without_language(slice charset)
{
	return slice_head(charset, slice_find(charset, '*'));
}

static bool is_one_of(slice charset, const char *const *names)
{
	for (; *names; names++)
		if (slice_eq_nocase(charset, slice_of(*names)))
			return true;
	return false;
}

static bool is_ascii(slice charset)
{
	static const char *const names[] = { "us-ascii", "ascii", "ansi_x3.4-1968", NULL };

	return is_one_of(charset, names);
}

static bool is_utf8(slice charset)
{
	static const char *const names[] = { "utf-8", "utf8", NULL };

	return is_one_of(charset, names);
}

static bool is_latin1(slice charset)
{
	static const char *const names[] = { "iso-8859-1", "latin1", "iso8859-1", NULL };

	return is_one_of(charset, names);
}

static iconv_t converter(const struct charsets *set, slice charset)
{
	for (size_t i = 0; set && i < ROWS; i++)
		for (size_t k = 0; k <= MOST_ALIASES && rows[i][k]; k++)
			if (slice_eq_nocase(charset, slice_of(rows[i][k])))
				return set->of[i];
	return CLOSED;
}

bool charset_known(const struct charsets *set, slice charset)
{
	charset = without_language(charset);
	return is_ascii(charset) || is_utf8(charset) || is_latin1(charset) ||
	    converter(set, charset) != CLOSED;
}

/* Octets of the character at the start: 1 to 4, 0 when it is none (RFC 3629 §4). */
static size_t utf8_length(slice text)
{
	unsigned char first = (unsigned char)text.p[0];
	size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	return n && n <= text.n && utf8_valid(slice_head(text, n)) ? n : 0;
}

/* us-ascii is read as UTF-8: what is above 127 in it is mostly that (RFC 6532). */
static enum charset_result utf8_decode(slice octets, struct buf *out)
{
	enum charset_result result = CHARSET_WHOLE;

	if (utf8_valid(octets)) {
		size_t n = octets.n, room = out->max - out->n;

		if (n > room)
			for (n = room; n > 0 && ((unsigned char)octets.p[n] & 0xc0) == 0x80;)
				n--;
		buf_add(out, slice_head(octets, n));
		buf_add(out, slice_from(octets, n));
		return out->full ? CHARSET_CUT : CHARSET_WHOLE;
	}
	while (octets.n && !out->full) {
		size_t n = utf8_length(octets);

		buf_add(out, n ? slice_head(octets, n) : SLICE(REPLACEMENT));
		if (n == 0)
			result = CHARSET_REPLACED;
		octets = slice_from(octets, n ? n : 1);
	}
	return out->full ? CHARSET_CUT : result;
}

static enum charset_result latin1_decode(slice octets, struct buf *out)
{
	for (size_t i = 0; i < octets.n; i++) {
		unsigned char octet = (unsigned char)octets.p[i];

		if (octet < 0x80) {
			buf_addc(out, (char)octet);
			continue;
		}
		char two[2] = { (char)(0xc0 | octet >> 6), (char)(0x80 | (octet & 0x3f)) };
		buf_add(out, (slice){ two, 2 });
	}
	return out->full ? CHARSET_CUT : CHARSET_WHOLE;
}

/* One U+FFFD for each octet that is no character. */
static enum charset_result iconv_decode(iconv_t with, slice octets, struct buf *out)
{
	enum charset_result result = CHARSET_WHOLE;
	char *in = (char *)(uintptr_t)octets.p;
	size_t left = octets.n;

	iconv(with, NULL, NULL, NULL, NULL);
	while (left && !out->full) {
		char piece[PIECE], *to = piece;
		size_t room = sizeof piece, before = left;
		bool bad = iconv(with, &in, &left, &to, &room) == (size_t)-1 && errno != E2BIG;

		buf_add(out, (slice){ piece, sizeof piece - room });
		if (!bad && left < before)
			continue;
		if (left == 0)
			break;
		buf_adds(out, REPLACEMENT);
		result = CHARSET_REPLACED;
		in++;
		left--;
	}
	/* Some hold the last character back, in case that a mark follows (CP1255, CP1258). */
	char last[16], *to = last;
	size_t room = sizeof last;
	iconv(with, NULL, NULL, &to, &room);
	buf_add(out, (slice){ last, sizeof last - room });
	return out->full ? CHARSET_CUT : result;
}

enum charset_result charset_decode(
    struct charsets *set, slice charset, slice octets, struct buf *out)
{
	charset = without_language(charset);
	if (is_ascii(charset) || is_utf8(charset))
		return utf8_decode(octets, out);
	if (is_latin1(charset))
		return latin1_decode(octets, out);
	iconv_t with = converter(set, charset);
	return with == CLOSED ? CHARSET_UNKNOWN : iconv_decode(with, octets, out);
}
