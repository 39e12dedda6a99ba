/* What the files of import share: one run, and the mailbox that it fills. */
#ifndef MAIN_ACCOUNT_IMPORT_H
#define MAIN_ACCOUNT_IMPORT_H

#include "base/map.h"
#include "main/account_files.h"
#include "main/account_progress.h"
#include "main/account_store.h"

#define IMPORT_BATCH        64
#define IMPORT_BATCH_OCTETS ((size_t)4 << 20)

struct import {
	struct account_store at;
	int64_t account;
	slice base; /* the mailbox named by the caller; empty: none */
	struct progress progress;
	uint64_t there, left_out;
	/* the mailbox */
	struct arena *arena; /* of what it holds */
	slice mailbox;
	struct map
	    held; /* by checksum and size: chains of what no message of this run has matched yet */
	/* the batch */
	struct import_message {
		struct buf content;
		struct store_summary summary;
		int64_t received_us, flags;
	} batch[IMPORT_BATCH];
	size_t n, octets;
	struct buf old; /* a body to compare with */
};

/* account_import_to.c */
/* Finds or makes the mailbox, and looks what it holds. false: error; FAULT_INPUT: there can be none of that name. */
bool import_begin(struct import *i, slice mailbox, struct error *error);
/* One message, unless the mailbox holds it: as many of the same as come are there in the end, however often they come. */
bool import_message(
    struct import *i, slice content, int64_t received_us, int64_t flags, struct error *error);
/* Stores what is waiting. */
bool import_end(struct import *i, struct error *error);
/* The bit of a keyword; 0 where there is no room for it. */
int64_t import_keyword(struct import *i, slice name);
/* Says what is left out, and why. */
void import_left_out(struct import *i, const char *name, const char *why);

#endif
