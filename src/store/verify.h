/*
 * verify: everything an account's tables say, checked against everything else they say; and what mends it.
 *
 *     if (!store_examine(store, account, found, context, &error))
 *             ... it could not be looked at
 *     if (!store_repair(store, account, &options, &error))
 *             ... nothing was done
 *
 * Both work beside a running server. To examine is one view of the file and changes nothing. To repair is one
 * transaction: killed at any point, nothing happened. UIDs are not used again and modseqs only grow; a mailbox gets
 * another UIDVALIDITY only where its UIDVALIDITY or UIDNEXT are not what was written. Nothing is dropped that can be
 * read: what has no place any more goes to the mailbox STORE_RECOVERED, what is not whole below it to
 * STORE_DAMAGED, with the flags and dates it had.
 *
 * A store does not parse: the caller makes the summaries of a message whose own are lost.
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "store/store.h"

#define STORE_RECOVERED "Recovered"
#define STORE_DAMAGED   "Recovered/Damaged"

/* One thing that is wrong, or was done. Numbers are 0 where they say nothing; texts live until the call returns. */
struct store_fault {
	const char *table; /* or file: "mail.db", "mail.db-wal" */
	int64_t mailbox;
	slice name; /* of the mailbox */
	int64_t uid, id;
	const char *what;
	const char *cure; /* what repair does; "" for what was done */
};

typedef void store_found(void *context, const struct store_fault *fault);

/* Calls found for each fault. FAULT_ABSENT: the account has no mail.db yet. */
bool store_examine(
    struct store *store, int64_t account, store_found *found, void *context, struct error *error);

/* What a message's summaries are made from it with. */
struct store_summary {
	struct buf envelope, structure, bodystructure;
	int64_t received_us;
};

struct store_repair {
	bool dry_run; /* say what would be done, do nothing */
	/* Fills what out points to (whose buffers are empty), from a message that may be damaged. */
	void (*summarise)(slice content, struct store_summary *out);
	store_found *done; /* called for each thing done */
	void *context;
	uint64_t left;              /* out: faults that it could not mend; told by done, too */
	struct store_notice notice; /* out: modseq of all mailboxes now; 0: nothing was done */
};

/* false: nothing was done, error says why. */
bool store_repair(
    struct store *store, int64_t account, struct store_repair *repair, struct error *error);

#endif
