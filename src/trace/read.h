/*
 * read: looks for traces in the files of all processes, prints them, forgets them.
 *
 *     struct trace_query q = { .address = SLICE("ann@example.org"), .days = 7, .most = 20 };
 *     trace_find(folder, &q, &out, &found, error);
 */
#ifndef TRACE_READ_H
#define TRACE_READ_H

#include "base/arena.h"
#include "trace/trace.h"

struct trace_query {
	uint64_t segment, place; /* 0: any */
	slice session;           /* empty: any; "4f2a.17", or one of its messages: "4f2a.17.2" */
	slice address;           /* of a sender or recipient; empty: any */
	int days;                /* back from today */
	size_t most;             /* the newest so many */
};

/* Prints what is found, the oldest first; how many. false and error: the folder cannot be read. */
bool trace_find(const char *folder, const struct trace_query *query, struct buf *out,
    size_t *count_out, struct error *error);
/* Overwrites all traces with the address, in every file; how many. */
bool trace_forget(const char *folder, slice address, size_t *count_out, struct error *error);
/* Removes the files of days before the last `days`. */
void trace_expire(const char *folder, int days);

#endif
