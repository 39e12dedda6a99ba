#include "queue/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "proc/stats.h"
#include "queue/record.h"

#define PATH_ROOM  4096
#define GROUP_MOST 256 /* messages in one sync */

struct spool_message {
	struct spool *spool;
	struct link link;
	uint64_t limit, octets;
	uint32_t crc;
	struct buf body; /* all of it, while it is small */
	int alone_fd;    /* a file of its own; -1: none */
	uint64_t alone_id;
	void *mapped; /* that file, while spool_content is looked at; NULL: it is not */
	size_t mapped_octets;
	struct buf envelope;
	void (*done)(void *, const struct spool_result *);
	void *context;
	struct spool_result result;
};

/* A record that the role queue has not confirmed. */
struct announcement {
	struct spool *spool;
	struct link link;
	uint64_t segment, place, length;
	bool alone;
	bool asked; /* on its way over the channel that is there now */
};

struct spool {
	char folder[PATH_ROOM - 64];
	int process;
	struct peers *peers;
	int fd; /* the open segment; -1: none yet */
	uint64_t segment, end;
	struct segment_head head; /* of the open segment; written with its first record */
	pthread_mutex_t lock;     /* waiting, committing, thread_turn, stopping, last_id */
	pthread_cond_t there;
	struct list waiting;
	bool committing;  /* somebody writes a group; the rest of this struct's files are his */
	bool thread_turn; /* it is the thread */
	bool stopping;
	uint64_t last_id;
	uint64_t last_of_others; /* the highest id that was there before this process */
	pthread_t thread;
	pthread_mutex_t announce_lock; /* announcements, and the order of what the queue is told */
	struct list announcements;
};

/* ---- files ---- */

/* Nothing of it is there; errno says why. The text names the folder, not a file, so that it is the same
 * for every message, and what a postmaster should do. */
static bool refused(const struct spool *s, const char *what, struct error *error)
{
	int code = errno;

	return error_local(error, "%s: %s: %s%s", s->folder, what, strerror(code),
	    code == ENOSPC || code == EDQUOT ? "; make room, mail is taken again by itself"
		: code == EROFS              ? "; make it writable, mail is taken again by itself"
					     : "");
}

static void path_of(const struct spool *s, uint64_t id, const char *ending, char *out)
{
	snprintf(out, PATH_ROOM, "%s/%016llx.%s", s->folder, (unsigned long long)id, ending);
}

/* Microseconds and the process's number: grows, and no two are the same. */
static uint64_t new_id(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t id = (uint64_t)clock_wall_us() << 8 | (uint64_t)s->process;
	if (id <= s->last_id)
		id = s->last_id + 256;
	s->last_id = id;
	pthread_mutex_unlock(&s->lock);
	return id;
}

/* Removes halves, and notes the highest id, so that new ones are above it whatever the clock says. */
static void look_around(struct spool *s)
{
	DIR *folder = opendir(s->folder);
	struct dirent *entry;
	char path[PATH_ROOM + 300];

	while (folder && (entry = readdir(folder))) {
		uint64_t id = strtoull(entry->d_name, NULL, 16);
		const char *dot = strchr(entry->d_name, '.');

		if (!dot || entry->d_name[0] == '.')
			continue;
		if (id > s->last_id)
			s->last_id = id;
		if (strcmp(dot, ".part") == 0) {
			snprintf(path, sizeof path, "%s/%s", s->folder, entry->d_name);
			unlink(path);
		}
	}
	if (folder)
		closedir(folder);
	s->last_of_others = s->last_id;
}

struct spool *spool_open(const char *folder, int process, struct peers *peers, struct error *error)
{
	struct spool *s = NEW(struct spool);

	*s = (struct spool){ .process = process, .peers = peers, .fd = -1 };
	snprintf(s->folder, sizeof s->folder, "%s", folder);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->there, NULL);
	pthread_mutex_init(&s->announce_lock, NULL);
	list_init(&s->waiting);
	list_init(&s->announcements);
	if (!folder_make(folder, 0750, error)) {
		free(s);
		return NULL;
	}
	look_around(s);
	return s;
}

/* ---- telling the role queue ---- */

static void announced(void *context, bool ok, struct message_reader *in)
{
	struct announcement *a = context;
	struct spool *s = a->spool;

	(void)in;
	pthread_mutex_lock(&s->announce_lock);
	a->asked = false;
	if (ok) {
		list_remove(&a->link);
		free(a);
	}
	/* Otherwise it was lost with its channel: spool_reconnect says it again. */
	pthread_mutex_unlock(&s->announce_lock);
}

/* Once over each channel: its answer frees it. The lock is held. */
static void say_accepted(struct announcement *a)
{
	struct message m;

	if (a->asked)
		return;
	message_begin(&m, MESSAGE_ACCEPTED);
	message_put_number(&m, a->segment);
	message_put_number(&m, a->place);
	message_put_number(&m, a->length);
	message_put_number(&m, a->alone);
	a->asked = peers_request(a->spool->peers, ROLE_QUEUE, 0, &m, -1, announced, a);
	message_free(&m);
}

/* Records first, then which segment is open: the queue may remove an older one as soon as it hears of
 * the newer, and must know all its records by then, also when its channel came a moment ago. The lock
 * is held. */
static void say_open(struct spool *s)
{
	struct message m;

	LIST_EACH(node, &s->announcements)
	say_accepted(LIST_OF(node, struct announcement, link));
	message_begin(&m, MESSAGE_SEGMENT_OPEN);
	message_put_number(&m, s->segment);
	message_put_number(&m, s->last_of_others);
	peers_tell(s->peers, ROLE_QUEUE, 0, &m, -1);
	message_free(&m);
}

static void announce(struct spool *s, uint64_t segment, uint64_t place, uint64_t length, bool alone)
{
	struct announcement *a = NEW(struct announcement);

	*a = (struct announcement){
		.spool = s, .segment = segment, .place = place, .length = length, .alone = alone
	};
	pthread_mutex_lock(&s->announce_lock);
	list_push(&s->announcements, &a->link);
	say_accepted(a);
	pthread_mutex_unlock(&s->announce_lock);
}

void spool_reconnect(struct spool *s)
{
	pthread_mutex_lock(&s->announce_lock);
	say_open(s);
	pthread_mutex_unlock(&s->announce_lock);
}

/* ---- messages ---- */

struct spool_message *spool_begin(struct spool *spool, uint64_t limit)
{
	struct spool_message *m = NEW(struct spool_message);

	*m = (struct spool_message){ .spool = spool, .limit = limit, .alone_fd = -1 };
	buf_init(&m->body, SPOOL_ALONE);
	buf_init(&m->envelope, RECORD_ENVELOPE_MAX);
	return m;
}

static void unmap(struct spool_message *m)
{
	if (m->mapped)
		munmap(m->mapped, m->mapped_octets);
	m->mapped = NULL;
}

static void message_free_all(struct spool_message *m)
{
	unmap(m);
	buf_free(&m->body);
	buf_free(&m->envelope);
	if (m->alone_fd >= 0)
		close(m->alone_fd);
	free(m);
}

void spool_abort(struct spool_message *m)
{
	char path[PATH_ROOM];

	if (!m)
		return;
	if (m->alone_fd >= 0) {
		path_of(m->spool, m->alone_id, "part", path);
		unlink(path);
	}
	message_free_all(m);
}

uint64_t spool_octets(const struct spool_message *m)
{
	return m->octets;
}

/* What a file of its own begins with. */
struct alone_head {
	struct segment_head segment;
	struct record_head record;
};

bool spool_content(struct spool_message *m, slice *content_out, struct error *error)
{
	size_t heads = sizeof(struct alone_head);

	*content_out = buf_slice(&m->body);
	if (m->alone_fd < 0)
		return true;
	unmap(m);
	m->mapped_octets = heads + (size_t)m->octets;
	m->mapped = mmap(NULL, m->mapped_octets, PROT_READ, MAP_SHARED, m->alone_fd, 0);
	if (m->mapped == MAP_FAILED) {
		m->mapped = NULL;
		return refused(m->spool, "a large message is not read back", error);
	}
	*content_out = (slice){ (const char *)m->mapped + heads, (size_t)m->octets };
	return true;
}

/* A file of its own: room for the heads, which are only known at the end, and what has come of the message
 * so far. */
static bool begin_alone(struct spool_message *m, struct error *error)
{
	struct alone_head empty = { 0 };
	char path[PATH_ROOM];

	m->alone_id = new_id(m->spool);
	path_of(m->spool, m->alone_id, "part", path);
	m->alone_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (m->alone_fd < 0)
		return refused(m->spool, "no new file for a large message", error);
	bool ok =
	    file_write_all(m->alone_fd, (slice){ (const char *)&empty, sizeof empty }, error) &&
	    file_write_all(m->alone_fd, buf_slice(&m->body), error);
	if (!ok)
		refused(m->spool, "a large message is not written", error);
	buf_free(&m->body);
	return ok;
}

bool spool_write(struct spool_message *m, slice data, struct error *error)
{
	if (data.n > m->limit - m->octets)
		return error_plain(error, FAULT_LIMIT, "the message is larger than %llu octets",
		    (unsigned long long)m->limit);
	m->octets += data.n;
	m->crc = crc32c(m->crc, data);
	if (m->alone_fd < 0 && m->octets <= SPOOL_ALONE) {
		buf_add(&m->body, data);
		return true;
	}
	if (m->alone_fd < 0 && !begin_alone(m, error))
		return false;
	return file_write_all(m->alone_fd, data, error) ||
	    refused(m->spool, "a large message is not written", error);
}

/* ---- commits ---- */

/* What was not synced may or may not be there: this process can promise nothing any more, and a
 * successor looks at the file anew. */
static void sync_or_die(int fd, const char *what)
{
	if (fdatasync(fd) < 0)
		panic("cannot sync %s: %s", what, strerror(errno));
}

static void sync_folder(const struct spool *s)
{
	struct error error;

	if (!folder_sync(s->folder, &error))
		panic("%s", error.why);
}

static bool open_segment(struct spool *s, struct error *error)
{
	char path[PATH_ROOM];
	uint64_t id = new_id(s);

	path_of(s, id, "seg", path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return refused(s, "no new segment", error);
	sync_folder(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	pthread_mutex_lock(&s->announce_lock);
	s->segment = id;
	segment_head_make(id, &s->head);
	say_open(s);
	pthread_mutex_unlock(&s->announce_lock);
	s->end = 0;
	return true;
}

static void seal(struct spool_message *m, const struct segment_head *segment, uint64_t place,
    struct record_head *head_out)
{
	*head_out = (struct record_head){ .mark = segment->mark,
		.message_crc = m->crc,
		.envelope_last = m->alone_fd >= 0,
		.segment = segment->segment,
		.place = place,
		.envelope_octets = m->envelope.n,
		.message_octets = m->octets };
	record_seal(head_out, buf_slice(&m->envelope));
	m->result.segment = segment->segment;
	m->result.place = place;
}

/* Gives the finished file its name. */
static bool name_alone(struct spool *s, struct spool_message *m, struct error *error)
{
	struct alone_head head;
	char from[PATH_ROOM], to[PATH_ROOM];

	segment_head_make(m->alone_id, &head.segment);
	seal(m, &head.segment, RECORD_FIRST, &head.record);
	if (!file_write_all(m->alone_fd, buf_slice(&m->envelope), error) ||
	    pwrite(m->alone_fd, &head, sizeof head, 0) != sizeof head)
		return refused(s, "a large message is not written", error);
	path_of(s, m->alone_id, "part", from);
	path_of(s, m->alone_id, "one", to);
	sync_or_die(m->alone_fd, "a large message");
	return rename(from, to) == 0 || refused(s, "a large message gets no name", error);
}

static bool commit_alone(struct spool *s, struct spool_message *m)
{
	char path[PATH_ROOM];

	if (name_alone(s, m, &m->result.error)) {
		sync_folder(s);
		return true;
	}
	path_of(s, m->alone_id, "part", path);
	unlink(path);
	return false;
}

/* Writes all parts at the end of the segment; what a disk took of them before it failed is cut off
 * again. */
static bool write_parts(struct spool *s, struct iovec *next, size_t left, struct error *error)
{
	size_t total = 0;

	while (left) {
		ssize_t wrote =
		    pwritev(s->fd, next, left > 1024 ? 1024 : (int)left, (off_t)(s->end + total));

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0) {
			refused(s, "the segment is not written", error);
			/* Whole records may stand there. Nobody was told of them: the process ends, and
			 * with it the answer that would be wrong. */
			if (total && ftruncate(s->fd, (off_t)s->end) < 0)
				panic("cannot cut a half record off: %s", strerror(errno));
			return false;
		}
		total += (size_t)wrote;
		for (; left && (size_t)wrote >= next->iov_len; left--)
			wrote -= (ssize_t)(next++)->iov_len;
		if (left) {
			next->iov_base = (char *)next->iov_base + wrote;
			next->iov_len -= (size_t)wrote;
		}
	}
	return true;
}

/* All of the group in one write and one sync; the first brings the segment's head with it. false: the
 * disk did not take it, and nothing of it is there. */
static bool write_group(
    struct spool *s, struct spool_message **group, size_t n, struct error *error)
{
	struct iovec parts[3 * GROUP_MOST + 1];
	static struct record_head heads[GROUP_MOST];
	uint64_t at = s->end;
	size_t count = 0;

	if (at == 0) {
		parts[count++] = (struct iovec){ &s->head, sizeof s->head };
		at = RECORD_FIRST;
	}
	for (size_t i = 0; i < n; i++) {
		seal(group[i], &s->head, at, &heads[i]);
		parts[count++] = (struct iovec){ &heads[i], sizeof heads[i] };
		parts[count++] = (struct iovec){ group[i]->envelope.p, group[i]->envelope.n };
		parts[count++] = (struct iovec){ group[i]->body.p, group[i]->body.n };
		at += record_length(&heads[i]);
	}
	if (!write_parts(s, parts, count, error))
		return false;
	sync_or_die(s->fd, "a segment");
	s->end = at;
	return true;
}

static void finish(struct spool *s, struct spool_message *m, bool ok)
{
	m->result.ok = ok;
	if (ok) {
		struct record_head head = { .envelope_octets = m->envelope.n,
			.message_octets = m->octets };

		announce(
		    s, m->result.segment, m->result.place, record_length(&head), m->alone_fd >= 0);
		stats_count(STAT_ACCEPTED, 1);
	}
	m->done(m->context, &m->result);
	message_free_all(m);
}

static void commit_group(struct spool *s, struct spool_message **group, size_t n)
{
	struct spool_message *small[GROUP_MOST];
	struct error error;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (group[i]->alone_fd < 0)
			small[count++] = group[i];
		else
			finish(s, group[i], commit_alone(s, group[i]));
	}
	if (count == 0)
		return;
	bool ok = (s->fd >= 0 && s->end < SPOOL_SEGMENT) || open_segment(s, &error);
	ok = ok && write_group(s, small, count, &error);
	for (size_t i = 0; i < count; i++) {
		if (!ok)
			small[i]->result.error = error;
		finish(s, small[i], ok);
	}
}

/* Who is committing writes what waits, in one group. */
static void commit_waiting(struct spool *s)
{
	struct spool_message *group[GROUP_MOST] = { NULL };
	struct link *node;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < GROUP_MOST && (node = list_pop(&s->waiting)))
		group[n++] = LIST_OF(node, struct spool_message, link);
	pthread_mutex_unlock(&s->lock);
	commit_group(s, group, n);
}

/* The lock is held: what came meanwhile is the thread's, so that nobody who brings a message writes for
 * others without end. */
static void pass_on(struct spool *s)
{
	s->thread_turn = s->committing = !list_empty(&s->waiting);
	if (s->thread_turn)
		pthread_cond_signal(&s->there);
}

static void *commit_thread(void *argument)
{
	struct spool *s = argument;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->thread_turn && !s->stopping)
			pthread_cond_wait(&s->there, &s->lock);
		if (!s->thread_turn)
			break;
		pthread_mutex_unlock(&s->lock);
		commit_waiting(s);
		pthread_mutex_lock(&s->lock);
		pass_on(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void spool_commit(struct spool_message *m, slice envelope,
    void (*done)(void *, const struct spool_result *), void *context)
{
	struct spool *s = m->spool;

	unmap(m);
	buf_add(&m->envelope, envelope);
	m->done = done;
	m->context = context;
	pthread_mutex_lock(&s->lock);
	list_push(&s->waiting, &m->link);
	bool mine = !s->committing;
	s->committing = true;
	pthread_mutex_unlock(&s->lock);
	if (!mine)
		return;
	commit_waiting(s);
	pthread_mutex_lock(&s->lock);
	pass_on(s);
	pthread_mutex_unlock(&s->lock);
}

void spool_start(struct spool *spool)
{
	if (pthread_create(&spool->thread, NULL, commit_thread, spool))
		panic("spool: no thread");
}

void spool_stop(struct spool *spool)
{
	pthread_mutex_lock(&spool->lock);
	spool->stopping = true;
	pthread_cond_signal(&spool->there);
	pthread_mutex_unlock(&spool->lock);
	pthread_join(spool->thread, NULL);
}

void spool_free(struct spool *spool)
{
	struct link *node;

	while ((node = list_pop(&spool->announcements)))
		free(LIST_OF(node, struct announcement, link));
	if (spool->fd >= 0)
		close(spool->fd);
	free(spool);
}
