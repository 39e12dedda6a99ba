#include "smtp/parse.h"

bool parse_hello(struct cursor *c, struct arena *arena, slice *domain_out)
{
	cursor_char(c, ' ', "a blank and the client's name");
	cursor_skip(c, OCTET_BLANK);
	struct cursor strict = *c;
	if (domain_parse(&strict, arena, domain_out) &&
	    (cursor_skip(&strict, OCTET_BLANK), cursor_done(&strict))) {
		*c = strict;
		return true;
	}
	/* Printers and old programs send names with underscores and worse: any visible word will do, it is
	 * only ever shown (RFC 5321 §4.1.4: not to be refused for it). */
	slice word = cursor_span(c, OCTET_ALPHA | OCTET_DIGIT | OCTET_ATEXT, "the client's name");
	while (!cursor_end(c)) {
		slice more = cursor_skip(c, OCTET_ATEXT);

		if (!cursor_try_char(c, '.') && !cursor_try_char(c, ':') &&
		    !cursor_try_char(c, '[') && !cursor_try_char(c, ']') && more.n == 0)
			break;
	}
	word.n = c->rest.p ? (size_t)(c->rest.p - word.p) : word.n;
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_done(c))
		return false;
	if (word.n > 255)
		return cursor_fail(c, "a name of at most 255 octets");
	*domain_out = arena_copy(arena, word);
	return true;
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 §4.1.2) */
static bool parameter(struct cursor *c, slice *keyword_out, slice *value_out)
{
	*value_out = (slice){ 0 };
	*keyword_out = cursor_span(c, OCTET_ALPHA | OCTET_DIGIT, "a parameter");
	while (!c->expected && cursor_peek(c) == '-') {
		cursor_try_char(c, '-');
		cursor_skip(c, OCTET_ALPHA | OCTET_DIGIT);
		keyword_out->n = (size_t)(c->rest.p - keyword_out->p);
	}
	if (!cursor_try_char(c, '='))
		return !c->expected;
	const char *start = c->rest.p;
	while (octet_is(cursor_peek(c), OCTET_VISIBLE) && cursor_peek(c) != '=')
		cursor_take(c, 1, "a value");
	*value_out = (slice){ start, c->rest.p ? (size_t)(c->rest.p - start) : 0 };
	if (value_out->n == 0)
		return cursor_fail(c, "the parameter's value");
	return !c->expected;
}

static bool mail_parameter(struct cursor *c, slice keyword, slice value, struct mail_arguments *out)
{
	if (slice_eq_nocase(keyword, SLICE("SIZE")))
		return slice_number(value, INT64_MAX, &out->size) ||
		    cursor_fail(c, "SIZE= with a number");
	if (slice_eq_nocase(keyword, SLICE("BODY"))) {
		out->eight_bit = slice_eq_nocase(value, SLICE("8BITMIME"));
		return out->eight_bit || slice_eq_nocase(value, SLICE("7BIT")) ||
		    cursor_fail(c, "BODY=7BIT or BODY=8BITMIME");
	}
	/* RFC 4954 §5: taken where AUTH is offered; we trust nobody's word for it. */
	if (slice_eq_nocase(keyword, SLICE("AUTH")))
		return value.n > 0 || cursor_fail(c, "AUTH= with a mailbox or <>");
	if (!out->unknown.p)
		out->unknown = keyword;
	return true;
}

/* Blanks, then the end or a parameter; false at the end or an error. */
static bool next_parameter(struct cursor *c, slice *keyword_out, slice *value_out)
{
	slice blanks = cursor_skip(c, OCTET_BLANK);

	if (cursor_end(c))
		return false;
	if (blanks.n == 0)
		return cursor_fail(c, "a blank before the parameter");
	return parameter(c, keyword_out, value_out);
}

bool parse_mail(struct cursor *c, struct arena *arena, struct mail_arguments *out)
{
	slice keyword, value;

	*out = (struct mail_arguments){ .size = SMTP_NO_SIZE };
	cursor_char(c, ' ', "\" FROM:<address>\"");
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_try(c, SLICE("FROM:")))
		return cursor_fail(c, "FROM:<address>");
	cursor_skip(c, OCTET_BLANK); /* not in the grammar, in many clients */
	if (!path_reverse_parse(c, arena, &out->sender))
		return false;
	while (next_parameter(c, &keyword, &value))
		if (!mail_parameter(c, keyword, value, out))
			return false;
	return cursor_done(c);
}

bool parse_rcpt(struct cursor *c, struct arena *arena, struct rcpt_arguments *out)
{
	slice keyword, value;

	*out = (struct rcpt_arguments){ 0 };
	cursor_char(c, ' ', "\" TO:<address>\"");
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_try(c, SLICE("TO:")))
		return cursor_fail(c, "TO:<address>");
	cursor_skip(c, OCTET_BLANK);
	if (!path_forward_parse(c, arena, &out->recipient))
		return false;
	out->as_written = address_text(arena, &out->recipient);
	while (next_parameter(c, &keyword, &value))
		if (!out->unknown.p)
			out->unknown = keyword;
	return cursor_done(c);
}

bool parse_auth(struct cursor *c, slice *mechanism_out, slice *response_out)
{
	cursor_char(c, ' ', "a blank and the mechanism");
	cursor_skip(c, OCTET_BLANK);
	*mechanism_out = cursor_span(c, OCTET_ATEXT, "the mechanism");
	*response_out = (slice){ 0 };
	if (cursor_try_char(c, ' ')) {
		cursor_skip(c, OCTET_BLANK);
		*response_out = cursor_skip(c, OCTET_VISIBLE);
		if (response_out->n == 0)
			response_out->p = NULL;
	}
	return cursor_done(c);
}
