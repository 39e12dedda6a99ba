/*
 * fetch: what a FETCH asks for, and the message texts it sends.
 *
 *     fetch_parse(&c, arena, &items);
 *     ...
 *     fetch_section(root, &items.items[i], out, &text)
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "mail/section.h"

#define FETCH_ITEMS_MAX 100

enum fetch_kind {
	FETCH_FLAGS,
	FETCH_UID,
	FETCH_INTERNALDATE,
	FETCH_SIZE,
	FETCH_MODSEQ,
	FETCH_ENVELOPE,
	FETCH_BODY,
	FETCH_BODYSTRUCTURE,
	FETCH_SAVEDATE, /* RFC 8514 */
	FETCH_EMAILID,  /* RFC 8474 */
	FETCH_THREADID,
	FETCH_PREVIEW, /* RFC 8970 */
	FETCH_SECTION, /* BODY[...], RFC822 and its kin */
	FETCH_BINARY,  /* the same without the transfer encoding (RFC 3516) */
	FETCH_BINARY_SIZE,
};

struct fetch_item {
	enum fetch_kind kind;
	const char *name; /* as it is answered, up to the "[" */
	bool bracket;     /* the section is printed after the name */
	bool peek;        /* does not set \Seen */
	struct section section;
	bool partial;
	uint32_t from, count;
};

struct fetch_items {
	struct fetch_item *items;
	size_t n;
	bool heads;      /* needs store_head */
	bool structures; /* more of it than the envelope */
	bool texts;      /* needs the message */
	bool parts;      /* and where its parts are */
	bool previews;   /* needs its beginning */
	bool sets_seen;  /* RFC 9051 §6.4.5, BODY[...] */
	bool has_flags, has_uid, has_modseq;
};

/* "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")" */
void fetch_parse(struct cursor *c, struct arena *arena, struct fetch_items *out);
/* "BODY[1.2.HEADER]<0>" and the like. */
void fetch_label_write(const struct fetch_item *item, struct buf *out);
enum fetch_answer {
	FETCH_FOUND,
	FETCH_NO_PART,
	FETCH_UNKNOWN_ENCODING, /* of BINARY only */
};

/* The octets an item asks for; HEADER.FIELDS and what is decoded are written into room. */
enum fetch_answer fetch_section(
    const struct part *root, const struct fetch_item *item, struct buf *room, slice *out);

#endif
