/* What reactor.c, session.c, worker.c and timer.c share; nobody else includes this. */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "net/access.h"
#include "net/compress.h"
#include "net/gate.h"
#include "net/proxy.h"
#include "net/reactor.h"

/* What a worker does with a session that it is handed. */
enum phase {
	PHASE_SECURE,
	PHASE_OPEN,
	PHASE_SECURED,
	PHASE_FRAMES,
	PHASE_MORE,
	PHASE_RESUME,
	PHASE_NOTICE
};

enum owner { OWNER_REACTOR, OWNER_WORKER, OWNER_HELD };

/* Progress of TURN_HELD, so that a release that comes before the handler has returned is not lost. */
enum hold { HOLD_NONE, HOLD_WAITING, HOLD_RELEASED };

struct timer_list;

struct session_private {
	struct session s;
	struct reactor *reactor;
	int fd;
	struct tls *tls;
	bool secured;              /* the handshake is done */
	struct compress *compress; /* NULL: none was asked for */
	bool compressing;          /* it is in use */
	struct layer *layer;       /* layer.c; NULL: none */
	struct buf in;
	struct frame frame;
	size_t line_max;  /* as the protocol wants it; frame.max may be more (session.h, longest) */
	size_t long_line; /* octets of SESSION_LONG that it holds */
	size_t frame_used; /* octets of `in` that belong to the frame being handled */
	size_t unread;     /* of those, given back */
	_Atomic int owner;
	_Atomic int hold;
	enum phase after_hold; /* what its release begins */
	enum phase phase;
	struct gate *gate;      /* that it is inside of, or waits at */
	const char *refused;    /* why the gate did not let it in; NULL: it did */
	int64_t gate_until_us;  /* it waits no longer */
	bool ask_failed;        /* the backend behind the gate did not answer */
	bool parked;            /* the reactor has it and waits; the reactor's own */
	bool input_ended;       /* the client has closed its side */
	bool broken;            /* the socket failed: close without a word */
	bool closing;           /* close when the output is sent */
	bool starttls;          /* shake hands when the output is sent */
	bool turns_compressing; /* compress when the output is sent */
	bool wants_write;       /* TLS or the socket waits for room */
	bool midway;            /* the last frame was part of something longer */
	bool lingering;         /* only what the client still sends is awaited (linger.c) */
	size_t discarded;       /* octets read since then */
	int timeout_ms;
	unsigned rate;
	uint64_t moved;          /* octets read or written in the window */
	int64_t window_us;       /* since when a message's data is measured; 0: no data */
	int64_t due_us;          /* of the timer; 0: none */
	uint64_t watch, watched; /* wanted; as the reactor knows it */
	bool noticed;
	struct limits_pass pass; /* under what it is counted */
	struct buf *proxy;       /* a PROXY header that has not ended; NULL: none is awaited */
	struct link ready;       /* worker queue or home list */
	struct link timer;
	struct link watcher;
	struct link all;
};

#define TIMER_LISTS 16

/* One list per timeout value: what is added at the tail is due last, so the head is due first. */
struct timer_list {
	int ms; /* 0: unused */
	struct list sessions;
};

struct watchers {
	uint64_t key;
	struct list sessions;
};

/* All gates of a process. */
struct gates {
	pthread_mutex_t lock; /* everything in them */
	struct list list;
	int inside, most; /* of all together */
	bool closed;
};

enum gate_answer { GATE_PASSED, GATE_WAITS };

/* Where a worker waits. Who rested last is woken first: what it has open is as the last session left it, and the
 * others may sleep on. */
struct rest {
	struct link link;
	pthread_cond_t woken;
};

struct reactor {
	struct reactor_config config;
	int epoll_fd, wake_fd;
	const struct listener *listeners[64];
	struct tls_context *tls[64]; /* by listener; NULL: none */
	int listener_count;
	bool listening;
	int64_t accept_again_us, accept_warned_us; /* no descriptors: a pause */
	struct list all;
	_Atomic size_t count;
	uint64_t next_id;
	struct timer_list timers[TIMER_LISTS];
	struct map watchers;
	int64_t drain_until_us; /* 0: not draining */
	_Atomic bool draining;

	pthread_mutex_t tls_lock;  /* tls */
	pthread_mutex_t home_lock; /* home, notices, drain_ms */
	struct list home;
	uint64_t *notices;
	size_t notice_count, notice_room;
	int drain_ms; /* -1: not asked */
	bool sleeps;  /* and is to be woken when something comes home */

	pthread_mutex_t
	    work_lock; /* work, resting, stopping, awaits_held, owners that become OWNER_WORKER */
	pthread_cond_t work_there; /* for await_held() */
	struct list work;
	struct list resting; /* workers without work, the last to rest last */
	struct rest *rests;  /* by worker */
	bool stopping;
	struct gates gates;
	struct gate *handshake_gate; /* before the role keys */
	bool awaits_held;            /* the end waits for sessions that somebody holds */
	_Atomic int signallers;      /* threads inside of session_run */
	pthread_t *threads;
	struct arena *turn; /* of the turns that the reactor's own thread runs */
};

/* session.c: what a turn does. True: the session may be parked; false: it is held. */
struct session_private *session_new(struct reactor *r, int fd, const struct listener *listener);
void session_free(struct session_private *p);
void session_input_free(struct session_private *p);
bool session_turn(struct session_private *p, void *worker, struct arena *turn, bool in_reactor);
/* One attempt each to send and to receive; false when nothing moved. */
void session_send(struct session_private *p);
bool session_receive(struct session_private *p);
/* Is there a whole frame, and would a turn make progress now? */
bool session_ready(struct session_private *p);
/* Can the reactor's thread do the next frame, or the rest of the handshake? */
bool session_quick(struct session_private *p);
/* Must its greeting wait for a worker? */
bool session_opens_slowly(const struct session_private *p);

/* Calls the protocol's `closed`, once; afterwards only net/ knows the session. */
void session_forget(struct session_private *p);
/* Output that is not sent yet, compressed or not. */
size_t session_unsent(const struct session_private *p);
/* TLS, or what is compressed, holds input that the socket does not show any more. */
bool session_pending(const struct session_private *p);

/* Writes the address as text. */
void session_set_peer(struct session_private *p, const struct ip *ip);
/* Takes of a PROXY header what has come; PROXY_PEER and PROXY_LOCAL: it is over. */
enum proxy_answer session_take_proxy(struct session_private *p, const char **why_out);

/* layer.c: after the turn that set it; before output is sent, and after; puts what has come into p->in, true: something; is
 * there a whole piece; where what comes is put, NULL: into p->in. */
void layer_begin(struct session_private *p);
void layer_encode(struct session_private *p);
void layer_sent(struct session_private *p);
bool layer_decode(struct session_private *p);
bool layer_pending(const struct session_private *p);
struct buf *layer_input(struct session_private *p);
void layer_free(struct session_private *p);

/* linger.c: would closing now destroy output that is on its way? */
bool linger_wanted(const struct session_private *p);
void linger_begin(struct session_private *p);
/* Discards what came; true: the session may be closed. */
bool linger_over(struct session_private *p);

/* reactor.c: the server's side of a handshake on this socket, as its listener wants it. */
struct tls *session_tls_new(struct reactor *r, const struct listener *listener, int fd);

/* The two doors. */
void session_run(struct session_private *p);  /* reactor.c: to the workers */
void session_park(struct session_private *p); /* reactor.c: home */

/* worker.c */
void workers_start(struct reactor *r);
void workers_stop(struct reactor *r);
/* Who is to be woken for one more piece of work; NULL: all are awake. The lock is held; the signal follows without. */
struct rest *worker_to_wake(struct reactor *r);

/* gate.c */
void gates_init(struct gates *all, int workers);
void gates_free(struct gates *all);
/* GATE_PASSED: p->refused says whether it is inside, and must leave. GATE_WAITS: session_release is
 * called for it. */
enum gate_answer gate_enter(struct gate *g, struct session_private *p);
void gate_leave(struct gate *g, bool failed);
/* Refuses whoever has waited too long. */
void gates_expire(struct gates *all);
/* Refuses all, from now on. */
void gates_close(struct gates *all);

/* timer.c */
void timer_set(struct reactor *r, struct session_private *p, int ms);
void timer_clear(struct session_private *p);
/* Sessions whose time is up are given to expire(); returns ms until the next one, at most 1000. */
int timer_run(struct reactor *r, void (*expire)(struct reactor *r, struct session_private *p));

#endif
