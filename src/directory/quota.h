/*
 * quota: which accounts are nearly full, as the roles tell one another.
 *
 * Who changes a mailbox (deliver, imap) says how much is in it; who takes mail (smtp) asks before it says
 * yes. Only what is near its quota is kept, in the server's shared table, so after a start nothing is known
 * until the account's next change: what is not known has room. Mail that was accepted is stored, quota or not.
 */
#ifndef DIRECTORY_QUOTA_H
#define DIRECTORY_QUOTA_H

#include "directory/directory.h"

/* The account holds so many octets now; quota 0: it may hold any number. */
void quota_tell(int64_t account, int64_t quota, int64_t used);
/* Octets that are known to be in the account; 0: far from full, or not known. */
int64_t quota_used(int64_t account);

enum quota_answer {
	QUOTA_ROOM,
	QUOTA_FULL,  /* not now */
	QUOTA_LARGE, /* never: it alone is more than the account may hold */
};

/* Is there room for a message of this size (0: not known)? */
enum quota_answer quota_ask(const struct account *account, uint64_t octets);

#endif
