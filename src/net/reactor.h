/*
 * reactor: one thread that waits for all sessions, and the pool of workers that run them.
 *
 *     struct reactor *r = reactor_new(&config);
 *     reactor_listen(r, &listeners[i]);
 *     reactor_run(r);      (until reactor_drain has emptied it, or reactor_stop)
 *
 * Only the reactor touches epoll, timers and close. A session goes to a worker by session_run and
 * comes home by session_park, two doors with one list each (session.c).
 */
#ifndef NET_REACTOR_H
#define NET_REACTOR_H

#include "net/gate.h"
#include "net/session.h"
#include "net/tls.h"

struct reactor;

struct reactor_config {
	int workers;         /* threads; at least 1 */
	size_t max_sessions; /* more wait in the listeners' queues */
	int handshake_ms;    /* a TLS handshake as a whole; 0: each step the usual silence */
	void *(*worker_start)(
	    void *context); /* runs in each worker; its result is session.worker */
	void (*worker_stop)(void *worker);
	/* About once a second, busy or not; false: nothing is left to do until there was work again. NULL: none. */
	bool (*worker_tick)(void *worker);
	void *context;
	uint64_t first_id; /* ids of sessions start here; differs between processes */
};

struct reactor *reactor_new(const struct reactor_config *config);
/* Adds a listening socket (non-blocking, still the caller's). Before reactor_run. */
void reactor_listen(struct reactor *r, const struct listener *listener);
/* Waits and works; the caller's thread becomes the reactor's. */
void reactor_run(struct reactor *r);
/* From any thread: sessions of this listener that begin TLS from now on use this context; the older one
 * is freed, what has begun with it goes on. The reactor owns them. */
void reactor_set_tls(struct reactor *r, const struct listener *listener, struct tls_context *tls);
/* From any thread: no new sessions, idle ones say goodbye, busy ones get grace_ms; then reactor_run
 * returns. */
void reactor_drain(struct reactor *r, int grace_ms);
/* From any thread: every session that watches this key is called. */
void reactor_notice(struct reactor *r, uint64_t key);
/* Sessions there are, for tests and the status. */
size_t reactor_sessions(const struct reactor *r);
/* After reactor_run. */
void reactor_free(struct reactor *r);

#endif
