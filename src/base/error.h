/*
 * error: why something of the world failed.
 *
 * A function that can fail because of a client, a peer, a disk or a database returns bool and fills
 * a struct error, which says whose fault it is, whether trying again may help (4xx or 5xx, retry or
 * bounce), what the client may be told and what only the log may know. It is logged once, where it
 * is answered. Our own bugs are not errors: they panic().
 *
 *     if (!segment_open(path, &segment, error))
 *             return false;
 *     ...
 *     return error_local(error, "cannot open %s: %s", path, strerror(errno));
 *
 * "Not found" is an answer, not an error, where a function's name has `find` in it.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum fault {
	FAULT_NONE,
	FAULT_INPUT,  /* malformed: the sender's syntax */
	FAULT_DENIED, /* well-formed, not allowed */
	FAULT_ABSENT, /* the thing named is not there */
	FAULT_LIMIT,  /* a limit was reached */
	FAULT_REMOTE, /* another process or server failed */
	FAULT_LOCAL,  /* our disk, database or configuration */
};

struct error {
	enum fault fault;
	bool temporary; /* may work later */
	bool damaged;   /* a file of ours does not hold what was written there */
	char said[200]; /* for the client; no paths, no SQL */
	char why[400];  /* for the log */
};

/* Each fills *error and returns false. `said` is a plain text for the client. */
bool error_set(struct error *error, enum fault fault, bool temporary, const char *said,
    const char *why, ...) __attribute__((format(printf, 5, 6)));
/* Our disk, database, another role: temporary, the client hears "temporary local problem". */
bool error_local(struct error *error, const char *why, ...) __attribute__((format(printf, 2, 3)));
/* The client's syntax: permanent; client and log are told the same. */
bool error_input(struct error *error, const char *why, ...) __attribute__((format(printf, 2, 3)));
/* Permanent; the same text for client and log. */
bool error_plain(struct error *error, enum fault fault, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
/* "input", "denied" ... for the log. */
const char *fault_name(enum fault fault);

#endif
