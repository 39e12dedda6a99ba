#include "db/wal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* https://www.sqlite.org/fileformat2.html §4 (the log), walformat.html §2 (its index) */
#define HEAD         32
#define FRAME_HEAD   24
#define PAGE_MAX     65536
#define MAGIC        0x377f0682u /* the lowest bit: checksums of big-endian words */
#define INDEX_COPY   48
#define INDEX_IN_USE 128 /* the octet of the index that every user holds a lock on */
#define TRIES        5
#define PATH_ROOM    (PATH_MAX + 8)

struct log {
	int fd;
	uint32_t page, sum[2];
	unsigned char head[HEAD];
	bool big;
	uint32_t known; /* frames that the index knows; 0: it knows nothing */
	unsigned char frame[FRAME_HEAD + PAGE_MAX];
};

static uint32_t number(const unsigned char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof n);
	return be32toh(n);
}

static void put_number(unsigned char *p, uint32_t n)
{
	n = htobe32(n);
	memcpy(p, &n, sizeof n);
}

static void add(const struct log *log, uint32_t sum[2], const unsigned char *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint32_t a, b;

		memcpy(&a, p + i, 4);
		memcpy(&b, p + i + 4, 4);
		sum[0] += (log->big ? be32toh(a) : le32toh(a)) + sum[1];
		sum[1] += (log->big ? be32toh(b) : le32toh(b)) + sum[0];
	}
}

/* The index's two heads are alike and belong to this log: then it says how many frames were committed. */
static void read_index(const char *path, struct log *log, bool *in_use_out)
{
	char name[PATH_ROOM];
	unsigned char index[2 * INDEX_COPY];
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INDEX_IN_USE, .l_len = 1
	};

	snprintf(name, sizeof name, "%s-shm", path);
	int fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	*in_use_out = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	if (pread(fd, index, sizeof index, 0) == sizeof index &&
	    memcmp(index, index + INDEX_COPY, INDEX_COPY) == 0 && index[12] == 1 &&
	    memcmp(index + 32, log->head + 16, 8) == 0)
		memcpy(&log->known, index + 16, sizeof log->known);
	close(fd);
}

/* Reads frame n (from 1); false at the end. */
static bool read_frame(struct log *log, uint32_t n)
{
	ssize_t size = FRAME_HEAD + (ssize_t)log->page;

	return pread(log->fd, log->frame, (size_t)size, HEAD + (off_t)(n - 1) * size) == size;
}

/* Is it of this log at all, and not of an earlier one whose place it takes? */
static bool frame_is_ours(const struct log *log)
{
	return memcmp(log->frame + 8, log->head + 16, 8) == 0;
}

static void frame_sum(const struct log *log, const uint32_t before[2], uint32_t sum[2])
{
	memcpy(sum, before, 2 * sizeof *sum);
	add(log, sum, log->frame, 8);
	add(log, sum, log->frame + FRAME_HEAD, log->page);
}

static bool frame_is_right(const struct log *log, const uint32_t before[2])
{
	uint32_t sum[2];

	frame_sum(log, before, sum);
	return sum[0] == number(log->frame + 16) && sum[1] == number(log->frame + 20);
}

/* Behind a damaged frame: the last one that ends a transaction and continues the one before it. */
static uint32_t last_commit(struct log *log, uint32_t damaged)
{
	uint32_t before[2], last = 0;

	for (uint32_t n = damaged; read_frame(log, n); n++) {
		if (n > damaged && frame_is_ours(log) && frame_is_right(log, before) &&
		    number(log->frame + 4) != 0)
			last = n;
		before[0] = number(log->frame + 16);
		before[1] = number(log->frame + 20);
	}
	return last > log->known ? last : log->known;
}

static bool head_is_right(struct log *log)
{
	log->big = number(log->head) & 1;
	log->page = number(log->head + 8);
	log->sum[0] = log->sum[1] = 0;
	add(log, log->sum, log->head, 24);
	return (number(log->head) & ~1u) == MAGIC && log->page >= 512 && log->page <= PAGE_MAX &&
	    log->sum[0] == number(log->head + 24) && log->sum[1] == number(log->head + 28);
}

static void walk(struct log *log, struct wal_state *out)
{
	uint32_t n = 1;

	while (read_frame(log, n) && frame_is_ours(log) && frame_is_right(log, log->sum)) {
		log->sum[0] = number(log->frame + 16);
		log->sum[1] = number(log->frame + 20);
		n++;
	}
	out->last = last_commit(log, n);
	out->frame = n;
	out->damaged = out->last >= n;
}

static int open_log(const char *path, int how)
{
	char name[PATH_ROOM];

	snprintf(name, sizeof name, "%s-wal", path);
	return open(name, how | O_CLOEXEC);
}

static bool look(const char *path, struct wal_state *out, struct error *error)
{
	static const unsigned char nothing[HEAD];
	struct log log = { .fd = open_log(path, O_RDONLY) };

	*out = (struct wal_state){ 0 };
	if (log.fd < 0)
		return errno == ENOENT ||
		    error_local(error, "cannot open %s-wal: %s", path, strerror(errno));
	ssize_t n = pread(log.fd, log.head, HEAD, 0);
	if (n < 0)
		error_local(error, "cannot read %s-wal: %s", path, strerror(errno));
	if (n == HEAD && memcmp(log.head, nothing, HEAD) != 0) {
		read_index(path, &log, &out->in_use);
		if (head_is_right(&log))
			walk(&log, out);
		else
			out->damaged = true;
	}
	close(log.fd);
	return n >= 0;
}

bool wal_check(const char *path, struct wal_state *out, struct error *error)
{
	/* A log that is written just now may look damaged for a moment. */
	for (int i = 0; i < TRIES; i++) {
		if (!look(path, out, error))
			return false;
		if (!out->damaged || !out->in_use)
			return true;
		usleep(50000);
	}
	return true;
}

static bool mend_frames(struct log *log, uint32_t last)
{
	for (uint32_t n = 1; n <= last && read_frame(log, n); n++) {
		uint32_t sum[2];

		memcpy(log->frame + 8, log->head + 16, 8);
		frame_sum(log, log->sum, sum);
		put_number(log->frame + 16, sum[0]);
		put_number(log->frame + 20, sum[1]);
		if (pwrite(log->fd, log->frame, FRAME_HEAD,
			HEAD + (off_t)(n - 1) * (FRAME_HEAD + (off_t)log->page)) != FRAME_HEAD)
			return false;
		memcpy(log->sum, sum, sizeof sum);
	}
	return fdatasync(log->fd) == 0;
}

/* The head: what it can only have been. Its salt is that of the first frame. */
static bool mend_head(struct log *log)
{
	unsigned char first[FRAME_HEAD];

	if (pread(log->fd, first, FRAME_HEAD, HEAD) != FRAME_HEAD)
		return false;
	put_number(log->head, MAGIC | (__BYTE_ORDER == __BIG_ENDIAN));
	put_number(log->head + 4, 3007000);
	put_number(log->head + 8, 4096);
	memcpy(log->head + 16, first + 8, 8);
	head_is_right(log);
	put_number(log->head + 24, log->sum[0]);
	put_number(log->head + 28, log->sum[1]);
	return pwrite(log->fd, log->head, HEAD, 0) == HEAD;
}

bool wal_mend(const char *path, const struct wal_state *state, struct error *error)
{
	struct log log = { .fd = open_log(path, O_RDWR) };
	struct wal_state again;
	bool ok = log.fd >= 0 && pread(log.fd, log.head, HEAD, 0) == HEAD;

	if (state->in_use) {
		if (log.fd >= 0)
			close(log.fd);
		return error_local(
		    error, "%s-wal is damaged and in use: stop the server, run this again", path);
	}
	if (ok && !head_is_right(&log))
		ok = mend_head(&log) && head_is_right(&log);
	if (ok) {
		uint32_t last = state->last;

		if (state->frame == 0) {
			walk(&log, &again);
			last = again.damaged ? again.last : 0;
			head_is_right(&log);
		}
		ok = mend_frames(&log, last);
	}
	if (!ok)
		error_local(error, "cannot mend %s-wal: %s", path, strerror(errno));
	if (log.fd >= 0)
		close(log.fd);
	return ok;
}
