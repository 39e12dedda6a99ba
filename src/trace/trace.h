/*
 * trace: what happened to a message, and why: kept for a while, so that somebody can be told.
 *
 *     struct trace trace;
 *     trace_begin(&trace);
 *     TRACE(&trace, TRACE_MAIL, 0, sender);
 *     TRACE(&trace, TRACE_REPLY, 550, SLICE("RCPT"), text);
 *     trace_write(&(struct trace_id){ .session = id, .number = 1 }, &trace);
 *     trace_free(&trace);
 *
 * A trace is a few hundred octets of notes in memory, added with little more than a copy. trace_write appends it to
 * the day's file of this process, in one write and without a sync: after a power cut the last ones may be missing, the
 * message is not. Files are kept for so many days; who reads, and who has an address forgotten, is one process (read.h).
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "base/buf.h"
#include "base/error.h"

#define TRACE_MAX 16384 /* octets of one; what comes beyond is left out, which is told */

/* The texts that each takes. */
enum trace_kind {
	TRACE_CONNECTED, /* the client's address, the listener, TLS */
	TRACE_HELLO,     /* the client's name */
	TRACE_LOGIN,     /* the login, the mechanism */
	TRACE_MAIL,      /* the sender */
	TRACE_RCPT,      /* a recipient that was accepted */
	TRACE_EVENT,     /* an event of the policy; number: steps */
	TRACE_RULE,      /* a rule whose conditions held */
	TRACE_CHECK,     /* the check, of what, its result, why; number: microseconds */
	TRACE_CHANGE,    /* what was done, to what, with what */
	TRACE_VERDICT,   /* the action, its text; number: the code */
	TRACE_FAILED,    /* why the policy could not go on */
	TRACE_REPLY,     /* a refusal: of which command, the text; number: the code */
	TRACE_ACCEPTED,  /* the queue id; number: recipients */
	TRACE_DISCARDED, /* why */
	TRACE_DELIVERED, /* the address, the mailbox; number: the UID */
	TRACE_WAITS,     /* the address, why it could not be delivered yet */
	TRACE_HELD,      /* the address, why a person must look */
	TRACE_DROPPED,   /* the address, why it gets nothing */
	TRACE_KINDS
};

struct trace {
	struct buf data;
	int64_t began_us; /* on the wall's clock; notes say how much later they are */
	bool refused;     /* there is a TRACE_REPLY in it */
	bool cut;         /* something was left out */
};

void trace_begin(struct trace *t);
/* Ends with nothing in it; it may be used no more. */
void trace_free(struct trace *t);
/* Adds all of another one, which began before. */
void trace_append(struct trace *t, const struct trace *other);
/* t may be NULL: nothing is noted. Texts above 1,000 octets are cut. */
void trace_note(
    struct trace *t, enum trace_kind kind, int64_t number, const slice *texts, size_t count);
/* The number of a note that was added before: `at` is trace_at() of then. */
size_t trace_at(const struct trace *t);
void trace_set_number(struct trace *t, size_t at, int64_t number);
#define TRACE(t, kind, number, ...)                                                                \
	trace_note((t), (kind), (number), (const slice[]){ __VA_ARGS__ },                          \
	    sizeof((const slice[]){ __VA_ARGS__ }) / sizeof(slice))

/* What a trace is found by. */
struct trace_id {
	slice session;
	uint32_t number;         /* of the message in its session, from 1 on */
	uint64_t segment, place; /* of the queue; 0: it has not come to that */
};

/* Where this process writes; the folder must be there, and the texts live as long as the process. days: how long
 * files are kept, 0: nothing is written. */
void trace_open(const char *folder, const char *process, int days);
/* Is anything written at all? */
bool trace_is_on(void);
/* Never fails: what the disk does not take is counted and told in the log once a minute. Any thread. */
void trace_write(const struct trace_id *id, const struct trace *t);

#endif
