/*
 * envelope: what travels beside a message in the spool: who sent it, who gets it, how it came.
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/edit.h"

#define ENVELOPE_RECIPIENTS 10000
#define ENVELOPE_COPIES     1000
#define ENVELOPE_CHANGES    1000 /* of a copy */

/* What was said of the whole message. */
enum envelope_flag {
	ENVELOPE_8BIT = 1 << 0,        /* BODY=8BITMIME (RFC 6152) */
	ENVELOPE_BINARY = 1 << 1,      /* BODY=BINARYMIME (RFC 3030 §3): bare CR and LF are data */
	ENVELOPE_UTF8 = 1 << 2,        /* SMTPUTF8 (RFC 6531) */
	ENVELOPE_REQUIRE_TLS = 1 << 3, /* REQUIRETLS (RFC 8689) */
	ENVELOPE_RETURN_FULL = 1 << 4, /* RET=FULL (RFC 3461 §4.3) */
	ENVELOPE_RETURN_HEADER = 1 << 5, /* RET=HDRS */
};

/* Which reports a recipient's mail may bring (RFC 3461 §4.1); 0: nothing was said. */
enum envelope_notify {
	NOTIFY_NEVER = 1 << 0,
	NOTIFY_SUCCESS = 1 << 1,
	NOTIFY_FAILURE = 1 << 2,
	NOTIFY_DELAY = 1 << 3,
};

/* What is done to a copy of the message on its way to the mailbox; the message itself stays in the spool as it
 * came. Those below are enum edit_kind, of its header. */
enum envelope_change_kind {
	CHANGE_FOLDER = EDIT_KINDS, /* name: the mailbox it goes to */
	CHANGE_FLAG,                /* name: a flag, or keyword */
	CHANGE_QUARANTINE,          /* name: why; it is held */
	CHANGE_DISCARD,             /* name: why; the recipients get nothing. Not in the spool */
	CHANGE_LATER,               /* name: why; it is tried again. Not in the spool */
	CHANGE_KINDS,
};

struct envelope_change {
	uint64_t kind;
	slice name, value;
};

struct envelope_copy {
	struct envelope_change *changes;
	size_t count;
};

struct envelope_recipient {
	slice address;    /* as the client wrote it, local-part@domain; maybe an alias */
	uint64_t account; /* whom the directory named at RCPT; never 0, no two the same */
	uint64_t notify;  /* enum envelope_notify */
	slice original;   /* ORCPT= as it came, "rfc822;" and xtext (RFC 3461 §4.2); maybe empty */
	uint64_t copy; /* of the message with these changes; 0: as it came, else 1 to copy_count */
};

struct envelope {
	slice sender; /* local-part@domain; empty: the null path */
	slice login;  /* who had logged in; empty: nobody */
	slice peer;   /* the client's address */
	slice session;
	slice id;       /* ENVID= as it came, xtext (RFC 3461 §4.4); maybe empty */
	uint64_t flags; /* enum envelope_flag */
	int64_t arrived_us;
	struct envelope_recipient *recipients;
	size_t recipient_count;
	struct envelope_copy *copies;
	size_t copy_count;
	slice facts; /* what the policy knows of it (policy/policy.h); empty: nothing travels */
};

void envelope_encode(const struct envelope *e, struct buf *out);
/* Texts are borrowed from data; the recipients are the arena's. */
bool envelope_decode(slice data, struct arena *arena, struct envelope *out);

#endif
