/*
 * spool_fixture: a temporary folder with a spool in it, and messages put there as the role smtp does.
 *
 * Several tests play the roles around the queue; they share what is here.
 */
#ifndef TESTS_SPOOL_FIXTURE_H
#define TESTS_SPOOL_FIXTURE_H

#include "lib/unit.h"

#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "base/memory.h"
#include "queue/envelope.h"
#include "queue/record.h"
#include "queue/spool.h"

/* A folder with this name below it; text as snprintf would write it. */
static inline const char *path_in(const char *folder, const char *below)
{
	static _Thread_local char paths[4][400];
	static _Thread_local unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", folder, below);
	return path;
}

static inline int spool_remove_one(
    const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline void folder_remove(const char *path)
{
	nftw(path, spool_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* One message that was put into the spool. */
struct put {
	sem_t there;
	struct spool_result result;
	uint64_t length; /* of its record */
};

static inline void put_done(void *context, const struct spool_result *result)
{
	struct put *put = context;

	put->result = *result;
	sem_post(&put->there);
}

/* The encoded envelope of a message for these accounts. */
static inline void envelope_for(const uint64_t *accounts, size_t n, struct buf *out)
{
	struct envelope_recipient *recipients = memory_new(n, sizeof *recipients);
	struct envelope e = { .sender = SLICE("sender@elsewhere.test"),
		.peer = SLICE("192.0.2.1"),
		.session = SLICE("4f2a.17"),
		.arrived_us = 1700000000000000,
		.recipients = recipients,
		.recipient_count = n };

	for (size_t i = 0; i < n; i++)
		recipients[i] = (struct envelope_recipient){ SLICE("a@example.test"), accounts[i] };
	envelope_encode(&e, out);
	free(recipients);
}

/* Commits a message and waits for the result, which is not looked at. */
static inline struct put put_message(
    struct spool *spool, const uint64_t *accounts, size_t n, slice content)
{
	struct put put = { 0 };
	struct buf envelope;
	struct error error;

	sem_init(&put.there, 0, 0);
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	envelope_for(accounts, n, &envelope);
	struct spool_message *m = spool_begin(spool, 100 << 20);
	put.length = sizeof(struct record_head) + envelope.n + content.n;
	if (!spool_write(m, content, &error)) {
		buf_free(&envelope);
		spool_abort(m);
		put.result.error = error;
		return put;
	}
	spool_commit(m, buf_slice(&envelope), put_done, &put);
	buf_free(&envelope);
	while (sem_wait(&put.there) < 0)
		;
	return put;
}

/* The path of a segment's file. */
static inline const char *segment_file(const char *spool, uint64_t segment, const char *ending)
{
	char name[60];

	snprintf(name, sizeof name, "%d/%016llx.%s", (int)(segment & 0xff),
	    (unsigned long long)segment, ending);
	return path_in(spool, name);
}

#endif
