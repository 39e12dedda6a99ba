#include "store/cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

#define MAILBOXES 4
#define ROWS      400000 /* of all of them, 48 octets each */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list all = { { &all.head, &all.head } }; /* the longest unused first */
static size_t count, rows;

void cache_free(struct row_cache *c)
{
	if (!c)
		return;
	free(c->rows);
	free(c->root);
	free(c);
}

/* The lock is held. */
static void take_out(struct row_cache *c)
{
	list_remove(&c->link);
	count--;
	rows -= c->n;
}

static struct row_cache *find(const char *root, int64_t account, int64_t mailbox)
{
	LIST_EACH(node, &all)
	{
		struct row_cache *c = LIST_OF(node, struct row_cache, link);

		if (c->mailbox == mailbox && c->account == account && strcmp(c->root, root) == 0)
			return c;
	}
	return NULL;
}

struct row_cache *cache_take(
    const struct store *store, int64_t account, const struct store_mailbox *now)
{
	pthread_mutex_lock(&lock);
	struct row_cache *c = find(store->root, account, now->id);
	if (c)
		take_out(c);
	pthread_mutex_unlock(&lock);
	if (c && (c->modseq != now->modseq || c->n != (size_t)now->messages)) {
		cache_free(c);
		c = NULL;
	}
	return c;
}

struct row_cache *cache_new(
    const struct store *store, int64_t account, const struct store_mailbox *now)
{
	struct row_cache *c = NEW(struct row_cache);
	size_t n = strlen(store->root);

	*c = (struct row_cache){ .account = account,
		.mailbox = now->id,
		.modseq = now->modseq,
		.root = memory_new(1, n + 1),
		.room = (size_t)now->messages,
		.rows = memory_new((size_t)now->messages, sizeof(struct cached_row)) };
	memcpy(c->root, store->root, n);
	return c;
}

void cache_add(struct row_cache *c, const struct store_row *row)
{
	if (c->n == c->room) /* more than its mailbox says: never found again */
		return;
	c->rows[c->n++] = (struct cached_row){ .uid = row->uid,
		.size = (uint32_t)row->size,
		.flags = row->flags,
		.modseq = row->modseq,
		.received_us = row->received_us,
		.body = row->body,
		.saved_us = row->saved_us };
}

/* One that must go; NULL: there is room. The lock is held. */
static struct row_cache *surplus(void)
{
	if (count <= MAILBOXES && rows <= ROWS)
		return NULL;
	struct row_cache *c = LIST_OF(list_first(&all), struct row_cache, link);
	take_out(c);
	return c;
}

void cache_give(struct row_cache *c)
{
	struct row_cache *old;

	c->used_us = clock_us();
	pthread_mutex_lock(&lock);
	old = find(c->root, c->account, c->mailbox);
	if (old)
		take_out(old);
	list_push(&all, &c->link);
	count++;
	rows += c->n;
	struct row_cache *more = surplus();
	pthread_mutex_unlock(&lock);
	cache_free(old);
	cache_free(more);
}

bool cache_trim(int64_t before_us)
{
	struct row_cache *c = NULL;
	bool others;

	do {
		cache_free(c);
		pthread_mutex_lock(&lock);
		others = !list_empty(&all);
		c = others ? LIST_OF(list_first(&all), struct row_cache, link) : NULL;
		if (c && c->used_us > before_us)
			c = NULL;
		if (c)
			take_out(c);
		pthread_mutex_unlock(&lock);
	} while (c);
	return others;
}

size_t cache_from(const struct row_cache *c, uint32_t uid)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (c->rows[middle].uid < uid)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

struct store_row cache_row(const struct cached_row *row)
{
	return (struct store_row){ .uid = row->uid,
		.flags = row->flags,
		.modseq = row->modseq,
		.size = row->size,
		.received_us = row->received_us,
		.body = row->body,
		.saved_us = row->saved_us };
}
