/*
 * gate: how many sessions may be inside one backend at a time.
 *
 *     struct gate *auth = reactor_gate(r, &(struct gate_config){ .name = "auth", .most = 4,
 *             .queue = 1000, .wait_ms = 20000, .shut_after = 8, .shut_ms = 2000 });
 *     static struct gate *my_gate(const struct session *s, slice frame) { ... return auth; }
 *
 * A backend (the role auth, a scanner, a directory) may hang, and every session that waits for it holds
 * a worker. So a protocol names the gate that a frame leads through (struct protocol.gate); a session
 * that finds it full waits parked, with its frame unread, first come first served. All gates of a
 * process together leave a quarter of its workers free. A gate whose last calls all failed is shut for
 * a while: who comes is refused at once, then one is let in to try.
 *
 * A frame is always handed to the protocol; session_may_ask says whether it was refused, and
 * session_ask_failed tells the gate that the backend did not answer.
 */
#ifndef NET_GATE_H
#define NET_GATE_H

#include "base/error.h"

struct gate;
struct reactor;

struct gate_config {
	const char *name; /* "auth", for the log; lives as long as the gate */
	int most;         /* sessions inside, at least 1 */
	int queue;        /* sessions that may wait */
	int wait_ms;      /* how long one waits before it is refused */
	int shut_after;   /* failures in a row that shut it; 0: never */
	int shut_ms;      /* for how long */
};

/* Before reactor_run; the gate is the reactor's. */
struct gate *reactor_gate(struct reactor *r, const struct gate_config *config);

/* Sessions inside and waiting now, for tests and the status. */
void gate_counts(struct gate *g, int *inside_out, int *waiting_out);

#endif
