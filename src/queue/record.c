#include "queue/record.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"

/* What follows the checksum in a head. */
#define CHECKED(head, crc)                                                                         \
	((slice){ (const char *)&(head)->crc + sizeof(uint32_t),                                   \
	    sizeof *(head)-offsetof(typeof(*(head)), crc) - sizeof(uint32_t) })

uint64_t record_length(const struct record_head *head)
{
	return sizeof *head + head->envelope_octets + head->message_octets;
}

static uint32_t head_crc(const struct record_head *head)
{
	slice mark = { (const char *)&head->mark, sizeof head->mark };

	return crc32c(crc32c(0, mark), CHECKED(head, head_crc));
}

void record_seal(struct record_head *head, slice envelope)
{
	head->envelope_crc = crc32c(0, envelope);
	head->head_crc = head_crc(head);
}

void segment_head_make(uint64_t segment, struct segment_head *head_out)
{
	*head_out = (struct segment_head){ .magic = SEGMENT_MAGIC, .segment = segment };
	if (getrandom(&head_out->mark, sizeof head_out->mark, 0) != sizeof head_out->mark)
		panic("no random octets: %s", strerror(errno));
	head_out->crc = crc32c(0, CHECKED(head_out, crc));
}

static bool read_at(int fd, uint64_t at, char *p, uint64_t n, struct error *error)
{
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_local(error, "cannot read a segment: %s", strerror(errno));
		if (got == 0)
			return error_set(error, FAULT_LOCAL, false, "damaged",
			    "the segment ends inside a record");
		p += got;
		at += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return true;
}

static bool head_is_good(
    const struct record_head *head, const struct segment_file *file, uint64_t place)
{
	return head->mark == file->mark && head->head_crc == head_crc(head) &&
	    head->segment == file->segment && head->place == place &&
	    head->envelope_octets <= RECORD_ENVELOPE_MAX && head->envelope_last <= 1 &&
	    head->message_octets <= RECORD_MESSAGE_MAX;
}

bool segment_file_open(int fd, uint64_t segment, struct segment_file *out, struct error *error)
{
	struct segment_head head;
	struct record_head first;

	*out = (struct segment_file){ .fd = fd, .segment = segment };
	if (!read_at(fd, 0, (char *)&head, sizeof head, error))
		return false;
	out->mark = head.mark;
	if (head.magic == SEGMENT_MAGIC && head.segment == segment &&
	    head.crc == crc32c(0, CHECKED(&head, crc)))
		return true;
	/* No sender writes at the place of the first record, so it may be believed. */
	if (!read_at(fd, RECORD_FIRST, (char *)&first, sizeof first, error))
		return false;
	out->mark = first.mark;
	return head_is_good(&first, out, RECORD_FIRST) ||
	    error_set(error, FAULT_LOCAL, false, "damaged", "the segment's head is damaged");
}

static uint64_t message_at(const struct record_head *head)
{
	return head->place + sizeof *head + (head->envelope_last ? 0 : head->envelope_octets);
}

static uint64_t envelope_at(const struct record_head *head)
{
	return head->place + sizeof *head + (head->envelope_last ? head->message_octets : 0);
}

bool record_read_head(const struct segment_file *file, uint64_t place, struct record_head *head_out,
    struct buf *envelope_out, struct error *error)
{
	buf_clear(envelope_out);
	if (!read_at(file->fd, place, (char *)head_out, sizeof *head_out, error))
		return false;
	if (!head_is_good(head_out, file, place))
		return error_set(error, FAULT_LOCAL, false, "damaged", "no record begins at %llu",
		    (unsigned long long)place);
	char *room = buf_room(envelope_out, (size_t)head_out->envelope_octets);
	if (!room)
		return error_set(error, FAULT_LOCAL, false, "damaged", "an envelope is too large");
	if (!read_at(file->fd, envelope_at(head_out), room, head_out->envelope_octets, error))
		return false;
	buf_grow(envelope_out, (size_t)head_out->envelope_octets);
	if (crc32c(0, buf_slice(envelope_out)) != head_out->envelope_crc)
		return error_set(error, FAULT_LOCAL, false, "damaged",
		    "the envelope of the record at %llu is damaged", (unsigned long long)place);
	return true;
}

/* The next place at or after `at` where a record may begin; the end of the file when there is none. */
static uint64_t next_mark(const struct segment_file *file, uint64_t at, uint64_t size)
{
	char window[65536];
	ssize_t n;

	while (at < size && (n = pread(file->fd, window, sizeof window, (off_t)at)) > 0) {
		const char *found = memmem(window, (size_t)n, &file->mark, sizeof file->mark);

		if (found)
			return at + (uint64_t)(found - window);
		/* It may begin in the last octets of this window. */
		at += (size_t)n > sizeof file->mark ? (uint64_t)n - sizeof file->mark + 1
						    : (uint64_t)n;
	}
	return size;
}

bool record_next(const struct segment_file *file, uint64_t size, uint64_t *at,
    struct record_head *head, struct buf *envelope)
{
	struct error error;

	for (; *at + sizeof *head <= size; *at = next_mark(file, *at + 1, size))
		if (record_read_head(file, *at, head, envelope, &error) &&
		    *at + record_length(head) <= size)
			return true;
	return false;
}

/* A power cut may leave room that nothing was written to. */
static bool only_zeros(int fd, uint64_t at, uint64_t size)
{
	char window[65536];
	ssize_t n;

	while (at < size && (n = pread(fd, window, sizeof window, (off_t)at)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (window[i])
				return false;
		at += (uint64_t)n;
	}
	return at >= size;
}

bool record_is_unfinished(const struct segment_file *file, uint64_t size, uint64_t at)
{
	struct record_head head;
	struct error error;

	if (size - at < sizeof head || only_zeros(file->fd, at, size))
		return true;
	return read_at(file->fd, at, (char *)&head, sizeof head, &error) &&
	    head_is_good(&head, file, at) && record_length(&head) > size - at;
}

bool record_read_message(const struct segment_file *file, const struct record_head *head,
    struct buf *message_out, struct error *error)
{
	size_t before = message_out->n;
	char *room = buf_room(message_out, (size_t)head->message_octets);

	if (!room)
		return error_set(error, FAULT_LOCAL, false, "damaged",
		    "a message of %llu octets is too large",
		    (unsigned long long)head->message_octets);
	if (!read_at(file->fd, message_at(head), room, head->message_octets, error))
		return false;
	buf_grow(message_out, (size_t)head->message_octets);
	if (crc32c(0, slice_from(buf_slice(message_out), before)) != head->message_crc)
		return error_set(error, FAULT_LOCAL, false, "damaged",
		    "the message of the record at %llu is damaged",
		    (unsigned long long)head->place);
	return true;
}

void queue_id_text(uint64_t segment, uint64_t place, char *out, size_t size)
{
	snprintf(out, size, "%llx-%llx", (unsigned long long)segment, (unsigned long long)place);
}
