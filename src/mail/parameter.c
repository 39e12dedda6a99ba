#include "mail/parameter.h"

#include "mail/encoded_word.h"
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

bool parameter_plain(const struct parameter *parameter, slice *out)
{
	slice value = parameter->value;
	bool quoted = value.n >= 2 && value.p[0] == '"';

	if (quoted && value.p[value.n - 1] == '"')
		value = slice_from(slice_head(value, value.n - 1), 1);
	else if (value.n && value.p[0] == '"')
		return false;
	*out = value;
	return !quoted ||
	    !(value.n &&
		(memchr(value.p, '\\', value.n) || memchr(value.p, '\r', value.n) ||
		    memchr(value.p, '\n', value.n) || memchr(value.p, '\0', value.n)));
}

/* section = "*" ("0" / 1*DIGIT);  extended names end in "*" (RFC 2231 §7) */
struct parameter_name parameter_name_of(slice name)
{
	struct parameter_name out = { .base = slice_head(name, slice_find(name, '*')) };
	slice tail = slice_from(name, out.base.n);
	uint64_t section;

	if (tail.n == 0)
		return out;
	out.extended = slice_ends(tail, SLICE("*"));
	slice digits = slice_from(slice_head(tail, tail.n - out.extended), 1);
	if (digits.n == 0 && out.extended && tail.n == 1)
		return out;
	out.sectioned = slice_number(digits, UINT32_MAX, &section);
	if (!out.sectioned || (digits.n > 1 && digits.p[0] == '0'))
		return (struct parameter_name){ .base = name };
	out.section = section < PARAMETER_SECTIONS ? (unsigned)section : PARAMETER_SECTIONS;
	return out;
}

/* All forms of one parameter. */
struct forms {
	unsigned flags;
	slice plain; /* p is NULL for none */
	struct piece {
		slice value;
		bool extended;
	} pieces[PARAMETER_SECTIONS];
	size_t count; /* sections from 0 on without a gap */
};

static void form_keep(struct forms *forms, slice *place, slice value)
{
	if (place->p)
		forms->flags |= PARAMETER_TWICE;
	else
		*place = value;
}

static void forms_collect(slice list, slice name, struct forms *forms)
{
	struct parameter parameter;
	size_t sections = 0;

	memset(forms, 0, sizeof *forms);
	while (parameter_next(&list, &parameter)) {
		if (!slice_starts_nocase(parameter.name, name))
			continue;
		struct parameter_name is = parameter_name_of(parameter.name);
		if (!slice_eq_nocase(is.base, name))
			continue;
		forms->flags |= PARAMETER_FOUND;
		if (is.section == PARAMETER_SECTIONS) {
			forms->flags |= PARAMETER_GAP;
		} else if (!is.sectioned && !is.extended) {
			form_keep(forms, &forms->plain, parameter.value);
		} else {
			struct piece *piece = &forms->pieces[is.section];

			sections += piece->value.p == NULL;
			if (!piece->value.p)
				piece->extended = is.extended;
			form_keep(forms, &piece->value, parameter.value);
		}
	}
	while (forms->count < PARAMETER_SECTIONS && forms->pieces[forms->count].value.p)
		forms->count++;
	if (forms->count < sections)
		forms->flags |= PARAMETER_GAP;
	if (forms->plain.p && sections)
		forms->flags |= PARAMETER_BOTH;
}

/* ext-octet = "%" 2(DIGIT / "A" / "B" / "C" / "D" / "E" / "F") */
static void percent_decode(slice text, unsigned *flags, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '%') {
			buf_addc(out, text.p[i]);
		} else if (i + 2 < text.n && octet_hex(text.p[i + 1]) >= 0 &&
		    octet_hex(text.p[i + 2]) >= 0) {
			buf_addc(
			    out, (char)(octet_hex(text.p[i + 1]) << 4 | octet_hex(text.p[i + 2])));
			i += 2;
		} else {
			buf_addc(out, '%');
			*flags |= PARAMETER_ESCAPE;
		}
	}
}

/* extended-initial-value = [charset] "'" [language] "'" extended-other-values */
static slice charset_split(slice *value, unsigned *flags)
{
	size_t first = slice_find(*value, '\'');
	slice after = slice_from(*value, first + 1);
	size_t second = slice_find(after, '\'');

	if (first == value->n || second == after.n) {
		*flags |= PARAMETER_ESCAPE;
		return SLICE("");
	}
	slice charset = slice_head(*value, first);
	*value = slice_from(after, second + 1);
	return charset;
}

/* The sections put together; *charset_out is a piece of the list or of `text`, which is for one value. */
static void sections_join(
    struct forms *forms, slice *charset_out, struct buf *charset, struct buf *out)
{
	struct buf text;

	buf_init(&text, out->max + 1);
	for (size_t i = 0; i < forms->count; i++) {
		struct parameter parameter = { .value = forms->pieces[i].value };

		buf_clear(&text);
		parameter_value(&parameter, &text);
		slice value = buf_slice(&text);
		if (i == 0 && forms->pieces[0].extended)
			buf_add(charset, charset_split(&value, &forms->flags));
		if (forms->pieces[i].extended)
			percent_decode(value, &forms->flags, out);
		else
			buf_add(out, value);
	}
	*charset_out = buf_slice(charset);
	buf_free(&text);
}

unsigned parameter_octets(slice list, slice name, struct buf *out)
{
	struct parameter parameter = { 0 };
	struct forms forms;
	struct buf charset;
	slice ignored;

	forms_collect(list, name, &forms);
	parameter.value = forms.plain;
	if (forms.plain.p) {
		parameter_value(&parameter, out);
		return forms.flags;
	}
	buf_init(&charset, 64);
	sections_join(&forms, &ignored, &charset, out);
	buf_free(&charset);
	return forms.flags | (forms.count ? PARAMETER_EXTENDED : 0);
}

static unsigned plain_decode(struct charsets *set, slice value, struct buf *out)
{
	struct parameter parameter = { .value = value };
	unsigned flags = 0, words;
	struct buf text;

	buf_init(&text, value.n + 1);
	parameter_value(&parameter, &text);
	words = encoded_words_decode(set, buf_slice(&text), out);
	if (words & ENCODED_WORD_SEEN)
		flags |= PARAMETER_WORDS;
	if (words & (ENCODED_WORD_RAW | ENCODED_WORD_CHARSET))
		flags |= PARAMETER_CHARSET;
	buf_free(&text);
	return flags;
}

unsigned parameter_decode(struct charsets *set, slice list, slice name, struct buf *out)
{
	struct forms forms;
	struct buf octets, charset;
	slice in;

	forms_collect(list, name, &forms);
	if (forms.count == 0)
		return forms.flags | (forms.plain.p ? plain_decode(set, forms.plain, out) : 0);
	buf_init(&octets, list.n + 1);
	buf_init(&charset, 64);
	sections_join(&forms, &in, &charset, &octets);
	enum charset_result result =
	    in.n ? charset_decode(set, in, buf_slice(&octets), out) : CHARSET_UNKNOWN;
	if (result == CHARSET_UNKNOWN) {
		result = charset_decode(set, SLICE("utf-8"), buf_slice(&octets), out);
		if (in.n)
			forms.flags |= PARAMETER_CHARSET;
	}
	if (result == CHARSET_REPLACED)
		forms.flags |= PARAMETER_CHARSET;
	buf_free(&octets);
	buf_free(&charset);
	return forms.flags | PARAMETER_EXTENDED;
}

/* attribute-char (RFC 2231 §7), for pieces that were not percent-encoded among some that were */
static void percent_encode(slice text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (octet_is(c, OCTET_TOKEN) && c != '*' && c != '\'' && c != '%')
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

unsigned parameter_join(slice list, slice name, struct buf *out)
{
	struct forms forms;
	struct buf text;
	bool extended = false;

	forms_collect(list, name, &forms);
	for (size_t i = 0; i < forms.count; i++)
		extended = extended || forms.pieces[i].extended;
	buf_init(&text, list.n + 1);
	for (size_t i = 0; i < forms.count; i++) {
		struct parameter parameter = { .value = forms.pieces[i].value };

		buf_clear(&text);
		parameter_value(&parameter, &text);
		if (i == 0 && extended && !forms.pieces[0].extended)
			buf_adds(out, "''");
		if (extended && !forms.pieces[i].extended)
			percent_encode(buf_slice(&text), out);
		else
			buf_add(out, buf_slice(&text));
	}
	buf_free(&text);
	return forms.flags | (extended ? PARAMETER_EXTENDED : 0);
}
