/*
 * deliver: the role that writes accepted messages into accounts.
 *
 * The role queue asks for one item at a time and keeps hundreds of questions open. An item is read
 * and parsed once, then stored for each recipient by the thread to which the recipient's account is
 * pinned, together with whatever else waits for that account: one transaction, one sync. The answer
 * says for each recipient whether the mail is stored (or was, before a crash), may be tried again, or
 * needs a person; the queue forgets only what is stored.
 *
 *     struct deliver_config config = { spool, accounts, directory, 4, 100, peers };
 *     if (!deliver_open(&config, error))       (warms up; before the sandbox is locked)
 *             return false;
 *     deliver_start();                         (the threads; after it)
 *     ...
 *     deliver_drain();                         (ends them again, and frees everything)
 *
 * One instance a process. The texts of the config are the caller's and live until deliver_drain.
 *
 * Limits: contents above DELIVER_HELD octets are not read before others are stored, except that one
 * message is always read, however large.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "proc/peers.h"

#define DELIVER_HELD    ((uint64_t)256 << 20) /* octets of messages in memory at once */
#define DELIVER_THREADS 256

struct deliver_config {
	const char *spool;     /* folder of the smtp processes' folders */
	const char *accounts;  /* folder of the accounts' folders */
	const char *directory; /* directory.db */
	int threads;           /* 1 to DELIVER_THREADS */
	size_t handles;        /* accounts that each thread keeps open */
	struct peers *peers;   /* where the imap processes are told */
};

/* Copies the config and makes SQLite load what it loads at first use. What is not there yet (the
 * folders, directory.db) is no error here: its mail waits. */
bool deliver_open(const struct deliver_config *config, struct error *error);
/* Starts the threads. */
void deliver_start(void);
/* Stores and answers what has been read, leaves what has not without an answer, ends the threads and
 * frees everything; deliver_open may follow. The channels must still be there; nothing is handled
 * meanwhile, so call it from the thread of peers_run, or when that has ended. */
void deliver_drain(void);

/* What the role answers. */
extern const struct service deliver_services[];
extern const size_t deliver_service_count;

#endif
