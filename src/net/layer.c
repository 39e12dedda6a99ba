#include "net/layer.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/internal.h"

struct layer {
	struct session_layer is;
	struct buf raw; /* pieces that have not been opened */
	size_t ready;   /* octets at the begin of the session's output that are as they are sent */
	bool begun;
};

void session_set_layer(struct session *s, const struct session_layer *layer)
{
	s->own->layer = NEW(struct layer);
	s->own->layer->is = *layer;
	buf_init(&s->own->layer->raw, 2 * (LAYER_PIECE + 4));
}

bool session_layered(const struct session *s)
{
	return s->own->layer != NULL;
}

void layer_free(struct session_private *p)
{
	if (!p->layer)
		return;
	p->layer->is.free(p->layer->is.context);
	if (p->layer->raw.p)
		explicit_bzero(p->layer->raw.p, p->layer->raw.cap);
	buf_free(&p->layer->raw);
	free(p->layer);
	p->layer = NULL;
}

/* Whoever sends a whole login and more at once has it cut off: nothing could wait for so much. */
static void refuse(struct session_private *p, const char *why)
{
	log_warn(
	    "layer.refused", kv_str("s", p->s.id), kv_str("peer", p->s.peer), kv_str("why", why));
	p->broken = true;
}

void layer_begin(struct session_private *p)
{
	struct layer *l = p->layer;

	if (!l || l->begun)
		return;
	l->begun = true;
	l->ready = p->s.out.n;
	buf_add(&l->raw, buf_slice(&p->in));
	buf_clear(&p->in);
	if (l->raw.full)
		refuse(p, "too much was sent before the login was answered");
	else
		layer_decode(p);
}

void layer_encode(struct session_private *p)
{
	struct layer *l = p->layer;
	struct buf plain, piece;

	if (!l || !l->begun || p->s.out.n == l->ready)
		return;
	buf_init(&plain, SESSION_OUTPUT);
	buf_init(&piece, 2 * SESSION_CHUNK);
	buf_add(&plain, slice_from(buf_slice(&p->s.out), l->ready));
	p->s.out.n = l->ready;
	for (size_t at = 0, n; at < plain.n && !p->broken; at += n) {
		n = plain.n - at < l->is.most ? plain.n - at : l->is.most;
		buf_clear(&piece);
		slice octets = slice_head(slice_from(buf_slice(&plain), at), n);
		if (!l->is.close(l->is.context, octets, &piece) || piece.full) {
			refuse(p, "a piece cannot be made");
			break;
		}
		char length[4] = { (char)(piece.n >> 24), (char)(piece.n >> 16),
			(char)(piece.n >> 8), (char)piece.n };
		buf_add(&p->s.out, (slice){ length, 4 });
		buf_add(&p->s.out, buf_slice(&piece));
	}
	explicit_bzero(plain.p, plain.cap);
	buf_free(&plain);
	buf_free(&piece);
	l->ready = p->s.out.n;
}

void layer_sent(struct session_private *p)
{
	if (p->layer && p->layer->begun)
		p->layer->ready = p->s.out.n;
}

/* Octets of the first piece with its length, once it is here whole; 0: not yet. */
static size_t first_piece(const struct layer *l)
{
	const unsigned char *c = (const unsigned char *)l->raw.p;

	if (!l->begun || l->raw.n < 4)
		return 0;
	size_t n = (size_t)c[0] << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
	if (n > LAYER_PIECE)
		return SIZE_MAX;
	return l->raw.n >= n + 4 ? n + 4 : 0;
}

bool layer_pending(const struct session_private *p)
{
	return p->layer && first_piece(p->layer) > 0;
}

bool layer_decode(struct session_private *p)
{
	struct layer *l = p->layer;
	struct buf plain;
	bool any = false;
	size_t n;

	while (!p->broken && p->in.n < p->in.max && (n = first_piece(l)) > 0) {
		if (n == SIZE_MAX) {
			refuse(p, "a piece is longer than was agreed");
			break;
		}
		buf_init(&plain, LAYER_PIECE);
		slice piece = slice_from(slice_head(buf_slice(&l->raw), n), 4);
		if (!l->is.open(l->is.context, piece, &plain) || plain.full)
			refuse(p, "a piece is not the client's, or was changed on its way");
		if (p->in.max < p->in.n + plain.n)
			p->in.max = p->in.n + plain.n;
		buf_add(&p->in, buf_slice(&plain));
		buf_drop(&l->raw, n);
		any = true;
		if (plain.p)
			explicit_bzero(plain.p, plain.cap);
		buf_free(&plain);
	}
	return any;
}

struct buf *layer_input(struct session_private *p)
{
	return p->layer && p->layer->begun ? &p->layer->raw : NULL;
}
