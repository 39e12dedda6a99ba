/* The pool of threads that run sessions. */
#include "net/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

/* A turn that took longer than this is logged: some wait had no end, or a budget is wrong. */
#define TURN_WARN_US 5000000

#define TICK_US 1000000

/* A worker's own once a second. */
struct ticking {
	bool (*tick)(void *worker);
	bool wanted;
	int64_t due_us;
};

struct rest *worker_to_wake(struct reactor *r)
{
	if (list_empty(&r->resting))
		return NULL;
	struct link *last = r->resting.head.prev;
	list_remove(last);
	return LIST_OF(last, struct rest, link);
}

static void wait_for_work(struct reactor *r, struct rest *rest, const struct ticking *ticking)
{
	struct timespec until = { .tv_sec = ticking->due_us / 1000000,
		.tv_nsec = ticking->due_us % 1000000 * 1000 };

	list_push(&r->resting, &rest->link);
	if (ticking->wanted)
		pthread_cond_clockwait(&rest->woken, &r->work_lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&rest->woken, &r->work_lock);
	list_remove(&rest->link);
}

/* The next session; NULL: the end, or it is time for a tick. */
static struct session_private *take(
    struct reactor *r, struct rest *rest, const struct ticking *ticking, bool *ends_out)
{
	pthread_mutex_lock(&r->work_lock);
	while (list_empty(&r->work) && !r->stopping &&
	    !(ticking->wanted && clock_us() >= ticking->due_us))
		wait_for_work(r, rest, ticking);
	struct link *node = list_pop(&r->work);
	*ends_out = !node && r->stopping;
	pthread_mutex_unlock(&r->work_lock);
	return node ? LIST_OF(node, struct session_private, ready) : NULL;
}

static void tick(struct ticking *ticking, void *worker, bool worked)
{
	int64_t now = clock_us();

	if (!ticking->tick)
		return;
	if (worked && !ticking->wanted) {
		ticking->wanted = true;
		ticking->due_us = now + TICK_US;
	}
	if (!ticking->wanted || now < ticking->due_us)
		return;
	ticking->wanted = ticking->tick(worker);
	ticking->due_us = now + TICK_US;
}

static void run(struct session_private *p, void *worker, struct arena *turn)
{
	int64_t start = clock_us();
	char id[sizeof p->s.id];

	memcpy(id, p->s.id, sizeof id);
	if (session_turn(p, worker, turn, false))
		session_park(p);
	arena_reset(turn);
	if (clock_us() - start > TURN_WARN_US)
		log_warn("turn.slow", kv_str("s", id), kv_num("ms", (clock_us() - start) / 1000));
}

/* Of a new worker. */
struct place {
	struct reactor *reactor;
	struct rest *rest;
};

static void *work(void *argument)
{
	struct place *place = argument;
	struct reactor *r = place->reactor;
	struct rest *rest = place->rest;

	free(place);
	void *worker = r->config.worker_start ? r->config.worker_start(r->config.context) : NULL;
	struct arena *turn = arena_new(SESSION_TURN_MEMORY);
	struct ticking ticking = { .tick = r->config.worker_tick };
	bool ends;

	for (;;) {
		struct session_private *p = take(r, rest, &ticking, &ends);

		if (ends)
			break;
		if (p)
			run(p, worker, turn);
		tick(&ticking, worker, p != NULL);
	}
	arena_free(turn);
	if (r->config.worker_stop)
		r->config.worker_stop(worker);
	return NULL;
}

void workers_start(struct reactor *r)
{
	r->threads = memory_new((size_t)r->config.workers, sizeof *r->threads);
	r->rests = memory_new((size_t)r->config.workers, sizeof *r->rests);
	for (int i = 0; i < r->config.workers; i++) {
		struct place *place = NEW(struct place);

		*place = (struct place){ r, &r->rests[i] };
		pthread_cond_init(&r->rests[i].woken, NULL);
		if (pthread_create(&r->threads[i], NULL, work, place))
			panic("no thread for worker %d", i);
	}
}

void workers_stop(struct reactor *r)
{
	pthread_mutex_lock(&r->work_lock);
	r->stopping = true;
	for (int i = 0; i < r->config.workers; i++)
		pthread_cond_broadcast(&r->rests[i].woken);
	pthread_mutex_unlock(&r->work_lock);
	for (int i = 0; i < r->config.workers; i++)
		pthread_join(r->threads[i], NULL);
	free(r->threads);
}
