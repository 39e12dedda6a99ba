/*
 * split: feeds an input in pieces, in every way that matters, to a reader that must not care.
 *
 *     split_every_way(input, feed_and_compare, context);
 *
 * calls try(context, pieces, n) for: the whole at once, octet by octet, and each of the n-1 splits in
 * two; for inputs of at most SPLIT_THREE octets also every split in three. pieces[0..n-1] together
 * are the input.
 */
#ifndef TESTS_SPLIT_H
#define TESTS_SPLIT_H

#include "base/slice.h"

#define SPLIT_THREE 64

void split_every_way(
    slice input, void (*try)(void *context, const slice *pieces, size_t n), void *context);

#endif
