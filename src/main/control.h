/*
 * control: what the commands do inside the role control.
 */
#ifndef MAIN_CONTROL_H
#define MAIN_CONTROL_H

#include "directory/directory.h"
#include "proc/peers.h"

#define COMMAND_WORDS 64

struct command_request {
	slice words[COMMAND_WORDS];
	int count;
	slice secret;
	int file;     /* a descriptor that came along; -1: none */
	unsigned uid; /* whose command it is */
};

void control_init(struct peers *peers);
/* Where traces are, and for how many days they are kept. */
void control_trace(const char *folder, int days);
/* Now and then: removes those that are older. */
void control_expire(void);
/* Does the command; its text for people goes to out. The exit status: 0 done, 1 refused. */
int control_command(struct directory *dir, const struct command_request *request, struct buf *out);

#endif
