#include "net/compress.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

/* The small window and table: a session waits for hours, and mail compresses well enough. */
#define WINDOW_BITS  12
#define MEMORY_LEVEL 5
#define STEP         4096 /* octets compressed into at once */

struct compress_streams {
	z_stream out, in;
};

struct compress *compress_new(void)
{
	struct compress *c = NEW(struct compress);

	c->streams = NEW(struct compress_streams);
	buf_init(&c->wire, COMPRESS_MARK + 2 * STEP);
	buf_init(&c->raw, COMPRESS_RAW);
	/* Negative: without the header and the checksum of zlib (RFC 4978 §3). */
	if (deflateInit2(&c->streams->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS,
		MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK &&
	    inflateInit2(&c->streams->in, -MAX_WBITS) == Z_OK)
		return c;
	compress_free(c);
	return NULL;
}

void compress_free(struct compress *c)
{
	if (!c)
		return;
	deflateEnd(&c->streams->out);
	inflateEnd(&c->streams->in);
	if (c->raw.p)
		explicit_bzero(c->raw.p, c->raw.cap);
	buf_free(&c->raw);
	buf_free(&c->wire);
	free(c->streams);
	free(c);
}

void compress_out(struct compress *c, struct buf *plain)
{
	z_stream *z = &c->streams->out;

	z->next_in = (Bytef *)plain->p;
	z->avail_in = (uInt)plain->n;
	c->held = c->held || plain->n;
	while (c->held && c->wire.n < COMPRESS_MARK) {
		z->next_out = (Bytef *)buf_room(&c->wire, STEP);
		z->avail_out = STEP;
		/* Until room is left: then all is out (zlib.h, deflate). It ends each answer, or the client would
		 * wait for its rest. */
		deflate(z, Z_SYNC_FLUSH);
		buf_grow(&c->wire, STEP - z->avail_out);
		c->held = z->avail_out == 0;
	}
	buf_drop(plain, plain->n - z->avail_in);
}

bool compress_in(struct compress *c, struct buf *in, size_t room)
{
	z_stream *z = &c->streams->in;
	size_t before = c->raw.n;

	if (c->ended || room == 0)
		return true;
	z->next_in = (Bytef *)c->raw.p;
	z->avail_in = (uInt)c->raw.n;
	z->next_out = (Bytef *)buf_room(in, room);
	z->avail_out = (uInt)room;
	int result = inflate(z, Z_SYNC_FLUSH);
	size_t made = room - z->avail_out;
	buf_grow(in, made);
	buf_drop(&c->raw, before - z->avail_in);
	c->more = z->avail_out == 0;
	c->ended = result == Z_STREAM_END;
	if (c->raw.n == 0)
		buf_free(&c->raw);
	if (result == Z_BUF_ERROR)
		return c->raw.n == 0;
	return result == Z_OK || result == Z_STREAM_END;
}

bool compress_pending(const struct compress *c)
{
	return !c->ended && (c->raw.n > 0 || c->more);
}
