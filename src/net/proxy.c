#include "net/proxy.h"

#include "base/cursor.h"

#define V1_MAX  107 /* octets with the line end (2.1) */
#define V2_HEAD 16  /* octets before the addresses (2.2) */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static size_t v2_length(slice header)
{
	if (header.n < V2_HEAD)
		return V2_HEAD;
	return V2_HEAD + ((size_t)(uint8_t)header.p[14] << 8 | (uint8_t)header.p[15]);
}

size_t proxy_belongs(slice so_far, slice next)
{
	char first = so_far.n ? so_far.p[0] : next.n ? next.p[0] : 'P';
	size_t most = first == signature[0] ? v2_length(so_far) : V1_MAX;

	if (most > PROXY_MAX || so_far.n >= most)
		return 0;
	next = slice_head(next, most - so_far.n);
	if (first == signature[0])
		return next.n;
	size_t end = slice_find(next, '\n');
	return end < next.n ? end + 1 : next.n;
}

static enum proxy_answer wrong(const char **why_out, const char *why)
{
	*why_out = why;
	return PROXY_WRONG;
}

/* "PROXY" SP ( "TCP4" / "TCP6" ) SP source SP destination SP port SP port CRLF, or "PROXY UNKNOWN" and anything */
static enum proxy_answer parse_v1(slice header, struct ip *peer_out, const char **why_out)
{
	struct ip destination;

	if (slice_find(header, '\n') == header.n)
		return header.n < V1_MAX
		    ? PROXY_MORE
		    : wrong(why_out, "the first line has no end within 107 octets");
	if (!slice_ends(header, SLICE("\r\n")))
		return wrong(why_out, "the first line ends in a bare LF");
	struct cursor c = cursor_of(slice_head(header, header.n - 2));
	if (!slice_starts(header, SLICE("PROXY ")))
		return wrong(why_out, "the first line does not begin with PROXY");
	cursor_take(&c, 6, "PROXY");
	if (slice_starts(c.rest, SLICE("UNKNOWN")))
		return PROXY_LOCAL;
	if (!slice_starts(c.rest, SLICE("TCP4 ")) && !slice_starts(c.rest, SLICE("TCP6 ")))
		return wrong(why_out, "neither TCP4, TCP6 nor UNKNOWN follows PROXY");
	cursor_take(&c, 5, "TCP4");
	slice source = cursor_until(&c, ' ', "a blank");
	cursor_char(&c, ' ', "a blank");
	slice where = cursor_until(&c, ' ', "a blank");
	cursor_char(&c, ' ', "a blank");
	cursor_number(&c, 65535, "a port");
	cursor_char(&c, ' ', "a blank");
	cursor_number(&c, 65535, "a port");
	if (!cursor_done(&c) || !ip_parse(source, peer_out) || !ip_parse(where, &destination))
		return wrong(why_out, "PROXY is not followed by two addresses and two ports");
	return PROXY_PEER;
}

static enum proxy_answer parse_v2(slice header, struct ip *peer_out, const char **why_out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t known = header.n < sizeof signature ? header.n : sizeof signature;

	if (memcmp(header.p, signature, known) != 0)
		return wrong(why_out, "the first octets are no PROXY signature");
	if (v2_length(header) > PROXY_MAX)
		return wrong(why_out, "the header is longer than 2048 octets");
	if (header.n < v2_length(header))
		return PROXY_MORE;
	uint8_t command = (uint8_t)header.p[12], family = (uint8_t)header.p[13];
	size_t body = header.n - V2_HEAD;
	if (command == 0x20)
		return PROXY_LOCAL;
	if (command != 0x21)
		return wrong(why_out, "neither version 2 LOCAL nor PROXY");
	if (family == 0x11 && body >= 12) {
		memcpy(peer_out->octets, mapped, sizeof mapped);
		memcpy(peer_out->octets + 12, header.p + V2_HEAD, 4);
		return PROXY_PEER;
	}
	if (family == 0x21 && body >= 36) {
		memcpy(peer_out->octets, header.p + V2_HEAD, 16);
		return PROXY_PEER;
	}
	return family == 0 ? PROXY_LOCAL
			   : wrong(why_out, "the addresses are not of TCP over IPv4 or IPv6");
}

enum proxy_answer proxy_parse(slice header, struct ip *peer_out, const char **why_out)
{
	*why_out = "";
	if (header.n == 0)
		return PROXY_MORE;
	return header.p[0] == signature[0] ? parse_v2(header, peer_out, why_out)
					   : parse_v1(header, peer_out, why_out);
}
