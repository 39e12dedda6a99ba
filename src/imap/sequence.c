#include "imap/sequence.h"

#include <stdlib.h>

#include "imap/parse.h"

/* seq-number = nz-number / "*" */
static uint32_t number_parse(struct cursor *c, bool *star)
{
	if (cursor_try_char(c, '*')) {
		*star = true;
		return UINT32_MAX;
	}
	if (!octet_is(cursor_peek(c), OCTET_DIGIT))
		cursor_fail(c, "sequence set");
	return parse_number(c);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct sequence_range *one = a, *other = b;

	return (one->lo > other->lo) - (one->lo < other->lo);
}

/* How many ranges stand here at most: a command may hold many sequences, so room for what is there. */
static size_t count_ranges(slice text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == ',')
			count++;
		else if (!octet_is(text.p[i], OCTET_DIGIT) && text.p[i] != ':' && text.p[i] != '*')
			break;
	}
	return count;
}

/* sequence-set = (seq-number / seq-range) ["," sequence-set];  seq-range = seq-number ":" seq-number,
 * in either order */
void sequence_parse(struct cursor *c, struct arena *arena, struct sequence *out)
{
	if (cursor_try_char(c, '$')) {
		*out = (struct sequence){ .saved = true };
		return;
	}
	*out = (struct sequence){ .ranges = ARENA_ARRAY(
				      arena, struct sequence_range, count_ranges(c->rest)) };
	do {
		bool star = false;
		uint32_t lo = number_parse(c, &star);
		uint32_t hi = cursor_try_char(c, ':') ? number_parse(c, &star) : lo;

		if (c->expected)
			return;
		out->ranges[out->n++] = lo <= hi ? (struct sequence_range){ lo, hi, star }
						 : (struct sequence_range){ hi, lo, star };
	} while (cursor_try_char(c, ','));
	qsort(out->ranges, out->n, sizeof *out->ranges, compare_ranges);
}

/* "*" is the last message there is; "9:*" names it too when there are fewer (RFC 9051 §9 says so of
 * UIDs; of message numbers it would be an error, but is what clients send to an empty mailbox). */
static struct sequence_range star_replace(struct sequence_range range, uint32_t last)
{
	if (!range.star)
		return range;
	return (struct sequence_range){ range.lo < last ? range.lo : last, last, true };
}

void sequence_named(const struct sequence *sequence, uint32_t last, struct uid_set *out)
{
	uid_set_clear(out);
	for (size_t i = 0; i < sequence->n; i++) {
		struct sequence_range range = star_replace(sequence->ranges[i], last);

		if (range.lo)
			uid_set_add(out, range.lo, range.hi);
	}
}

bool sequence_resolve(
    const struct sequence *sequence, const struct uid_set *uids, bool by_uid, struct uid_set *out)
{
	uint32_t count = uid_set_count(uids);
	bool all = true;

	if (by_uid) {
		sequence_named(sequence, uid_set_last(uids), out);
		uid_set_intersect(out, uids);
		return true;
	}
	uid_set_clear(out);
	for (size_t i = 0; i < sequence->n; i++) {
		struct sequence_range range = star_replace(sequence->ranges[i], count);

		if (range.lo == 0)
			continue;
		all = all && range.hi <= count;
		if (range.lo > count)
			continue;
		range.hi = range.hi < count ? range.hi : count;
		uid_set_add(out, uid_set_at(uids, range.lo), uid_set_at(uids, range.hi));
	}
	uid_set_intersect(out, uids);
	return all;
}
