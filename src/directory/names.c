#include "directory/names.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/octet.h"
#include "directory/directory.h"
#include "mail/idna.h"

#define LABEL_MAX 63 /* RFC 1035 §2.3.4 */
#define NAME_ROOM (1 << 20)

struct shown {
	char text[16];
};

/* An octet as it may stand in an error. */
static struct shown show(char c)
{
	struct shown s;

	if (octet_is(c, OCTET_VISIBLE))
		snprintf(s.text, sizeof(s.text), "'%c'", c);
	else
		snprintf(s.text, sizeof(s.text), "0x%02x", (unsigned char)c);
	return s;
}

/* offset: of the label in the name, for the error */
static bool check_label(slice label, size_t offset, struct error *error)
{
	if (label.n == 0)
		return error_input(error,
		    "domain name: empty label at octet %zu; write labels separated by single dots",
		    offset + 1);
	if (label.n > LABEL_MAX)
		return error_input(error,
		    "domain name: the label at octet %zu has %zu octets; at most %d are allowed",
		    offset + 1, label.n, LABEL_MAX);
	for (size_t i = 0; i < label.n; i++)
		if (!octet_is(label.p[i], OCTET_ALPHA | OCTET_DIGIT) && label.p[i] != '-')
			return error_input(error,
			    "domain name: octet %zu (%s) is not a letter, digit or hyphen; leave it out",
			    offset + i + 1, show(label.p[i]).text);
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return error_input(error,
		    "domain name: the label at octet %zu begins or ends with a hyphen; leave it out",
		    offset + 1);
	return true;
}

static bool all_digits(slice label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!octet_is(label.p[i], OCTET_DIGIT))
			return false;
	return true;
}

static bool check_ascii(slice name, struct error *error)
{
	size_t at = 0;

	if (name.n == 0)
		return error_input(error, "domain name: it is empty; write one like example.org");
	if (name.n > DIRECTORY_DOMAIN_MAX)
		return error_input(error, "domain name: it has %zu octets; at most %d are allowed",
		    name.n, DIRECTORY_DOMAIN_MAX);
	for (;;) {
		slice label =
		    slice_head(slice_from(name, at), slice_find(slice_from(name, at), '.'));

		if (!check_label(label, at, error))
			return false;
		at += label.n;
		if (at == name.n)
			return !all_digits(label) ||
			    error_input(error,
				"domain name: it ends in a number like an IP address; write a name");
		at++;
	}
}

bool names_check_domain(slice name, struct error *error)
{
	struct arena *arena;
	slice ascii;

	if (!idna_needed(name))
		return check_ascii(name, error);
	arena = arena_new(NAME_ROOM);
	bool ok = idna_ascii(name, arena, &ascii)
	    ? check_ascii(ascii, error)
	    : error_input(error,
		  "domain name: it holds what no international domain name may (RFC 5890); write it "
		  "as people type it, or as A-labels (xn--...)");
	arena_free(arena);
	return ok;
}

static bool check_local_octet(slice local, size_t i, struct error *error)
{
	char c = local.p[i];

	if (c == '.') {
		if (i > 0 && i + 1 < local.n && local.p[i - 1] != '.')
			return true;
		return error_input(error,
		    "local part: the dot at octet %zu stands at an end or beside another; leave it out",
		    i + 1);
	}
	if (octet_is(c, OCTET_ATEXT | OCTET_UTF8))
		return true;
	return error_input(error,
	    "local part: octet %zu (%s) is not allowed; use letters, digits and !#$%%&'*+-/=?^_`{|}~",
	    i + 1, show(c).text);
}

size_t names_find_control(slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < ' ' || c == 0x7f ||
		    (c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0))
			return i;
	}
	return text.n;
}

bool names_check_local(slice local, struct error *error)
{
	if (local.n == 0)
		return error_input(error, "local part: it is empty; write the name before the @");
	if (local.n > DIRECTORY_LOCAL_MAX)
		return error_input(error, "local part: it has %zu octets; at most %d are allowed",
		    local.n, DIRECTORY_LOCAL_MAX);
	for (size_t i = 0; i < local.n; i++)
		if (!check_local_octet(local, i, error))
			return false;
	if (!utf8_valid(local))
		return error_input(error, "local part: it is not valid UTF-8; write it in UTF-8");
	size_t control = names_find_control(local);
	return control == local.n ||
	    error_input(
		error, "local part: a control character at octet %zu; leave it out", control + 1);
}
