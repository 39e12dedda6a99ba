/*
 * compress: a DEFLATE layer between a session and its socket or TLS (RFC 4978).
 *
 *     struct compress *c = compress_new();
 *     compress_out(c, &s->out);         the beginning of it is in c->wire now
 *     ... octets came: buf_add(&c->raw, octets)
 *     compress_in(c, &in, room)         and are in `in`, at most room of them
 *
 * Our side keeps a window of 4 KiB (38 KiB in all), the client's may have 32 KiB (RFC 1951 allows it). What is
 * compressed is bounded by COMPRESS_MARK, what is inflated by the room given: a small stream that inflates to much
 * is taken in portions.
 */
#ifndef NET_COMPRESS_H
#define NET_COMPRESS_H

#include <stdbool.h>

#include "base/buf.h"

/* Compressed octets that wait for the client; more is made when they are gone. */
#define COMPRESS_MARK (64u << 10)
/* Octets that are taken off the socket at once. */
#define COMPRESS_RAW 16384

struct compress {
	struct buf wire; /* to be sent */
	struct buf raw;  /* came, not inflated yet */
	bool held;       /* zlib has taken octets that are not in wire */
	bool more;       /* the client's stream may give more without more octets */
	bool ended;      /* the client has ended it */
	struct compress_streams *streams;
};

/* NULL: no memory. */
struct compress *compress_new(void);
/* Gives all memory back; NULL is allowed. */
void compress_free(struct compress *c);
/* Takes from the beginning of plain what has room in c->wire; to be called again, plain empty or not, while c->held
 * says that something is left. */
void compress_out(struct compress *c, struct buf *plain);
/* Inflates at most `room` octets into `in`; false: the stream is broken. */
bool compress_in(struct compress *c, struct buf *in, size_t room);
/* compress_in would give something, or needs to be called to know. */
bool compress_pending(const struct compress *c);

#endif
