#include "vault/principal.h"

#include <string.h>

#include "base/octet.h"

static const char *realm_rules = "", *suffix_rules = "";

void principal_init(const char *realms, const char *suffixes)
{
	realm_rules = realms;
	suffix_rules = suffixes;
}

/* ---- rules ---- */

/* The next line of rules; key and value without the blanks around them, value empty where there is no "=". */
static bool next_rule(slice *rules, slice *key_out, slice *value_out)
{
	slice line = slice_head(*rules, slice_find(*rules, '\n'));
	size_t equals = slice_find(line, '=');

	if (!rules->n)
		return false;
	*rules = slice_from(*rules, line.n + 1);
	*key_out = slice_trim(slice_head(line, equals));
	*value_out = slice_trim(slice_from(line, equals + 1));
	return true;
}

static bool is_name(slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!octet_is(name.p[i], OCTET_ALPHA | OCTET_DIGIT) && !strchr("-._", name.p[i]))
			return false;
	return name.n > 0 && name.n <= 253;
}

static bool check(const char *rules, bool value_wanted, const char *form, struct error *error)
{
	slice rest = slice_of(rules), key, value;

	while (next_rule(&rest, &key, &value))
		if (!is_name(key) || (value.n ? !is_name(value) : value_wanted))
			return error_plain(error, FAULT_INPUT, "\"%.*s%s%.*s\" is no %s",
			    SLICE_ARG(slice_head(key, 100)), value.n ? " = " : "",
			    SLICE_ARG(slice_head(value, 100)), form);
	return true;
}

bool principal_check_realms(const char *realms, struct error *error)
{
	return check(realms, false, "realm: write \"REALM\" or \"REALM = domain\"", error);
}

bool principal_check_suffixes(const char *suffixes, struct error *error)
{
	return check(suffixes, true, "UPN suffix: write \"suffix = REALM\"", error);
}

/* The domain of a realm's users; false: of no account. */
static bool domain_of(slice realm, slice *domain_out)
{
	slice rest = slice_of(realm_rules), key, value;

	*domain_out = realm;
	if (!rest.n)
		return true;
	while (next_rule(&rest, &key, &value)) {
		if (!slice_eq_nocase(key, realm))
			continue;
		if (value.n)
			*domain_out = value;
		return true;
	}
	return false;
}

static bool is_suffix(slice suffix, slice realm)
{
	slice rest = slice_of(suffix_rules), key, value;

	while (next_rule(&rest, &key, &value))
		if (slice_eq_nocase(key, suffix) && slice_eq_nocase(value, realm))
			return true;
	return false;
}

/* ---- principals ---- */

/* principal = name "@" realm. A name with parts (host/mx.example.org) is no user's. */
static bool read_user(slice principal, struct arena *arena, slice *name_out, slice *realm_out)
{
	char *p = arena_alloc(arena, principal.n + 1);
	size_t n = 0, i = 0;

	for (; i < principal.n && principal.p[i] != '@'; i++) {
		bool escaped = principal.p[i] == '\\';

		if (escaped && ++i == principal.n)
			return false;
		/* Controls are written as \n, \0 and so on. */
		bool special = principal.p[i] && strchr("/@\\", principal.p[i]);
		if (special != escaped || (unsigned char)principal.p[i] < ' ')
			return false;
		p[n++] = principal.p[i];
	}
	*name_out = (slice){ p, n };
	*realm_out = slice_from(principal, i + 1);
	return n > 0 && realm_out->n > 0 && slice_find(*realm_out, '\\') == realm_out->n;
}

enum principal_answer principal_account(slice principal, struct arena *arena, slice *name_out)
{
	slice name, realm, domain;

	if (!read_user(principal, arena, &name, &realm))
		return PRINCIPAL_NO_USER;
	if (!domain_of(realm, &domain))
		return PRINCIPAL_OTHER_REALM;
	size_t at = slice_find(name, '@');
	slice suffix = slice_from(name, at + 1);
	if (at == 0 || (at < name.n && (!suffix.n || slice_find(suffix, '@') < suffix.n)))
		return PRINCIPAL_NO_USER;
	if (at < name.n && !slice_eq_nocase(suffix, realm)) {
		if (!is_suffix(suffix, realm))
			return PRINCIPAL_UNKNOWN_SUFFIX;
		domain = suffix;
	}
	char *whole =
	    arena_printf(arena, "%.*s@%.*s", SLICE_ARG(slice_head(name, at)), SLICE_ARG(domain));
	*name_out = slice_of(whole);
	for (char *c = whole + slice_find(*name_out, '@'); *c; c++)
		*c = octet_lower(*c);
	return PRINCIPAL_USER;
}
