/*
 * principal: whose account is that of a Kerberos user?
 *
 *     principal_init(conf->kerberos_realms, conf->kerberos_upn_suffixes);    once at start
 *     switch (principal_account(SLICE("alice@EXAMPLE.TEST"), arena, &name)) ... "alice@example.test"
 *
 * Without rules a realm's users have the accounts of the domain that is called like it, case ignored. Rules are
 * lines: of realms "REALM" or "REALM = domain", and then users of no other realm have an account; of UPN suffixes
 * "suffix = REALM", so that an enterprise name of that realm (alice\@suffix@REALM) is alice@suffix.
 */
#ifndef VAULT_PRINCIPAL_H
#define VAULT_PRINCIPAL_H

#include "base/arena.h"
#include "base/error.h"

enum principal_answer {
	PRINCIPAL_USER,
	PRINCIPAL_NO_USER,     /* a service, or not a principal as the library writes them */
	PRINCIPAL_OTHER_REALM, /* rules do not name its realm */
	PRINCIPAL_UNKNOWN_SUFFIX /* an enterprise name with a domain that is neither the realm nor a UPN suffix */
};

/* Both outlive the last question; "" has no rule. */
void principal_init(const char *realms, const char *suffixes);
/* Is each line a rule? error names the first that is none. A UPN suffix wants its realm. */
bool principal_check_realms(const char *realms, struct error *error);
bool principal_check_suffixes(const char *suffixes, struct error *error);

/* The principal is as the library displays it, with a backslash before / @ and \ of a name. The account's name is
 * the arena's. */
enum principal_answer principal_account(slice principal, struct arena *arena, slice *name_out);

#endif
