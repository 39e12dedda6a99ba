#include "trust/spf_macro.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_MOST 253
#define TEXT_MOST 4096
#define PARTS     128

static slice address_text(const struct spf_macros *m, bool readable)
{
	const uint8_t *o = m->question->peer.octets;
	char text[2 * 32 + 1];

	if (readable || !m->ipv6) {
		ip_write(&m->question->peer, text);
		return slice_of(arena_str(m->question->arena, slice_of(text)));
	}
	for (int i = 0; i < 32; i++) {
		int nibble = i % 2 ? o[i / 2] & 15 : o[i / 2] >> 4;

		text[2 * i] = "0123456789abcdef"[nibble];
		text[2 * i + 1] = '.';
	}
	return arena_copy(m->question->arena, (slice){ text, 63 });
}

static slice letter_value(const struct spf_macros *m, char letter)
{
	switch (tolower((unsigned char)letter)) {
	case 's':
		return m->sender;
	case 'l':
		return m->local;
	case 'o':
		return m->sender_domain;
	case 'd':
		return m->domain;
	case 'i':
		return address_text(m, false);
	case 'c':
		return address_text(m, true);
	case 'p':
		return m->validated(m->context);
	case 'h':
		return m->question->helo;
	case 'v':
		return m->ipv6 ? SLICE("ip6") : SLICE("in-addr");
	case 'r':
		return m->question->receiver.n ? m->question->receiver : SLICE("unknown");
	case 't':
		return slice_of(arena_printf(m->question->arena, "%lld", (long long)time(NULL)));
	}
	return (slice){ 0 };
}

/* Everything but what URIs leave alone (RFC 3986 §2.3). */
static void add_escaped(struct buf *out, slice text, bool escape)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (escape && !isalnum(c) && !strchr("-._~", c))
			buf_addf(out, "%%%02X", c);
		else
			buf_addc(out, (char)c);
	}
}

/* Splits at the delimiters, turns around, keeps so many at the right, joins with dots (§7.3). */
static void add_transformed(
    struct buf *out, slice value, slice delimiters, size_t keep, bool reverse, bool escape)
{
	slice parts[PARTS];
	size_t count = 0, from = 0;

	for (size_t i = 0; i <= value.n && count < PARTS; i++) {
		bool ends = i == value.n || slice_find(delimiters, value.p[i]) < delimiters.n;

		if (!ends)
			continue;
		parts[count++] = slice_head(slice_from(value, from), i - from);
		from = i + 1;
	}
	size_t first = keep && keep < count ? count - keep : 0;
	for (size_t i = first; i < count; i++) {
		if (i > first)
			buf_addc(out, '.');
		add_escaped(out, parts[reverse ? count - 1 - i : i], escape);
	}
}

/* One "%{...}"; octets of it. */
static size_t add_macro(const struct spf_macros *m, slice text, struct buf *out)
{
	size_t end = slice_find(text, '}'), at = 3, keep = 0;
	slice delimiters = SLICE(".");

	for (; isdigit((unsigned char)text.p[at]); at++)
		keep = keep < PARTS ? keep * 10 + (size_t)(text.p[at] - '0') : keep;
	bool reverse = text.p[at] == 'r' || text.p[at] == 'R';
	at += reverse;
	if (at < end)
		delimiters = slice_head(slice_from(text, at), end - at);
	add_transformed(out, letter_value(m, text.p[2]), delimiters, keep, reverse,
	    isupper((unsigned char)text.p[2]) != 0);
	return end + 1;
}

slice spf_expand(const struct spf_macros *m, slice text)
{
	struct buf out;

	buf_init(&out, TEXT_MOST);
	for (size_t at = 0; at < text.n && !out.full;) {
		char c = text.p[at], next = at + 1 < text.n ? text.p[at + 1] : '\0';

		if (c != '%') {
			buf_addc(&out, c);
			at++;
		} else if (next == '{') {
			at += add_macro(m, slice_from(text, at), &out);
		} else {
			buf_adds(&out, next == '%' ? "%" : next == '_' ? " " : "%20");
			at += 2;
		}
	}
	slice expanded = arena_copy(m->question->arena, buf_slice(&out));
	buf_free(&out);
	return expanded;
}

slice spf_expand_domain(const struct spf_macros *m, slice text)
{
	slice name = spf_expand(m, text);

	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > NAME_MOST)
		name = slice_from(name, slice_find(name, '.') + 1);
	return name;
}
