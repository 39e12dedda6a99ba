/* Making sets. */
#include <stdlib.h>

#include "base/octet.h"
#include "mail/idna.h"
#include "script/vm/set_internal.h"

#define KEY_MAX 8192 /* octets of an item */

static size_t thing_size(enum set_kind kind)
{
	switch (kind) {
	case SET_NUMBER:
	case SET_NETWORK:
		return sizeof(struct set_range);
	case SET_PATTERN:
		return sizeof(struct set_pattern);
	case SET_TEXT:
	case SET_DOMAIN:
	case SET_ADDRESS:
		break;
	}
	return sizeof(struct set_item);
}

void set_begin(struct set_maker *m, enum set_kind kind, struct arena *arena)
{
	*m = (struct set_maker){ .set = ARENA_NEW(arena, struct set), .arena = arena };
	m->set->kind = kind;
	m->set->narrowest[0] = m->set->narrowest[1] = 128;
}

static void note_value(struct set *s, const struct value *value)
{
	if (value->kind == VALUE_UNKNOWN)
		return;
	s->has_values = true;
	s->value_kind = value->kind;
	if (value->kind == VALUE_TEXT && value->text.n > s->value_max)
		s->value_max = (uint32_t)value->text.n;
}

/* Room for one thing more; the arena keeps the old ones, at most as much again. */
static void *add_thing(struct set_maker *m, struct value value, struct error *error)
{
	struct set *s = m->set;
	size_t size = thing_size(s->kind);

	if (s->count >= (s->kind == SET_PATTERN ? SET_PATTERNS_MAX : SET_ITEMS_MAX)) {
		error_input(error, "more than %zu items", s->count);
		return NULL;
	}
	if (s->count == m->room) {
		size_t room = m->room ? 2 * m->room : 4;
		void *more = arena_alloc(m->arena, room * size);

		if (s->count)
			memcpy(more, s->things, s->count * size);
		s->things = more;
		m->room = room;
	}
	note_value(s, &value);
	return (char *)s->things + size * s->count++;
}

struct ip set_number_key(int64_t n)
{
	struct ip key = { { 0 } };
	uint64_t u = (uint64_t)n ^ (1ull << 63);

	for (int i = 0; i < 8; i++)
		key.octets[8 + i] = (uint8_t)(u >> (56 - 8 * i));
	return key;
}

bool set_add_range(
    struct set_maker *m, int64_t first, int64_t last, struct value value, struct error *error)
{
	if (first > last)
		return error_input(error, "the range is empty: its end comes before its start");
	struct set_range *r = add_thing(m, value, error);
	if (!r)
		return false;
	*r = (struct set_range){ set_number_key(first), set_number_key(last), value, UINT32_MAX };
	return true;
}

/* "5" or "5..9". */
static bool add_numbers(struct set_maker *m, slice item, struct value value, struct error *error)
{
	size_t dots = slice_search_nocase(item, SLICE(".."));
	slice head = slice_trim(slice_head(item, dots));
	slice tail = dots == SIZE_MAX ? head : slice_trim(slice_from(item, dots + 2));
	int64_t first, last;

	if (!number_read(head, &first) || !number_read(tail, &last))
		return error_input(error, "'%.*s' is no number, nor a range 1..9",
		    SLICE_ARG(slice_head(item, 80)));
	return set_add_range(m, first, last, value, error);
}

/* ---- networks ---- */

static bool is_four(const struct ip *ip)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return memcmp(ip->octets, mapped, sizeof mapped) == 0;
}

static void set_bits(struct ip *ip, unsigned from, bool to)
{
	for (unsigned i = from; i < 128; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		ip->octets[i / 8] =
		    (uint8_t)(to ? ip->octets[i / 8] | bit : ip->octets[i / 8] & ~bit);
	}
}

/* Leading bits of a mask such as 255.255.0.0; false: they are not all in front. */
static bool mask_bits(const struct ip *mask, unsigned *out)
{
	unsigned bits = 96;

	while (bits < 128 && mask->octets[bits / 8] & 0x80 >> bits % 8)
		bits++;
	*out = bits;
	for (; bits < 128; bits++)
		if (mask->octets[bits / 8] & 0x80 >> bits % 8)
			return false;
	return true;
}

static bool network_parse(slice text, struct ip *first, struct ip *last, struct error *error)
{
	size_t slash = slice_find(text, '/'), dash = slice_find(text, '-');
	slice head = slice_head(text, slash < dash ? slash : dash);
	slice tail = slice_from(text, head.n + 1);
	uint64_t bits;
	unsigned all;

	if (!ip_parse(slice_trim(head), first))
		return error_input(error,
		    "'%.*s' is no network; write 192.0.2.0/24, "
		    "2001:db8::/32, an address, or first-last",
		    SLICE_ARG(slice_head(text, 80)));
	*last = *first;
	if (head.n == text.n)
		return true;
	if (dash < text.n) {
		if (!ip_parse(slice_trim(tail), last) || ip_compare(first, last) > 0 ||
		    is_four(first) != is_four(last))
			return error_input(error, "a range of addresses is written first-last");
		return true;
	}
	unsigned width = is_four(first) && slice_find(head, ':') == head.n ? 32 : 128;
	struct ip mask;
	if (slice_number(tail, width, &bits))
		all = 128 - width + (unsigned)bits;
	else if (width != 32 || !ip_parse(tail, &mask) || !is_four(&mask) ||
	    !mask_bits(&mask, &all))
		return error_input(error, "after '/' stand 0 to %u bits, or a mask", width);
	set_bits(first, all, false);
	set_bits(last, all, true);
	return true;
}

/* Bits that first and last have in common, counted as its family counts. */
static void note_width(struct set *s, const struct ip *first, const struct ip *last)
{
	bool four = is_four(first) && is_four(last);
	unsigned bits = 0;

	while (
	    bits < 128 && !((first->octets[bits / 8] ^ last->octets[bits / 8]) & 0x80 >> bits % 8))
		bits++;
	bits = four ? bits - 96 : bits;
	if (bits < s->narrowest[four])
		s->narrowest[four] = bits;
}

static bool add_network(struct set_maker *m, slice item, struct value value, struct error *error)
{
	struct ip first, last;

	if (!network_parse(item, &first, &last, error))
		return false;
	struct set_range *r = add_thing(m, value, error);
	if (!r)
		return false;
	*r = (struct set_range){ first, last, value, UINT32_MAX };
	note_width(m->set, &first, &last);
	return true;
}

static int range_order(const void *a, const void *b)
{
	const struct set_range *x = a, *y = b;
	int order = ip_compare(&x->first, &y->first);

	return order ? order : -ip_compare(&x->last, &y->last);
}

/* Sorted; ranges without values that touch are joined, others must lie within one another. */
static bool ranges_end(struct set *s, struct error *error)
{
	struct set_range *r = s->things;
	size_t n = 0;

	if (s->count)
		qsort(r, s->count, sizeof *r, range_order);
	for (size_t i = 0; i < s->count; i++) {
		uint32_t parent = n ? (uint32_t)n - 1 : UINT32_MAX;

		while (parent != UINT32_MAX && ip_compare(&r[parent].last, &r[i].first) < 0)
			parent = r[parent].parent;
		if (parent != UINT32_MAX && !s->has_values) {
			if (ip_compare(&r[parent].last, &r[i].last) < 0)
				r[parent].last = r[i].last;
			continue;
		}
		if (parent != UINT32_MAX && ip_compare(&r[parent].last, &r[i].last) < 0)
			return error_input(error,
			    "two of its ranges overlap in part, so which value holds is not clear");
		r[n] = r[i];
		r[n++].parent = parent;
	}
	s->count = n;
	return true;
}

/* ---- texts ---- */

static bool good_domain(slice domain, slice whole, struct error *error)
{
	for (size_t i = 0; i < domain.n; i++)
		if (!octet_is(domain.p[i], OCTET_ALPHA | OCTET_DIGIT) &&
		    !strchr("-_.[]:", domain.p[i]))
			return error_input(
			    error, "'%.*s' is no domain", SLICE_ARG(slice_head(whole, 80)));
	if (!domain.n || domain.n > 255)
		return error_input(error, "a domain has 1 to 255 octets");
	return true;
}

/* The item in the form in which it is looked up. */
static bool item_key(struct set_maker *m, slice item, slice *key, struct error *error)
{
	enum set_kind kind = m->set->kind;
	size_t at = item.n;

	*key = arena_copy(m->arena, item);
	if (kind == SET_TEXT)
		return true;
	while (kind == SET_ADDRESS && at && item.p[at - 1] != '@')
		at--;
	if (kind == SET_ADDRESS && (at == 0 || item.n == 1))
		return error_input(error,
		    "'%.*s' is no address; write user@dom, @dom, @.dom or user@",
		    SLICE_ARG(slice_head(item, 80)));
	slice local = slice_head(item, kind == SET_ADDRESS ? at : 0);
	slice domain = slice_from(item, local.n), ascii;
	bool below = domain.n && domain.p[0] == '.';
	if (kind == SET_ADDRESS && domain.n == 0)
		return true;
	if (!idna_ascii(slice_from(domain, below), m->arena, &ascii) ||
	    !good_domain(ascii, item, error))
		return error->fault
		    ? false
		    : error_input(error, "'%.*s' is no domain", SLICE_ARG(slice_head(item, 80)));
	*key = slice_of(arena_printf(
	    m->arena, "%.*s%s%.*s", SLICE_ARG(local), below ? "." : "", SLICE_ARG(ascii)));
	return true;
}

bool set_add(struct set_maker *m, slice item, struct value value, struct error *error)
{
	*error = (struct error){ 0 };
	if (item.n == 0 || item.n > KEY_MAX)
		return error_input(error, "an item has 1 to %d octets", KEY_MAX);
	if (m->set->kind == SET_NETWORK)
		return add_network(m, item, value, error);
	if (m->set->kind == SET_PATTERN) {
		if (!set_add_glob(m, item, false, error))
			return false;
		((struct set_pattern *)m->set->things)[m->set->count - 1].value = value;
		note_value(m->set, &value);
		return true;
	}
	if (m->set->kind == SET_NUMBER) {
		return add_numbers(m, item, value, error);
	}
	slice key;
	if (!item_key(m, item, &key, error))
		return false;
	struct set_item *new = add_thing(m, value, error);
	if (!new)
		return false;
	*new = (struct set_item){ text_hash(key), key, value, true };
	return true;
}

bool set_add_glob(struct set_maker *m, slice glob, bool exact, struct error *error)
{
	struct set_pattern *p = add_thing(m, (struct value){ 0 }, error);

	if (!p)
		return false;
	*p = (struct set_pattern){ .glob = arena_copy(m->arena, glob), .exact = exact };
	/* After a star what follows it may be tried at every place of the text. */
	m->set->stars += glob_stars(glob) ? (glob_stars(glob) + 1) * (1 + glob.n / 8) : 1;
	return true;
}

bool set_add_regex(struct set_maker *m, slice regex, bool exact, struct error *error)
{
	pcre2_code *code = set_regex_compile(regex, exact, m->arena, error);
	struct set_pattern *p = code ? add_thing(m, (struct value){ 0 }, error) : NULL;

	if (!p)
		return false;
	*p = (struct set_pattern){ .regex = code, .exact = exact };
	m->set->regexes++;
	return true;
}

/* A table at most half full; the first of equal keys stays. */
static void table_make(struct set_maker *m)
{
	struct set *s = m->set;
	struct set_item *items = s->things;

	for (s->table_size = 4; s->table_size < 2 * s->count;)
		s->table_size *= 2;
	s->table = ARENA_ARRAY(m->arena, struct set_item, s->table_size);
	for (size_t i = 0; i < s->count; i++) {
		size_t at = items[i].hash & (s->table_size - 1);

		while (s->table[at].used && !text_equal(s->table[at].key, items[i].key, false))
			at = (at + 1) & (s->table_size - 1);
		if (!s->table[at].used)
			s->table[at] = items[i];
	}
}

const struct set *set_end(struct set_maker *m, struct error *error)
{
	struct set *s = m->set;

	if (s->kind == SET_NETWORK || s->kind == SET_NUMBER) {
		if (!ranges_end(s, error))
			return NULL;
	} else if (s->kind != SET_PATTERN) {
		table_make(m);
	}
	return s;
}
