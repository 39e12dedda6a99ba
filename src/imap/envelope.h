/*
 * envelope: reads an ENVELOPE as store/ keeps it (mail/summary.h writes it).
 *
 *     struct envelope e;
 *     if (envelope_read(row->head.envelope, arena, &e))
 *             for (slice rest = e.from; envelope_address(&rest, arena, &a);) ... a.mailbox, a.host
 *
 * So that searching and sorting by the usual fields need not read messages. Values are borrowed from the text, or
 * in the arena where they were quoted; encoded words stay as they are.
 */
#ifndef IMAP_ENVELOPE_H
#define IMAP_ENVELOPE_H

#include "base/arena.h"
#include "base/slice.h"

enum envelope_list {
	ENVELOPE_FROM,
	ENVELOPE_SENDER,
	ENVELOPE_REPLY_TO,
	ENVELOPE_TO,
	ENVELOPE_CC,
	ENVELOPE_BCC,
	ENVELOPE_LISTS
};

struct envelope {
	slice date, subject, in_reply_to, message_id; /* p is NULL where there is none */
	slice lists[ENVELOPE_LISTS];                  /* for envelope_address() */
};

/* RFC 9051 §7.5.2: a group begins with a mailbox without a host, and ends with neither. */
struct envelope_address {
	slice name, route, mailbox, host; /* p is NULL for NIL */
};

/* false: this is none; *out is empty then. */
bool envelope_read(slice text, struct arena *arena, struct envelope *out);
/* The subject alone, without reading the rest; p is NULL where there is none. */
slice envelope_subject(slice text, struct arena *arena);
/* Takes the first address off *list; false at the end. */
bool envelope_address(slice *list, struct arena *arena, struct envelope_address *out);

#endif
