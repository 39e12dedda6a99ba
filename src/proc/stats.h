/*
 * stats: counters of all processes in one shared table.
 *
 * Made by main in a memory file, mapped by every role; one row a process, written with atomics, read
 * by whoever answers `hauberk status`. A row outlives its process, so totals do not jump back.
 *
 *     stats_count(STAT_ACCEPTED, 1);
 */
#ifndef PROC_STATS_H
#define PROC_STATS_H

#include "proc/role.h"

enum statistic {
	STAT_SESSIONS,  /* open now */
	STAT_CONNECTED, /* since the start */
	STAT_CROWDED,   /* connections turned away: a limit was reached */
	STAT_DENIED,    /* connections turned away: a rule denies them */
	STAT_ACCEPTED,  /* messages answered with 250 */
	STAT_DELIVERED, /* recipients delivered */
	STAT_WAITING,   /* items in the queue now */
	STAT_HELD,      /* items that need a person */
	STAT_LOGINS,
	STAT_REFUSED,  /* failed logins */
	STAT_SCRAM,    /* of auth: 1 while every account has a SCRAM verifier */
	STAT_KERBEROS, /* of auth: a bit for each service that it has keys of (vault/keytab.h) */
	STAT_COUNT
};

/* Makes the table; its descriptor is passed to the roles. -1 and errno when it cannot be made. */
int stats_create(void);
/* Maps the table and picks the row of this process. */
bool stats_open(int fd, enum role me, int instance);
/* Adds to this process's counter; harmless before stats_open. */
void stats_count(enum statistic stat, int64_t by);
/* Sets this process's counter. */
void stats_set(enum statistic stat, int64_t value);
/* A counter of one process. */
int64_t stats_read(enum role role, int instance, enum statistic stat);
const char *stats_name(enum statistic stat);

#endif
