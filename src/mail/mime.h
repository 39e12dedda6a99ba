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
 * Any octets are a message, and give exactly one tree. Where the standards leave a choice it is:
 *
 * - The first field of a name counts, and the first parameter of a name (RFC 2231 sections of a boundary
 *   only where there is no plain one).
 * - A boundary is what stands in the parameter, blanks at its end too, of a longer one its first 200 octets. A line that begins with "--" and the
 *   boundary of an open multipart is its delimiter, whatever follows, and inside a header too; of several the
 *   longest boundary, of equal ones the innermost.
 * - What an outer delimiter ends is ended, closed or not. Behind a close-delimiter nothing is a delimiter of
 *   that multipart any more.
 * - The line end before a delimiter belongs to the delimiter. Lines end in LF, mostly after CR.
 * - A message/rfc822 or message/global that claims base64 or quoted-printable is a leaf.
 *
 * Where another reader may choose otherwise, mime.ambiguities has a note (ambiguity.h); mime_inspect() of
 * inspect.h adds those that the tree does not need.
 *
 * One pass, in time that grows with the message's length only: beyond the limits below what is left becomes
 * the body of the part where it stands, with a note.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "mail/ambiguity.h"

#define MIME_DEPTH    100          /* parts inside parts */
#define MIME_PARTS    10000        /* in one message */
#define MIME_HEADER   (256 * 1024) /* octets of a part's header that are looked at */
#define MIME_BOUNDARY 200          /* octets that are compared; RFC 2046 §5.1.1 allows 70 */
#define MIME_ARENA    (8 * 1024 * 1024)

enum part_kind {
	PART_LEAF,
	PART_MULTIPART, /* has children unless no delimiter came; opaque without a boundary */
	PART_MESSAGE,   /* message/rfc822 or message/global: has one child, the message in it */
};

struct part {
	struct part *parent, *children, *last_child, *next;
	enum part_kind kind;
	bool opaque;       /* a multipart or message that was not looked into */
	bool encoded;      /* a message that claims base64 or quoted-printable: opaque, a leaf */
	bool typed;        /* has a Content-Type that reads */
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
	slice message;
	size_t parts;
	struct ambiguities ambiguities;
};

void mime_parse(slice message, struct arena *arena, struct mime *out);
/* "text" and the like, case ignored. NULL for subtype: any. */
bool part_is(const struct part *part, const char *type, const char *subtype);
/* The innermost part that holds this offset of the message; the root when none does. */
const struct part *part_at(const struct mime *mime, size_t offset);
/* Adds the number of a part as IMAP counts ("2.1"); a message itself is "0", one inside part 3 "3.0". */
void part_path_write(const struct part *part, struct buf *out);

#endif
