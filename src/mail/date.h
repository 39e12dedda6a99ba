/*
 * date: points in time as mail writes them.
 *
 *     struct date date;
 *     if (date_parse(SLICE("Fri, 21 Nov 1997 09:55:06 -0600"), &date)) ...
 *     date_internal_write(&date, out);       "21-Nov-1997 09:55:06 -0600"
 *
 * A date is seconds since 1970-01-01 UTC and the zone it was written in, so it can be written back
 * as it came. Years 1900 to 9999. What people send as a Date is read tolerantly, what IMAP clients
 * send strictly.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/buf.h"
#include "base/cursor.h"

struct date {
	int64_t seconds; /* since 1970-01-01 00:00 UTC */
	int zone;        /* minutes east of Greenwich */
};

/* RFC 5322 §3.3 and §4.3: comments, obsolete zones, two-digit years, no seconds; no zone is UTC. */
bool date_parse(slice text, struct date *out);
/* Adds "Fri, 21 Nov 1997 09:55:06 -0600" (RFC 5322 §3.3). */
void date_write(const struct date *date, struct buf *out);
/* date-time of IMAP, with its quotes: "17-Jul-1996 02:44:25 -0700" (RFC 9051 §9). */
bool date_internal_parse(struct cursor *c, struct date *out);
/* The same, with the quotes. */
void date_internal_write(const struct date *date, struct buf *out);
/* date of IMAP SEARCH, 1-Feb-1994 with or without quotes, as date_day() counts (RFC 9051 §9). */
bool date_day_parse(struct cursor *c, int64_t *day_out);
/* The calendar day at the date's own place, in days since 1970-01-01: what SEARCH compares. */
int64_t date_day(const struct date *date);

#endif
