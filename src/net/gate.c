/* Gates: one lock for all of a process, because together they share the places. */
#include "net/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

struct gate {
	struct gate_config config;
	struct gates *gates;
	struct link all;
	struct list waiting; /* by `ready` of a session, which nobody else uses meanwhile */
	int waiting_count, inside;
	int failures; /* in a row */
	int64_t shut_until_us;
};

void gates_init(struct gates *all, int workers)
{
	pthread_mutex_init(&all->lock, NULL);
	list_init(&all->list);
	all->most = workers - (workers + 3) / 4;
	if (all->most < 1)
		all->most = 1;
}

void gates_free(struct gates *all)
{
	struct link *node;

	while ((node = list_pop(&all->list)))
		free(LIST_OF(node, struct gate, all));
}

struct gate *reactor_gate(struct reactor *r, const struct gate_config *config)
{
	struct gate *g = NEW(struct gate);

	*g = (struct gate){ .config = *config, .gates = &r->gates };
	list_init(&g->waiting);
	list_push(&r->gates.list, &g->all);
	return g;
}

void gate_counts(struct gate *g, int *inside_out, int *waiting_out)
{
	pthread_mutex_lock(&g->gates->lock);
	*inside_out = g->inside;
	*waiting_out = g->waiting_count;
	pthread_mutex_unlock(&g->gates->lock);
}

/* ---- with the lock held ---- */

static bool tripped(const struct gate *g)
{
	return g->config.shut_after && g->failures >= g->config.shut_after;
}

static bool shut(const struct gate *g)
{
	return tripped(g) && clock_us() < g->shut_until_us;
}

/* After it was shut, one at a time tries whether the backend is there again. */
static bool has_room(const struct gate *g)
{
	int most = tripped(g) ? 1 : g->config.most;

	return g->inside < most && g->gates->inside < g->gates->most;
}

static void let_in(struct gate *g)
{
	g->inside++;
	g->gates->inside++;
}

/* The first that waits goes on, let in or with the reason why not. */
static void release_first(struct gate *g, const char *refused)
{
	struct session_private *p = LIST_OF(list_pop(&g->waiting), struct session_private, ready);

	g->waiting_count--;
	p->refused = refused;
	if (!refused)
		let_in(g);
	session_release(&p->s);
}

static void refuse_all(struct gate *g, const char *why)
{
	while (g->waiting_count)
		release_first(g, why);
}

/* Places became free: those that wait longest at each gate, gate by gate. */
static void admit(struct gates *all)
{
	bool moved = true;

	while (moved) {
		moved = false;
		LIST_EACH(node, &all->list)
		{
			struct gate *g = LIST_OF(node, struct gate, all);

			if (!g->waiting_count || !has_room(g) || shut(g))
				continue;
			release_first(g, NULL);
			moved = true;
		}
	}
}

static void note_result(struct gate *g, bool failed)
{
	if (!failed && tripped(g))
		log_info("gate.open", kv_str("gate", g->config.name));
	g->failures = failed ? g->failures + 1 : 0;
	if (!tripped(g))
		return;
	g->shut_until_us = clock_us() + g->config.shut_ms * 1000LL;
	if (g->failures == g->config.shut_after)
		log_warn("gate.shut", kv_str("gate", g->config.name),
		    kv_num("failures", g->failures), kv_num("tries_after_ms", g->config.shut_ms));
	refuse_all(g, "the service that is needed does not answer");
}

/* ---- for session.c and reactor.c ---- */

enum gate_answer gate_enter(struct gate *g, struct session_private *p)
{
	enum gate_answer answer = GATE_PASSED;

	pthread_mutex_lock(&g->gates->lock);
	p->refused = NULL;
	if (g->gates->closed) {
		p->refused = "the server is going down";
	} else if (shut(g)) {
		p->refused = "the service that is needed does not answer";
	} else if (g->waiting_count == 0 && has_room(g)) {
		let_in(g);
	} else if (g->waiting_count >= g->config.queue) {
		p->refused = "too many are waiting for the service that is needed";
	} else {
		p->gate_until_us = clock_us() + g->config.wait_ms * 1000LL;
		list_push(&g->waiting, &p->ready);
		g->waiting_count++;
		answer = GATE_WAITS;
	}
	pthread_mutex_unlock(&g->gates->lock);
	return answer;
}

void gate_leave(struct gate *g, bool failed)
{
	pthread_mutex_lock(&g->gates->lock);
	g->inside--;
	g->gates->inside--;
	note_result(g, failed);
	admit(g->gates);
	pthread_mutex_unlock(&g->gates->lock);
}

void gates_expire(struct gates *all)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&all->lock);
	LIST_EACH(node, &all->list)
	{
		struct gate *g = LIST_OF(node, struct gate, all);
		struct link *first;

		while ((first = list_first(&g->waiting)) &&
		    LIST_OF(first, struct session_private, ready)->gate_until_us <= now)
			release_first(g, "the service that is needed is too busy");
	}
	admit(all); /* a gate that was shut may be tried again */
	pthread_mutex_unlock(&all->lock);
}

void gates_close(struct gates *all)
{
	pthread_mutex_lock(&all->lock);
	all->closed = true;
	LIST_EACH(node, &all->list)
	{
		refuse_all(LIST_OF(node, struct gate, all), "the server is going down");
	}
	pthread_mutex_unlock(&all->lock);
}
