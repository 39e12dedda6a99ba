/* The day's file of this process. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "trace/record.h"

#define DAY_US  INT64_C(86400000000)
#define TELL_US INT64_C(60000000)

static struct {
	const char *folder, *process;
	bool on;
	pthread_mutex_t lock;
	int fd; /* -1: none */
	int64_t day;
	int64_t lost, told_us;
} files = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

void trace_open(const char *folder, const char *process, int days)
{
	files.folder = folder;
	files.process = process;
	files.on = days > 0;
}

bool trace_is_on(void)
{
	return files.on;
}

/* The lock is held. */
static bool open_day(int64_t day)
{
	time_t seconds = (time_t)(day * 86400);
	char path[4096], name[16] = "";
	struct tm tm;

	if (files.fd >= 0 && files.day == day)
		return true;
	if (files.fd >= 0)
		close(files.fd);
	if (gmtime_r(&seconds, &tm))
		strftime(name, sizeof name, "%Y%m%d", &tm);
	snprintf(path, sizeof path, "%s/%s.%s", files.folder, name, files.process);
	files.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0660);
	files.day = day;
	return files.fd >= 0;
}

/* The lock is held. */
static void count_lost(int64_t now)
{
	int code = errno;

	files.lost++;
	if (now - files.told_us < TELL_US)
		return;
	log_warn("trace.lost", kv_num("traces", files.lost), kv_str("folder", files.folder),
	    kv_str("why", strerror(code)));
	files.told_us = now;
	files.lost = 0;
}

void trace_write(const struct trace_id *id, const struct trace *t)
{
	struct trace_head head = { .magic = TRACE_MAGIC,
		.octets = (uint32_t)t->data.n,
		.began_us = t->began_us,
		.segment = id->segment,
		.place = id->place,
		.number = id->number,
		.cut = t->cut };
	struct iovec parts[] = { { &head, sizeof head }, { t->data.p, t->data.n } };
	int64_t now = clock_wall_us();

	if (!files.on || !t->data.n)
		return;
	memcpy(head.session, id->session.p,
	    id->session.n < sizeof head.session ? id->session.n : sizeof head.session - 1);
	head.crc = trace_crc(&head, buf_slice(&t->data));
	pthread_mutex_lock(&files.lock);
	/* Half a trace at a full disk's end is passed over by whoever reads. */
	if (!open_day(now / DAY_US) ||
	    writev(files.fd, parts, 2) != (ssize_t)(sizeof head + t->data.n))
		count_lost(now);
	pthread_mutex_unlock(&files.lock);
}
