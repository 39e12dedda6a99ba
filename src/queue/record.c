#include "queue/record.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"

#define CHECKED_FROM offsetof(struct record_head, message_crc)

uint64_t record_length(const struct record_head *head)
{
	return sizeof *head + head->envelope_octets + head->message_octets;
}

static uint32_t head_crc(const struct record_head *head, slice envelope)
{
	slice checked = { (const char *)head + CHECKED_FROM, sizeof *head - CHECKED_FROM };

	return crc32c(crc32c(0, checked), envelope);
}

void record_seal(struct record_head *head, slice envelope)
{
	head->magic = RECORD_MAGIC;
	head->head_crc = head_crc(head, envelope);
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

bool record_read_head(int fd, uint64_t segment, uint64_t place, struct record_head *head_out,
    struct buf *envelope_out, struct error *error)
{
	buf_clear(envelope_out);
	if (!read_at(fd, place, (char *)head_out, sizeof *head_out, error))
		return false;
	if (head_out->magic != RECORD_MAGIC || head_out->segment != segment ||
	    head_out->place != place || head_out->envelope_octets > RECORD_ENVELOPE_MAX ||
	    head_out->message_octets > RECORD_MESSAGE_MAX)
		return error_set(error, FAULT_LOCAL, false, "damaged", "no record begins at %llu",
		    (unsigned long long)place);
	char *room = buf_room(envelope_out, (size_t)head_out->envelope_octets);
	if (!room)
		return error_set(error, FAULT_LOCAL, false, "damaged", "an envelope is too large");
	if (!read_at(fd, place + sizeof *head_out, room, head_out->envelope_octets, error))
		return false;
	buf_grow(envelope_out, (size_t)head_out->envelope_octets);
	if (head_crc(head_out, buf_slice(envelope_out)) != head_out->head_crc)
		return error_set(error, FAULT_LOCAL, false, "damaged",
		    "the record at %llu is damaged", (unsigned long long)place);
	return true;
}

/* The next place at or after `at` where a record may begin; the end of the file when there is none. */
static uint64_t next_magic(int fd, uint64_t at, uint64_t size)
{
	static const uint32_t magic = RECORD_MAGIC;
	char window[65536];
	ssize_t n;

	while (at < size && (n = pread(fd, window, sizeof window, (off_t)at)) > 0) {
		const char *found = memmem(window, (size_t)n, &magic, sizeof magic);

		if (found)
			return at + (uint64_t)(found - window);
		/* It may begin in the last octets of this window. */
		at += (size_t)n > sizeof magic ? (uint64_t)n - sizeof magic + 1 : (uint64_t)n;
	}
	return size;
}

bool record_next(int fd, uint64_t segment, uint64_t size, uint64_t *at, struct record_head *head,
    struct buf *envelope)
{
	struct error error;

	for (; *at + sizeof *head <= size; *at = next_magic(fd, *at + 1, size))
		if (record_read_head(fd, segment, *at, head, envelope, &error) &&
		    *at + record_length(head) <= size)
			return true;
	return false;
}

bool record_read_message(
    int fd, const struct record_head *head, struct buf *message_out, struct error *error)
{
	uint64_t at = head->place + sizeof *head + head->envelope_octets;
	size_t before = message_out->n;
	char *room = buf_room(message_out, (size_t)head->message_octets);

	if (!room)
		return error_set(error, FAULT_LOCAL, false, "damaged",
		    "a message of %llu octets is too large",
		    (unsigned long long)head->message_octets);
	if (!read_at(fd, at, room, head->message_octets, error))
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
