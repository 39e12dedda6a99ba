/*
 * bundle: several texts in one sealed file from main to a role, each with its length before it.
 *
 * The reader trusts main no further than that: a length beyond the end is an error.
 */
#ifndef MAIN_BUNDLE_H
#define MAIN_BUNDLE_H

#include "base/buf.h"

void bundle_add(struct buf *out, slice text);
/* Takes the next text off *rest; false at the end and when the rest is none. */
bool bundle_get(slice *rest, slice *out);

#endif
