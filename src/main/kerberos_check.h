/*
 * kerberos_check: the checks of `hauberk kerberos check`, one after another.
 *
 * They run in the administrator's own process, with his ticket cache and the system's krb5.conf; no role does what
 * is done here. Each says what it finds (main/kerberos_report.h).
 */
#ifndef MAIN_KERBEROS_CHECK_H
#define MAIN_KERBEROS_CHECK_H

#include <krb5.h>

#include "main/conf.h"
#include "main/kerberos_report.h"
#include "vault/keytab.h"

struct check {
	struct report report;
	const struct conf *conf;
	const char *keytab_path; /* instead of the configuration's; NULL: that */
	const char *ldap; /* address of a domain controller, ldap://...; NULL: found by DNS */
	struct arena *arena;
	struct keytab keytab; /* all files as one; count 0: none could be read */
	const char *realm;    /* of the first key of a service; NULL: not known */
	krb5_context library;
	bool ticket; /* the caller has one */
};

/* kerberos_keys.c: configuration and keytab; finds the realm. */
void check_keytab(struct check *c);
/* kerberos_site.c: names, clocks, tickets for the services. */
void check_dns(struct check *c);
void check_clock(struct check *c);
void check_tickets(struct check *c);
/* kerberos_ldap.c: who has the services' names in Active Directory. */
void check_spns(struct check *c);
/* kerberos_login.c: a login at each service of the running server. */
void check_logins(struct check *c);

/* "hauberk_imap": what the guide calls the account of a service. */
const char *check_account(struct check *c, enum kerberos_service service);
/* The commands that export a service's key. */
const char *check_export(struct check *c, enum kerberos_service service);

#endif
