/*
 * kerberos_report: what `hauberk kerberos check` has found, as text or as JSON.
 *
 *     report_ok(&r, "dns", "mail.example.org has the address 192.0.2.1");
 *     report_problem(&r, "setspn -S imap/mail.example.org hauberk_imap", "spn", "nobody has imap/...");
 *     report_untested(&r, "login", "there is no ticket: kinit first");
 */
#ifndef MAIN_KERBEROS_REPORT_H
#define MAIN_KERBEROS_REPORT_H

#include "base/buf.h"

struct report {
	bool json;
	int items, problems;
};

/* Each prints one finding of a check at once. */
void report_ok(struct report *r, const char *check, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
void report_untested(struct report *r, const char *check, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
/* With the command that mends it; several have line feeds between them. */
void report_problem(struct report *r, const char *mend, const char *check, const char *text, ...)
    __attribute__((format(printf, 4, 5)));
/* The last line. Returns the command's status: 1 where there was a problem. */
int report_end(struct report *r);

#endif
