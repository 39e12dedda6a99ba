/* What the files of repair share: an account being mended, in one transaction. */
#ifndef STORE_MEND_H
#define STORE_MEND_H

#include "store/examine.h"

struct place {
	const char *name;
	int64_t id; /* 0: not looked for yet */
	int64_t uidnext;
};

struct mend {
	struct store *store;
	struct db *db;
	int64_t account;
	struct store_repair *repair;
	struct arena *arena;
	int64_t modseq; /* of all that is changed */
	struct examine names;
	struct place recovered, damaged;
	int64_t *spoiled; /* bodies that are not what was written */
	size_t spoiled_count, spoiled_room;
	uint64_t done;
};

/* A row of a check, as examine tells it. */
struct bad_row {
	int64_t mailbox, uid, id, has, wants;
};

/* All rows of a check (or a like statement, with ?2 = arg where it takes one), in the arena. */
bool mend_rows(struct mend *m, enum store_query query, int64_t arg, struct bad_row **rows_out,
    size_t *count_out, struct error *error);
/* Runs a statement with ?1 = account and n more numbers. */
bool mend_run(
    struct mend *m, enum store_query query, const int64_t *numbers, size_t n, struct error *error);
#define MEND_RUN(m, query, error, ...)                                                             \
	mend_run((m), (query), (const int64_t[]){ __VA_ARGS__ },                                   \
	    sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (error))
void mend_said(struct mend *m, struct store_fault what);

/* bodies.c: data, checksums, summaries. */
bool mend_bodies(struct mend *m, struct error *error);
/* Messages without a place, and bodies without a message. After mend_bodies. */
bool mend_places(struct mend *m, struct error *error);

#endif
