#include "mail/parameter.h"

#include "mail/header.h"

/* The octets of a quoted string, quotes and backslashes included. */
static slice quoted_raw(struct cursor *c)
{
	slice all = c->rest;
	size_t n = 1;

	while (n < all.n && all.p[n] != '"')
		n += all.p[n] == '\\' ? 2 : 1;
	n = n + 1 < all.n ? n + 1 : all.n;
	return cursor_take(c, n, "quoted string");
}

/* Up to a blank or ';': more than a token, because unquoted file names are common. */
static slice token_raw(struct cursor *c)
{
	slice all = c->rest;
	size_t n = 0;

	while (n < all.n && all.p[n] != ';' && !octet_is(all.p[n], OCTET_BLANK) &&
	    all.p[n] != '\r' && all.p[n] != '\n')
		n++;
	return cursor_take(c, n, "token");
}

/* parameter = attribute "=" value;  value = token / quoted-string */
bool parameter_next(slice *rest, struct parameter *out)
{
	struct cursor c = cursor_of(*rest);

	*out = (struct parameter){ 0 };
	while (!cursor_end(&c)) {
		cfws_skip(&c, NULL);
		out->name = cursor_skip(&c, OCTET_TOKEN);
		cfws_skip(&c, NULL);
		if (out->name.n && cursor_try_char(&c, '=')) {
			cfws_skip(&c, NULL);
			out->value = cursor_peek(&c) == '"' ? quoted_raw(&c) : token_raw(&c);
			*rest = c.rest;
			return true;
		}
		cursor_take(&c, c.rest.n && !out->name.n ? 1 : 0, "octet");
	}
	*rest = c.rest;
	return false;
}

bool parameter_find(slice list, slice name, struct parameter *out)
{
	while (parameter_next(&list, out))
		if (slice_eq_nocase(out->name, name))
			return true;
	return false;
}

void parameter_value(const struct parameter *parameter, struct buf *out)
{
	struct cursor c = cursor_of(parameter->value);

	if (cursor_peek(&c) == '"')
		quoted_string_take(&c, out);
	else
		header_unfold(parameter->value, out);
}
