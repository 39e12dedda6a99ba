/*
 * limits: how many connections there may be, and how many may come, of all clients and of each.
 *
 *     struct limits limits = { .n = { [LIMIT_PEER_CONNECTIONS] = 20 } };
 *     struct limits_pass pass = { 0 };
 *     if ((broken = limits_enter(&limits, "smtp", SLICE("192.0.2.1"), &pass)) != LIMITS)
 *             ... limit_names[broken] was reached ...
 *     ...
 *     limits_leave(&pass);
 *
 * They are counted by name in all processes of the server (shared.h); a name has one set of limits.
 */
#ifndef PROC_LIMITS_H
#define PROC_LIMITS_H

#include "base/slice.h"

enum limit {
	LIMIT_CONNECTIONS,          /* open at once */
	LIMIT_INTERVAL,             /* milliseconds */
	LIMIT_INTERVAL_CONNECTIONS, /* begun within it */
	LIMIT_PEER_CONNECTIONS,     /* the same, of one address (IPv6: /64) */
	LIMIT_PEER_INTERVAL,
	LIMIT_PEER_INTERVAL_CONNECTIONS,
	LIMITS, /* how many there are */
};

/* "maxConnections", "timeInterval" ..., as commands and settings write them. */
extern const char *const limit_names[LIMITS];

struct limits {
	int64_t n[LIMITS]; /* 0: any number */
};

/* What a connection was counted under. */
struct limits_pass {
	uint64_t keys[4];
	int count;
};

/* Counts one more of this address under the name, and adds that to the pass. LIMITS: it was counted; or the
 * limit that is reached, and nothing was counted. */
enum limit limits_enter(
    const struct limits *limits, const char *name, slice address, struct limits_pass *pass);
/* The connection has ended; the pass is empty afterwards. */
void limits_leave(struct limits_pass *pass);

#endif
