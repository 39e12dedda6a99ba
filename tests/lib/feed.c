#include "lib/feed.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/internal.h"

struct feed {
	struct reactor *reactor;
	struct session_private *p;
	struct arena *turn;
	void *worker;
	int fd; /* the client's end */
	bool ended;
};

static void discard_answers(struct feed *f)
{
	char rubbish[65536];

	while (recv(f->fd, rubbish, sizeof rubbish, MSG_DONTWAIT) > 0)
		;
}

/* session_release has put it into the workers' queue, or will. */
static void await_release(struct reactor *r)
{
	pthread_mutex_lock(&r->work_lock);
	while (!list_pop(&r->work))
		pthread_cond_wait(&r->work_there, &r->work_lock);
	pthread_mutex_unlock(&r->work_lock);
}

static void run_turns(struct feed *f)
{
	bool again = true;

	while (again) {
		uint64_t before = f->p->moved;

		if (!session_turn(f->p, f->worker, f->turn, false))
			await_release(f->reactor);
		arena_reset(f->turn);
		discard_answers(f);
		session_send(f->p);
		f->ended = f->p->broken || f->p->closing;
		again = !f->ended &&
		    (f->p->phase != PHASE_FRAMES || session_ready(f->p) || f->p->moved != before);
	}
}

struct feed *feed_open(const struct listener *listener, void *worker)
{
	struct reactor_config config = { .workers = 1, .max_sessions = 1, .first_id = 1 };
	struct feed *f = NEW(struct feed);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		panic("feed: no sockets");
	*f = (struct feed){ .reactor = reactor_new(&config),
		.turn = arena_new(SESSION_TURN_MEMORY),
		.worker = worker,
		.fd = pair[0] };
	f->p = session_new(f->reactor, pair[1], listener);
	run_turns(f);
	return f;
}

bool feed_input(struct feed *f, slice octets)
{
	while (octets.n && !f->ended) {
		slice some = slice_head(octets, 16384);
		ssize_t n = send(f->fd, some.p, some.n, MSG_NOSIGNAL);

		octets = slice_from(octets, n > 0 ? (size_t)n : 0);
		run_turns(f);
	}
	return !f->ended;
}

void feed_close(struct feed *f)
{
	session_free(f->p);
	reactor_free(f->reactor);
	arena_free(f->turn);
	close(f->fd);
	free(f);
}

void feed_all(const struct listener *listener, void *worker, slice input)
{
	struct feed *f = feed_open(listener, worker);

	while (input.n) {
		slice piece = slice_head(input, slice_find(input, '\0'));

		if (!feed_input(f, piece))
			break;
		input = slice_from(input, piece.n + 1);
	}
	feed_close(f);
}
