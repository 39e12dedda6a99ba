/* What verify and repair share: one look at an account, in a transaction of the caller. */
#ifndef STORE_EXAMINE_H
#define STORE_EXAMINE_H

#include "store/internal.h"
#include "store/verify.h"

struct examined_mailbox {
	int64_t id;
	slice name, special;
	int64_t crc, uidnext, unseen, deleted, horizon;
};

struct examine {
	struct store *store;
	struct db *db;
	int64_t account;
	store_found *found;
	void *context;
	struct arena *arena; /* of the names */
	struct examined_mailbox *mailboxes;
	size_t n;
	uint64_t faults;
	bool broken; /* the engine says so: the file must be made anew */
};

/* The account's file, opened beside the store's own handle, and changed in nothing (but brought to this version). No
 * account is made: FAULT_ABSENT. */
bool store_open_alone(
    struct store *store, int64_t account, struct db **db_out, struct error *error);

/* For a file that does not even open; see db_mend_first_page(). */
bool store_mend_first_page(struct store *store, int64_t account, char *kept, struct error *error);

void examine_tell(struct examine *e, struct store_fault fault);
bool examine_all(struct examine *e, struct error *error);
/* contents.c: names of mailboxes (which are kept), keywords and subscriptions. */
bool examine_names(struct examine *e, struct error *error);
/* Bodies and heads against their checksums. */
bool examine_contents(struct examine *e, struct error *error);
/* Counters of flags, and UIDs that nobody removed. */
bool examine_flags(struct examine *e, struct error *error);

/* Is the name one that store_mailbox_create would take? */
bool mailbox_name_fits(slice name);
/* One of RFC 6154, or empty. */
bool mailbox_special_fits(slice special);

#endif
