/* What happened to a message, and having it forgotten. */
#include <stdlib.h>

#include "base/clock.h"
#include "main/control_work.h"
#include "trace/read.h"

#define DAYS_MAX 3650
#define MOST_MAX 10000
#define HOUR_US  INT64_C(3600000000)

static const char *folder;
static int days_kept;

void control_trace(const char *path, int days)
{
	folder = path;
	days_kept = days;
}

void control_expire(void)
{
	static int64_t next_us;

	if (clock_us() < next_us)
		return;
	next_us = clock_us() + HOUR_US;
	trace_expire(folder, days_kept);
}

/* "6610aaa-18" */
static bool read_queue_id(slice word, uint64_t *segment_out, uint64_t *place_out)
{
	size_t dash = slice_find(word, '-');
	char text[40] = "";
	char *end;

	if (dash == 0 || dash + 1 >= word.n || word.n >= sizeof text)
		return false;
	memcpy(text, word.p, word.n);
	*segment_out = strtoull(text, &end, 16);
	if (end != text + dash)
		return false;
	*place_out = strtoull(end + 1, &end, 16);
	return *end == '\0' && *segment_out && *place_out;
}

static bool read_number(struct work *w, int word, uint64_t max, const char *what, uint64_t *out)
{
	return (slice_number(w->request->words[word], max, out) && *out) ||
	    error_input(
		&w->error, "%s wants a number from 1 to %llu", what, (unsigned long long)max);
}

static void read_what(slice what, struct trace_query *q)
{
	if (slice_find(what, '@') < what.n)
		q->address = what;
	else if (!read_queue_id(what, &q->segment, &q->place))
		q->session = what;
}

/* trace show WHAT DAYS MOST */
bool trace_show(struct work *w)
{
	struct trace_query q = { 0 };
	uint64_t days, most;
	size_t count;

	if (w->request->count != 5)
		return error_input(&w->error, "this wants other words");
	if (!days_kept)
		return error_plain(&w->error, FAULT_ABSENT,
		    "nothing is kept: trace.days is 0 in the configuration");
	if (!read_number(w, 3, DAYS_MAX, "--days", &days) ||
	    !read_number(w, 4, MOST_MAX, "--most", &most))
		return false;
	q.days = (int)days;
	q.most = (size_t)most;
	read_what(w->request->words[2], &q);
	if (!trace_find(folder, &q, w->out, &count, &w->error))
		return false;
	return count > 0 ||
	    error_plain(&w->error, FAULT_ABSENT,
		"nothing is known of \"%.*s\" in the last %d days; say a queue id, the s= of a log "
		"line, or an address",
		SLICE_ARG(slice_head(w->request->words[2], 100)),
		q.days < days_kept ? q.days : days_kept);
}

/* trace forget ADDRESS */
bool trace_forget_address(struct work *w)
{
	slice address = w->request->words[2];
	size_t count;

	if (w->request->count != 3 || slice_find(address, '@') >= address.n)
		return error_input(&w->error, "say the address that is to be forgotten");
	if (!trace_forget(folder, address, &count, &w->error))
		return false;
	buf_addf(w->out, "%zu traces of %.*s forgotten\n", count, SLICE_ARG(address));
	return true;
}
