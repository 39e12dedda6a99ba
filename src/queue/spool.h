/*
 * spool: the accepting side of the queue, in each smtp process.
 *
 * What is accepted is appended to a segment file that only this process writes. Whoever
 * brings a message while nobody commits writes and syncs it himself; what comes meanwhile a thread gathers
 * into one write and one fdatasync. Only then each is answered. A sync
 * that fails ends the process without an answer: nobody was told 250. A full disk answers with a
 * temporary error and leaves no half record.
 *
 *     struct spool_message *m = spool_begin(spool, size_limit);
 *     spool_write(m, chunk, &error);            (again and again)
 *     spool_commit(m, envelope, committed, context);   (committed() is called, maybe by another thread)
 *
 * Messages above SPOOL_ALONE octets go, as they come, into a file of their own with one record. The
 * role queue is told of each record (spool_announce) until it has said that it knows; when it was
 * started again, spool_reconnect tells it all that it may have missed.
 */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include "base/buf.h"
#include "base/error.h"
#include "proc/peers.h"

#define SPOOL_SEGMENT (16u << 20) /* a new segment begins above this */
#define SPOOL_ALONE   (1u << 20)

struct spool;
struct spool_message;

/* Opens (and makes) this process's own folder; removes what a predecessor left half written there. The
 * process's number is part of every id. */
struct spool *spool_open(const char *folder, int process, struct peers *peers, struct error *error);
/* Starts the thread that commits what gathers; after the sandbox is locked. */
void spool_start(struct spool *spool);
/* The channel to the role queue is there (again); from the thread of peers_run, or before it. */
void spool_reconnect(struct spool *spool);
/* Finishes what waits to be committed. */
void spool_stop(struct spool *spool);
/* After spool_stop and the end of its peers. */
void spool_free(struct spool *spool);

/* A message of at most `limit` octets. */
struct spool_message *spool_begin(struct spool *spool, uint64_t limit);
/* Adds octets. FAULT_LIMIT above the limit; a temporary error when the disk does not take them. May
 * write to the disk. */
bool spool_write(struct spool_message *m, slice data, struct error *error);
/* Octets so far. */
uint64_t spool_octets(const struct spool_message *m);
/* What has come so far, in one piece, until the next call on the message. false: a large one cannot be read
 * back from the disk; temporary. */
bool spool_content(struct spool_message *m, slice *content_out, struct error *error);
/* Gives the message up; NULL is allowed. */
void spool_abort(struct spool_message *m);

struct spool_result {
	bool ok;
	struct error error;      /* not ok: why, temporary */
	uint64_t segment, place; /* ok: its id */
};

/* Writes and syncs the message with its encoded envelope (copied), or leaves it to whoever is at it: then,
 * maybe before this returns, done is called, once, with a result that lives during the call, and the message
 * is freed. */
void spool_commit(struct spool_message *m, slice envelope,
    void (*done)(void *context, const struct spool_result *result), void *context);

#endif
