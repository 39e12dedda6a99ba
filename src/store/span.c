/* Flag changes of many messages: one row says what is done to a span of UIDs, instead of a row for each. Whoever
 * reads rows applies them; when there are too many, they are written into the rows. */
#include "store/internal.h"

bool spans_read(
    struct db *db, int64_t account, int64_t mailbox, struct flag_spans *out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_SPAN_LIST);

	out->n = 0;
	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	while (out->n < STORE_SPANS && db_step(st))
		out->list[out->n++] = (struct flag_span){ .modseq = db_column_number(st, 0),
			.lo = (uint32_t)db_column_id(st, 1),
			.hi = (uint32_t)db_column_id(st, 2),
			.cleared = db_column_number(st, 3),
			.added = db_column_number(st, 4) };
	return db_done(st, error);
}

void spans_apply(const struct flag_spans *spans, struct store_row *row)
{
	for (size_t i = 0; i < spans->n; i++) {
		const struct flag_span *s = &spans->list[i];
		int64_t flags = (row->flags & ~s->cleared) | s->added;

		if (row->uid < s->lo || row->uid > s->hi || row->modseq >= s->modseq ||
		    flags == row->flags)
			continue;
		row->flags = flags;
		row->modseq = s->modseq;
	}
}

bool span_add(struct db *db, int64_t account, int64_t mailbox, const struct flag_span *span,
    struct error *error)
{
	struct db_stmt *st = db_use(db, Q_SPAN_ADD);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	db_bind_number(st, 3, span->modseq);
	db_bind_id(st, 4, span->lo);
	db_bind_id(st, 5, span->hi);
	db_bind_number(st, 6, span->cleared);
	db_bind_number(st, 7, span->added);
	return db_run(st, error);
}

static bool settle_rows(const struct row_visit *visit, const struct flag_spans *spans,
    const struct store_row *rows, size_t n, struct error *error)
{
	for (size_t i = 0; i < n; i++) {
		struct store_row row = rows[i];

		spans_apply(spans, &row);
		if (row.modseq != rows[i].modseq &&
		    !message_set_flags(visit->db, visit->account, visit->mailbox, row.uid,
			row.flags, row.modseq, error))
			return false;
	}
	return true;
}

bool spans_settle(
    const struct row_visit *visit, const struct flag_spans *spans, struct error *error)
{
	struct store_row *chunk = visit->store->chunk;
	uint32_t lo = UINT32_MAX, hi = 0;
	size_t n;

	for (size_t i = 0; i < spans->n; i++) {
		lo = spans->list[i].lo < lo ? spans->list[i].lo : lo;
		hi = spans->list[i].hi > hi ? spans->list[i].hi : hi;
	}
	do {
		if (!rows_read_written(visit->db, visit->account, visit->mailbox, lo, hi,
			STORE_CHUNK, STORE_NO_HEADS, NULL, chunk, &n, error) ||
		    !settle_rows(visit, spans, chunk, n, error))
			return false;
		if (n)
			lo = chunk[n - 1].uid + 1;
	} while (n == STORE_CHUNK && lo != 0 && lo <= hi);
	return spans_forget(visit->db, visit->account, visit->mailbox, error);
}

bool spans_forget(struct db *db, int64_t account, int64_t mailbox, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_SPAN_FORGET);

	db_bind_id(st, 1, account);
	db_bind_id(st, 2, mailbox);
	return db_run(st, error);
}
