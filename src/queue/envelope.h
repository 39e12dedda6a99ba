/*
 * envelope: what travels beside a message in the spool: who sent it, who gets it, how it came.
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"

#define ENVELOPE_RECIPIENTS 10000

struct envelope_recipient {
	slice address;    /* as the client wrote it, local-part@domain; maybe an alias */
	uint64_t account; /* whom the directory named at RCPT; never 0, no two the same */
};

struct envelope {
	slice sender; /* local-part@domain; empty: the null path */
	slice login;  /* who had logged in; empty: nobody */
	slice peer;   /* the client's address */
	slice session;
	int64_t arrived_us;
	struct envelope_recipient *recipients;
	size_t recipient_count;
};

void envelope_encode(const struct envelope *e, struct buf *out);
/* Texts are borrowed from data; the recipients are the arena's. */
bool envelope_decode(slice data, struct arena *arena, struct envelope *out);

#endif
