/* The pool of threads that run sessions. */
#include "net/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

/* A turn that took longer than this is logged: some wait had no end, or a budget is wrong. */
#define TURN_WARN_US 5000000

static struct session_private *take(struct reactor *r)
{
	pthread_mutex_lock(&r->work_lock);
	while (list_empty(&r->work) && !r->stopping)
		pthread_cond_wait(&r->work_there, &r->work_lock);
	struct link *node = list_pop(&r->work);
	pthread_mutex_unlock(&r->work_lock);
	return node ? LIST_OF(node, struct session_private, ready) : NULL;
}

static void *work(void *argument)
{
	struct reactor *r = argument;
	void *worker = r->config.worker_start ? r->config.worker_start(r->config.context) : NULL;
	struct arena *turn = arena_new(SESSION_TURN_MEMORY);
	struct session_private *p;

	while ((p = take(r))) {
		int64_t start = clock_us();

		char id[sizeof p->s.id];
		memcpy(id, p->s.id, sizeof id);
		if (session_turn(p, worker, turn, false))
			session_park(p);
		arena_reset(turn);
		if (clock_us() - start > TURN_WARN_US)
			log_warn("turn.slow", kv_str("s", id),
			    kv_num("ms", (clock_us() - start) / 1000));
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
