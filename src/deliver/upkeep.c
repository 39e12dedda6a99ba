/* The background thread: keeps write-ahead logs short and frees what nothing names any more. */
#include "deliver/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

#define TURN_MS   3000 /* a page that changes often is copied once a turn */
#define TURN_MOST 64   /* accounts in one turn */

struct mark {
	struct link link;
	uint64_t account;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static bool stopping;
static struct map marked; /* by account */
static struct list order;
static pthread_t thread;

void upkeep_mark(uint64_t account)
{
	pthread_mutex_lock(&lock);
	if (!map_get(&marked, account)) {
		struct mark *mark = NEW(struct mark);

		mark->account = account;
		map_set(&marked, account, mark);
		list_push(&order, &mark->link);
	}
	pthread_mutex_unlock(&lock);
}

/* The accounts of one turn; how many. The lock is held. */
static size_t take_marks(uint64_t *accounts)
{
	struct link *node;
	size_t n = 0;

	while (n < TURN_MOST && (node = list_pop(&order))) {
		struct mark *mark = LIST_OF(node, struct mark, link);

		accounts[n++] = mark->account;
		map_remove(&marked, mark->account);
		free(mark);
	}
	return n;
}

static void look_after(struct store *store, uint64_t account)
{
	struct error error;
	bool more = false;

	if (!store_checkpoint(store, (int64_t)account, &error) ||
	    !store_collect(store, (int64_t)account, &more, &error))
		log_warn("upkeep.failed", kv_num("account", (int64_t)account), kv_why(&error));
	if (more)
		upkeep_mark(account);
}

/* Waits for the next turn; false at the end. The lock is held. */
static bool wait_turn(void)
{
	struct deadline next = deadline_in_ms(TURN_MS);
	struct timespec until = { .tv_sec = next.at_us / 1000000,
		.tv_nsec = next.at_us % 1000000 * 1000 };

	while (!stopping && !deadline_passed(next))
		pthread_cond_timedwait(&changed, &lock, &until);
	return !stopping;
}

static void *turns(void *nothing)
{
	struct store *store = store_new(deliver_config.accounts, deliver_config.handles);
	uint64_t accounts[TURN_MOST];

	(void)nothing;
	pthread_mutex_lock(&lock);
	while (wait_turn()) {
		size_t n = take_marks(accounts);

		pthread_mutex_unlock(&lock);
		for (size_t i = 0; i < n; i++)
			look_after(store, accounts[i]);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	store_free(store);
	return NULL;
}

void upkeep_start(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	list_init(&order);
	stopping = false;
	if (pthread_create(&thread, NULL, turns, NULL))
		panic("deliver: no thread");
}

void upkeep_stop(void)
{
	uint64_t accounts[TURN_MOST];

	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	/* Whoever opens such an account next finds its log as it is. */
	while (take_marks(accounts))
		;
	map_free(&marked);
	pthread_cond_destroy(&changed);
}
