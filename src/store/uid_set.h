/*
 * uid_set: a set of UIDs as ranges in ascending order.
 *
 * Holds the UIDs of a mailbox (one range while nothing was removed), so that an IMAP message sequence
 * number is a position in it, and what a command names or changed. Finding a UID or a position is a
 * binary search among the ranges.
 *
 *     struct uid_set set = { 0 };
 *     uid_set_add(&set, 1, 10);
 *     uid_set_remove(&set, 3, 4);
 *     uid_set_position(&set, 5) == 3;  uid_set_at(&set, 3) == 5;
 *     for (size_t i = 0; i < set.n; i++) ... set.ranges[i].lo ... set.ranges[i].hi
 *     uid_set_free(&set);
 *
 * A zeroed set is empty and owns nothing; the ranges are on the heap and belong to the set. UIDs are
 * 1 to 2^32-1 (RFC 9051 §2.3.1.1); 0 means "none".
 */
#ifndef STORE_UID_SET_H
#define STORE_UID_SET_H

#include "base/buf.h"

struct uid_range {
	uint32_t lo, hi;
	uint32_t before; /* UIDs in the ranges before this one */
};

struct uid_set {
	struct uid_range *ranges; /* ascending, neither overlapping nor touching */
	size_t n, cap;
};

void uid_set_free(struct uid_set *set);
/* Empties, keeps the memory. */
void uid_set_clear(struct uid_set *set);
/* How many UIDs. */
uint32_t uid_set_count(const struct uid_set *set);
/* Adds lo to hi; appending at the end is cheap. lo must be at least 1 and at most hi. */
void uid_set_add(struct uid_set *set, uint32_t lo, uint32_t hi);
/* Removes those of lo to hi that are there. */
void uid_set_remove(struct uid_set *set, uint32_t lo, uint32_t hi);
void uid_set_add_all(struct uid_set *set, const struct uid_set *other);
void uid_set_remove_all(struct uid_set *set, const struct uid_set *other);
/* Keeps only what is in other too. */
void uid_set_intersect(struct uid_set *set, const struct uid_set *other);
bool uid_set_contains(const struct uid_set *set, uint32_t uid);
/* 1 for the lowest; 0 when it is not in the set. */
uint32_t uid_set_position(const struct uid_set *set, uint32_t uid);
/* The UID at this position; 0 when there are fewer. */
uint32_t uid_set_at(const struct uid_set *set, uint32_t position);
/* How many are at most uid. */
uint32_t uid_set_count_to(const struct uid_set *set, uint32_t uid);
/* The highest; 0 when empty. */
uint32_t uid_set_last(const struct uid_set *set);
/* Writes "1:3,7,9:12"; nothing for an empty set. */
void uid_set_print(const struct uid_set *set, struct buf *out);

#endif
