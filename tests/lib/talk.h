/*
 * talk: a small protocol that uses every kind of turn, on a real reactor, and clients for it.
 *
 *     talk_start(&(struct talk_setup){ .workers = 2 });
 *     int fd = talk_connect();
 *     talk_hear(fd, "hello\r\n");
 *     talk_say(fd, SLICE("echo x\r\n"));
 *     talk_stop();
 *
 * "echo X", "many N" (a long answer), "hold" (released by another thread), "take N" (a literal), "block"
 * (waits in a worker for talk_backend), "ask" (the same through the gate), "fail" (through the gate, and
 * the backend does not answer), "watch", "keep" (held until the test releases talk_kept), "body" (in
 * chunks, up to a dot; an exclamation mark ends everything), "huge" (more than fits), "where" (says which
 * thread runs it), "quit".
 */
#ifndef TESTS_TALK_H
#define TESTS_TALK_H

#include <netinet/in.h>
#include <pthread.h>

#include "net/gate.h"
#include "net/reactor.h"

struct talk_setup {
	int workers;
	int timeout_ms;          /* 0: 700 */
	struct gate_config gate; /* most 0: no gate */
};

extern struct reactor *talk_reactor;
extern struct gate *talk_gate;
extern in_port_t talk_port; /* in network order */
/* What "block" and "ask" wait for. */
extern pthread_mutex_t talk_backend;
/* Handlers inside the backend; sessions that have ended; frames handled; the longest output that
 * "many" found waiting; handlers of one session that ran at the same time. */
extern _Atomic int talk_blocked, talk_closed, talk_frames, talk_doubled;
extern _Atomic size_t talk_most_out;
/* Octets of buffers that an idle session had when it was drained, at most. */
extern _Atomic size_t talk_most_kept;
extern struct session *_Atomic talk_kept;

void talk_start(const struct talk_setup *setup);
/* Waits until a drained reactor has ended. */
void talk_join(void);
/* After talk_join. */
void talk_free(void);
/* Drains, joins, frees. */
void talk_stop(void);

int talk_connect(void);
void talk_say(int fd, slice text);
/* Reads exactly this, within five seconds. */
void talk_hear(int fd, const char *want);
/* The server has closed; so does this. */
void talk_hear_end(int fd);

#endif
