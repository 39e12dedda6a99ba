/*
 * parameter: the "; name=value" lists of Content-Type and Content-Disposition (RFC 2045 §5.1).
 *
 *     struct parameter p;
 *     for (slice rest = list; parameter_next(&rest, &p);)
 *             if (slice_eq_nocase(p.name, SLICE("charset"))) parameter_value(&p, out);
 *
 * Nothing is copied until a value is wanted. Names with continuations or charsets (RFC 2231,
 * "filename*0*") are given as they are.
 */
#ifndef MAIL_PARAMETER_H
#define MAIL_PARAMETER_H

#include "base/buf.h"
#include "base/cursor.h"

struct parameter {
	slice name;
	slice value; /* as it stands, with its quotes */
};

/* Takes the next parameter off *rest, skipping what is none; false at the end. */
bool parameter_next(slice *rest, struct parameter *out);
/* The first of this name, case ignored. */
bool parameter_find(slice list, slice name, struct parameter *out);
/* Adds the value without quotes and folds. */
void parameter_value(const struct parameter *parameter, struct buf *out);

#endif
