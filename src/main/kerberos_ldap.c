/* Service principal names in Active Directory, by LDAP with the caller's ticket. */
#include <ldap.h>
#include <string.h>
#include <sys/time.h>

#include "main/kerberos_check.h"

#define PATIENCE_S 10
#define FOUND_MOST 10 /* accounts with one name */

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
	int version = LDAP_VERSION3;
	LDAP *ld = NULL;
	int failed = ldap_initialize(&ld, uri);

	if (!failed) {
		ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
		ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &patience);
		ldap_set_option(ld, LDAP_OPT_TIMEOUT, &patience);
		ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
		/* By the name that was given, as krb5.conf has it for all else. */
		ldap_set_option(ld, LDAP_OPT_X_SASL_NOCANON, c->ldap ? LDAP_OPT_ON : LDAP_OPT_OFF);
		failed = ldap_sasl_interactive_bind_s(
		    ld, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET, answer_nothing, NULL);
	}
	if (!failed)
		return ld;
	report_untested(
	    &c->report, "spn", "%s does not let you in by LDAP: %s", uri, ldap_err2string(failed));
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return NULL;
}

/* The accounts' names, with commas between them; how many. */
static int names_of(struct check *c, LDAP *ld, LDAPMessage *found, const char **names_out)
{
	int n = 0;

	*names_out = "";
	for (LDAPMessage *m = ldap_first_entry(ld, found); m && n < FOUND_MOST;
	     m = ldap_next_entry(ld, m)) {
		struct berval **values = ldap_get_values_len(ld, m, "sAMAccountName");

		if (!values)
			continue;
		slice name = { values[0]->bv_val, values[0]->bv_len };
		*names_out = arena_printf(
		    c->arena, "%s%s%.*s", *names_out, n++ ? ", " : "", SLICE_ARG(name));
		ldap_value_free_len(values);
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
	int failed = ldap_search_ext_s(ld, base_of(c), LDAP_SCOPE_SUBTREE, filter, wanted, 0, NULL,
	    NULL, &patience, FOUND_MOST, &found);

	if (failed && failed != LDAP_SIZELIMIT_EXCEEDED) {
		report_untested(&c->report, "spn", "LDAP does not tell who has %s: %s", name,
		    ldap_err2string(failed));
		ldap_msgfree(found);
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
	ldap_msgfree(found);
}

void check_spns(struct check *c)
{
	if (!c->ticket || !c->realm) {
		report_untested(&c->report, "spn", "names are looked up by LDAP with your ticket");
		return;
	}
	/* In Active Directory the domain's name has the addresses of its controllers. */
	const char *uri = c->ldap ? c->ldap : arena_printf(c->arena, "ldap://%s", c->realm);
	LDAP *ld = log_in(c, uri);
	if (!ld)
		return;
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		look_up(c, ld, (enum kerberos_service)i);
	ldap_unbind_ext_s(ld, NULL, NULL);
}
