#include "queue/schedule.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "proc/stats.h"
#include "queue/envelope.h"
#include "queue/record.h"

#define PATH_ROOM   4096
#define HANDED_MOST 512 /* items that deliver has at once */
#define RETRY_LEAST (10 * 1000000LL)
#define RETRY_MOST  (900 * 1000000LL)
#define ORPHAN_US   60000000 /* a process that did not come by then will not */

struct segment {
	uint64_t id;
	int process;
	bool closed;      /* nothing will be appended */
	bool damaged;     /* it holds what may be a message and cannot be read: it stays */
	uint64_t read_to; /* the file's size when it was read whole */
	size_t undone;
	struct map items; /* by place */
	struct link link;
};

struct item {
	struct segment *segment;
	uint64_t place, length;
	struct buf done; /* '1' at each recipient that needs nothing more */
	int attempts;
	bool handed, held;
	int64_t due_us;
	struct link link; /* in ready or later, unless handed or held */
};

static struct {
	char folder[PATH_ROOM - 128];
	struct peers *peers;
	struct map segments;
	struct list order; /* of segments */
	struct list ready, later;
	size_t handed, waiting, held;
	bool deliver_there;
	int64_t opened_us;
	bool heard[ROLE_INSTANCES]; /* its process has said which segment is open */
	bool orphans_closed;
	int64_t least_pause_us, most_pause_us;
} q = { .least_pause_us = RETRY_LEAST, .most_pause_us = RETRY_MOST };

void schedule_set_pauses(int64_t least_us, int64_t most_us)
{
	q.least_pause_us = least_us;
	q.most_pause_us = most_us;
}

/* ---- segments and items ---- */

static struct segment *segment_of(uint64_t id)
{
	struct segment *s = map_get(&q.segments, id);

	if (s)
		return s;
	s = NEW(struct segment);
	s->id = id;
	s->process = (int)(id & 0xff);
	map_set(&q.segments, id, s);
	list_push(&q.order, &s->link);
	return s;
}

static void segment_path(const struct segment *s, const char *ending, char *out)
{
	snprintf(out, PATH_ROOM, "%s/%d/%016llx.%s", q.folder, s->process,
	    (unsigned long long)s->id, ending);
}

static void item_free(struct item *item)
{
	list_remove(&item->link);
	buf_free(&item->done);
	free(item);
}

/* Removes the segment's file when nothing needs it. The folder is synced, so that it cannot come back
 * after the rows that keep its messages single are pruned (they go below the lowest segment there). */
static void segment_release(struct segment *s)
{
	char path[PATH_ROOM], folder[PATH_ROOM];
	struct error error;

	if (!s->closed || s->undone || s->damaged)
		return;
	segment_path(s, "seg", path);
	if (unlink(path) < 0) {
		segment_path(s, "one", path);
		if (unlink(path) < 0 && errno != ENOENT) {
			log_warn(
			    "segment.stays", kv_str("path", path), kv_str("why", strerror(errno)));
			return;
		}
	}
	snprintf(folder, sizeof folder, "%s/%d", q.folder, s->process);
	if (!folder_sync(folder, &error))
		panic("%s", error.why);
	list_remove(&s->link);
	map_remove(&q.segments, s->id);
	size_t at = 0;
	struct item *item;
	while ((item = map_next(&s->items, &at)))
		item_free(item);
	map_free(&s->items);
	free(s);
}

/* false: it is known already. */
static bool item_add(uint64_t segment, uint64_t place, uint64_t length, bool alone)
{
	struct segment *s = segment_of(segment);
	struct item *item;

	s->closed |= alone;
	if (map_get(&s->items, place))
		return false;
	item = NEW(struct item);
	*item = (struct item){ .segment = s, .place = place, .length = length };
	buf_init(&item->done, ENVELOPE_RECIPIENTS);
	map_set(&s->items, place, item);
	s->undone++;
	q.waiting++;
	list_push(&q.ready, &item->link);
	return true;
}

static void publish(void)
{
	stats_set(STAT_WAITING, (int64_t)q.waiting);
	stats_set(STAT_HELD, (int64_t)q.held);
}

static void item_done(struct item *item)
{
	item->segment->undone--;
	q.waiting--;
	list_remove(&item->link);
	segment_release(item->segment);
}

/* ---- handing to deliver ---- */

static uint64_t lowest_segment(void)
{
	uint64_t low = UINT64_MAX;

	LIST_EACH(node, &q.order)
	{
		uint64_t id = LIST_OF(node, struct segment, link)->id;

		low = id < low ? id : low;
	}
	return low;
}

static void log_recipient(const struct item *item, uint64_t recipient, const char *event, slice why)
{
	char id[QUEUE_ID_TEXT];

	queue_id_text(item->segment->id, item->place, id, sizeof id);
	log_warn(event, kv_str("q", id), kv_num("recipient", (int64_t)recipient),
	    kv_num("attempt", item->attempts), kv_text("why", why));
}

static void retry_later(struct item *item)
{
	int64_t pause = q.least_pause_us;

	for (int i = 1; i < item->attempts && pause < q.most_pause_us; i++)
		pause *= 2;
	item->due_us = clock_us() + (pause < q.most_pause_us ? pause : q.most_pause_us);
	list_push(&q.later, &item->link);
}

/* Reads the outcomes; true: the answer is whole. */
static bool read_outcomes(
    struct item *item, struct message_reader *in, bool *later_out, bool *hold_out)
{
	uint64_t n = message_get_number(in);

	for (uint64_t i = 0; i < n && !in->failed; i++) {
		uint64_t recipient = message_get_number(in);
		uint64_t outcome = message_get_number(in);
		slice why = message_get_text(in);

		if (in->failed || recipient >= ENVELOPE_RECIPIENTS)
			return false;
		while (item->done.n <= recipient)
			buf_addc(&item->done, '0');
		if (outcome == OUTCOME_DONE) {
			item->done.p[recipient] = '1';
		} else {
			*later_out |= outcome == OUTCOME_LATER;
			*hold_out |= outcome == OUTCOME_HOLD;
			log_recipient(item, recipient,
			    outcome == OUTCOME_LATER ? "delivery.later" : "delivery.held", why);
		}
	}
	return message_done(in);
}

static void pump(void);

static void answered(void *context, bool ok, struct message_reader *in)
{
	struct item *item = context;
	bool later = false, hold = false;

	item->handed = false;
	q.handed--;
	if (!ok) {
		/* deliver died, or could not even begin: the next one starts over; what was stored is known.
		 * Its deaths are no fault of the item: they do not make its pauses longer. */
		if (in) {
			item->attempts++;
			retry_later(item);
		} else {
			list_push(&q.ready, &item->link);
		}
	} else if (!read_outcomes(item, in, &later, &hold)) {
		log_recipient(
		    item, 0, "delivery.malformed", SLICE("malformed answer from deliver"));
		item->attempts++;
		retry_later(item);
	} else if (later) {
		item->attempts++;
		retry_later(item);
	} else if (hold) {
		item->held = true;
		q.held++;
	} else {
		item_done(item);
	}
	publish();
	pump();
}

static void hand(struct item *item, uint64_t low)
{
	struct message m;

	message_begin(&m, MESSAGE_DELIVER);
	message_put_number(&m, item->segment->id);
	message_put_number(&m, item->place);
	message_put_number(&m, item->length);
	message_put_number(&m, low);
	message_put_text(&m, buf_slice(&item->done));
	if (peers_request(q.peers, ROLE_DELIVER, 0, &m, -1, answered, item)) {
		list_remove(&item->link);
		item->handed = true;
		q.handed++;
	} else {
		q.deliver_there = false;
	}
	message_free(&m);
}

static void pump(void)
{
	struct link *node;
	uint64_t low = 0;

	while (q.deliver_there && q.handed < HANDED_MOST && (node = list_first(&q.ready))) {
		low = low ? low : lowest_segment();
		hand(LIST_OF(node, struct item, link), low);
	}
}

/* ---- what others say ---- */

/* A process that did not hear our answer says a record again, which may be long delivered and its
 * segment removed. Segments are made before they are spoken of, so that one has no file. */
static bool was_removed(uint64_t id)
{
	struct segment s = { .id = id, .process = (int)(id & 0xff) };
	char path[PATH_ROOM];

	if (map_get(&q.segments, id))
		return false;
	segment_path(&s, "seg", path);
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return false;
	segment_path(&s, "one", path);
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static void take_accepted(struct call *call)
{
	uint64_t segment = message_get_number(&call->in), place = message_get_number(&call->in);
	uint64_t length = message_get_number(&call->in), alone = message_get_number(&call->in);

	if (!message_done(&call->in) || (int)(segment & 0xff) != call->instance) {
		log_warn("message.malformed", kv_str("from", "smtp"),
		    kv_num("instance", call->instance));
		call_end(call);
		return;
	}
	if (!was_removed(segment))
		item_add(segment, place, length, alone != 0);
	call_reply_done(call);
	publish();
	pump();
}

/* The process appends to this segment from now on: its older ones are closed. */
static void close_older(int process, uint64_t open_segment)
{
	struct link *node = q.order.head.next;

	while (node != &q.order.head) {
		struct segment *s = LIST_OF(node, struct segment, link);

		node = node->next;
		if (s->process == process && s->id != open_segment) {
			s->closed = true;
			segment_release(s);
		}
	}
}

static void scan_folder(const char *folder, uint64_t most);

/* The process before this one may have answered for records that it could not tell us of any more: what
 * it left is read before it is closed. Nobody writes to it now. */
static void read_left(int process, uint64_t last_of_others)
{
	char folder[PATH_ROOM];

	snprintf(folder, sizeof folder, "%s/%d", q.folder, process);
	scan_folder(folder, last_of_others);
	publish();
}

static void take_segment_open(struct call *call)
{
	uint64_t segment = message_get_number(&call->in);
	uint64_t last_of_others = message_get_number(&call->in);

	if (message_done(&call->in)) {
		read_left(call->instance, last_of_others);
		q.heard[call->instance] = true;
		if (segment)
			segment_of(segment)->closed = false;
		close_older(call->instance, segment);
	}
	call_end(call);
	pump();
}

const struct service schedule_services[] = {
	{ MESSAGE_ACCEPTED, ROLE_BIT(ROLE_SMTP), take_accepted },
	{ MESSAGE_SEGMENT_OPEN, ROLE_BIT(ROLE_SMTP), take_segment_open },
};
const size_t schedule_service_count = sizeof schedule_services / sizeof schedule_services[0];

void schedule_added(enum role role, int instance)
{
	(void)instance;
	if (role != ROLE_DELIVER)
		return;
	q.deliver_there = true;
	pump();
}

/* Segments of processes that are not run any more have nobody to close them. */
static void close_orphans(void)
{
	q.orphans_closed = true;
	for (int i = 0; i < ROLE_INSTANCES; i++)
		if (!q.heard[i])
			close_older(i, 0);
}

void schedule_tick(void)
{
	int64_t now = clock_us();
	struct link *node = q.later.head.next;

	while (node != &q.later.head) {
		struct item *item = LIST_OF(node, struct item, link);

		node = node->next;
		if (item->due_us > now)
			continue;
		list_remove(&item->link);
		list_push(&q.ready, &item->link);
	}
	if (!q.orphans_closed && now - q.opened_us > ORPHAN_US)
		close_orphans();
	pump();
}

/* ---- reading the spool after a start ---- */

/* Octets that are no record may have been one that was acknowledged: the file stays until a person has
 * looked, and counts among what is held. */
static void segment_damaged(
    struct segment *segment, const char *path, uint64_t from, uint64_t to, const char *what)
{
	q.held += !segment->damaged;
	segment->damaged = true;
	log_warn("segment.damaged", kv_str("path", path), kv_num("from", (int64_t)from),
	    kv_num("to", (int64_t)to), kv_str("what", what),
	    kv_str("why",
		"the rest of the file is delivered and the file is kept: see whether the disk is "
		"well, look in the file for the sender and tell him, then move the file away"));
}

/* What is left behind the last record. */
static void scan_tail(
    struct segment *segment, const char *path, const struct segment_file *file, uint64_t from)
{
	uint64_t size = segment->read_to;

	if (record_is_unfinished(file, size, from))
		log_info("segment.tail", kv_str("path", path),
		    kv_num("octets", (int64_t)(size - from)),
		    kv_str("why", "a write that was not finished, and not acknowledged"));
	else
		segment_damaged(segment, path, from, size, "its end is no record");
}

/* All records of an open file; how many there are. */
static size_t scan_records(struct segment *segment, const char *path, int fd, bool alone)
{
	struct record_head head;
	struct segment_file file;
	struct buf envelope;
	struct error error;
	uint64_t at = RECORD_FIRST, end = at, size = segment->read_to;
	size_t found = 0;

	if (!segment_file_open(fd, segment->id, &file, &error)) {
		if (size > RECORD_FIRST)
			segment_damaged(segment, path, 0, size, error.why);
		return 0;
	}
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	while (record_next(&file, size, &at, &head, &envelope)) {
		if (at != end)
			segment_damaged(segment, path, end, at, "octets are no record");
		item_add(segment->id, at, record_length(&head), alone);
		found++;
		at += record_length(&head);
		end = at;
	}
	if (end < size)
		scan_tail(segment, path, &file, end);
	buf_free(&envelope);
	return found;
}

static void scan_segment(const char *path, uint64_t id, bool alone)
{
	struct stat st = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		log_warn(
		    "segment.unreadable", kv_str("path", path), kv_str("why", strerror(errno)));
		if (fd >= 0)
			close(fd);
		return;
	}
	struct segment *segment = segment_of(id);
	if (segment->read_to < (uint64_t)st.st_size || st.st_size == 0) {
		segment->closed = alone;
		segment->read_to = (uint64_t)st.st_size;
		size_t found = scan_records(segment, path, fd, alone);
		log_info("segment.read", kv_str("path", path), kv_num("items", (int64_t)found));
	}
	close(fd);
}

/* All files but those above `most` and those that nothing will be appended to, which are known. */
static void scan_folder(const char *folder, uint64_t most)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[PATH_ROOM + 300], *end;
		uint64_t id = strtoull(entries[i]->d_name, &end, 16);
		const struct segment *known = map_get(&q.segments, id);

		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (id > most || (known && known->closed)) {
			free(entries[i]);
			continue;
		}
		if (strcmp(end, ".seg") == 0 || strcmp(end, ".one") == 0)
			scan_segment(path, id, end[1] == 'o');
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

bool schedule_open(const char *spool_folder, struct peers *peers, struct error *error)
{
	DIR *spool = opendir(spool_folder);
	struct dirent *entry;
	char path[PATH_ROOM + 300];

	if (!spool)
		return error_local(error, "cannot open %s: %s", spool_folder, strerror(errno));
	snprintf(q.folder, sizeof q.folder, "%s", spool_folder);
	q.peers = peers;
	q.opened_us = clock_us();
	list_init(&q.order);
	list_init(&q.ready);
	list_init(&q.later);
	while ((entry = readdir(spool))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "%s/%s", spool_folder, entry->d_name);
		scan_folder(path, UINT64_MAX);
	}
	closedir(spool);
	/* Whoever was there before this process is not added later: the first item will find out. */
	q.deliver_there = true;
	publish();
	return true;
}
