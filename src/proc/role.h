/*
 * role: the names of the processes of one server.
 *
 * `hauberk serve` is ROLE_MAIN; it starts the others from the same program. smtp and imap run
 * several times; each process is (role, instance), written "smtp.1".
 */
#ifndef PROC_ROLE_H
#define PROC_ROLE_H

#include "base/slice.h"

enum role {
	ROLE_MAIN,
	ROLE_CONTROL,
	ROLE_KEYS,
	ROLE_AUTH,
	ROLE_QUEUE,
	ROLE_DELIVER,
	ROLE_SMTP,
	ROLE_IMAP,
	ROLE_COUNT
};

#define ROLE_INSTANCES 64 /* most processes of one role */
#define ROLE_BIT(role) (1u << (role))

/* "smtp" */
const char *role_name(enum role role);
/* false when there is no such role. */
bool role_parse(slice name, enum role *role_out);

#endif
