/*
 * cache: the rows of mailboxes in which much was read or changed just now, in memory.
 *
 * One for the process, for all its threads. What is taken belongs to who took it until it is given back; others
 * read from the file meanwhile. What it holds is right while the mailbox has the modseq that it had then, and every
 * change of a mailbox gives it a new one: so it is never asked, only compared.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "store/internal.h"

/* Messages of a mailbox for which it is worth it, and the most. */
#define CACHE_LEAST 500
#define CACHE_MOST  250000

struct cached_row {
	uint32_t uid, size;
	int64_t flags, modseq, received_us, body, saved_us;
};

struct row_cache {
	struct link link;
	char *root;
	int64_t account, mailbox, modseq, used_us;
	size_t n, room;
	struct cached_row *rows;
};

/* The rows of the mailbox as it is now; NULL: they are not here. */
struct row_cache *cache_take(
    const struct store *store, int64_t account, const struct store_mailbox *now);
/* An empty one, to be filled in the order of UIDs. */
struct row_cache *cache_new(
    const struct store *store, int64_t account, const struct store_mailbox *now);
void cache_add(struct row_cache *c, const struct store_row *row);
/* Back again; the longest unused goes if there are too many. */
void cache_give(struct row_cache *c);
void cache_free(struct row_cache *c);
/* Forgets those that were not used since then; true: others are there. */
bool cache_trim(int64_t before_us);

/* The index of the first row with this UID or a higher one. */
size_t cache_from(const struct row_cache *c, uint32_t uid);
struct store_row cache_row(const struct cached_row *row);

#endif
