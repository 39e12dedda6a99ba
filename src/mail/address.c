#include "mail/address.h"

#include <arpa/inet.h>

#include "base/encode.h"
#include "mail/idna.h"

#define LET_DIG (OCTET_ALPHA | OCTET_DIGIT)

/* Dot-string = Atom *("." Atom); atext =/ UTF8-non-ascii (RFC 6531 §3.3) */
static slice dot_string_parse(struct cursor *c)
{
	slice all = c->rest;
	size_t start = cursor_offset(c);

	do {
		cursor_span(c, OCTET_ATEXT | OCTET_UTF8, "local part");
	} while (cursor_try_char(c, '.'));
	return slice_head(all, cursor_offset(c) - start);
}

/* Quoted-string = DQUOTE *( qtextSMTP / "\" %d32-126 ) DQUOTE, UTF-8 too (RFC 6531 §3.3); out has room for
 * the longest. */
static slice quoted_local_parse(struct cursor *c, char *out)
{
	size_t n = 0;

	cursor_char(c, '"', "'\"'");
	while (!c->expected && !cursor_try_char(c, '"')) {
		cursor_try_char(c, '\\');
		char octet = cursor_peek(c);

		if (octet_is(octet, OCTET_CONTROL) || cursor_end(c)) {
			cursor_fail(c, "closing '\"'");
			break;
		}
		if (n == ADDRESS_LOCAL_MAX) {
			cursor_fail(c, "local part of at most 64 octets");
			break;
		}
		out[n++] = octet;
		cursor_take(c, 1, "octet");
	}
	if (n == 0)
		cursor_fail(c, "local part");
	return (slice){ out, n };
}

/* Local-part = Dot-string / Quoted-string */
static slice local_parse(struct cursor *c, struct arena *arena)
{
	bool quoted = cursor_peek(c) == '"';
	slice local = quoted ? quoted_local_parse(c, arena_alloc(arena, ADDRESS_LOCAL_MAX + 1))
			     : dot_string_parse(c);

	if (local.n > ADDRESS_LOCAL_MAX)
		cursor_fail(c, "local part of at most 64 octets");
	if (!utf8_valid(local))
		cursor_fail(c, "a local part in UTF-8");
	return quoted ? local : arena_copy(arena, slice_head(local, ADDRESS_LOCAL_MAX));
}

/* address-literal = "[" ( IPv4-address-literal / "IPv6:" IPv6-addr ) "]"   RFC 5321 §4.1.3 */
static void literal_parse(struct cursor *c)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	cursor_char(c, '[', "'['");
	int family = cursor_try(c, SLICE("IPv6:")) ? AF_INET6 : AF_INET;
	slice inside = cursor_until(c, ']', "']'");
	if (inside.n < sizeof text && inside.n) {
		memcpy(text, inside.p, inside.n);
		text[inside.n] = '\0';
		if (!memchr(text, '\0', inside.n) && inet_pton(family, text, &address) == 1) {
			cursor_char(c, ']', "']'");
			return;
		}
	}
	cursor_fail(c, "IP address");
}

/* sub-domain = Let-dig [Ldh-str] / U-label (RFC 6531 §3.3) */
static void label_parse(struct cursor *c)
{
	slice before = c->rest;
	size_t n = 0;

	while (n < before.n && (octet_is(before.p[n], LET_DIG | OCTET_UTF8) || before.p[n] == '-'))
		n++;
	if (n == 0 || before.p[0] == '-' || before.p[n - 1] == '-' || n > ADDRESS_LABEL_MAX)
		cursor_fail(c, "domain name");
	cursor_take(c, n, "domain name");
}

/* Domain = sub-domain *("." sub-domain) */
bool domain_parse(struct cursor *c, struct arena *arena, slice *out)
{
	slice all = c->rest;
	size_t start = cursor_offset(c);

	if (cursor_peek(c) == '[') {
		literal_parse(c);
	} else {
		do
			label_parse(c);
		while (cursor_try_char(c, '.'));
	}
	size_t n = cursor_offset(c) - start;
	if (n > ADDRESS_DOMAIN_MAX)
		cursor_fail(c, "domain of at most 255 octets");
	/* The A-labels are what is kept, so they have to fit too. */
	if (!idna_ascii(slice_head(all, n <= ADDRESS_DOMAIN_MAX ? n : 0), arena, out) ||
	    out->n > ADDRESS_DOMAIN_MAX)
		cursor_fail(c, "an international domain name (RFC 5890)");
	return !c->expected;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static bool mailbox_parse(
    struct cursor *c, struct arena *arena, bool bare_postmaster, struct address *out)
{
	slice all = c->rest;
	size_t start = cursor_offset(c);

	*out = (struct address){ .local = local_parse(c, arena) };
	if (bare_postmaster && cursor_peek(c) == '>' &&
	    slice_eq_nocase(out->local, SLICE("postmaster")))
		return true;
	if (!c->expected && cursor_peek(c) != '@')
		cursor_fail(c, "'@'");
	cursor_char(c, '@', "'@'");
	domain_parse(c, arena, &out->domain);
	if (out->local.n + 1 + out->domain.n > ADDRESS_MAX)
		cursor_fail(c, "address of at most 254 octets");
	out->utf8 = idna_needed(slice_head(all, cursor_offset(c) - start));
	return !c->expected;
}

/* A-d-l = At-domain *( "," At-domain ) ":"; accepted and ignored (RFC 5321 §4.1.1.3, appendix C). */
static void route_skip(struct cursor *c, struct arena *arena)
{
	slice ignored;
	size_t start = cursor_offset(c);

	if (cursor_peek(c) != '@')
		return;
	do {
		cursor_char(c, '@', "'@'");
		domain_parse(c, arena, &ignored);
		if (cursor_offset(c) - start > ADDRESS_DOMAIN_MAX)
			cursor_fail(c, "path of at most 256 octets");
	} while (cursor_try_char(c, ','));
	cursor_char(c, ':', "':'");
}

/* Path = "<" [ A-d-l ":" ] Mailbox ">" */
static bool path_parse(
    struct cursor *c, struct arena *arena, bool bare_postmaster, struct address *out)
{
	cursor_char(c, '<', "'<'");
	route_skip(c, arena);
	mailbox_parse(c, arena, bare_postmaster, out);
	cursor_char(c, '>', "'>'");
	return !c->expected;
}

/* Reverse-path = Path / "<>" */
bool path_reverse_parse(struct cursor *c, struct arena *arena, struct address *out)
{
	*out = (struct address){ 0 };
	return cursor_try(c, SLICE("<>")) || path_parse(c, arena, false, out);
}

/* Forward-path = Path, and in RCPT "<Postmaster>" */
bool path_forward_parse(struct cursor *c, struct arena *arena, struct address *out)
{
	return path_parse(c, arena, true, out);
}

bool address_parse(slice text, struct arena *arena, struct address *out)
{
	struct cursor c = cursor_of(text);

	return mailbox_parse(&c, arena, false, out) && cursor_done(&c);
}

bool address_is_null(const struct address *address)
{
	return address->local.n == 0 && address->domain.n == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return slice_eq_nocase(a->local, b->local) && slice_eq_nocase(a->domain, b->domain);
}

static bool is_dot_string(slice local)
{
	bool after_dot = true;

	for (size_t i = 0; i < local.n; i++) {
		bool dot = local.p[i] == '.';

		if (dot ? after_dot : !octet_is(local.p[i], OCTET_ATEXT | OCTET_UTF8))
			return false;
		after_dot = dot;
	}
	return !after_dot;
}

void address_write(const struct address *address, struct buf *out)
{
	if (address_is_null(address))
		return;
	if (is_dot_string(address->local)) {
		buf_add(out, address->local);
	} else {
		buf_addc(out, '"');
		for (size_t i = 0; i < address->local.n; i++) {
			if (address->local.p[i] == '"' || address->local.p[i] == '\\')
				buf_addc(out, '\\');
			buf_addc(out, address->local.p[i]);
		}
		buf_addc(out, '"');
	}
	if (address->domain.n) {
		buf_addc(out, '@');
		buf_add(out, address->domain);
	}
}

slice address_text(struct arena *arena, const struct address *address)
{
	struct buf text;

	/* Every octet of a quoted local part may need a backslash. */
	buf_init(&text, 2 * ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX + 8);
	address_write(address, &text);
	slice copy = arena_copy(arena, buf_slice(&text));
	buf_free(&text);
	return copy;
}
