#include "store/cache.h"

static void read_row(
    struct db_stmt *st, enum store_heads heads, struct arena *arena, struct store_row *row)
{
	*row = (struct store_row){ .uid = (uint32_t)db_column_id(st, 0),
		.flags = db_column_number(st, 1),
		.modseq = db_column_number(st, 2),
		.size = db_column_number(st, 3),
		.received_us = db_column_time(st, 4),
		.body = db_column_id(st, 5),
		.saved_us = db_column_time(st, 6) };
	if (heads)
		row->head.envelope = arena_copy(arena, db_column_bytes(st, 7));
	if (heads == STORE_HEADS) {
		row->head.structure = arena_copy(arena, db_column_bytes(st, 8));
		row->head.bodystructure = arena_copy(arena, db_column_bytes(st, 9));
	}
}

bool rows_read_written(struct db *db, int64_t account, int64_t mailbox, uint32_t lo, uint32_t hi,
    size_t max, enum store_heads heads, struct arena *arena, struct store_row *rows,
    size_t *count_out, struct error *error)
{
	struct db_stmt *st = db_use(db, heads ? Q_MESSAGE_HEADS : Q_MESSAGE_ROWS);

	*count_out = 0;
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_id(st, 3, lo);
	db_bind_id(st, 4, hi);
	db_bind_number(st, 5, (int64_t)max);
	while (*count_out < max && db_step(st))
		read_row(st, heads, arena, &rows[(*count_out)++]);
	return db_done(st, error);
}

bool rows_read(struct db *db, int64_t account, int64_t mailbox, uint32_t lo, uint32_t hi,
    size_t max, enum store_heads heads, struct arena *arena, struct store_row *rows,
    size_t *count_out, struct error *error)
{
	struct flag_spans spans;

	*count_out = 0;
	if (!spans_read(db, account, mailbox, &spans, error) ||
	    !rows_read_written(
		db, account, mailbox, lo, hi, max, heads, arena, rows, count_out, error))
		return false;
	for (size_t i = 0; spans.n && i < *count_out; i++)
		spans_apply(&spans, &rows[i]);
	return true;
}

static bool visit_cached(
    const struct row_visit *visit, uint32_t lo, uint32_t hi, struct error *error)
{
	const struct row_cache *c = visit->cache;

	for (size_t i = cache_from(c, lo); i < c->n && c->rows[i].uid <= hi; i++) {
		struct store_row row = cache_row(&c->rows[i]);

		if (!visit->fn(visit->context, &row, error))
			return false;
	}
	return true;
}

static bool visit_range(
    const struct row_visit *visit, uint32_t lo, uint32_t hi, struct error *error)
{
	struct store_row *chunk = visit->store->chunk;
	size_t n;

	if (visit->cache)
		return visit_cached(visit, lo, hi, error);
	do {
		if (!rows_read(visit->db, visit->account, visit->mailbox, lo, hi, STORE_CHUNK,
			STORE_NO_HEADS, NULL, chunk, &n, error))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!visit->fn(visit->context, &chunk[i], error))
				return false;
		if (n)
			lo = chunk[n - 1].uid + 1;
	} while (n == STORE_CHUNK && lo != 0 && lo <= hi);
	return true;
}

bool rows_visit(const struct row_visit *visit, struct error *error)
{
	if (!visit->uids)
		return visit_range(visit, 1, UINT32_MAX, error);
	for (size_t i = 0; i < visit->uids->n; i++)
		if (!visit_range(
			visit, visit->uids->ranges[i].lo, visit->uids->ranges[i].hi, error))
			return false;
	return true;
}

static bool keep_row(void *context, const struct store_row *row, struct error *error)
{
	(void)error;
	cache_add(context, row);
	return true;
}

struct row_cache *rows_cache(struct store *store, struct db *db, int64_t account,
    const struct store_mailbox *mailbox, uint64_t wanted)
{
	struct row_cache *c = cache_take(store, account, mailbox);
	struct error ignored;

	if (c || mailbox->messages < CACHE_LEAST || mailbox->messages > CACHE_MOST ||
	    wanted < (uint64_t)mailbox->messages / 4)
		return c;
	c = cache_new(store, account, mailbox);
	struct row_visit visit = { .store = store,
		.db = db,
		.account = account,
		.mailbox = mailbox->id,
		.fn = keep_row,
		.context = c };
	if (rows_visit(&visit, &ignored) && c->n == (size_t)mailbox->messages)
		return c;
	cache_free(c);
	return NULL;
}

/* The same for a reader, in a transaction of its own. */
static struct row_cache *cache_to_read(
    struct store *store, struct db *db, int64_t account, int64_t mailbox, uint64_t wanted)
{
	struct row_cache *c = NULL;
	struct store_mailbox now;
	struct error ignored;

	if (!db_begin_read(db, &ignored))
		return NULL;
	if (mailbox_by_id(db, account, mailbox, NULL, &now, &ignored) == STORE_FOUND)
		c = rows_cache(store, db, account, &now, wanted);
	if (db_commit(db, &ignored))
		return c;
	cache_free(c);
	return NULL;
}

/* From memory; false: they are not there. */
static bool cached_rows(struct store *store, struct db *db, int64_t account, int64_t mailbox,
    uint32_t lo, uint32_t hi, size_t limit, struct store_row *rows, size_t *count_out)
{
	struct row_cache *c;

	if (lo > hi || hi - lo < STORE_CHUNK ||
	    !(c = cache_to_read(store, db, account, mailbox, (uint64_t)hi - lo + 1)))
		return false;
	for (size_t i = cache_from(c, lo); i < c->n && c->rows[i].uid <= hi && *count_out < limit;
	     i++)
		rows[(*count_out)++] = cache_row(&c->rows[i]);
	cache_give(c);
	return true;
}

bool store_rows(struct store *store, int64_t account, int64_t mailbox, uint32_t lo, uint32_t hi,
    size_t limit, enum store_heads heads, struct arena *arena, struct store_row **rows_out,
    size_t *count_out, struct error *error)
{
	struct db *db;

	*count_out = 0;
	if (!store_use(store, account, &db, error))
		return false;
	*rows_out = ARENA_ARRAY(arena, struct store_row, limit);
	if (!heads && cached_rows(store, db, account, mailbox, lo, hi, limit, *rows_out, count_out))
		return true;
	return rows_read(
	    db, account, mailbox, lo, hi, limit, heads, arena, *rows_out, count_out, error);
}

bool store_head(struct store *store, int64_t account, int64_t body, struct arena *arena,
    struct store_head *head_out, struct error *error)
{
	struct db_stmt *st;
	struct db *db;
	bool found;

	if (!store_use(store, account, &db, error))
		return false;
	st = db_use(db, Q_HEAD_GET);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, body);
	found = db_step(st);
	head_out->envelope = arena_copy(arena, db_column_bytes(st, 0));
	head_out->structure = arena_copy(arena, db_column_bytes(st, 1));
	head_out->bodystructure = arena_copy(arena, db_column_bytes(st, 2));
	if (!db_done(st, error))
		return false;
	return found || error_plain(error, FAULT_ABSENT, "the message is gone");
}

bool store_body(
    struct store *store, int64_t account, int64_t body, struct buf *out, struct error *error)
{
	struct db_stmt *st;
	struct db *db;
	bool found;

	buf_clear(out);
	if (!store_use(store, account, &db, error))
		return false;
	st = db_use(db, Q_DATA_GET);
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, body);
	found = db_step(st);
	if (found)
		buf_add(out, db_column_bytes(st, 0));
	if (!db_done(st, error))
		return false;
	if (!found)
		return error_plain(error, FAULT_ABSENT, "the message is gone");
	return !out->full || error_plain(error, FAULT_LIMIT, "the message is too large to be read");
}

bool store_body_head(struct store *store, int64_t account, int64_t body, size_t n, struct buf *out,
    struct error *error)
{
	struct db *db;
	bool found;

	buf_clear(out);
	if (!store_use(store, account, &db, error) ||
	    !db_read_head(db, "body_data", "data", body, n, out, &found, error))
		return false;
	if (!found)
		return error_plain(error, FAULT_ABSENT, "the message is gone");
	return !out->full || error_plain(error, FAULT_LIMIT, "the message is too large to be read");
}

/* UIDs of a statement's first column. */
static bool collect_uids(struct db_stmt *st, struct uid_set *set, struct error *error)
{
	while (db_step(st)) {
		uint32_t uid = (uint32_t)db_column_id(st, 0);

		if (uid)
			uid_set_add(set, uid, uid);
	}
	return db_done(st, error);
}

/* UIDs of all messages. */
static bool read_uids(
    struct db *db, int64_t account, int64_t mailbox, struct uid_set *out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_MESSAGE_UIDS);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	return collect_uids(st, out, error);
}

/* The UID that a statement finds, 0 for none. */
static bool find_uid(struct db *db, enum store_query query, int64_t account, int64_t mailbox,
    int64_t skip, uint32_t *uid_out, struct error *error)
{
	struct db_stmt *st = db_use(db, query);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	if (query == Q_MESSAGE_UNSEEN_BACK)
		db_bind_number(st, 3, skip);
	*uid_out = db_step(st) ? (uint32_t)db_column_id(st, 0) : 0;
	return db_done(st, error);
}

/* The same; where no UID between the first and the last is missing, these two say it all, however many there are. */
static bool find_uids(struct db *db, int64_t account, const struct store_mailbox *mailbox,
    struct uid_set *out, struct error *error)
{
	uint32_t first, last;

	if (mailbox->messages == 0)
		return true;
	if (!find_uid(db, Q_MESSAGE_FIRST, account, mailbox->id, 0, &first, error) ||
	    !find_uid(db, Q_MESSAGE_LAST, account, mailbox->id, 0, &last, error))
		return false;
	if (first == 0 || (int64_t)last - first + 1 != mailbox->messages)
		return read_uids(db, account, mailbox->id, out, error);
	uid_set_add(out, first, last);
	return true;
}

static bool select_mailbox(struct db *db, int64_t account, int64_t mailbox, struct arena *arena,
    struct store_mailbox *mailbox_out, struct uid_set *uids_out, struct error *error)
{
	return mailbox_need(db, account, mailbox, arena, mailbox_out, error) &&
	    find_uids(db, account, mailbox_out, uids_out, error);
}

bool store_select(struct store *store, int64_t account, int64_t mailbox, struct arena *arena,
    struct store_mailbox *mailbox_out, struct uid_set *uids_out, struct error *error)
{
	struct db *db;

	uid_set_clear(uids_out);
	if (!store_use(store, account, &db, error) || !db_begin_read(db, error))
		return false;
	return store_finish(
	    db, select_mailbox(db, account, mailbox, arena, mailbox_out, uids_out, error), error);
}

/* Where not all flags are in the rows. */
static bool unseen_by_rows(struct store *store, struct db *db, int64_t account, int64_t mailbox,
    uint32_t *uid_out, struct error *error)
{
	uint32_t lo = 1;
	size_t n = STORE_CHUNK;

	while (n == STORE_CHUNK && lo != 0) {
		if (!rows_read(db, account, mailbox, lo, UINT32_MAX, STORE_CHUNK, STORE_NO_HEADS,
			NULL, store->chunk, &n, error))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!(store->chunk[i].flags & STORE_SEEN)) {
				*uid_out = store->chunk[i].uid;
				return true;
			}
		lo = n ? store->chunk[n - 1].uid + 1 : 0;
	}
	return true;
}

bool store_first_unseen(struct store *store, int64_t account, const struct store_mailbox *mailbox,
    uint32_t *uid_out, struct error *error)
{
	bool few = mailbox->unseen < mailbox->messages / 2;
	struct flag_spans spans;
	struct db *db;

	*uid_out = 0;
	if (mailbox->unseen == 0)
		return true;
	if (!store_use(store, account, &db, error) ||
	    !spans_read(db, account, mailbox->id, &spans, error))
		return false;
	if (spans.n)
		return unseen_by_rows(store, db, account, mailbox->id, uid_out, error);
	/* A few are mostly the newest. */
	return find_uid(db, few ? Q_MESSAGE_UNSEEN_BACK : Q_MESSAGE_UNSEEN, account, mailbox->id,
	    mailbox->unseen - 1, uid_out, error);
}

struct newer {
	int64_t since;
	struct uid_set *changed;
};

static bool add_newer(void *context, const struct store_row *row, struct error *error)
{
	const struct newer *n = context;

	(void)error;
	if (row->modseq > n->since)
		uid_set_add(n->changed, row->uid, row->uid);
	return true;
}

/* Did a span that is not in the rows happen after `since`? */
static bool spans_since(struct db *db, int64_t account, int64_t mailbox, int64_t since,
    bool *some_out, struct error *error)
{
	struct flag_spans spans;

	if (!spans_read(db, account, mailbox, &spans, error))
		return false;
	*some_out = spans.n && spans.list[spans.n - 1].modseq > since;
	return true;
}

/* By rows as they are with all spans, from memory if that is worth it. */
static bool add_newer_rows(struct store *store, struct db *db, int64_t account, int64_t mailbox,
    uint32_t lo, uint32_t hi, struct newer *newer, struct error *error)
{
	struct uid_set range = { 0 };
	struct store_mailbox now;
	struct row_visit visit = { .store = store,
		.db = db,
		.account = account,
		.mailbox = mailbox,
		.uids = &range,
		.fn = add_newer,
		.context = newer };

	if (!mailbox_need(db, account, mailbox, NULL, &now, error))
		return false;
	if (hi >= now.uidnext)
		hi = now.uidnext - 1;
	if (lo > hi)
		return true;
	uid_set_add(&range, lo, hi);
	if (hi - lo >= STORE_CHUNK)
		visit.cache = rows_cache(store, db, account, &now, (uint64_t)hi - lo + 1);
	bool ok = rows_visit(&visit, error);
	if (visit.cache)
		cache_give(visit.cache);
	uid_set_free(&range);
	return ok;
}

/* Messages from lo to hi whose modseq is above since. */
static bool add_changed(struct store *store, struct db *db, int64_t account, int64_t mailbox,
    uint32_t lo, uint32_t hi, int64_t since, struct uid_set *changed_out, struct error *error)
{
	struct newer newer = { since, changed_out };
	bool spans;

	if (!spans_since(db, account, mailbox, since, &spans, error))
		return false;
	if (spans)
		return add_newer_rows(store, db, account, mailbox, lo, hi, &newer, error);
	struct db_stmt *st = db_use(db, Q_MESSAGE_CHANGED);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_id(st, 3, lo);
	db_bind_id(st, 4, hi);
	db_bind_number(st, 5, since);
	return collect_uids(st, changed_out, error);
}

/* What the change rows say: spans in which flags changed, and what is gone. */
static bool read_changes(struct db *db, int64_t account, int64_t mailbox, int64_t since,
    struct uid_set *spans, struct uid_set *vanished_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_CHANGE_LIST);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_number(st, 3, since);
	while (db_step(st)) {
		uint32_t lo = (uint32_t)db_column_id(st, 0), hi = (uint32_t)db_column_id(st, 1);
		bool gone = db_column_number(st, 2) == CHANGE_GONE;

		if (lo && lo <= hi)
			uid_set_add(gone ? vanished_out : spans, lo, hi);
	}
	return db_done(st, error);
}

/* The removals are forgotten: what is not there is gone (RFC 7162 §3.2.5.1), what has a higher modseq changed. */
static bool compare_all(struct store *store, struct db *db, int64_t account,
    const struct store_mailbox *mailbox, int64_t since, struct uid_set *changed_out,
    struct uid_set *vanished_out, struct error *error)
{
	struct uid_set there = { 0 };
	bool ok = read_uids(db, account, mailbox->id, &there, error);

	if (mailbox->uidnext > 1)
		uid_set_add(vanished_out, 1, mailbox->uidnext - 1);
	uid_set_remove_all(vanished_out, &there);
	uid_set_free(&there);
	return ok &&
	    add_changed(store, db, account, mailbox->id, 1, UINT32_MAX, since, changed_out, error);
}

static bool find_changes(struct store *store, struct db *db, int64_t account, int64_t mailbox,
    int64_t since, uint32_t uidnext, struct uid_set *changed_out, struct uid_set *vanished_out,
    struct error *error)
{
	struct uid_set spans = { 0 };
	bool ok = read_changes(db, account, mailbox, since, &spans, vanished_out, error);

	uid_set_remove(&spans, uidnext, UINT32_MAX);
	for (size_t i = 0; ok && i < spans.n; i++)
		ok = add_changed(store, db, account, mailbox, spans.ranges[i].lo,
		    spans.ranges[i].hi, since, changed_out, error);
	uid_set_free(&spans);
	return ok &&
	    add_changed(
		store, db, account, mailbox, uidnext, UINT32_MAX, since, changed_out, error);
}

bool store_changed(struct store *store, int64_t account, int64_t mailbox, int64_t since,
    uint32_t uidnext, struct arena *arena, struct store_mailbox *mailbox_out,
    struct uid_set *changed_out, struct uid_set *vanished_out, struct error *error)
{
	struct db *db;
	bool ok;

	uid_set_clear(changed_out);
	uid_set_clear(vanished_out);
	if (!store_use(store, account, &db, error) || !db_begin_read(db, error))
		return false;
	ok = mailbox_need(db, account, mailbox, arena, mailbox_out, error);
	if (ok && since < mailbox_out->horizon)
		ok = compare_all(
		    store, db, account, mailbox_out, since, changed_out, vanished_out, error);
	else if (ok && since < mailbox_out->modseq)
		ok = find_changes(
		    store, db, account, mailbox, since, uidnext, changed_out, vanished_out, error);
	return store_finish(db, ok, error);
}
