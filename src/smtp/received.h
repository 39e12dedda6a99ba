/*
 * received: what this server writes in front of a message: Received, and what a client of ours has left out.
 */
#ifndef SMTP_RECEIVED_H
#define SMTP_RECEIVED_H

#include "base/buf.h"
#include "net/session.h"

/* What a message's header has. */
struct header_facts {
	unsigned hops; /* Received fields */
	bool date, message_id;
	bool none; /* its first line is no field: there is no header */
};

/* Reads the header of a message (RFC 5322 §2.2). */
void header_look(slice header, struct header_facts *out);
/* Adds Received (RFC 5321 §4.4, "with" per RFC 3848 and RFC 6531 §4.3) and, for the message of one of our
 * users, the Date and Message-ID that it lacks (RFC 6409 §8). The session has a transaction. */
void trace_fields_write(const struct session *s, const struct header_facts *facts, struct buf *out);
#define RECEIVED_MAX 4096 /* octets, at most */

#endif
