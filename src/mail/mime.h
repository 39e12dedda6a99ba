/*
 * mime: a message as a tree of parts (RFC 2045, RFC 2046).
 *
 *     struct mime mime;
 *     mime_parse(message, arena, &mime);
 *     for (struct part *p = mime.root->children; p; p = p->next) ... p->type, p->body
 *
 * Every slice points into the message, or into the arena, or to a default; nothing is decoded. The
 * arena must have MIME_ARENA octets to spare.
 *
 * Any octets are a message. One pass, in time that grows with the message's length only: beyond the
 * limits below what is left becomes the body of the part where it stands, and mime.flags says so.
 * Whoever must look into everything (a scanner) treats a flagged message with suspicion.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/arena.h"
#include "base/slice.h"

#define MIME_DEPTH    100          /* parts inside parts */
#define MIME_PARTS    10000        /* in one message */
#define MIME_HEADER   (256 * 1024) /* octets of a part's header that are looked at */
#define MIME_BOUNDARY 200          /* octets; RFC 2046 §5.1.1 allows 70 */
#define MIME_ARENA    (8 * 1024 * 1024)

enum mime_flag {
	MIME_TOO_DEEP = 1 << 0,
	MIME_TOO_MANY = 1 << 1,
	MIME_HEADER_CUT = 1 << 2,
	MIME_BAD_BOUNDARY = 1 << 3, /* a multipart without a usable boundary */
};

enum part_kind {
	PART_LEAF,
	PART_MULTIPART, /* has children unless no delimiter came */
	PART_MESSAGE,   /* message/rfc822 or message/global: has one child, the message in it */
};

struct part {
	struct part *parent, *children, *last_child, *next;
	enum part_kind kind;
	bool opaque;       /* a multipart or message that was not looked into */
	unsigned depth;    /* 0 at the root */
	slice header;      /* with the empty line at its end */
	slice body;        /* without the line end before a delimiter */
	size_t body_lines; /* line feeds in the body */

	slice type, subtype; /* of Content-Type or its default (RFC 2045 §5.2), case as it came */
	slice parameters;    /* of Content-Type, for parameter_next() */
	/* Values of the Content-* fields, trimmed, still folded; p is NULL where there is none. */
	slice encoding, id, description, disposition, language, location, md5;
};

struct mime {
	struct part *root; /* the message itself */
	size_t parts;
	unsigned flags;
};

void mime_parse(slice message, struct arena *arena, struct mime *out);
/* "text" and the like, case ignored. */
bool part_is(const struct part *part, const char *type, const char *subtype);

#endif
