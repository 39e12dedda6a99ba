/*
 * layer: octets of a session that an authentication has put under its own protection (RFC 4422 §3.7), where there is no
 * TLS.
 *
 *     session_set_layer(s, &layer);     in the handler that says the login is done; its answer goes out in clear
 *
 * On the wire each piece is a length of four octets and as many octets (RFC 4752 §3.1). What the session reads and writes
 * does not change.
 */
#ifndef NET_LAYER_H
#define NET_LAYER_H

#include "base/buf.h"

struct session;

/* The most octets of a piece from the peer, as the mechanism tells him. */
#define LAYER_PIECE 16384

struct session_layer {
	/* Adds what the piece holds; false: it is not the peer's. */
	bool (*open)(void *context, slice piece, struct buf *out);
	/* Adds a piece that holds the octets. */
	bool (*close)(void *context, slice octets, struct buf *out);
	void (*free)(void *context);
	size_t most;   /* octets that a piece to the peer may hold */
	void *context; /* the layer's; freed with the session */
};

/* From the client's next octet, and after what this handler answers. */
void session_set_layer(struct session *s, const struct session_layer *layer);
bool session_layered(const struct session *s);

#endif
