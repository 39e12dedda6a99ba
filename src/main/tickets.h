/*
 * tickets: the keys of TLS session tickets, made by main and shared by all processes that shake hands
 * (net/tls_ticket.h).
 *
 * After each lifetime of a ticket a new key comes; the one before is kept so long that every ticket made
 * with it has run out. Older ones are gone from everywhere, and with them what they could open.
 */
#ifndef MAIN_TICKETS_H
#define MAIN_TICKETS_H

#include "base/error.h"
#include "net/tls_ticket.h"

struct tickets {
	unsigned char keys[2 * TLS_TICKET_KEY]; /* the present one, the one before */
	int count;
	int fd; /* the same in sealed memory, for the roles; -1: none */
	int64_t made_us;
};

/* The first key. */
bool tickets_open(struct tickets *t, struct error *error);
/* Is it time for a new key? Then there is one, and another descriptor in place of the old. */
bool tickets_turn(struct tickets *t, int64_t lifetime_ms);

#endif
