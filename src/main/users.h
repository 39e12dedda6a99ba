/*
 * users: a user of its own for each role, and the groups that let them share what they must.
 *
 *     hauberk-control  writes directory/        group hauberk-directory reads it (smtp, imap, deliver)
 *     hauberk-auth     owns auth/
 *     hauberk-smtp     writes spool/            group hauberk-spool (queue, deliver)
 *     hauberk-deliver  writes accounts/         group hauberk-mail (imap)
 *     group hauberk-trace: smtp and deliver write traces, control reads them
 *     group hauberk-admin may use the socket for commands
 *
 * packaging/sysusers.conf makes them. Without root there are none: every role is the user who started
 * the server.
 */
#ifndef MAIN_USERS_H
#define MAIN_USERS_H

#include <sys/types.h>

#include "base/error.h"
#include "proc/role.h"

struct users {
	bool separate; /* false: everything below is ours */
	struct {
		char name[32];
		uid_t uid;
		gid_t gid;
	} roles[ROLE_COUNT];
	gid_t directory, spool, mail, trace, admin;
};

/* Looks all of them up; an error names the first that is missing and what makes it. */
bool users_find(bool separate, struct users *out, struct error *error);
/* In the new process of a role: becomes its user for good. false and errno when that fails. */
bool users_become(const struct users *users, enum role role);

#endif
