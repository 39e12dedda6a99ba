#include "store/uid_set.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

void uid_set_free(struct uid_set *set)
{
	free(set->ranges);
	*set = (struct uid_set){ 0 };
}

void uid_set_clear(struct uid_set *set)
{
	set->n = 0;
}

uint32_t uid_set_count(const struct uid_set *set)
{
	const struct uid_range *last = set->n ? &set->ranges[set->n - 1] : NULL;

	return last ? last->before + (last->hi - last->lo + 1) : 0;
}

uint32_t uid_set_last(const struct uid_set *set)
{
	return set->n ? set->ranges[set->n - 1].hi : 0;
}

/* Index of the first range whose end is at least uid; n when there is none. */
static size_t range_from(const struct uid_set *set, uint32_t uid)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->ranges[mid].hi < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Counts anew from range i on. */
static void recount(struct uid_set *set, size_t i)
{
	for (; i < set->n; i++) {
		const struct uid_range *p = i ? &set->ranges[i - 1] : NULL;

		set->ranges[i].before = p ? p->before + (p->hi - p->lo + 1) : 0;
	}
}

/* Replaces `gone` ranges from index i by `room` unset ones. */
static void splice(struct uid_set *set, size_t i, size_t gone, size_t room)
{
	size_t n = set->n - gone + room;

	if (n > set->cap) {
		set->cap = n < 4 ? 4 : 2 * n;
		set->ranges = memory_resize(set->ranges, set->cap * sizeof(*set->ranges));
	}
	if (set->n > i + gone)
		memmove(&set->ranges[i + room], &set->ranges[i + gone],
		    (set->n - i - gone) * sizeof(*set->ranges));
	set->n = n;
}

void uid_set_add(struct uid_set *set, uint32_t lo, uint32_t hi)
{
	size_t first, end;

	if (lo == 0 || lo > hi)
		panic("uid_set_add of %u to %u", lo, hi);
	/* The usual case: they come in their order. */
	if (set->n && set->ranges[set->n - 1].hi + 1 == lo) {
		set->ranges[set->n - 1].hi = hi;
		return;
	}
	first = range_from(set, lo - 1); /* one that only touches is joined too */
	end = first;
	while (end < set->n && (hi == UINT32_MAX || set->ranges[end].lo <= hi + 1)) {
		lo = set->ranges[end].lo < lo ? set->ranges[end].lo : lo;
		hi = set->ranges[end].hi > hi ? set->ranges[end].hi : hi;
		end++;
	}
	splice(set, first, end - first, 1);
	set->ranges[first] = (struct uid_range){ lo, hi, 0 };
	recount(set, first);
}

void uid_set_remove(struct uid_set *set, uint32_t lo, uint32_t hi)
{
	size_t first = range_from(set, lo), end = first, room = 0;
	struct uid_range left = { 0 }, right = { 0 };

	while (end < set->n && set->ranges[end].lo <= hi)
		end++;
	if (lo > hi || end == first)
		return;
	if (set->ranges[first].lo < lo) {
		left = (struct uid_range){ set->ranges[first].lo, lo - 1, 0 };
		room++;
	}
	if (set->ranges[end - 1].hi > hi) {
		right = (struct uid_range){ hi + 1, set->ranges[end - 1].hi, 0 };
		room++;
	}
	splice(set, first, end - first, room);
	if (left.lo)
		set->ranges[first] = left;
	if (right.lo)
		set->ranges[first + room - 1] = right;
	recount(set, first);
}

void uid_set_add_all(struct uid_set *set, const struct uid_set *other)
{
	for (size_t i = 0; i < other->n; i++)
		uid_set_add(set, other->ranges[i].lo, other->ranges[i].hi);
}

/* Adds what of range is in none of the ranges of other from *at on; those before it are not looked at again. */
static void add_rest(
    struct uid_set *to, struct uid_range range, const struct uid_set *other, size_t *at)
{
	uint32_t lo = range.lo;

	while (*at < other->n && other->ranges[*at].hi < lo)
		++*at;
	for (size_t i = *at; i < other->n && other->ranges[i].lo <= range.hi; i++) {
		if (other->ranges[i].lo > lo)
			uid_set_add(to, lo, other->ranges[i].lo - 1);
		if (other->ranges[i].hi >= range.hi)
			return;
		lo = other->ranges[i].hi + 1;
	}
	uid_set_add(to, lo, range.hi);
}

void uid_set_remove_all(struct uid_set *set, const struct uid_set *other)
{
	struct uid_set rest = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < set->n; i++)
		add_rest(&rest, set->ranges[i], other, &at);
	uid_set_free(set);
	*set = rest;
}

void uid_set_intersect(struct uid_set *set, const struct uid_set *other)
{
	struct uid_set both = { 0 };
	size_t a = 0, b = 0;

	while (a < set->n && b < other->n) {
		const struct uid_range *x = &set->ranges[a], *y = &other->ranges[b];
		uint32_t lo = x->lo > y->lo ? x->lo : y->lo;
		uint32_t hi = x->hi < y->hi ? x->hi : y->hi;

		if (lo <= hi)
			uid_set_add(&both, lo, hi);
		if (x->hi < y->hi)
			a++;
		else
			b++;
	}
	uid_set_free(set);
	*set = both;
}

bool uid_set_contains(const struct uid_set *set, uint32_t uid)
{
	return uid_set_position(set, uid) != 0;
}

uint32_t uid_set_position(const struct uid_set *set, uint32_t uid)
{
	size_t i = range_from(set, uid);

	if (uid == 0 || i == set->n || set->ranges[i].lo > uid)
		return 0;
	return set->ranges[i].before + (uid - set->ranges[i].lo) + 1;
}

uint32_t uid_set_count_to(const struct uid_set *set, uint32_t uid)
{
	size_t i = range_from(set, uid);

	if (i == set->n)
		return uid_set_count(set);
	if (set->ranges[i].lo > uid)
		return set->ranges[i].before;
	return set->ranges[i].before + (uid - set->ranges[i].lo) + 1;
}

uint32_t uid_set_at(const struct uid_set *set, uint32_t position)
{
	size_t lo = 0, hi = set->n;

	if (position == 0 || position > uid_set_count(set))
		return 0;
	while (hi - lo > 1) { /* the last range with before < position */
		size_t mid = lo + (hi - lo) / 2;

		if (set->ranges[mid].before < position)
			lo = mid;
		else
			hi = mid;
	}
	return set->ranges[lo].lo + (position - set->ranges[lo].before - 1);
}

void uid_set_print(const struct uid_set *set, struct buf *out)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct uid_range *r = &set->ranges[i];

		if (i)
			buf_addc(out, ',');
		if (r->lo == r->hi)
			buf_addf(out, "%u", r->lo);
		else
			buf_addf(out, "%u:%u", r->lo, r->hi);
	}
}
