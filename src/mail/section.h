/*
 * section: the part of a message that IMAP names in BODY[...] (RFC 9051 §6.4.5.1).
 *
 *     struct section section = { .path = { 2, 1 }, .depth = 2, .kind = SECTION_MIME };
 *     slice text;
 *     if (section_find(mime.root, &section, &text)) ...
 *
 * SECTION_FIELDS and SECTION_FIELDS_NOT are not one piece of the message: section_find gives the
 * header they choose from, section_fields_write the chosen lines.
 */
#ifndef MAIL_SECTION_H
#define MAIL_SECTION_H

#include "base/buf.h"
#include "mail/mime.h"

enum section_kind {
	SECTION_ALL,        /* [] or [1.2] */
	SECTION_HEADER,     /* [HEADER] or [1.2.HEADER] */
	SECTION_TEXT,       /* [TEXT] or [1.2.TEXT] */
	SECTION_MIME,       /* [1.2.MIME] */
	SECTION_FIELDS,     /* [HEADER.FIELDS (...)] */
	SECTION_FIELDS_NOT, /* [HEADER.FIELDS.NOT (...)] */
};

struct section {
	unsigned path[MIME_DEPTH];
	size_t depth; /* numbers in path */
	enum section_kind kind;
	const slice *fields; /* names, of the last two kinds */
	size_t field_count;
};

/* The part that the numbers of the section name; NULL: the message has none. */
const struct part *section_part(const struct part *root, const struct section *section);
/* The octets of the section; false when the message has no such part. */
bool section_find(const struct part *root, const struct section *section, slice *out);
/* Adds the fields of header that the section asks for and an empty line. */
void section_fields_write(slice header, const struct section *section, struct buf *out);

#endif
