#include "trust/spf_record.h"

#include <ctype.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool spf_is_record(slice text)
{
	return slice_starts_nocase(text, SLICE("v=spf1")) && (text.n == 6 || text.p[6] == ' ');
}

/* ---- macros ---- */

/* "%{" letter transformers *delimiter "}"; octets it has, 0: none. */
static size_t macro_length(slice text, bool explanation)
{
	size_t at = 2;

	if (text.n < 4 || text.p[1] != '{' ||
	    !strchr(explanation ? "slodiphcrtv" : "slodiphv", tolower((unsigned char)text.p[at])) ||
	    !text.p[at++])
		return 0;
	size_t digits = at;
	while (at < text.n && is_digit(text.p[at]))
		at++;
	bool zero = at > digits;
	for (size_t i = digits; i < at; i++)
		zero &= text.p[i] == '0';
	if (zero)
		return 0; /* §7.3: the number of labels is not zero */
	if (at < text.n && (text.p[at] == 'r' || text.p[at] == 'R'))
		at++;
	while (at < text.n && text.p[at] && strchr(".-+,/_=", text.p[at]))
		at++;
	return at < text.n && text.p[at] == '}' ? at + 1 : 0;
}

bool spf_macro_valid(slice text, bool explanation)
{
	for (size_t at = 0, n; at < text.n; at += n) {
		n = 1;
		if (text.p[at] == '%') {
			char next = at + 1 < text.n ? text.p[at + 1] : '\0';

			n = next == '%' || next == '_' || next == '-'
			    ? 2
			    : macro_length(slice_from(text, at), explanation);
			if (n == 0)
				return false;
		} else if ((unsigned char)text.p[at] < (explanation ? 0x20 : 0x21) ||
		    (unsigned char)text.p[at] > 0x7e) {
			return false;
		}
	}
	return true;
}

/* toplabel: letters, digits and inner hyphens, not digits alone */
static bool is_toplabel(slice label)
{
	bool other = false;

	for (size_t i = 0; i < label.n; i++) {
		if (!isalnum((unsigned char)label.p[i]) && label.p[i] != '-')
			return false;
		other |= !is_digit(label.p[i]);
	}
	return label.n && other && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

/* domain-spec = macro-string domain-end;  domain-end = ( "." toplabel [ "." ] ) / macro-expand */
static bool is_domain_spec(slice text)
{
	size_t macro_end = 0, dot = text.n;

	if (!text.n || !spf_macro_valid(text, false))
		return false;
	for (size_t at = 0; at < text.n;) {
		size_t n = 1;

		if (text.p[at] == '%') {
			n = text.p[at + 1] == '{' ? macro_length(slice_from(text, at), false) : 2;
			macro_end = at + n;
		}
		at += n;
	}
	if (macro_end == text.n)
		return true;
	slice rest = slice_from(text, macro_end);
	if (rest.p[rest.n - 1] == '.')
		rest.n--;
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] == '.')
			dot = i;
	return dot < rest.n && is_toplabel(slice_from(rest, dot + 1));
}

/* ---- terms ---- */

static const struct {
	const char *name;
	enum spf_kind kind;
} mechanisms[] = {
	{ "all", SPF_ALL },
	{ "include", SPF_INCLUDE },
	{ "a", SPF_A },
	{ "mx", SPF_MX },
	{ "ptr", SPF_PTR },
	{ "ip4", SPF_IP4 },
	{ "ip6", SPF_IP6 },
	{ "exists", SPF_EXISTS },
};

/* A number without zeros in front of it. */
static bool read_prefix(slice digits, unsigned most, unsigned *out)
{
	uint64_t number;

	if (!slice_number(digits, most, &number) || (digits.n > 1 && digits.p[0] == '0'))
		return false;
	*out = (unsigned)number;
	return true;
}

/* Where the digits at the end begin. */
static size_t digits_at_end(slice text)
{
	size_t at = text.n;

	while (at && is_digit(text.p[at - 1]))
		at--;
	return at;
}

/* [ "/" ip4-length ] [ "//" ip6-length ] at the end of the text, which becomes what is before it */
static bool take_dual_prefix(slice *text, struct spf_term *term)
{
	size_t at = digits_at_end(*text);

	term->prefix4 = 32;
	term->prefix6 = 128;
	if (at >= 2 && text->p[at - 1] == '/' && text->p[at - 2] == '/') {
		if (!read_prefix(slice_from(*text, at), 128, &term->prefix6))
			return false;
		*text = slice_head(*text, at - 2);
		at = digits_at_end(*text);
	}
	if (at >= 1 && text->p[at - 1] == '/') {
		if (!read_prefix(slice_from(*text, at), 32, &term->prefix4))
			return false;
		*text = slice_head(*text, at - 1);
	}
	return true;
}

static bool read_network(slice text, bool ipv6, struct spf_term *term)
{
	size_t slash = slice_find(text, '/');
	slice address = slice_head(text, slash);
	unsigned most = ipv6 ? 128 : 32;

	term->prefix4 = 32;
	term->prefix6 = 128;
	return (slice_find(address, ':') < address.n) == ipv6 && ip_parse(address, &term->ip) &&
	    (slash == text.n ||
		read_prefix(
		    slice_from(text, slash + 1), most, ipv6 ? &term->prefix6 : &term->prefix4));
}

/* What follows a mechanism's name, from its colon or slash on. NULL: right; else what is wrong. */
static const char *read_argument(slice rest, struct spf_term *term)
{
	bool named = rest.n && rest.p[0] == ':';
	slice argument = slice_from(rest, named);

	switch (term->kind) {
	case SPF_ALL:
		return rest.n ? "all takes nothing" : NULL;
	case SPF_IP4:
	case SPF_IP6:
		return named && read_network(argument, term->kind == SPF_IP6, term)
		    ? NULL
		    : "that is no network";
	case SPF_A:
	case SPF_MX:
		if (!take_dual_prefix(&argument, term))
			return "that is no length of a network's prefix";
		break;
	case SPF_INCLUDE:
	case SPF_EXISTS:
		if (!named)
			return "it wants a domain";
		break;
	case SPF_PTR:
		break;
	}
	term->domain = argument;
	if (named ? !is_domain_spec(argument) : argument.n > 0)
		return "that is no domain";
	return NULL;
}

static const char *read_mechanism(slice word, struct spf_term *term)
{
	*term = (struct spf_term){ .qualifier = '+' };
	if (word.n && word.p[0] && strchr("+-~?", word.p[0])) {
		term->qualifier = word.p[0];
		word = slice_from(word, 1);
	}
	size_t end = 0;
	while (end < word.n && word.p[end] != ':' && word.p[end] != '/')
		end++;
	term->text = word;
	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		if (!slice_eq_nocase(slice_head(word, end), slice_of(mechanisms[i].name)))
			continue;
		term->kind = mechanisms[i].kind;
		return read_argument(slice_from(word, end), term);
	}
	return "there is no such mechanism";
}

static const char *set_once(slice *modifier, slice value)
{
	if (modifier->p)
		return "it is there twice";
	*modifier = value;
	return is_domain_spec(value) ? NULL : "that is no domain";
}

static const char *read_modifier(slice name, slice value, struct spf_record *record)
{
	if (slice_eq_nocase(name, SLICE("redirect")))
		return set_once(&record->redirect, value);
	if (slice_eq_nocase(name, SLICE("exp")))
		return set_once(&record->exp, value);
	return spf_macro_valid(value, false) ? NULL : "a macro in it is malformed";
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) "=": where the value begins, 0: no modifier */
static size_t modifier_value(slice word)
{
	size_t at = 0;

	if (!word.n || !is_letter(word.p[0]))
		return 0;
	while (at < word.n &&
	    (isalnum((unsigned char)word.p[at]) || (word.p[at] && strchr("-_.", word.p[at]))))
		at++;
	return at < word.n && word.p[at] == '=' ? at + 1 : 0;
}

bool spf_record_parse(
    slice text, struct arena *arena, struct spf_record *out, const char **why_out, slice *term_out)
{
	slice rest = slice_from(text, strlen("v=spf1"));

	*out = (struct spf_record){ .terms = ARENA_ARRAY(arena, struct spf_term, rest.n / 2 + 1) };
	while (rest.n) {
		slice word = slice_head(rest, slice_find(rest, ' '));

		rest = slice_from(rest, word.n + 1);
		if (!word.n)
			continue;
		size_t value = modifier_value(word);
		*term_out = word;
		*why_out = value
		    ? read_modifier(slice_head(word, value - 1), slice_from(word, value), out)
		    : read_mechanism(word, &out->terms[out->count]);
		if (*why_out)
			return false;
		out->count += !value;
	}
	return true;
}
