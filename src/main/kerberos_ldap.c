/* Service principal names in Active Directory, by LDAP with the caller's ticket. The library is loaded for this alone: no
 * role shall have it. */
#include <dlfcn.h>
#include <ldap.h>
#include <string.h>
#include <sys/time.h>

#include "main/kerberos_check.h"

#define LIBRARY    "libldap-2.5.so.0"
#define PATIENCE_S 10
#define FOUND_MOST 10 /* accounts with one name */

static struct {
	int (*initialize)(LDAP **, const char *);
	int (*set_option)(LDAP *, int, const void *);
	int (*bind)(LDAP *, const char *, const char *, LDAPControl **, LDAPControl **, unsigned,
	    LDAP_SASL_INTERACT_PROC *, void *);
	int (*search)(LDAP *, const char *, int, const char *, char **, int, LDAPControl **,
	    LDAPControl **, struct timeval *, int, LDAPMessage **);
	LDAPMessage *(*first)(LDAP *, LDAPMessage *);
	LDAPMessage *(*next)(LDAP *, LDAPMessage *);
	struct berval **(*values)(LDAP *, LDAPMessage *, const char *);
	void (*free_values)(struct berval **);
	int (*free_message)(LDAPMessage *);
	int (*unbind)(LDAP *, LDAPControl **, LDAPControl **);
	char *(*text)(int);
} lib;

static bool load(void)
{
	static const struct {
		const char *name;
		void *to;
	} wanted[] = { { "ldap_initialize", &lib.initialize },
		{ "ldap_set_option", &lib.set_option },
		{ "ldap_sasl_interactive_bind_s", &lib.bind }, { "ldap_search_ext_s", &lib.search },
		{ "ldap_first_entry", &lib.first }, { "ldap_next_entry", &lib.next },
		{ "ldap_get_values_len", &lib.values }, { "ldap_value_free_len", &lib.free_values },
		{ "ldap_msgfree", &lib.free_message }, { "ldap_unbind_ext_s", &lib.unbind },
		{ "ldap_err2string", &lib.text } };
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library && i < sizeof wanted / sizeof wanted[0]; i++) {
		void *symbol = dlsym(library, wanted[i].name);

		if (!symbol)
			return false;
		memcpy(wanted[i].to, &symbol, sizeof symbol);
	}
	return library != NULL;
}

/* GSSAPI asks nothing that the ticket does not say. */
static int answer_nothing(LDAP *ld, unsigned flags, void *defaults, void *questions)
{
	(void)ld;
	(void)flags;
	(void)defaults;
	(void)questions;
	return LDAP_SUCCESS;
}

/* "DC=corp,DC=example" of the realm CORP.EXAMPLE */
static const char *base_of(struct check *c)
{
	slice rest = slice_of(c->realm);
	const char *base = "";

	while (rest.n) {
		slice part = slice_head(rest, slice_find(rest, '.'));

		base = arena_printf(
		    c->arena, "%s%sDC=%.*s", base, base[0] ? "," : "", SLICE_ARG(part));
		rest = slice_from(rest, part.n + 1);
	}
	return base;
}

static LDAP *log_in(struct check *c, const char *uri)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	static const char on; /* any address stands for it */
	int version = LDAP_VERSION3;
	LDAP *ld = NULL;
	int failed = lib.initialize(&ld, uri);

	if (!failed) {
		lib.set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
		lib.set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &patience);
		lib.set_option(ld, LDAP_OPT_TIMEOUT, &patience);
		lib.set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
		/* By the name that was given, as krb5.conf has it for all else. */
		lib.set_option(ld, LDAP_OPT_X_SASL_NOCANON, c->ldap ? &on : LDAP_OPT_OFF);
		failed =
		    lib.bind(ld, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET, answer_nothing, NULL);
	}
	if (!failed)
		return ld;
	report_untested(
	    &c->report, "spn", "%s does not let you in by LDAP: %s", uri, lib.text(failed));
	if (ld)
		lib.unbind(ld, NULL, NULL);
	return NULL;
}

/* The accounts' names, with commas between them; how many. */
static int names_of(struct check *c, LDAP *ld, LDAPMessage *found, const char **names_out)
{
	int n = 0;

	*names_out = "";
	for (LDAPMessage *m = lib.first(ld, found); m && n < FOUND_MOST; m = lib.next(ld, m)) {
		struct berval **values = lib.values(ld, m, "sAMAccountName");

		if (!values)
			continue;
		slice name = { values[0]->bv_val, values[0]->bv_len };
		*names_out = arena_printf(
		    c->arena, "%s%s%.*s", *names_out, n++ ? ", " : "", SLICE_ARG(name));
		lib.free_values(values);
	}
	return n;
}

static void look_up(struct check *c, LDAP *ld, enum kerberos_service service)
{
	const char *name =
	    arena_printf(c->arena, "%s/%s", kerberos_service_name(service), c->conf->hostname);
	const char *filter = arena_printf(c->arena, "(servicePrincipalName=%s)", name);
	const char *account = check_account(c, service), *names;
	char *wanted[] = { "sAMAccountName", NULL };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	LDAPMessage *found = NULL;
	int failed = lib.search(ld, base_of(c), LDAP_SCOPE_SUBTREE, filter, wanted, 0, NULL, NULL,
	    &patience, FOUND_MOST, &found);

	if (failed && failed != LDAP_SIZELIMIT_EXCEEDED) {
		report_untested(
		    &c->report, "spn", "LDAP does not tell who has %s: %s", name, lib.text(failed));
		lib.free_message(found);
		return;
	}
	int n = names_of(c, ld, found, &names);
	if (n == 0)
		report_problem(&c->report,
		    arena_printf(c->arena,
			"setspn -S %s %s   (on Windows)\nsamba-tool spn add %s %s   (on Samba)",
			name, account, name, account),
		    "spn", "no account has the name %s", name);
	else if (n > 1)
		report_problem(&c->report,
		    arena_printf(c->arena,
			"setspn -D %s ACCOUNT   (on Windows, for all but %s)\nsamba-tool spn delete %s "
			"ACCOUNT   (on Samba)",
			name, account, name),
		    "spn",
		    "several accounts have the name %s, so the KDC gives no ticket for it: %s",
		    name, names);
	else
		report_ok(&c->report, "spn", "%s is the account %s", name, names);
	lib.free_message(found);
}

void check_spns(struct check *c)
{
	if (!c->ticket || !c->realm) {
		report_untested(&c->report, "spn", "names are looked up by LDAP with your ticket");
		return;
	}
	if (!load()) {
		report_untested(&c->report, "spn", "LDAP needs the package libldap-2.5-0");
		return;
	}
	/* In Active Directory the domain's name has the addresses of its controllers. */
	const char *uri = c->ldap ? c->ldap : arena_printf(c->arena, "ldap://%s", c->realm);
	LDAP *ld = log_in(c, uri);
	if (!ld)
		return;
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		look_up(c, ld, (enum kerberos_service)i);
	lib.unbind(ld, NULL, NULL);
}
