#include "trace/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "trace/print.h"
#include "trace/record.h"

#define WINDOW (1u << 20)

/* ---- a file, record by record ---- */

struct reader {
	int fd;
	char *window;
	uint64_t at; /* of the window's first octet in the file */
	size_t used, filled;
};

/* At least n octets from `used` on. */
static bool have(struct reader *r, size_t n)
{
	if (r->filled - r->used >= n)
		return true;
	r->at += r->used;
	r->used = 0;
	ssize_t got = pread(r->fd, r->window, WINDOW, (off_t)r->at);
	r->filled = got > 0 ? (size_t)got : 0;
	return r->filled >= n;
}

/* The next whole record; what is none, as after a full disk, is passed over octet by octet. */
static bool next_record(struct reader *r, struct trace_head *head, slice *notes, uint64_t *at)
{
	for (; have(r, sizeof *head); r->used++) {
		memcpy(head, r->window + r->used, sizeof *head);
		if ((head->magic != TRACE_MAGIC && head->magic != TRACE_FORGOTTEN) ||
		    head->octets > TRACE_MAX || !have(r, sizeof *head + head->octets))
			continue;
		*at = r->at + r->used;
		*notes = (slice){ r->window + r->used + sizeof *head, head->octets };
		if (trace_crc(head, *notes) != head->crc)
			continue;
		head->session[sizeof head->session - 1] = '\0';
		r->used += sizeof *head + head->octets;
		return true;
	}
	return false;
}

static bool open_reader(struct reader *r, const char *folder, const char *name, int flags)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	*r = (struct reader){ .fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW) };
	if (r->fd < 0)
		return false;
	r->window = memory_new(1, WINDOW);
	return true;
}

static void close_reader(struct reader *r)
{
	close(r->fd);
	free(r->window);
}

/* ---- which files ---- */

/* "20261124.smtp.0": its day; 0: it is no file of traces. */
static int day_of(const char *name)
{
	uint64_t day;

	return strlen(name) > 9 && name[8] == '.' &&
		slice_number((slice){ name, 8 }, 99991231, &day)
	    ? (int)day
	    : 0;
}

static int day_before(int days)
{
	time_t then = (time_t)(clock_wall_us() / 1000000) - (time_t)days * 86400;
	struct tm tm;

	return gmtime_r(&then, &tm)
	    ? (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday
	    : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of files of this day and later, in order. */
static bool list(const char *folder, int from, struct arena *arena, char ***names_out,
    size_t *count_out, struct error *error)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t room = 1024;

	*names_out = ARENA_ARRAY(arena, char *, room);
	*count_out = 0;
	if (!dir)
		return error_local(error, "cannot read %s: %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		if (!day_of(entry->d_name) || day_of(entry->d_name) < from)
			continue;
		if (*count_out == room) {
			char **more = ARENA_ARRAY(arena, char *, 2 * room);

			memcpy(more, *names_out, room * sizeof *more);
			*names_out = more;
			room *= 2;
		}
		(*names_out)[(*count_out)++] = arena_str(arena, slice_of(entry->d_name));
	}
	closedir(dir);
	qsort(*names_out, *count_out, sizeof **names_out, by_name);
	return true;
}

/* ---- what is looked for ---- */

static bool has_text(slice text, slice part)
{
	for (size_t i = 0; part.n && i + part.n <= text.n; i++)
		if (slice_eq_nocase(slice_head(slice_from(text, i), part.n), part))
			return true;
	return false;
}

static bool names_address(const struct trace_head *head, slice notes, slice address)
{
	struct trace_noted note;

	while (trace_next(&notes, head->began_us, &note)) {
		bool has = note.kind == TRACE_MAIL || note.kind == TRACE_RCPT ||
		    note.kind == TRACE_DELIVERED || note.kind == TRACE_WAITS ||
		    note.kind == TRACE_HELD || note.kind == TRACE_DROPPED;
		/* A recipient that was refused stands in the command. */
		bool said = note.kind == TRACE_REPLY && has_text(note.texts[0], address);

		if ((has && slice_eq_nocase(note.texts[0], address)) || said)
			return true;
	}
	return false;
}

static bool is_session(const struct trace_head *head, slice session)
{
	slice own = slice_of(head->session);
	uint64_t number;

	if (slice_eq(session, own))
		return true;
	return slice_starts(session, own) && session.n > own.n && session.p[own.n] == '.' &&
	    slice_number(slice_from(session, own.n + 1), UINT32_MAX, &number) &&
	    number == head->number;
}

static bool matches(const struct trace_query *q, const struct trace_head *head, slice notes)
{
	if (head->magic != TRACE_MAGIC)
		return false;
	if (q->segment && (head->segment != q->segment || head->place != q->place))
		return false;
	if (q->session.n && !is_session(head, q->session))
		return false;
	return !q->address.n || names_address(head, notes, q->address);
}

/* ---- finding ---- */

struct found {
	struct trace_head head;
	slice notes;
};

/* The newest q->most, a ring. */
struct ring {
	struct found *found;
	size_t most, next, count;
};

static void remember(struct ring *ring, const struct trace_head *head, slice notes)
{
	struct found *f = &ring->found[ring->next];
	char *copy = memory_new(1, notes.n + 1);

	memcpy(copy, notes.p, notes.n);
	free((char *)f->notes.p);
	*f = (struct found){ .head = *head, .notes = { copy, notes.n } };
	ring->next = (ring->next + 1) % ring->most;
	ring->count += ring->count < ring->most;
}

static int by_time(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->head.began_us > y->head.began_us) - (x->head.began_us < y->head.began_us);
}

static void look_into(
    const char *folder, const char *name, const struct trace_query *q, struct ring *ring)
{
	struct trace_head head;
	struct reader r;
	uint64_t at;
	slice notes;

	if (!open_reader(&r, folder, name, O_RDONLY))
		return;
	while (next_record(&r, &head, &notes, &at))
		if (matches(q, &head, notes))
			remember(ring, &head, notes);
	close_reader(&r);
}

/* A queue id tells the microsecond at which its segment began: nothing of it is older. */
static int first_day(const struct trace_query *q)
{
	int64_t days = q->days;

	if (q->segment) {
		int64_t age = (clock_wall_us() - (int64_t)(q->segment >> 8)) / 86400000000;

		days = age >= 0 && age < days ? age + 1 : days;
	}
	return day_before((int)days);
}

bool trace_find(const char *folder, const struct trace_query *query, struct buf *out,
    size_t *count_out, struct error *error)
{
	struct arena *arena = arena_new(64u << 20);
	struct ring ring = { .most = query->most ? query->most : 1 };
	char **names;
	size_t n;
	bool ok = list(folder, first_day(query), arena, &names, &n, error);

	ring.found = memory_new(ring.most, sizeof *ring.found);
	for (size_t i = 0; ok && i < n; i++)
		look_into(folder, names[i], query, &ring);
	qsort(ring.found, ring.count, sizeof *ring.found, by_time);
	for (size_t i = 0; i < ring.count; i++) {
		trace_print(&ring.found[i].head, ring.found[i].notes, out);
		free((char *)ring.found[i].notes.p);
	}
	*count_out = ring.count;
	free(ring.found);
	arena_free(arena);
	return ok;
}

/* ---- forgetting ---- */

static bool forget_record(struct reader *r, uint64_t at, const struct trace_head *head)
{
	struct trace_head blank = { .magic = TRACE_FORGOTTEN, .octets = head->octets };
	char *zeros = memory_new(1, head->octets + 1);

	blank.crc = trace_crc(&blank, (slice){ zeros, head->octets });
	bool ok = pwrite(r->fd, &blank, sizeof blank, (off_t)at) == sizeof blank &&
	    pwrite(r->fd, zeros, head->octets, (off_t)(at + sizeof blank)) == (ssize_t)head->octets;

	free(zeros);
	return ok;
}

static bool forget_in(
    const char *folder, const char *name, slice address, size_t *count, struct error *error)
{
	struct trace_head head;
	struct reader r;
	uint64_t at;
	slice notes;
	bool ok = true;

	if (!open_reader(&r, folder, name, O_RDWR))
		return error_local(error, "cannot open %s/%s: %s", folder, name, strerror(errno));
	while (ok && next_record(&r, &head, &notes, &at)) {
		if (head.magic != TRACE_MAGIC || !names_address(&head, notes, address))
			continue;
		ok = forget_record(&r, at, &head);
		*count += ok;
	}
	if (!ok)
		error_local(error, "cannot write %s/%s: %s", folder, name, strerror(errno));
	close_reader(&r);
	return ok;
}

bool trace_forget(const char *folder, slice address, size_t *count_out, struct error *error)
{
	struct arena *arena = arena_new(64u << 20);
	char **names;
	size_t n;
	bool ok = list(folder, 0, arena, &names, &n, error);

	*count_out = 0;
	for (size_t i = 0; ok && i < n; i++)
		ok = forget_in(folder, names[i], address, count_out, error);
	arena_free(arena);
	return ok;
}

void trace_expire(const char *folder, int days)
{
	struct arena *arena = arena_new(64u << 20);
	int from = day_before(days);
	struct error error;
	char path[4096];
	char **names;
	size_t n;

	if (list(folder, 0, arena, &names, &n, &error))
		for (size_t i = 0; i < n; i++) {
			if (day_of(names[i]) >= from)
				continue;
			snprintf(path, sizeof path, "%s/%s", folder, names[i]);
			unlink(path);
		}
	arena_free(arena);
}
