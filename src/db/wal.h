/*
 * wal: is the write-ahead log of a file what was written?
 *
 * SQLite stops at the first frame whose checksum is wrong, as if a crash had cut the log there, and says nothing; the
 * next writer overwrites what follows. So this is to be asked before the file is opened.
 *
 *     struct wal_state state;
 *     if (wal_check("…/mail.db", &state, error) && state.damaged) ... do not open it; wal_mend()
 *
 * A log that was cut in the middle of its last transaction by a crash is not damaged. Where nobody knows how long the
 * log was (no process has it open, and the index in PATH-shm is gone), damage in its very last transaction looks
 * the same.
 *
 * Not while this process has the file open: its locks would go.
 */
#ifndef DB_WAL_H
#define DB_WAL_H

#include <stdint.h>

#include "base/error.h"

struct wal_state {
	bool damaged;
	uint32_t frame; /* the first that is damaged, from 1; 0: the log's head */
	uint32_t last;  /* the last that was committed behind it */
	bool in_use;    /* another process has the file open */
};

/* path: of the database. A log that is not there is fine. */
bool wal_check(const char *path, struct wal_state *out, struct error *error);
/* Gives the damaged frame, and those behind it, the checksums that they have now: nothing of what was committed is left out
 * then, and what is damaged is found in its page. Refused while it is in use. */
bool wal_mend(const char *path, const struct wal_state *state, struct error *error);

#endif
