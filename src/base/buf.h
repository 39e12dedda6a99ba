/*
 * buf: growing octets with a maximum.
 *
 * Always terminated by a NUL beyond its length, so buf.p can be read as a C string when it holds
 * text. Reaching the maximum is not a memory error but an answer: the write is dropped whole and
 * `full` stays set (sticky), so a caller writes a whole reply and asks once.
 *
 *     struct buf out;
 *     buf_init(&out, 64 * 1024);
 *     buf_addf(&out, "%u messages\r\n", n);
 *     if (out.full) ...
 *     buf_free(&out);
 *
 * The memory is on the heap and belongs to the buf; an empty buf owns none. Out of memory ends the
 * process.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
	char *p;
	size_t n;   /* octets in use */
	size_t cap; /* octets allocated, with the terminator */
	size_t max; /* most octets ever in use */
	bool full;  /* a write did not fit; sticky until buf_clear or buf_free */
};

void buf_init(struct buf *b, size_t max);
/* Gives the memory back; b is empty and usable afterwards with the same maximum. */
void buf_free(struct buf *b);
/* Empties, keeps the memory. */
void buf_clear(struct buf *b);
void buf_add(struct buf *b, slice s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a C string. */
void buf_adds(struct buf *b, const char *text);
/* Room for n more octets at the end: where they go, or NULL when the maximum forbids. The caller
 * writes up to n there and says how many with buf_grow. */
char *buf_room(struct buf *b, size_t n);
void buf_grow(struct buf *b, size_t n);
/* Removes the first n octets. */
void buf_drop(struct buf *b, size_t n);
/* The content, valid until the next write. */
static inline slice buf_slice(const struct buf *b)
{
	return (slice){ b->p, b->n };
}

#endif
