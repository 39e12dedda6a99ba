#include "proc/limits.h"

#include <stdio.h>

#include "proc/shared.h"

const char *const limit_names[LIMITS] = {
	[LIMIT_CONNECTIONS] = "maxConnections",
	[LIMIT_INTERVAL] = "timeInterval",
	[LIMIT_INTERVAL_CONNECTIONS] = "maxIntervalConnections",
	[LIMIT_PEER_CONNECTIONS] = "peerMaxConnections",
	[LIMIT_PEER_INTERVAL] = "peerTimeInterval",
	[LIMIT_PEER_INTERVAL_CONNECTIONS] = "peerMaxIntervalConnections",
};

static int seconds(int64_t ms)
{
	return ms < 1000 ? 1 : (int)(ms / 1000);
}

/* One limit on what is open and one on what comes, under one key; first: the first of the three limits. */
static enum limit enter(
    const struct limits *limits, enum limit first, uint64_t key, struct limits_pass *pass)
{
	int64_t open = limits->n[first], most = limits->n[first + 2];
	int window_s = seconds(limits->n[first + 1]);

	if (most && shared_noted(key, window_s) >= most)
		return first + 2;
	if (open && !shared_begin(key, (int)open))
		return first;
	if (open)
		pass->keys[pass->count++] = key;
	if (most)
		shared_note(key, window_s);
	return LIMITS;
}

enum limit limits_enter(
    const struct limits *limits, const char *name, slice address, struct limits_pass *pass)
{
	char kind[100], text[64];
	struct limits_pass before = *pass;

	snprintf(kind, sizeof kind, "connections of %s", name);
	enum limit reached = enter(
	    limits, LIMIT_PEER_CONNECTIONS, shared_key(kind, shared_address(address, text)), pass);
	if (reached == LIMITS)
		reached = enter(limits, LIMIT_CONNECTIONS, shared_key(kind, SLICE("")), pass);
	while (reached != LIMITS && pass->count > before.count)
		shared_end(pass->keys[--pass->count]);
	return reached;
}

void limits_leave(struct limits_pass *pass)
{
	while (pass->count > 0)
		shared_end(pass->keys[--pass->count]);
}
