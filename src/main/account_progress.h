/* account_progress: how far a long command is, on a terminal only. */
#ifndef MAIN_ACCOUNT_PROGRESS_H
#define MAIN_ACCOUNT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *word;  /* "exported" */
	uint64_t done, of; /* of: 0 where nobody knows */
	int64_t shown_us;
	bool on_line; /* the cursor stands behind it */
};

/* Counts one more if ok, and shows it now and then. */
void progress_step(struct progress *p, bool ok);
/* Takes it off the line, before anything else is printed. */
void progress_end(struct progress *p);

#endif
