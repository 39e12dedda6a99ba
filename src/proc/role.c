#include "proc/role.h"

static const char *const names[ROLE_COUNT] = {
	[ROLE_MAIN] = "main",
	[ROLE_CONTROL] = "control",
	[ROLE_KEYS] = "keys",
	[ROLE_AUTH] = "auth",
	[ROLE_QUEUE] = "queue",
	[ROLE_DELIVER] = "deliver",
	[ROLE_SMTP] = "smtp",
	[ROLE_IMAP] = "imap",
};

const char *role_name(enum role role)
{
	return names[role];
}

bool role_parse(slice name, enum role *role_out)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (slice_eq(name, slice_of(names[i]))) {
			*role_out = (enum role)i;
			return true;
		}
	}
	return false;
}
