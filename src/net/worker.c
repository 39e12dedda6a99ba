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

static void wait_for_work(struct reactor *r, const struct ticking *ticking)
{
	struct timespec until = { .tv_sec = ticking->due_us / 1000000,
		.tv_nsec = ticking->due_us % 1000000 * 1000 };

	if (ticking->wanted)
		pthread_cond_clockwait(&r->work_there, &r->work_lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&r->work_there, &r->work_lock);
}

/* The next session; NULL: the end, or it is time for a tick. */
static struct session_private *take(
    struct reactor *r, const struct ticking *ticking, bool *ends_out)
{
	pthread_mutex_lock(&r->work_lock);
	while (list_empty(&r->work) && !r->stopping &&
	    !(ticking->wanted && clock_us() >= ticking->due_us))
		wait_for_work(r, ticking);
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

static void *work(void *argument)
{
	struct reactor *r = argument;
	void *worker = r->config.worker_start ? r->config.worker_start(r->config.context) : NULL;
	struct arena *turn = arena_new(SESSION_TURN_MEMORY);
	struct ticking ticking = { .tick = r->config.worker_tick };
	bool ends;

	for (;;) {
		struct session_private *p = take(r, &ticking, &ends);

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
	for (int i = 0; i < r->config.workers; i++)
		if (pthread_create(&r->threads[i], NULL, work, r))
			panic("no thread for worker %d", i);
}

void workers_stop(struct reactor *r)
{
	pthread_mutex_lock(&r->work_lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->work_there);
	pthread_mutex_unlock(&r->work_lock);
	for (int i = 0; i < r->config.workers; i++)
		pthread_join(r->threads[i], NULL);
	free(r->threads);
}
