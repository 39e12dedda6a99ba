/*
 * A segment's file as a crash or a bad disk leaves it, read as the queue does after a start.
 *
 * The input says what the file is made of: whole records, records with a wrong octet, and rubbish. All
 * whole records must be found that no rubbish before them claims.
 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/encode.h"
#include "queue/record.h"

#define SEGMENT 0x1234
#define MARK    0x0123456789abcdef
#define RECORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_record(struct buf *image, slice envelope, slice message)
{
	struct record_head head = { .mark = MARK,
		.message_crc = crc32c(0, message),
		.segment = SEGMENT,
		.place = image->n,
		.envelope_octets = envelope.n,
		.message_octets = message.n };

	record_seal(&head, envelope);
	buf_add(image, (slice){ (const char *)&head, sizeof head });
	buf_add(image, envelope);
	buf_add(image, message);
}

/* Each part: what, how long, that many octets. Returns the places of the whole records. */
static size_t build(slice input, struct buf *image, uint64_t *places)
{
	size_t n = 0;

	while (input.n >= 2 && n < RECORDS) {
		char what = input.p[0];
		slice octets = slice_head(slice_from(input, 2), (unsigned char)input.p[1]);
		size_t start = image->n;

		input = slice_from(input, 2 + octets.n);
		if (what == 'r' || what == 'd') {
			add_record(image, slice_head(octets, octets.n / 2),
			    slice_from(octets, octets.n / 2));
			if (what == 'r')
				places[n++] = start;
			else
				image->p[start +
				    octets.n % (sizeof(struct record_head) + octets.n / 2)] ^= 1;
		} else {
			buf_add(image, octets);
		}
	}
	return n;
}

static void check(int fd, const struct buf *image, const uint64_t *places, size_t n)
{
	const struct segment_file file = { fd, SEGMENT, MARK };
	uint64_t at = 0, end = 0;
	struct record_head head;
	struct buf envelope, message;
	struct error error;
	size_t found = 0;

	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	while (record_next(&file, image->n, &at, &head, &envelope)) {
		assert(at >= end && at + record_length(&head) <= image->n);
		for (; found < n && places[found] < at; found++)
			assert(places[found] < end); /* only inside another record */
		found += found < n && places[found] == at;
		buf_init(&message, image->n);
		record_read_message(&file, &head, &message, &error);
		buf_free(&message);
		at += record_length(&head);
		end = at;
	}
	for (; found < n; found++)
		assert(places[found] < end);
	record_is_unfinished(&file, image->n, end);
	buf_free(&envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	uint64_t places[RECORDS];
	struct buf image;

	if (fd < 0)
		fd = memfd_create("segment", MFD_CLOEXEC);
	buf_init(&image, 64 * size + 100000);
	size_t n = build((slice){ (const char *)data, size }, &image, places);
	if (ftruncate(fd, 0) == 0 && (image.n == 0 || pwrite(fd, image.p, image.n, 0) > 0))
		check(fd, &image, places, n);
	buf_free(&image);
	return 0;
}
