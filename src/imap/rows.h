/*
 * rows: walks the messages of a set of UIDs, a batch at a time.
 *
 *     rows_begin(&rows, uids, heads);
 *     while (rows_next(im, &rows, &error)) ... rows.row
 *     if (rows.failed) return imap_reply_error(im, &error);
 *     rows_end(&rows);
 *
 * A batch lives until the next one, so a walk may pause between two turns. Those that are gone
 * meanwhile are left out.
 */
#ifndef IMAP_ROWS_H
#define IMAP_ROWS_H

#include "base/arena.h"
#include "store/store.h"

struct imap;

struct rows {
	const struct uid_set *uids;
	enum store_heads heads;
	struct arena *arena; /* of the batch */
	struct store_row *batch;
	size_t count, at;
	uint32_t next; /* UID to go on from */
	size_t range;  /* where that is in uids */

	struct store_row *row; /* the current one */
	bool fresh;            /* it is the first of its batch */
	bool failed;
};

/* uids must stay as they are meanwhile. heads: with ENVELOPE and the like. */
void rows_begin(struct rows *r, const struct uid_set *uids, enum store_heads heads);
/* The next one into r->row; false at the end, or with r->failed and error. */
bool rows_next(struct imap *im, struct rows *r, struct error *error);
void rows_end(struct rows *r);

#endif
