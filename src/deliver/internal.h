/*
 * internal: what the files of this room share.
 *
 * A job is one question of the queue; a task is one recipient of it. One lock guards all lists and
 * counters; what is read, parsed and stored is touched without it, by the one thread that has the job
 * or task at that moment.
 */
#ifndef DELIVER_INTERNAL_H
#define DELIVER_INTERNAL_H

#include <pthread.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "deliver/deliver.h"
#include "directory/directory.h"
#include "queue/envelope.h"
#include "queue/record.h"
#include "queue/schedule.h"
#include "store/store.h"

#define BATCH_MOST   64
#define BATCH_OCTETS (4u << 20) /* contents of one transaction; one message may be larger */

struct job;

struct task {
	struct link link; /* in its group */
	struct job *job;
	size_t recipient;
	bool before; /* done when the question came */
	enum outcome outcome;
	char *why;     /* unless done */
	slice mailbox; /* where it is now; empty: it was there before */
	uint32_t uid;
	slice dropped; /* why it was not filed; empty: it was not dropped */
};

/* A message as it goes to the store: with the line that delivery adds, and parsed. */
struct parsed {
	struct buf content, summary_envelope, structure, body_structure;
};

struct job {
	struct link link;    /* in all jobs */
	struct link waiting; /* in the jobs that are not read yet */
	struct call *call;
	uint64_t segment, place, length, low;
	slice done; /* '1' for a recipient that needs nothing more; borrowed from the call */
	char id[QUEUE_ID_TEXT];
	uint64_t
	    weight; /* octets that it is counted with while it is held in memory; 0: not read */
	struct arena *arena;
	struct buf record; /* the encoded envelope, from which the envelope borrows */
	struct envelope envelope;
	struct parsed message;
	uint64_t
	    copy; /* which one that is (queue/envelope.h): that of all recipients, or as it came */
	bool *discarded;    /* recipients that the policy dropped while the message was processed */
	struct task *tasks; /* one a recipient */
	size_t left;        /* without an outcome */
};

/* The tasks of one account that wait for its thread. */
struct group {
	struct link link;
	uint64_t account;
	struct list tasks;
};

struct worker {
	pthread_t thread;
	pthread_cond_t there;
	bool idle;
	struct map groups; /* by account */
	struct list ready; /* the same groups, in turn */
	size_t tasks;      /* in all groups */
	struct store *store;
	struct directory *directory; /* NULL: not open (yet) */
	struct arena *arena;         /* of one parse */
};

extern struct deliver_config deliver_config;

/* Reads and parses the job's record. OUTCOME_DONE: it is there; otherwise error says why it may come
 * later, or what a person should do. */
enum outcome job_read(struct job *job, struct arena *arena, struct error *error);
/* Fires onProcess for each copy; what it wants is in the envelope's copies afterwards. The message is there, as it came. */
void job_process(struct job *job);
/* Stores n tasks of one account and settles each. */
void tasks_store(struct worker *w, struct task **tasks, size_t n);

/* copy.c: room for a message of so many octets behind the line that delivery adds, which is written; and what follows
 * when the message is there. */
void copy_begin(const struct job *job, uint64_t octets, struct parsed *out);
void copy_summarize(struct parsed *p, struct arena *arena);
/* The whole message, parsed, with the copy's changes of its header; message is as it came, without the line
 * that delivery adds. Works in the arena. */
void copy_render(
    const struct job *job, uint64_t copy, slice message, struct arena *arena, struct parsed *out);
void parsed_free(struct parsed *p);
/* Does the copy's message differ from what came? */
bool copy_differs(const struct job *job, uint64_t copy);
/* The change of this kind that counts, the last one; NULL: there is none. */
const struct envelope_change *copy_find(
    const struct job *job, uint64_t copy, enum envelope_change_kind kind);
/* The message that came, without the line that delivery adds; only where job->copy is 0. */
slice job_message(const struct job *job);

/* For store.c: the lowest segment of which nothing may be forgotten. */
uint64_t deliver_low(void);
/* For store.c: this account was written; the upkeep thread looks after it. */
void upkeep_mark(uint64_t account);
void upkeep_start(void);
void upkeep_stop(void);

#endif
