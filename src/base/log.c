#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE 8192

static struct {
	char who[40];
	int fd;
	enum log_level lowest;
} out = { "hauberk", STDERR_FILENO, LOG_INFO };

void log_open(const char *who, int fd, enum log_level lowest)
{
	snprintf(out.who, sizeof out.who, "%s", who);
	out.fd = fd;
	out.lowest = lowest;
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

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The date of a day since 1970. gmtime_r reads the local time zone first, under a lock and from a file:
 * neither may be in a signal handler that logs a refused system call, nor inside a sandbox. */
static void put_date(struct line *line, int64_t day)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = 1970, month = 0;
	char text[40];

	for (; day >= 365 + leap(year); year++)
		day -= 365 + leap(year);
	for (; day >= lengths[month] + (month == 1 && leap(year)); month++)
		day -= lengths[month] + (month == 1 && leap(year));
	snprintf(text, sizeof text, "%04d-%02d-%02d", year, month + 1, (int)day + 1);
	put_string(line, text);
}

static void put_time(struct line *line)
{
	struct timespec now;
	char text[60];

	clock_gettime(CLOCK_REALTIME, &now);
	int second = (int)(now.tv_sec % 86400);
	put_date(line, now.tv_sec / 86400);
	snprintf(text, sizeof text, "T%02d:%02d:%02d.%06ldZ", second / 3600, second / 60 % 60,
	    second % 60, now.tv_nsec / 1000);
	put_string(line, text);
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

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	static const char *const names[] = { "debug", "info", "warn", "bug" };
	struct line line = { .n = 0 };

	if (level < out.lowest)
		return;
	put_time(&line);
	put(&line, ' ');
	put_string(&line, names[level]);
	put(&line, ' ');
	put_string(&line, out.who);
	put(&line, ' ');
	put_string(&line, event);
	for (size_t i = 0; i < n; i++)
		put_field(&line, &fields[i]);
	line.text[line.n++] = '\n';
	/* A log that cannot be written must not stop the mail: nothing to be done about it here. */
	ssize_t written = write(out.fd, line.text, line.n);
	(void)written;
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
