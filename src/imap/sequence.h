/*
 * sequence: "1,3:7,12:*", message numbers or UIDs (RFC 9051 §9, sequence-set).
 *
 *     struct sequence sequence;
 *     sequence_parse(&c, arena, &sequence);
 *     ...
 *     if (!sequence_resolve(&sequence, &view->uids, uid, &set)) ... a number is too high
 */
#ifndef IMAP_SEQUENCE_H
#define IMAP_SEQUENCE_H

#include "base/arena.h"
#include "base/cursor.h"
#include "store/uid_set.h"

struct sequence_range {
	uint32_t lo, hi; /* lo <= hi */
	bool star;       /* hi stands for "*"; with lo = UINT32_MAX both do */
};

struct sequence {
	struct sequence_range *ranges;
	size_t n;
	bool saved; /* "$", the result that SEARCH kept (RFC 5182); the caller knows it */
};

/* Reads 1*("," range), or "$"; the ranges are in the arena, sorted. */
void sequence_parse(struct cursor *c, struct arena *arena, struct sequence *out);
/* All numbers that it names, there or not; last: what "*" stands for, 0 for nothing. */
void sequence_named(const struct sequence *sequence, uint32_t last, struct uid_set *out);
/* Which of `uids` it names: by UID, or by position. Those found replace what out held. false: some
 * positions are not there (UIDs that there are not are no error, RFC 9051 §6.4.9). */
bool sequence_resolve(
    const struct sequence *sequence, const struct uid_set *uids, bool by_uid, struct uid_set *out);

#endif
