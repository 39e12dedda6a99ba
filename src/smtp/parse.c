#include "smtp/parse.h"

#include "queue/envelope.h"

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

/* ---- parameters ---- */

#define ENVID_MAX 100 /* octets, RFC 3461 §4.4 */
#define ORCPT_MAX 500 /* octets, RFC 3461 §4.2 */

/* How a parameter goes into the arguments; its value is empty when there was none. */
struct parameter {
	const char *keyword;
	bool (*take)(struct cursor *c, slice value, void *arguments);
};

/* esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 §4.1.2; UTF-8 per RFC 6531 §3.3) */
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
	while (octet_is(cursor_peek(c), OCTET_VISIBLE | OCTET_UTF8) && cursor_peek(c) != '=')
		cursor_take(c, 1, "a value");
	*value_out = (slice){ start, c->rest.p ? (size_t)(c->rest.p - start) : 0 };
	if (value_out->n == 0)
		return cursor_fail(c, "the parameter's value");
	return !c->expected;
}

/* xtext = *( xchar / hexchar );  hexchar = "+" 2(upper case hexadecimal) (RFC 3461 §4) */
static bool is_xtext(slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '=' || !octet_is(text.p[i], OCTET_VISIBLE | OCTET_UTF8))
			return false;
		if (text.p[i] != '+')
			continue;
		for (int k = 0; k < 2; k++, i++)
			if (i + 1 >= text.n || octet_hex(text.p[i + 1]) < 0 ||
			    (text.p[i + 1] >= 'a' && text.p[i + 1] <= 'f'))
				return false;
	}
	return true;
}

/* Sets one bit of a value; a parameter may be given once. */
static bool set_flag(struct cursor *c, unsigned *flags, unsigned bit, unsigned group)
{
	if (*flags & group)
		return cursor_fail(c, "each parameter once");
	*flags |= bit;
	return true;
}

static bool take_size(struct cursor *c, slice value, void *arguments)
{
	struct mail_arguments *out = arguments;

	if (out->size != SMTP_NO_SIZE)
		return cursor_fail(c, "each parameter once");
	return slice_number(value, INT64_MAX, &out->size) || cursor_fail(c, "SIZE= with a number");
}

static bool take_body(struct cursor *c, slice value, void *arguments)
{
	struct mail_arguments *out = arguments;

	if (slice_eq_nocase(value, SLICE("7BIT")))
		return true;
	if (slice_eq_nocase(value, SLICE("8BITMIME")))
		return set_flag(c, &out->flags, ENVELOPE_8BIT, ENVELOPE_8BIT | ENVELOPE_BINARY);
	if (slice_eq_nocase(value, SLICE("BINARYMIME")))
		return set_flag(c, &out->flags, ENVELOPE_BINARY, ENVELOPE_8BIT | ENVELOPE_BINARY);
	return cursor_fail(c, "BODY=7BIT, BODY=8BITMIME or BODY=BINARYMIME");
}

/* RFC 4954 §5: taken where AUTH is offered; we trust nobody's word for it. */
static bool take_auth(struct cursor *c, slice value, void *arguments)
{
	(void)arguments;
	return is_xtext(value) || cursor_fail(c, "AUTH= with a mailbox in xtext, or <>");
}

static bool take_return(struct cursor *c, slice value, void *arguments)
{
	struct mail_arguments *out = arguments;
	bool full = slice_eq_nocase(value, SLICE("FULL"));

	if (!full && !slice_eq_nocase(value, SLICE("HDRS")))
		return cursor_fail(c, "RET=FULL or RET=HDRS");
	return set_flag(c, &out->flags, full ? ENVELOPE_RETURN_FULL : ENVELOPE_RETURN_HEADER,
	    ENVELOPE_RETURN_FULL | ENVELOPE_RETURN_HEADER);
}

static bool take_id(struct cursor *c, slice value, void *arguments)
{
	struct mail_arguments *out = arguments;

	if (out->id.n)
		return cursor_fail(c, "each parameter once");
	if (value.n > ENVID_MAX || !is_xtext(value))
		return cursor_fail(c, "ENVID= with at most 100 octets of xtext");
	out->id = value;
	return true;
}

static bool take_utf8(struct cursor *c, slice value, void *arguments)
{
	struct mail_arguments *out = arguments;

	if (value.n)
		return cursor_fail(c, "SMTPUTF8 without a value");
	return set_flag(c, &out->flags, ENVELOPE_UTF8, ENVELOPE_UTF8);
}

static bool take_require_tls(struct cursor *c, slice value, void *arguments)
{
	struct mail_arguments *out = arguments;

	if (value.n)
		return cursor_fail(c, "REQUIRETLS without a value");
	return set_flag(c, &out->flags, ENVELOPE_REQUIRE_TLS, ENVELOPE_REQUIRE_TLS);
}

/* "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static bool take_notify(struct cursor *c, slice value, void *arguments)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = { { "NEVER", NOTIFY_NEVER }, { "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE }, { "DELAY", NOTIFY_DELAY } };
	struct rcpt_arguments *out = arguments;

	if (out->notify)
		return cursor_fail(c, "each parameter once");
	for (slice rest = value; rest.n;) {
		slice word = slice_head(rest, slice_find(rest, ','));
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			if (slice_eq_nocase(word, slice_of(words[i].word)))
				bit = words[i].bit;
		bool cut = word.n + 1 == rest.n;
		rest = slice_from(rest, word.n + 1);
		out->notify |= bit;
		if (!bit || cut || (out->notify & NOTIFY_NEVER && out->notify != NOTIFY_NEVER))
			return cursor_fail(c, "NOTIFY=NEVER, or some of SUCCESS,FAILURE,DELAY");
	}
	return out->notify || cursor_fail(c, "NOTIFY=NEVER, or some of SUCCESS,FAILURE,DELAY");
}

/* original-recipient-address = addr-type ";" xtext */
static bool take_original(struct cursor *c, slice value, void *arguments)
{
	struct rcpt_arguments *out = arguments;
	size_t type = slice_find(value, ';');

	if (out->original.n)
		return cursor_fail(c, "each parameter once");
	if (value.n > ORCPT_MAX || type == 0 || type + 1 >= value.n ||
	    !is_xtext(slice_from(value, type + 1)))
		return cursor_fail(
		    c, "ORCPT= with a type, a semicolon and xtext, at most 500 octets");
	out->original = value;
	return true;
}

static const struct parameter mail_parameters[] = {
	{ "SIZE", take_size },              /* RFC 1870 */
	{ "BODY", take_body },              /* RFC 6152, RFC 3030 */
	{ "AUTH", take_auth },              /* RFC 4954 */
	{ "SMTPUTF8", take_utf8 },          /* RFC 6531 */
	{ "REQUIRETLS", take_require_tls }, /* RFC 8689 */
	{ "RET", take_return },             /* RFC 3461 */
	{ "ENVID", take_id },
	{ NULL },
};

static const struct parameter rcpt_parameters[] = {
	{ "NOTIFY", take_notify }, /* RFC 3461 */
	{ "ORCPT", take_original },
	{ NULL },
};

/* *( SP parameter ), up to the end of the line. */
static bool parameters_parse(
    struct cursor *c, const struct parameter *known, void *arguments, slice *unknown_out)
{
	slice keyword, value;

	for (;;) {
		slice blanks = cursor_skip(c, OCTET_BLANK);
		const struct parameter *p = known;

		if (cursor_end(c))
			return cursor_done(c);
		if (blanks.n == 0)
			return cursor_fail(c, "a blank before the parameter");
		if (!parameter(c, &keyword, &value))
			return false;
		while (p->keyword && !slice_eq_nocase(keyword, slice_of(p->keyword)))
			p++;
		if (p->keyword && !p->take(c, value, arguments))
			return false;
		if (!p->keyword && !unknown_out->p)
			*unknown_out = keyword;
	}
}

bool parse_mail(struct cursor *c, struct arena *arena, struct mail_arguments *out)
{
	*out = (struct mail_arguments){ .size = SMTP_NO_SIZE };
	cursor_char(c, ' ', "\" FROM:<address>\"");
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_try(c, SLICE("FROM:")))
		return cursor_fail(c, "FROM:<address>");
	cursor_skip(c, OCTET_BLANK); /* not in the grammar, in many clients */
	return path_reverse_parse(c, arena, &out->sender) &&
	    parameters_parse(c, mail_parameters, out, &out->unknown);
}

bool parse_rcpt(struct cursor *c, struct arena *arena, struct rcpt_arguments *out)
{
	*out = (struct rcpt_arguments){ 0 };
	cursor_char(c, ' ', "\" TO:<address>\"");
	cursor_skip(c, OCTET_BLANK);
	if (!cursor_try(c, SLICE("TO:")))
		return cursor_fail(c, "TO:<address>");
	cursor_skip(c, OCTET_BLANK);
	if (!path_forward_parse(c, arena, &out->recipient))
		return false;
	out->as_written = address_text(arena, &out->recipient);
	return parameters_parse(c, rcpt_parameters, out, &out->unknown);
}

/* Undoes is_xtext's "+41"; what it may not be in a line of a header is a blank. */
static slice xtext_decode(slice text, struct arena *arena)
{
	char *out = arena_alloc(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char octet = text.p[i];

		if (octet == '+') {
			octet = (char)(octet_hex(text.p[i + 1]) << 4 | octet_hex(text.p[i + 2]));
			i += 2;
		}
		out[n++] = octet_is(octet, OCTET_VISIBLE | OCTET_UTF8) ? octet : ' ';
	}
	return (slice){ out, n };
}

bool parse_xclient(struct cursor *c, struct arena *arena, slice *name_out, slice *value_out)
{
	slice blanks = cursor_skip(c, OCTET_BLANK);

	if (c->expected || cursor_end(c))
		return false;
	if (blanks.n == 0)
		return cursor_fail(c, "a blank before the attribute");
	*name_out = cursor_span(c, OCTET_ALPHA, "an attribute");
	cursor_char(c, '=', "'=' and a value");
	*value_out = cursor_span(c, OCTET_VISIBLE, "a value");
	if (c->expected)
		return false;
	bool none = slice_eq_nocase(*value_out, SLICE("[UNAVAILABLE]")) ||
	    slice_eq_nocase(*value_out, SLICE("[TEMPUNAVAIL]"));
	if (!is_xtext(*value_out))
		return cursor_fail(c, "a value in xtext");
	if (none)
		value_out->n = 0;
	else
		*value_out = xtext_decode(*value_out, arena);
	return true;
}

bool parse_name(struct cursor *c, struct arena *arena, struct address *out)
{
	cursor_char(c, ' ', "a blank and an address");
	cursor_skip(c, OCTET_BLANK);
	if (cursor_peek(c) == '<') {
		if (!path_forward_parse(c, arena, out))
			return false;
	} else {
		size_t end = 0;

		while (end < c->rest.n && !octet_is(c->rest.p[end], OCTET_BLANK))
			end++;
		/* A name without a domain is not wrong (RFC 5321 §3.5.1), only not looked for. */
		slice name = cursor_take(c, end, "an address");
		if (slice_find(name, '@') == name.n)
			*out = (struct address){ .local = arena_copy(arena, name) };
		else if (!address_parse(name, arena, out))
			return cursor_fail(c, "local-part@domain");
	}
	cursor_skip(c, OCTET_BLANK);
	cursor_try(c, SLICE("SMTPUTF8"));
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
