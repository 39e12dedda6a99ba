/*
 * hash: SipHash-2-4 (Aumasson, Bernstein 2012): a hash under a key, for tables whose keys strangers choose.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

/* 128 random bits. */
struct hash_key {
	uint64_t k[2];
};

uint64_t hash_keyed(const struct hash_key *key, slice text);

#endif
