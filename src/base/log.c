#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log_journal.h"

#define LOG_LINE     8192
#define LOG_DATAGRAM (3 * LOG_LINE)

/* A target keeps its descriptor when another takes over: a thread that still writes to it must not meet
 * whatever was opened next under its number. */
static struct {
	char who[40];
	enum log_level lowest;
	_Atomic int fds[LOG_TARGETS];
	_Atomic int target;
	_Atomic unsigned lost; /* lines that could not be written */
	_Atomic bool torn;     /* the last line in the file has no end */
} out = { "hauberk", LOG_INFO, { STDERR_FILENO, -1, -1 }, LOG_STDERR, 0, false };

void log_open(const char *who, int fd, enum log_level lowest)
{
	snprintf(out.who, sizeof out.who, "%s", who);
	out.fds[LOG_STDERR] = fd;
	out.lowest = lowest;
}

bool log_set_target(enum log_target target, int fd)
{
	int now = out.fds[target];

	if (target != LOG_STDERR && now < 0) {
		if ((now = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
			return false;
		out.fds[target] = now;
	} else if (target != LOG_STDERR && dup3(fd, now, O_CLOEXEC) < 0) {
		return false;
	}
	out.target = (int)target;
	return true;
}

static const char *const targets[LOG_TARGETS] = { "stderr", "file", "journal" };

const char *log_target_name(enum log_target target)
{
	return targets[target];
}

enum log_target log_target_find(slice name)
{
	int i = 0;

	while (i < LOG_TARGETS && !slice_eq(slice_of(targets[i]), name))
		i++;
	return (enum log_target)i;
}

struct line {
	char text[LOG_LINE];
	size_t n;
};

static void put(struct line *line, char c)
{
	if (line->n < LOG_LINE - 1)
		line->text[line->n++] = c;
}

static void put_string(struct line *line, const char *text)
{
	for (; *text; text++)
		put(line, *text);
}

static bool plain(slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return value.n > 0;
}

static void put_value(struct line *line, slice value)
{
	if (plain(value)) {
		for (size_t i = 0; i < value.n; i++)
			put(line, value.p[i]);
		return;
	}
	put(line, '"');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		char escape[8];

		if (c == '"' || c == '\\')
			put(line, '\\');
		if (c >= ' ' && c <= '~') {
			put(line, (char)c);
		} else {
			snprintf(escape, sizeof escape, "\\x%02x", c);
			put_string(line, escape);
		}
	}
	put(line, '"');
}

/* UTC without the C library: gmtime_r takes a lock and may read /etc/localtime, and a line is also
 * written from the signal handler of a sandbox that forbids that. Days are counted from 1 March of year
 * 0, so that the leap day is the last of its year. */
static void put_date(struct line *line, int64_t seconds)
{
	int64_t days = seconds / 86400 + 719468;
	int64_t era = days / 146097, day_of_era = days % 146097;
	int64_t year =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	char text[48];

	snprintf(text, sizeof text, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld",
	    (long long)(year + era * 400 + (month >= 10)),
	    (long long)(month < 10 ? month + 3 : month - 9),
	    (long long)(day_of_year - (153 * month + 2) / 5 + 1),
	    (long long)(seconds % 86400 / 3600), (long long)(seconds % 3600 / 60),
	    (long long)(seconds % 60));
	put_string(line, text);
}

static void put_time(struct line *line)
{
	struct timespec now;
	char micros[16];

	clock_gettime(CLOCK_REALTIME, &now);
	put_date(line, now.tv_sec);
	snprintf(micros, sizeof micros, ".%06ldZ", now.tv_nsec / 1000);
	put_string(line, micros);
}

static void put_field(struct line *line, const struct log_field *field)
{
	char number[24];

	put(line, ' ');
	put_string(line, field->key);
	put(line, '=');
	if (field->kind == KV_TEXT) {
		put_value(line, field->text);
	} else {
		snprintf(number, sizeof number, "%lld", (long long)field->number);
		put_string(line, number);
	}
}

/* What has begun is an event's name, then its fields. */
static void put_event(
    struct line *line, const char *event, const struct log_field *fields, size_t n)
{
	put_string(line, out.who);
	put(line, ' ');
	put_string(line, event);
	for (size_t i = 0; i < n; i++)
		put_field(line, &fields[i]);
}

static bool write_line(int fd, const struct line *line)
{
	ssize_t n = write(fd, line->text, line->n);

	/* On a full disk the beginning of a line may still have found room. */
	if (n > 0)
		out.torn = (size_t)n < line->n;
	return n == (ssize_t)line->n;
}

static bool write_text(
    int fd, enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	static const char *const names[] = { "debug", "info", "warn", "bug" };
	struct line line = { .n = 0 };

	if (out.torn)
		put(&line, '\n');
	put_time(&line);
	put(&line, ' ');
	put_string(&line, names[level]);
	put(&line, ' ');
	put_event(&line, event, fields, n);
	line.text[line.n++] = '\n';
	return write_line(fd, &line);
}

static bool write_journal(
    int fd, enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	char datagram[LOG_DATAGRAM];
	struct line line = { .n = 0 };

	put_event(&line, event, fields, n);
	size_t length = log_journal(datagram, sizeof datagram, level, out.who, event,
	    (slice){ line.text, line.n }, fields, n);
	return write(fd, datagram, length) == (ssize_t)length;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	enum log_target target = (enum log_target)out.target;
	int fd = out.fds[target], before = errno;
	unsigned lost;

	if (level < out.lowest)
		return;
	/* A log that cannot be written must not stop the mail. */
	if (!(target == LOG_JOURNAL ? write_journal : write_text)(fd, level, event, fields, n))
		out.lost++;
	else if ((lost = atomic_exchange(&out.lost, 0)) > 0)
		LOG_AT(LOG_WARN, "log.lost", kv_num("lines", lost));
	errno = before;
}

void panic(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	LOG_AT(LOG_BUG, "panic", kv_str("why", text));
	abort();
}
