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

/* control_trace.c */
bool trace_show(struct work *w);
bool trace_forget_address(struct work *w);

/* control_policy.c */
bool policy_activate(struct work *w);
bool policy_deactivate(struct work *w);
bool policy_history(struct work *w);
bool policy_rollback(struct work *w);
bool policy_show(struct work *w);
/* The processes that apply policies read the active one again, and the domains. */
void policy_tell(struct work *w);

#endif
