/*
 * log_journal: an event as the journal of systemd takes it: one datagram of fields (systemd's "Native
 * Journal Protocol").
 *
 * MESSAGE is the line that a file would get, without its time and level; PRIORITY is its level, and each
 * key of the event becomes a field, "from" HAUBERK_FROM.
 */
#ifndef BASE_LOG_JOURNAL_H
#define BASE_LOG_JOURNAL_H

#include "base/log.h"

/* Writes at most `room` octets, whole fields only, and says how many. Neither locks nor allocates. */
size_t log_journal(char *to, size_t room, enum log_level level, const char *who, const char *event,
    slice message, const struct log_field *fields, size_t n);

#endif
