/* What the files control*.c share: a command that is being done. */
#ifndef MAIN_CONTROL_WORK_H
#define MAIN_CONTROL_WORK_H

#include "main/control.h"

struct work {
	struct directory *dir;
	const struct command_request *request;
	struct buf *out;
	struct error error;
	struct peers *peers;
};

/* control_access.c */
bool access_deny(struct work *w);
bool access_allow(struct work *w);
bool access_change(struct work *w);
bool access_list(struct work *w);
bool access_remove(struct work *w);
bool access_test(struct work *w);

#endif
