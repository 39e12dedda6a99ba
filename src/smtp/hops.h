/*
 * hops: counts the Received fields of a message while it comes in (RFC 5321 §6.3: a mail loop shows in
 * their number).
 *
 *     struct hop_counter hops = { 0 };
 *     hops_take(&hops, piece);      (any pieces; cheap after the header)
 *     if (hops.count > 30) ...
 */
#ifndef SMTP_HOPS_H
#define SMTP_HOPS_H

#include "base/slice.h"

struct hop_counter {
	unsigned count;
	size_t column; /* of the next octet, from 0 */
	bool other;    /* this line does not begin with the field's name */
	bool over;     /* the header has ended */
};

void hops_take(struct hop_counter *hops, slice piece);

#endif
