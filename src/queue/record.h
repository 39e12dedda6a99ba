/*
 * record: one accepted message in a segment of the spool.
 *
 * A segment is a file of records, each a head, an envelope and the message. The head names its own
 * segment and place, so a record copied elsewhere is invalid, and has one checksum over itself and the
 * envelope and one over the message: half a record is never a message.
 *
 * A queue id is segment and place; as text "18c2f0a1b3d-1f40". Segments' ids grow with time and are
 * never used twice.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "base/buf.h"
#include "base/error.h"

#define RECORD_MAGIC        0x314b4248u /* "HBK1" */
#define RECORD_ENVELOPE_MAX (16u << 20)
#define RECORD_MESSAGE_MAX  ((uint64_t)1 << 40)

struct record_head {
	uint32_t magic;
	uint32_t head_crc;    /* crc32c of what follows in the head, and of the envelope */
	uint32_t message_crc; /* crc32c of the message */
	uint32_t reserved;
	uint64_t segment, place;
	uint64_t envelope_octets, message_octets;
};

/* Octets of the whole record. */
uint64_t record_length(const struct record_head *head);
/* Fills magic and head_crc; the other fields are set. */
void record_seal(struct record_head *head, slice envelope);
/* Reads the head at this place of an open segment and checks it with its envelope, which goes to
 * envelope_out. false: there is no valid record here (error says why). */
bool record_read_head(int fd, uint64_t segment, uint64_t place, struct record_head *head_out,
    struct buf *envelope_out, struct error *error);
/* The next whole record at or after *at in a file of `size` octets; what lies between is passed over.
 * false: there is none. */
bool record_next(int fd, uint64_t segment, uint64_t size, uint64_t *at,
    struct record_head *head_out, struct buf *envelope_out);
/* Adds the message of a checked head to message_out; false with a permanent error when it is damaged. */
bool record_read_message(
    int fd, const struct record_head *head, struct buf *message_out, struct error *error);
/* Writes "segment-place" in hexadecimal. */
void queue_id_text(uint64_t segment, uint64_t place, char *out, size_t size);
#define QUEUE_ID_TEXT 40

#endif
