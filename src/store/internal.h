/* internal: a store, its open accounts, and what its files share. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "store/program.h"
#include "store/store.h"

#define STORE_CHUNK 256 /* rows read at once while rows are changed */
/* Change rows of a mailbox; with one more the older half goes. */
#define STORE_CHANGES 8192

/* Flag changes of a mailbox that are not in its rows; with more they are written there. */
#define STORE_SPANS 32
/* Messages in a row that make such a change, instead of a row each. */
#define STORE_SPAN_ROWS 16

struct row_cache;

struct flag_span {
	uint32_t lo, hi;
	int64_t modseq, cleared, added;
};

struct flag_spans {
	size_t n;
	struct flag_span list[STORE_SPANS];
};

struct store {
	char *root;
	size_t max;
	int64_t wait_ms;
	struct map handles; /* by account */
	struct list used;   /* the least recently used first */
	struct store_row chunk[STORE_CHUNK];
};

/* What a change adds to a mailbox and its account; negative takes away. */
struct tally {
	int64_t uids, messages, unseen, deleted, bytes;
	int64_t noted; /* change rows */
};

/* store.c */
/* The account's open file, with the deadline of this call. */
bool store_use(struct store *store, int64_t account, struct db **db_out, struct error *error);
/* The same in a transaction that holds the write lock. */
bool store_begin(struct store *store, int64_t account, enum db_sync sync, struct db **db_out,
    struct error *error);
/* The same for a change of flags, whose commit is not synced; but up to where its modseq may go, is. */
bool store_begin_unsynced(
    struct store *store, int64_t account, struct db **db_out, struct error *error);
/* Commits when ok, else rolls back; true when committed. */
bool store_finish(struct db *db, bool ok, struct error *error);

/* mailbox.c */
/* Takes a modseq, and `bodies` body ids up to body_last_out (NULL allowed when 0). */
bool account_next(struct db *db, int64_t account, int64_t bodies, int64_t *modseq_out,
    int64_t *body_last_out, struct error *error);
/* Makes a mailbox; the caller has seen that the name is free. */
bool mailbox_add(struct db *db, int64_t account, slice name, slice special, int64_t *id_out,
    struct error *error);
/* By number (Q_MAILBOX_BY_ID) or name (Q_MAILBOX_BY_NAME, folded INBOX). arena NULL: no texts. */
enum store_answer mailbox_by_id(struct db *db, int64_t account, int64_t id, struct arena *arena,
    struct store_mailbox *mailbox_out, struct error *error);
enum store_answer mailbox_by_name(struct db *db, int64_t account, slice name, struct arena *arena,
    struct store_mailbox *mailbox_out, struct error *error);
/* STORE_ABSENT as an error. */
bool mailbox_need(struct db *db, int64_t account, int64_t id, struct arena *arena,
    struct store_mailbox *mailbox_out, struct error *error);

/* rows.c */
/* Rows as they are written, without what spans do to them. */
bool rows_read_written(struct db *db, int64_t account, int64_t mailbox, uint32_t lo, uint32_t hi,
    size_t max, enum store_heads heads, struct arena *arena, struct store_row *rows,
    size_t *count_out, struct error *error);
/* Up to max rows with UIDs from lo to hi. With heads: texts in the arena. */
bool rows_read(struct db *db, int64_t account, int64_t mailbox, uint32_t lo, uint32_t hi,
    size_t max, enum store_heads heads, struct arena *arena, struct store_row *rows,
    size_t *count_out, struct error *error);
/* Calls fn(context, row) for each message of uids, in order, in chunks, so that fn may change or
 * remove the row. */
struct row_visit {
	struct store *store;
	struct db *db;
	int64_t account, mailbox;
	const struct uid_set *uids; /* NULL: all */
	struct row_cache *cache;    /* NULL: from the file */
	bool (*fn)(void *context, const struct store_row *row, struct error *error);
	void *context;
};
bool rows_visit(const struct row_visit *visit, struct error *error);
/* The mailbox's rows from memory, read there if `wanted` of its messages make it worth it; NULL: from the file. In a
 * transaction. */
struct row_cache *rows_cache(struct store *store, struct db *db, int64_t account,
    const struct store_mailbox *mailbox, uint64_t wanted);

/* span.c */
bool spans_read(
    struct db *db, int64_t account, int64_t mailbox, struct flag_spans *out, struct error *error);
/* What they make of a row that was written before them. Read them first, then the row. */
void spans_apply(const struct flag_spans *spans, struct store_row *row);
bool span_add(struct db *db, int64_t account, int64_t mailbox, const struct flag_span *span,
    struct error *error);
/* Writes them into the rows, and forgets them. */
bool spans_settle(
    const struct row_visit *visit, const struct flag_spans *spans, struct error *error);
bool spans_forget(struct db *db, int64_t account, int64_t mailbox, struct error *error);

/* write.c */
/* Adds (sign 1) or takes away (-1) a message. */
void tally_message(struct tally *tally, int64_t flags, int64_t size, int sign);
/* Writes counters of mailbox and account, and the mailbox's modseq; prunes its change rows. */
bool tally_write(struct db *db, int64_t account, int64_t mailbox, int64_t modseq,
    const struct tally *tally, struct error *error);
bool message_add(struct db *db, int64_t account, int64_t mailbox, const struct store_row *row,
    struct error *error);
bool message_set_flags(struct db *db, int64_t account, int64_t mailbox, uint32_t uid, int64_t flags,
    int64_t modseq, struct error *error);
/* Removes the row, not the body. */
bool message_remove(
    struct db *db, int64_t account, int64_t mailbox, uint32_t uid, struct error *error);
/* Counts a message more or less that names the body; at 0 it is garbage. */
bool body_refer(struct db *db, int64_t account, int64_t body, int by, struct error *error);
/* One change row for each range of uids, counted in tally. */
bool changes_add(struct db *db, int64_t account, int64_t mailbox, int64_t modseq,
    enum store_change_kind kind, const struct uid_set *uids, struct tally *tally,
    struct error *error);
/* Forgets the oldest change rows and keeps at most `keep`; the mailbox's horizon says up to where. */
bool changes_prune(
    struct db *db, int64_t account, int64_t mailbox, int64_t keep, struct error *error);

#endif
