/*
 * record: one accepted message in a segment of the spool.
 *
 * A segment is a file with a head and then records, each a head, an envelope and the message; where the
 * message was written before its envelope was known, the envelope stands last. A
 * record's head names its own segment and place, so a record copied elsewhere is invalid; it has a
 * checksum of itself, one of the envelope and one of the message: half a record is never a message.
 *
 * Every segment has a mark, 64 random bits that no sender knows. Each record begins with it. So what a
 * sender writes into a message is never taken for a record, not even where damage makes the reader
 * look for the next one inside messages.
 *
 * A queue id is segment and place; as text "18c2f0a1b3d-1f40". Segments' ids grow with time and are
 * never used twice.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "base/buf.h"
#include "base/error.h"

#define SEGMENT_MAGIC       0x334b4248u /* "HBK3" */
#define RECORD_ENVELOPE_MAX (16u << 20)
#define RECORD_MESSAGE_MAX  ((uint64_t)1 << 40)

struct segment_head {
	uint32_t magic;
	uint32_t crc; /* crc32c of what follows */
	uint64_t segment;
	uint64_t mark;
};

struct record_head {
	uint64_t mark;          /* the segment's */
	uint32_t head_crc;      /* crc32c of the mark and of what follows in the head */
	uint32_t envelope_crc;  /* crc32c of the envelope */
	uint32_t message_crc;   /* crc32c of the message */
	uint32_t envelope_last; /* 1: the envelope stands behind the message */
	uint64_t segment, place;
	uint64_t envelope_octets, message_octets;
};

/* The first record of a segment stands here. */
#define RECORD_FIRST sizeof(struct segment_head)

/* A segment that is read. */
struct segment_file {
	int fd; /* the caller's */
	uint64_t segment, mark;
};

/* A head with a new mark. */
void segment_head_make(uint64_t segment, struct segment_head *head_out);
/* Learns the mark from the segment's head, or from the first record where the head is damaged. false
 * with a permanent error: neither can be read, so no record can. */
bool segment_file_open(int fd, uint64_t segment, struct segment_file *out, struct error *error);
/* Octets of the whole record. */
uint64_t record_length(const struct record_head *head);
/* Fills the checksums of head and envelope; the other fields are set. */
void record_seal(struct record_head *head, slice envelope);
/* Reads the head at this place and checks it with its envelope, which goes to envelope_out. false:
 * there is no valid record here (error says why). */
bool record_read_head(const struct segment_file *file, uint64_t place, struct record_head *head_out,
    struct buf *envelope_out, struct error *error);
/* The next whole record at or after *at in a file of `size` octets; what lies between is passed over.
 * false: there is none. */
bool record_next(const struct segment_file *file, uint64_t size, uint64_t *at,
    struct record_head *head_out, struct buf *envelope_out);
/* Is what stands from `at` to the end of the file only the beginning of a record whose writing never
 * ended? Otherwise it is (or was) something else: a whole record that is damaged, for one. */
bool record_is_unfinished(const struct segment_file *file, uint64_t size, uint64_t at);
/* Adds the message of a checked head to message_out; false with a permanent error when it is damaged. */
bool record_read_message(const struct segment_file *file, const struct record_head *head,
    struct buf *message_out, struct error *error);
/* Writes "segment-place" in hexadecimal. */
void queue_id_text(uint64_t segment, uint64_t place, char *out, size_t size);
#define QUEUE_ID_TEXT 40

#endif
