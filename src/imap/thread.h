/*
 * thread: conversations, by subject or by who answers whom (RFC 5256 §3).
 *
 *     struct thread *t = thread_new(arena);
 *     thread_add(t, &message);                       in the order of their numbers
 *     thread_references(t);                          or thread_by_subject(t)
 *     thread_write(t, numbers, out);                 "(3 6 (4 23)(44 7 96))"
 *
 * Knows nothing of mailboxes. Work grows with the number of messages and references; chains of more than
 * THREAD_DEPTH ancestors are cut.
 */
#ifndef IMAP_THREAD_H
#define IMAP_THREAD_H

#include "base/arena.h"
#include "base/buf.h"

#define THREAD_DEPTH      500
#define THREAD_REFERENCES 50     /* of a message, its last; and its first */
#define THREAD_NODES      500000 /* messages and names of messages: bounds what a command keeps */

struct thread_message {
	uint32_t uid;
	int64_t date;  /* seconds */
	slice subject; /* base subject, lives as long as the thread */
	bool reply;    /* its subject says so */
	slice id;      /* Message-ID, with its brackets; empty for none */
	const slice *references;
	size_t reference_count;
};

struct thread;

struct thread *thread_new(struct arena *arena);
void thread_free(struct thread *t);
/* False: there are too many. Ids and references are not kept. */
bool thread_add(struct thread *t, const struct thread_message *message);
/* RFC 5256 §3, REFERENCES and ORDEREDSUBJECT: once, after the last thread_add. */
void thread_by_references(struct thread *t);
void thread_by_subject(struct thread *t);
/* number(context, uid): what is written for a message. */
void thread_write(const struct thread *t, uint32_t (*number)(void *context, uint32_t uid),
    void *context, struct buf *out);
/* Takes the message ids off a References or In-Reply-To field: at most the first, and the last ones. */
size_t thread_ids(slice value, slice *ids, size_t max);

#endif
