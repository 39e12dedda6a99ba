/*
 * parameter: the "; name=value" lists of Content-Type and Content-Disposition (RFC 2045 §5.1).
 *
 *     struct parameter p;
 *     for (slice rest = list; parameter_next(&rest, &p);)
 *             if (slice_eq_nocase(p.name, SLICE("charset"))) parameter_value(&p, out);
 *
 *     flags = parameter_decode(set, part->parameters, SLICE("name"), &out);       (as UTF-8)
 *
 * parameter_next gives names as they are ("filename*0*"); what RFC 2231 makes of them is parameter_octets and
 * parameter_decode. Each reads the list once, whatever it holds.
 */
#ifndef MAIL_PARAMETER_H
#define MAIL_PARAMETER_H

#include "base/buf.h"
#include "base/cursor.h"
#include "mail/charset.h"

#define PARAMETER_SECTIONS 256 /* of one name (RFC 2231 §3) that are put together */

struct parameter {
	slice name;
	slice value; /* as it stands, with its quotes */
};

/* What a name says (RFC 2231): "base", "base*" (extended), "base*2", "base*2*". */
struct parameter_name {
	slice base;
	bool sectioned, extended;
	unsigned section; /* PARAMETER_SECTIONS for one that is too large */
};

enum parameter_flag {
	PARAMETER_FOUND = 1 << 0,
	PARAMETER_TWICE =
	    1 << 1, /* the plain form, or a section, is there twice: the first counts */
	PARAMETER_BOTH = 1 << 2, /* plain and RFC 2231 forms */
	PARAMETER_GAP = 1 << 3,  /* sections behind one that is missing, or too many: left out */
	PARAMETER_EXTENDED = 1 << 4, /* the value comes from an RFC 2231 form */
	PARAMETER_ESCAPE = 1 << 5,   /* '%' without two digits, or no charset where one must be */
	PARAMETER_CHARSET =
	    1 << 6, /* unknown charset, or octets that are none of it: U+FFFD for each */
	PARAMETER_WORDS = 1 << 7, /* encoded words, which RFC 2047 §5 forbids here; decoded */
};

/* Takes the next parameter off *rest, skipping what is none; false at the end. */
bool parameter_next(slice *rest, struct parameter *out);
/* The first of this name, case ignored. */
bool parameter_find(slice list, slice name, struct parameter *out);
/* Adds the value without quotes and folds. */
void parameter_value(const struct parameter *parameter, struct buf *out);
/* The value without its quotes where that is a piece of the input; false when it must be unquoted. */
bool parameter_plain(const struct parameter *parameter, slice *out);
struct parameter_name parameter_name_of(slice name);

/* Adds the octets of the value: of the plain form, or where there is none of the sections, put together in
 * order and without percent-encoding and charset. Returns flags; 0 when there is no such parameter. */
unsigned parameter_octets(slice list, slice name, struct buf *out);
/* Adds the value as UTF-8: of the RFC 2231 form where there is one, else of the plain form. set may be NULL.
 * Returns flags. */
unsigned parameter_decode(struct charsets *set, slice list, slice name, struct buf *out);
/* Adds the value as IMAP shows it (RFC 2231 §6): sections put together, percent-encoding and charset kept;
 * PARAMETER_EXTENDED says that the name must be shown with a '*'. */
unsigned parameter_join(slice list, slice name, struct buf *out);

#endif
