#include "base/ip.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/octet.h"

#define TEXT_MAX 64 /* octets of an address as text */

struct range {
	struct ip first, last;
};

struct ip_set {
	struct range *ranges; /* in order, none touches another */
	size_t count, room;
};

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* width_out: bits of an address as it was written. */
static bool parse(slice text, struct ip *out, int *width_out)
{
	char copy[TEXT_MAX];

	if (text.n >= sizeof copy || memchr(text.n ? text.p : "", '\0', text.n))
		return false;
	memcpy(copy, text.n ? text.p : "", text.n);
	copy[text.n] = '\0';
	*width_out = 32;
	memcpy(out->octets, mapped, sizeof mapped);
	if (inet_pton(AF_INET, copy, out->octets + sizeof mapped) == 1)
		return true;
	*width_out = 128;
	return inet_pton(AF_INET6, copy, out->octets) == 1;
}

bool ip_parse(slice text, struct ip *out)
{
	int width;

	return parse(text, out, &width);
}

bool ip_write(const struct ip *ip, char out[IP_TEXT])
{
	bool six = memcmp(ip->octets, mapped, sizeof mapped) != 0;

	if (six)
		inet_ntop(AF_INET6, ip->octets, out, IP_TEXT);
	else
		inet_ntop(AF_INET, ip->octets + sizeof mapped, out, IP_TEXT);
	return six;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	return memcmp(a->octets, b->octets, sizeof a->octets);
}

/* ---- one network, range or address ---- */

/* The network of this many leading bits; false when the address has bits behind them. */
static bool network(const struct ip *address, unsigned bits, struct range *out)
{
	*out = (struct range){ *address, *address };
	for (unsigned i = bits; i < 128; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if (address->octets[i / 8] & bit)
			return false;
		out->last.octets[i / 8] |= bit;
	}
	return true;
}

static bool wrong(struct error *error, slice word, const char *why)
{
	return error_input(error, "\"%.*s\" %s", SLICE_ARG(slice_head(word, TEXT_MAX * 2)), why);
}

static bool parse_network(slice word, size_t slash, struct range *out, struct error *error)
{
	struct ip address;
	uint64_t bits;
	int width;

	if (!parse(slice_head(word, slash), &address, &width))
		return wrong(error, word, "has no IP address before its slash");
	if (!slice_number(slice_from(word, slash + 1), (uint64_t)width, &bits))
		return wrong(error, word,
		    width == 32 ? "has no number of bits from 0 to 32 behind its slash"
				: "has no number of bits from 0 to 128 behind its slash");
	return network(&address, (unsigned)bits + 128 - (unsigned)width, out) ||
	    wrong(
		error, word, "has bits behind its network mask; write the network's first address");
}

static bool parse_word(slice word, struct range *out, struct error *error)
{
	size_t slash = slice_find(word, '/'), dash = slice_find(word, '-');
	int one, other;

	if (slash < word.n)
		return parse_network(word, slash, out, error);
	if (dash == word.n) {
		if (!parse(word, &out->first, &one))
			return wrong(error, word,
			    "is no IP address; write addresses, networks such as 10.0.0.0/8, or ranges "
			    "such as 10.0.0.1-10.0.0.9");
		out->last = out->first;
		return true;
	}
	if (!parse(slice_head(word, dash), &out->first, &one) ||
	    !parse(slice_from(word, dash + 1), &out->last, &other) || one != other)
		return wrong(error, word, "is no range from one IP address to another");
	return ip_compare(&out->first, &out->last) <= 0 ||
	    wrong(error, word, "ends before it begins");
}

/* ---- sets ---- */

static int by_first(const void *a, const void *b)
{
	return ip_compare(&((const struct range *)a)->first, &((const struct range *)b)->first);
}

/* Joins ranges that overlap. */
static void tidy(struct ip_set *set)
{
	size_t n = 0;

	if (set->count == 0)
		return;
	qsort(set->ranges, set->count, sizeof *set->ranges, by_first);
	for (size_t i = 1; i < set->count; i++) {
		if (ip_compare(&set->ranges[i].first, &set->ranges[n].last) > 0)
			set->ranges[++n] = set->ranges[i];
		else if (ip_compare(&set->ranges[i].last, &set->ranges[n].last) > 0)
			set->ranges[n].last = set->ranges[i].last;
	}
	set->count = n + 1;
}

static void add(struct ip_set *set, struct range range)
{
	if (set->count == set->room) {
		set->room = set->room ? 2 * set->room : 4;
		set->ranges = memory_resize(set->ranges, set->room * sizeof *set->ranges);
	}
	set->ranges[set->count++] = range;
}

static bool is_between(char c)
{
	return c == ',' || c == '\n' || octet_is(c, OCTET_BLANK);
}

struct ip_set *ip_set_new(slice text, struct error *error)
{
	struct ip_set *set = NEW(struct ip_set);

	for (size_t at = 0, end; at < text.n; at = end) {
		struct range range;

		end = at + 1;
		if (is_between(text.p[at]))
			continue;
		while (end < text.n && !is_between(text.p[end]))
			end++;
		if (!parse_word((slice){ text.p + at, end - at }, &range, error)) {
			ip_set_free(set);
			return NULL;
		}
		add(set, range);
	}
	tidy(set);
	return set;
}

void ip_set_free(struct ip_set *set)
{
	if (set)
		free(set->ranges);
	free(set);
}

bool ip_set_has(const struct ip_set *set, const struct ip *ip)
{
	size_t low = 0, high = set ? set->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(ip, &set->ranges[middle].first) < 0)
			high = middle;
		else if (ip_compare(ip, &set->ranges[middle].last) > 0)
			low = middle + 1;
		else
			return true;
	}
	return false;
}
