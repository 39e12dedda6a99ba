#include "base/cursor.h"

struct cursor cursor_of(slice input)
{
	return (struct cursor){ .rest = input, .start = input.p };
}

size_t cursor_offset(const struct cursor *c)
{
	return c->rest.p ? (size_t)(c->rest.p - c->start) : 0;
}

bool cursor_end(const struct cursor *c)
{
	return c->expected || c->rest.n == 0;
}

char cursor_peek(const struct cursor *c)
{
	return cursor_end(c) ? '\0' : c->rest.p[0];
}

bool cursor_fail(struct cursor *c, const char *expected)
{
	if (!c->expected) {
		c->expected = expected;
		c->at = cursor_offset(c);
	}
	return false;
}

bool cursor_try_char(struct cursor *c, char want)
{
	if (cursor_end(c) || c->rest.p[0] != want)
		return false;
	c->rest = slice_from(c->rest, 1);
	return true;
}

bool cursor_char(struct cursor *c, char want, const char *expected)
{
	return cursor_try_char(c, want) || cursor_fail(c, expected);
}

bool cursor_try(struct cursor *c, slice word)
{
	if (c->expected || !slice_starts_nocase(c->rest, word))
		return false;
	c->rest = slice_from(c->rest, word.n);
	return true;
}

slice cursor_skip(struct cursor *c, unsigned classes)
{
	size_t n = 0;

	if (c->expected)
		return (slice){ 0 };
	while (n < c->rest.n && octet_is(c->rest.p[n], classes))
		n++;
	slice taken = slice_head(c->rest, n);
	c->rest = slice_from(c->rest, n);
	return taken;
}

slice cursor_span(struct cursor *c, unsigned classes, const char *expected)
{
	slice taken = cursor_skip(c, classes);

	if (taken.n == 0)
		cursor_fail(c, expected);
	return taken;
}

slice cursor_until(struct cursor *c, char stop, const char *expected)
{
	size_t n = c->expected ? 0 : slice_find(c->rest, stop);

	if (c->expected || n == c->rest.n) {
		cursor_fail(c, expected);
		return (slice){ 0 };
	}
	return cursor_take(c, n, expected);
}

slice cursor_take(struct cursor *c, size_t n, const char *expected)
{
	if (c->expected || c->rest.n < n) {
		cursor_fail(c, expected);
		return (slice){ 0 };
	}
	slice taken = slice_head(c->rest, n);
	c->rest = slice_from(c->rest, n);
	return taken;
}

uint64_t cursor_number(struct cursor *c, uint64_t max, const char *expected)
{
	struct cursor before = *c;
	uint64_t value = 0;

	slice digits = cursor_span(c, OCTET_DIGIT, expected);
	if (c->expected)
		return 0;
	if (!slice_number(digits, max, &value)) {
		*c = before;
		cursor_fail(c, expected);
		return 0;
	}
	return value;
}

bool cursor_done(struct cursor *c)
{
	if (!c->expected && c->rest.n)
		cursor_fail(c, "end of line");
	return !c->expected;
}
