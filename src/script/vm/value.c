#include "script/vm/value.h"

#include <stdio.h>
#include <unicase.h>
#include <unistr.h>

#include "base/octet.h"

char value_letter(enum value_kind kind)
{
	return "?tnyil"[kind];
}

bool value_empty(const struct value *v)
{
	return v->kind == VALUE_UNKNOWN || (v->kind == VALUE_TEXT && v->text.n == 0) ||
	    (v->kind == VALUE_LIST && v->list.count == 0);
}

/* The next character, folded; *at moves on. What is no UTF-8 is taken as it is. */
static uint32_t next_folded(slice s, size_t *at)
{
	unsigned char c = (unsigned char)s.p[*at];
	ucs4_t u;

	if (c < 0x80) {
		++*at;
		return (uint32_t)octet_lower((char)c);
	}
	int n = u8_mbtoucr(&u, (const uint8_t *)s.p + *at, s.n - *at);
	if (n <= 0) {
		++*at;
		return 0x110000u + c;
	}
	*at += (size_t)n;
	return uc_tolower(uc_toupper(u));
}

bool text_equal(slice a, slice b, bool exact)
{
	size_t i = 0, k = 0;

	if (exact)
		return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
	while (i < a.n && k < b.n)
		if (next_folded(a, &i) != next_folded(b, &k))
			return false;
	return i == a.n && k == b.n;
}

uint64_t text_hash(slice text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.n;)
		h = (h ^ next_folded(text, &i)) * 0x100000001b3u;
	return h ^ h >> 29;
}

void text_fold(slice text, struct buf *out)
{
	uint8_t utf8[6];

	for (size_t i = 0; i < text.n;) {
		uint32_t c = next_folded(text, &i);

		if (c < 0x80) {
			buf_addc(out, (char)c);
		} else if (c >= 0x110000u) {
			buf_addc(out, (char)(c - 0x110000u));
		} else {
			int n = u8_uctomb(utf8, c, sizeof utf8);

			buf_add(out, (slice){ (const char *)utf8, n > 0 ? (size_t)n : 0 });
		}
	}
}

static uint32_t next_char(slice s, size_t *at, bool exact)
{
	ucs4_t u;

	if (!exact)
		return next_folded(s, at);
	unsigned char c = (unsigned char)s.p[*at];
	int n = c < 0x80 ? 1 : u8_mbtoucr(&u, (const uint8_t *)s.p + *at, s.n - *at);
	*at += n > 0 ? (size_t)n : 1;
	return c < 0x80 ? c : n > 0 ? u : 0x110000u + c;
}

/* ASCII letters and digits mean themselves in a glob; of those that are equal this many begin both. */
static size_t plain_run(slice text, slice glob, bool exact)
{
	size_t most = text.n < glob.n ? text.n : glob.n, n = 0;

	for (; n < most; n++) {
		char c = glob.p[n], x = text.p[n];

		if ((unsigned char)c >= 0x80 || c == '*' || c == '?' || c == '\\')
			break;
		if (exact ? c != x : octet_lower(c) != octet_lower(x))
			break;
	}
	return n;
}

bool text_glob(slice text, slice glob, bool exact)
{
	size_t t = 0, g = 0, star = SIZE_MAX, back = 0;

	/* After a star the shortest run is tried first; only the last star is ever tried again. */
	for (;;) {
		size_t same = plain_run(slice_from(text, t), slice_from(glob, g), exact);

		t += same;
		g += same;
		if (g < glob.n && glob.p[g] == '*') {
			star = ++g;
			back = t;
			continue;
		}
		if (t == text.n && g == glob.n)
			return true;
		if (t < text.n && g < glob.n) {
			size_t t2 = t, g2 = g;
			bool any = glob.p[g] == '?';

			if (glob.p[g] == '\\' && g + 1 < glob.n)
				g2++;
			uint32_t want = next_char(glob, &g2, exact);
			uint32_t got = next_char(text, &t2, exact);
			if (any || want == got) {
				t = t2;
				g = g2;
				continue;
			}
		}
		if (star == SIZE_MAX || back >= text.n)
			return false;
		next_char(text, &back, exact);
		t = back;
		g = star;
	}
}

slice text_cut(slice text, size_t max)
{
	if (text.n <= max)
		return text;
	while (max && ((unsigned char)text.p[max] & 0xC0) == 0x80)
		max--;
	return slice_head(text, max);
}

/* Octets of the character at the start; 0: it is none, or a control character (C0, DEL, C1). */
static size_t clean_char(slice s)
{
	unsigned char c = (unsigned char)s.p[0];
	ucs4_t u;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7F;
	int n = u8_mbtoucr(&u, (const uint8_t *)s.p, s.n);
	return n > 0 && u >= 0xA0 ? (size_t)n : 0;
}

slice text_clean(slice text, size_t max, struct arena *arena)
{
	ucs4_t u;
	size_t i = 0, n = 0;

	text = text_cut(text, max);
	while (i < text.n && clean_char(slice_from(text, i)))
		i += clean_char(slice_from(text, i));
	if (i == text.n)
		return text;
	char *out = arena_alloc(arena, 3 * text.n + 1);
	for (i = 0; i < text.n;) {
		slice rest = slice_from(text, i);
		size_t one = clean_char(rest);
		int any = u8_mbtoucr(&u, (const uint8_t *)rest.p, rest.n);

		if (one) {
			memcpy(out + n, rest.p, one);
			n += one;
		} else if (any > 0) {
			out[n++] = '?';
		} else {
			memcpy(out + n, "\xEF\xBF\xBD", 3);
			n += 3;
		}
		i += any > 0 ? (size_t)any : 1;
	}
	return text_cut((slice){ out, n }, max);
}

unsigned glob_stars(slice glob)
{
	unsigned stars = 0;

	for (size_t i = 0; i < glob.n; i++) {
		if (glob.p[i] == '\\')
			i++;
		else if (glob.p[i] == '*')
			stars++;
	}
	return stars;
}

size_t number_write(int64_t n, char out[NUMBER_TEXT])
{
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	int len =
	    snprintf(out, NUMBER_TEXT, "%s%llu", n < 0 ? "-" : "", (unsigned long long)(u / 1000));
	unsigned part = (unsigned)(u % 1000);

	if (part) {
		len += snprintf(out + len, NUMBER_TEXT - (size_t)len, ".%03u", part);
		while (out[len - 1] == '0')
			len--;
	}
	return (size_t)len;
}

bool number_read(slice text, int64_t *out)
{
	bool minus = text.n && text.p[0] == '-';
	int64_t n = 0;
	size_t i = minus, digits = 0;

	for (; i < text.n && octet_is(text.p[i], OCTET_DIGIT); i++, digits++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, text.p[i] - '0', &n))
			return false;
	if (!digits || __builtin_mul_overflow(n, 1000, &n))
		return false;
	if (i < text.n) {
		int64_t worth = 100;

		if (text.p[i++] != '.' || i == text.n || text.n - i > 3)
			return false;
		for (; i < text.n; i++, worth /= 10) {
			if (!octet_is(text.p[i], OCTET_DIGIT) ||
			    __builtin_add_overflow(n, worth * (text.p[i] - '0'), &n))
				return false;
		}
	}
	*out = minus ? -n : n;
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind || value_empty(a) || value_empty(b))
		return false;
	switch (a->kind) {
	case VALUE_TEXT:
		return text_equal(a->text, b->text, false);
	case VALUE_NUMBER:
		return a->number == b->number;
	case VALUE_YESNO:
		return a->yes == b->yes;
	case VALUE_IP:
		return ip_compare(&a->ip, &b->ip) == 0;
	case VALUE_LIST:
	case VALUE_UNKNOWN:
		break;
	}
	return false;
}
