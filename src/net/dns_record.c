/* The data of records, as on the wire: read, and written as text. */
#include "net/dns.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define NAME_MOST 255 /* octets on the wire (RFC 1035 §2.3.4) */

static const struct {
	enum dns_type type;
	const char *name;
} types[] = {
	{ DNS_A, "A" },
	{ DNS_NS, "NS" },
	{ DNS_CNAME, "CNAME" },
	{ DNS_SOA, "SOA" },
	{ DNS_PTR, "PTR" },
	{ DNS_MX, "MX" },
	{ DNS_TXT, "TXT" },
	{ DNS_AAAA, "AAAA" },
	{ DNS_SRV, "SRV" },
	{ DNS_DNSKEY, "DNSKEY" },
	{ DNS_TLSA, "TLSA" },
};

enum dns_type dns_type_find(slice name)
{
	unsigned number = 0;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (slice_eq_nocase(name, slice_of(types[i].name)))
			return types[i].type;
	if (!slice_starts_nocase(name, SLICE("TYPE")) || name.n == 4 || name.n > 9)
		return 0;
	for (size_t i = 4; i < name.n; i++) {
		if (!isdigit((unsigned char)name.p[i]))
			return 0;
		number = number * 10 + (unsigned)(name.p[i] - '0');
	}
	return number <= 0xffff ? (enum dns_type)number : 0;
}

const char *dns_type_name(enum dns_type type, struct arena *arena)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].type == type)
			return types[i].name;
	return arena_printf(arena, "TYPE%u", (unsigned)type);
}

/* ---- reading ---- */

static unsigned number_at(slice data, size_t at)
{
	return (unsigned)(uint8_t)data.p[at] << 8 | (uint8_t)data.p[at + 1];
}

size_t dns_read_name(slice data, struct arena *arena, slice *out)
{
	char text[NAME_MOST + 1];
	size_t at = 0, length = 0;

	*out = (slice){ 0 };
	while (at < data.n && data.p[at]) {
		size_t n = (uint8_t)data.p[at];
		slice label = slice_head(slice_from(data, at + 1), n);

		/* A label with a dot in it is nothing that text could name. */
		if (n > 63 || at + 1 + n >= data.n || at + 1 + n >= NAME_MOST ||
		    slice_find(label, '.') < n)
			return 0;
		if (length)
			text[length++] = '.';
		memcpy(text + length, label.p, n);
		length += n;
		at += 1 + n;
	}
	if (at >= data.n)
		return 0;
	*out = length ? arena_copy(arena, (slice){ text, length }) : SLICE(".");
	return at + 1;
}

slice dns_name_text(slice name, struct arena *arena)
{
	struct buf out;

	buf_init(&out, 4 * name.n + 1);
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c > ' ' && c < 0x7f && !strchr("\\\"();@$", c))
			buf_addc(&out, (char)c);
		else
			buf_addf(&out, "\\%03u", c);
	}
	slice text = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

bool dns_read_mx(slice data, struct arena *arena, unsigned *preference_out, slice *name_out)
{
	if (data.n < 3)
		return false;
	*preference_out = number_at(data, 0);
	return dns_read_name(slice_from(data, 2), arena, name_out) == data.n - 2;
}

bool dns_read_txt(slice data, struct arena *arena, slice *out)
{
	char *text = arena_alloc(arena, data.n + 1);
	size_t n = 0;

	for (size_t at = 0; at < data.n;) {
		size_t length = (uint8_t)data.p[at];

		if (at + 1 + length > data.n)
			return false;
		memcpy(text + n, data.p + at + 1, length);
		n += length;
		at += 1 + length;
	}
	*out = (slice){ text, n };
	return data.n > 0;
}

bool dns_read_address(slice data, struct ip *out)
{
	*out = (struct ip){ .octets = { [10] = 0xff, [11] = 0xff } };
	if (data.n != 4 && data.n != 16)
		return false;
	memcpy(out->octets + (data.n == 4 ? 12 : 0), data.p, data.n);
	return true;
}

slice dns_reverse_name(const struct ip *ip, struct arena *arena)
{
	const uint8_t *o = ip->octets;
	char text[IP_TEXT];
	struct buf name;

	if (!ip_write(ip, text))
		return slice_of(
		    arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", o[15], o[14], o[13], o[12]));
	buf_init(&name, 100);
	for (int i = 15; i >= 0; i--)
		buf_addf(&name, "%x.%x.", o[i] & 15, o[i] >> 4);
	buf_adds(&name, "ip6.arpa");
	slice copy = arena_copy(arena, buf_slice(&name));
	buf_free(&name);
	return copy;
}

/* ---- as text ---- */

static void add_hex(struct buf *out, slice data)
{
	for (size_t i = 0; i < data.n; i++)
		buf_addf(out, "%02x", (uint8_t)data.p[i]);
}

static void add_strings(struct buf *out, slice data)
{
	for (size_t at = 0; at < data.n;) {
		size_t n = (uint8_t)data.p[at];
		slice string = slice_head(slice_from(data, at + 1), n);

		buf_adds(out, at ? " \"" : "\"");
		for (size_t i = 0; i < string.n; i++) {
			unsigned char c = (unsigned char)string.p[i];

			if (c == '"' || c == '\\')
				buf_addf(out, "\\%c", c);
			else if (c >= ' ' && c < 0x7f)
				buf_addc(out, (char)c);
			else
				buf_addf(out, "\\%03u", c);
		}
		buf_addc(out, '"');
		at += 1 + n;
	}
}

/* So many 16-bit numbers, then a name. */
static bool add_named(struct buf *out, slice data, size_t numbers, struct arena *arena)
{
	slice name;

	if (data.n < 2 * numbers + 1 ||
	    dns_read_name(slice_from(data, 2 * numbers), arena, &name) != data.n - 2 * numbers)
		return false;
	for (size_t i = 0; i < numbers; i++)
		buf_addf(out, "%u ", number_at(data, 2 * i));
	buf_add(out, dns_name_text(name, arena));
	return true;
}

static bool add_known(struct buf *out, enum dns_type type, slice data, struct arena *arena)
{
	char text[IP_TEXT];
	struct ip ip;
	slice txt;

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (!dns_read_address(data, &ip))
			return false;
		ip_write(&ip, text);
		buf_adds(out, text);
		return true;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return add_named(out, data, 0, arena);
	case DNS_MX:
		return add_named(out, data, 1, arena);
	case DNS_SRV:
		return add_named(out, data, 3, arena);
	case DNS_TXT:
		if (!dns_read_txt(data, arena, &txt))
			return false;
		add_strings(out, data);
		return true;
	case DNS_TLSA:
		if (data.n < 4)
			return false;
		buf_addf(
		    out, "%u %u %u ", (uint8_t)data.p[0], (uint8_t)data.p[1], (uint8_t)data.p[2]);
		add_hex(out, slice_from(data, 3));
		return true;
	case DNS_SOA:
	case DNS_DNSKEY:
		break;
	}
	return false;
}

slice dns_record_text(enum dns_type type, slice data, struct arena *arena)
{
	struct buf out;

	buf_init(&out, 8 * data.n + 100);
	if (!add_known(&out, type, data, arena)) {
		buf_clear(&out);
		buf_addf(&out, "\\# %zu ", data.n);
		add_hex(&out, data);
	}
	slice copy = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}
