/*
 * log: one event, one line, key=value.
 *
 *     log_info("accepted", kv_str("s", session->id), kv_text("from", sender), kv_num("size", n));
 *
 * prints
 *
 *     2026-11-24T09:30:00.123456Z info smtp.1 accepted s=4f2a from=<alice@example.test> size=812
 *
 * Session and queue ids come first. A value with blanks, quotes, controls or octets beyond ASCII is
 * written as a quoted string with \xNN escapes, so nothing that a peer sends can start a new line or
 * a new key. Never log a password or a ticket. A line is one write(2) to standard error, to a file, or
 * to the journal of systemd. What cannot be written is counted, and told when writing works again
 * ("log.lost"): a full disk stops no mail.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"
#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_BUG };

struct log_field {
	const char *key;
	enum { KV_TEXT, KV_NUMBER, KV_NONE } kind;
	slice text;
	int64_t number;
};

static inline struct log_field kv_text(const char *key, slice value)
{
	return (struct log_field){ .key = key, .kind = KV_TEXT, .text = value };
}

static inline struct log_field kv_str(const char *key, const char *value)
{
	return kv_text(key, slice_of(value));
}

static inline struct log_field kv_num(const char *key, int64_t value)
{
	return (struct log_field){ .key = key, .kind = KV_NUMBER, .number = value };
}

/* why=… of an error. */
static inline struct log_field kv_why(const struct error *error)
{
	return kv_str("why", error->why);
}

enum log_target { LOG_STDERR, LOG_FILE, LOG_JOURNAL, LOG_TARGETS };

/* Sets who writes ("smtp.1"), the descriptor that stands for standard error, and the lowest level
 * written. */
void log_open(const char *who, int fd, enum log_level lowest);
/* From now on lines go to the file, or the connected socket of the journal, behind a copy of fd (which
 * stays the caller's; without meaning for LOG_STDERR). While other threads write: each line arrives in
 * the one or in the other. False and errno: nothing has changed. */
bool log_set_target(enum log_target target, int fd);
/* "stderr", "file", "journal", and back; LOG_TARGETS: no such name. */
const char *log_target_name(enum log_target target);
enum log_target log_target_find(slice name);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_AT(level, event, ...)                                                                  \
	log_write(level, event, (const struct log_field[]){ __VA_ARGS__ },                         \
	    sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_AT(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT(LOG_WARN, event, __VA_ARGS__)

/* Our own bug, or no memory: one line of level bug, then abort(). */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
