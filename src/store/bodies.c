/* Repair: bodies with their checksums and summaries, and messages that have no place any more. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/mend.h"

#define STUB_MAX     (64 * 1024)
#define CONTENT_MAX  ((size_t)1 << 31)
#define SUMMARY_ROOM (1u << 20)

/* ---- contents ---- */

static bool read_data(
    struct mend *m, int64_t body, struct buf *out, bool *found_out, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_DATA_GET);

	buf_clear(out);
	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, body);
	*found_out = db_step(st);
	if (*found_out)
		buf_add(out, db_column_bytes(st, 0));
	return db_done(st, error);
}

/* Size and checksum as the data has them now. */
static bool take_data(struct mend *m, int64_t body, slice data, struct error *error)
{
	return MEND_RUN(
	    m, Q_REPAIR_BODY_SET, error, body, (int64_t)data.n, sum_crc(crc32c(0, data)));
}

static bool write_head(
    struct mend *m, int64_t body, slice content, int64_t *received_out, struct error *error)
{
	struct store_summary s = { .received_us = 0 };

	buf_init(&s.envelope, SUMMARY_ROOM);
	buf_init(&s.structure, SUMMARY_ROOM);
	buf_init(&s.bodystructure, SUMMARY_ROOM);
	m->repair->summarise(content, &s);
	const struct store_head head = { buf_slice(&s.envelope), buf_slice(&s.structure),
		buf_slice(&s.bodystructure) };
	bool ok = MEND_RUN(m, Q_HEAD_REMOVE, error, body);
	if (ok) {
		struct db_stmt *st = db_use(m->db, Q_HEAD_ADD);

		db_bind_id(st, 1, m->account);
		db_bind_id(st, 2, body);
		db_bind_bytes(st, 3, head.envelope);
		db_bind_bytes(st, 4, head.structure);
		db_bind_bytes(st, 5, head.bodystructure);
		db_bind_number(st, 6, sum_head(&head));
		ok = db_run(st, error);
	}
	if (received_out)
		*received_out = s.received_us;
	buf_free(&s.envelope);
	buf_free(&s.structure);
	buf_free(&s.bodystructure);
	return ok;
}

static void note_spoiled(struct mend *m, int64_t body)
{
	if (m->spoiled_count == m->spoiled_room) {
		m->spoiled_room = m->spoiled_room ? 2 * m->spoiled_room : 16;
		m->spoiled = memory_resize(m->spoiled, m->spoiled_room * sizeof *m->spoiled);
	}
	m->spoiled[m->spoiled_count++] = body;
}

/* ---- what a lost message leaves ---- */

static void write_stub(struct buf *out, const struct bad_row *at, slice mailbox, slice envelope)
{
	buf_adds(out,
	    "From: Mail store <MAILER-DAEMON>\r\n"
	    "Subject: A message that was lost\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "The mail store was damaged, and this message is lost. A postmaster may find it in a backup.\r\n\r\n");
	if (at->mailbox)
		buf_addf(
		    out, "Mailbox: %.*s\r\nUID: %lld\r\n", SLICE_ARG(mailbox), (long long)at->uid);
	buf_addf(out, "Body: %lld\r\n", (long long)at->id);
	if (envelope.n)
		buf_addf(out, "What is known of it: %.*s\r\n",
		    SLICE_ARG(slice_head(envelope, STUB_MAX / 4)));
}

static slice name_of(const struct mend *m, int64_t mailbox)
{
	for (size_t i = 0; i < m->names.n; i++)
		if (m->names.mailboxes[i].id == mailbox)
			return m->names.mailboxes[i].name;
	return SLICE("(unknown)");
}

/* A note takes the place of the data that is not there. */
static bool put_stub(struct mend *m, const struct bad_row *at, struct error *error)
{
	struct buf text, envelope;
	struct db_stmt *st = db_use(m->db, Q_REPAIR_HEAD_OLD);

	buf_init(&text, STUB_MAX);
	buf_init(&envelope, STUB_MAX);
	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, at->id);
	if (db_step(st))
		buf_add(&envelope, db_column_bytes(st, 0));
	bool ok = db_done(st, error);
	write_stub(&text, at, name_of(m, at->mailbox), buf_slice(&envelope));
	if (ok) {
		st = db_use(m->db, Q_DATA_ADD);
		db_bind_id(st, 1, m->account);
		db_bind_id(st, 2, at->id);
		db_bind_bytes(st, 3, buf_slice(&text));
		ok = db_run(st, error) && take_data(m, at->id, buf_slice(&text), error) &&
		    write_head(m, at->id, buf_slice(&text), NULL, error);
	}
	buf_free(&text);
	buf_free(&envelope);
	note_spoiled(m, at->id);
	mend_said(m,
	    (struct store_fault){ .table = "body_data",
		.mailbox = at->mailbox,
		.uid = at->uid,
		.id = at->id,
		.what = "the message is lost; a note of it goes to " STORE_DAMAGED });
	return ok;
}

/* ---- bodies ---- */

static bool each_body(struct mend *m, enum store_query query,
    bool (*fn)(struct mend *m, const struct bad_row *row, struct error *error), struct error *error)
{
	struct bad_row *rows;
	size_t n;
	bool ok = mend_rows(m, query, 0, &rows, &n, error);

	for (size_t i = 0; ok && i < n; i++)
		ok = fn(m, &rows[i], error);
	return ok;
}

static bool make_body(struct mend *m, const struct bad_row *row, struct error *error)
{
	mend_said(m,
	    (struct store_fault){ .table = "body", .id = row->id, .what = "made from its data" });
	return MEND_RUN(m, Q_REPAIR_BODY_MAKE, error, row->id);
}

/* Messages whose body is nowhere get one that says so. */
static bool make_lost_body(struct mend *m, const struct bad_row *row, struct error *error)
{
	struct bad_row at = *row;
	bool found;
	struct buf data;

	if (at.id < 1 || at.id > INT64_MAX / 2) {
		at.id = 1 + m->modseq * 1000 + (int64_t)m->done; /* a number that nobody has */
		if (!MEND_RUN(m, Q_REPAIR_MESSAGE_BODY, error, at.mailbox, at.uid, at.id))
			return false;
	}
	buf_init(&data, CONTENT_MAX);
	bool ok = MEND_RUN(m, Q_REPAIR_BODY_STUB, error, at.id) &&
	    read_data(m, at.id, &data, &found, error) && (found || put_stub(m, &at, error));
	buf_free(&data);
	return ok;
}

/* The row of a body says how long its data are, and their checksum: as they are now. */
static bool set_body(struct mend *m, int64_t body, bool spoiled, struct error *error)
{
	struct buf data;
	bool found;

	buf_init(&data, CONTENT_MAX);
	bool ok = read_data(m, body, &data, &found, error) && found &&
	    take_data(m, body, buf_slice(&data), error) &&
	    (!spoiled || write_head(m, body, buf_slice(&data), NULL, error));
	buf_free(&data);
	return ok;
}

static bool set_size(struct mend *m, const struct bad_row *row, struct error *error)
{
	note_spoiled(m, row->id);
	mend_said(m,
	    (struct store_fault){
		.table = "body", .id = row->id, .what = "its size is that of its data now" });
	return set_body(m, row->id, true, error);
}

static bool fill_body(struct mend *m, const struct bad_row *row, struct error *error)
{
	m->done++;
	return set_body(m, row->id, false, error);
}

static bool make_head(struct mend *m, const struct bad_row *row, struct error *error)
{
	struct buf data;
	bool found;

	buf_init(&data, CONTENT_MAX);
	bool ok = read_data(m, row->id, &data, &found, error) &&
	    (!found || write_head(m, row->id, buf_slice(&data), NULL, error));
	buf_free(&data);
	mend_said(m,
	    (struct store_fault){
		.table = "head", .id = row->id, .what = "made from its message" });
	return ok;
}

/* For heads of before version 5: what is there is taken as right. */
static bool fill_head(struct mend *m, const struct bad_row *row, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_HEAD_GET);
	int64_t crc = 0;

	m->done++;
	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, row->id);
	if (db_step(st)) {
		struct store_head head = { db_column_bytes(st, 0), db_column_bytes(st, 1),
			db_column_bytes(st, 2) };

		crc = sum_head(&head);
	}
	return db_done(st, error) && MEND_RUN(m, Q_REPAIR_HEAD_CRC, error, row->id, crc);
}

/* What examine finds by reading all of them. */
struct bad_contents {
	struct mend *m;
	struct bad_row *rows;
	size_t n, room;
};

static void keep_bad(void *context, const struct store_fault *fault)
{
	struct bad_contents *bad = context;

	if (bad->n == bad->room) {
		bad->room = bad->room ? 2 * bad->room : 16;
		bad->rows = memory_resize(bad->rows, bad->room * sizeof *bad->rows);
	}
	bad->rows[bad->n++] = (struct bad_row){ .id = fault->id,
		.has = slice_eq(slice_of(fault->table), SLICE("head")) };
}

static bool mend_checksums(struct mend *m, struct error *error)
{
	struct bad_contents bad = { .m = m };
	struct examine e = { m->store, m->db, m->account, .found = keep_bad, .context = &bad };
	bool ok = examine_contents(&e, error);

	for (size_t i = 0; ok && i < bad.n; i++) {
		if (bad.rows[i].has) {
			ok = make_head(m, &bad.rows[i], error);
			continue;
		}
		note_spoiled(m, bad.rows[i].id);
		mend_said(m,
		    (struct store_fault){ .table = "body_data",
			.id = bad.rows[i].id,
			.what = "the message is not what was written; kept as it is" });
		ok = set_body(m, bad.rows[i].id, true, error);
	}
	free(bad.rows);
	return ok;
}

bool mend_bodies(struct mend *m, struct error *error)
{
	return each_body(m, Q_CHECK_DATA_BODY, make_body, error) &&
	    each_body(m, Q_CHECK_MESSAGE_BODY, make_lost_body, error) &&
	    each_body(m, Q_CHECK_BODY_DATA, put_stub, error) && mend_checksums(m, error) &&
	    each_body(m, Q_CHECK_BODY_SIZE, set_size, error) &&
	    each_body(m, Q_REPAIR_BODIES_UNKNOWN, fill_body, error) &&
	    each_body(m, Q_CHECK_BODY_HEAD, make_head, error) &&
	    each_body(m, Q_REPAIR_HEADS_UNKNOWN, fill_head, error);
}

/* ---- places ---- */

static bool find_place(struct mend *m, struct place *p, struct error *error)
{
	struct store_mailbox found;

	if (p->id)
		return true;
	switch (mailbox_by_name(m->db, m->account, slice_of(p->name), NULL, &found, error)) {
	case STORE_FOUND:
		p->id = found.id;
		p->uidnext = found.uidnext;
		return true;
	case STORE_ABSENT:
		p->uidnext = 1;
		return mailbox_add(m->db, m->account, slice_of(p->name), SLICE(""), &p->id, error);
	case STORE_FAILED:
		break;
	}
	return false;
}

/* A new row there; UIDNEXT follows. */
static bool place_row(struct mend *m, struct place *p, struct store_row *row, struct error *error)
{
	if (!find_place(m, p, error))
		return false;
	if (p->uidnext >= UINT32_MAX)
		return error_plain(error, FAULT_LIMIT, "%s has no UIDs left", p->name);
	row->uid = (uint32_t)p->uidnext++;
	row->modseq = m->modseq;
	row->flags &= STORE_FLAGS_ALL;
	row->saved_us = clock_wall_us();
	return message_add(m->db, m->account, p->id, row, error) &&
	    MEND_RUN(m, Q_REPAIR_UIDNEXT, error, p->id, p->uidnext);
}

/* The row of a message, whatever its numbers; then it is removed. */
static bool take_row(
    struct mend *m, const struct bad_row *at, struct store_row *out, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_REPAIR_MESSAGE_AT);

	*out = (struct store_row){ 0 };
	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, at->mailbox);
	db_bind_id(st, 3, at->uid);
	if (db_step(st))
		*out = (struct store_row){ .flags = db_column_number(st, 2),
			.size = db_column_number(st, 4),
			.received_us = db_column_time(st, 5),
			.body = db_column_id(st, 6) };
	return db_done(st, error) && MEND_RUN(m, Q_MESSAGE_REMOVE, error, at->mailbox, at->uid);
}

static bool note_gone(struct mend *m, const struct bad_row *at, struct error *error)
{
	if (at->uid < 1 || at->uid >= UINT32_MAX || name_of(m, at->mailbox).p[0] == '(')
		return true;
	return MEND_RUN(
	    m, Q_CHANGE_ADD, error, at->mailbox, m->modseq, at->uid, at->uid, CHANGE_GONE);
}

static bool move_message(
    struct mend *m, struct place *p, const struct bad_row *at, struct error *error)
{
	char what[100];
	struct store_row row;

	if (!find_place(m, p, error))
		return false;
	if (at->mailbox == p->id && at->uid > 0 && at->uid < UINT32_MAX)
		return true;
	if (!take_row(m, at, &row, error) || !note_gone(m, at, error) ||
	    !place_row(m, p, &row, error))
		return false;
	snprintf(what, sizeof what, "moved to %s, UID %u there", p->name, row.uid);
	mend_said(m,
	    (struct store_fault){ .table = "message",
		.mailbox = at->mailbox,
		.uid = at->uid,
		.id = row.body,
		.what = what });
	return true;
}

static bool move_lost(struct mend *m, const struct bad_row *row, struct error *error)
{
	return move_message(m, &m->recovered, row, error);
}

static bool move_spoiled(struct mend *m, struct error *error)
{
	for (size_t i = 0; i < m->spoiled_count; i++) {
		struct bad_row *rows;
		size_t n;

		if (!mend_rows(m, Q_REPAIR_MESSAGE_OF, m->spoiled[i], &rows, &n, error))
			return false;
		for (size_t k = 0; k < n; k++)
			if (!move_message(m, &m->damaged, &rows[k], error))
				return false;
	}
	return true;
}

static bool is_spoiled(const struct mend *m, int64_t body)
{
	for (size_t i = 0; i < m->spoiled_count; i++)
		if (m->spoiled[i] == body)
			return true;
	return false;
}

/* A row that named the body is lost: the body's own row says so, if that is what was written. Else, that nothing names
 * it and that nobody gave it up. */
static bool is_lost(struct mend *m, const struct bad_row *row, bool *lost_out, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_REPAIR_BODY_TRUST);

	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, row->id);
	db_step(st);
	bool trusted = db_column_number(st, 0) != 0;
	*lost_out = row->wants == 0 || (trusted && row->has > row->wants);
	return db_done(st, error);
}

/* The body gets a message, as if it came now, with the date that it says itself. */
static bool salvage(struct mend *m, const struct bad_row *lost, struct error *error)
{
	struct place *p = is_spoiled(m, lost->id) ? &m->damaged : &m->recovered;
	struct store_row row = { .body = lost->id };
	struct buf data;
	char what[100];
	bool found;

	buf_init(&data, CONTENT_MAX);
	bool ok = read_data(m, lost->id, &data, &found, error) &&
	    write_head(m, lost->id, buf_slice(&data), &row.received_us, error);
	row.size = (int64_t)data.n;
	buf_free(&data);
	if (!ok || !place_row(m, p, &row, error))
		return false;
	snprintf(what, sizeof what, "its row was lost: it is in %s, UID %u", p->name, row.uid);
	mend_said(m, (struct store_fault){ .table = "message", .id = lost->id, .what = what });
	return true;
}

static bool mend_refs(struct mend *m, const struct bad_row *row, struct error *error)
{
	bool lost;

	if (!is_lost(m, row, &lost, error) || (lost && !salvage(m, row, error)))
		return false;
	mend_said(m,
	    (struct store_fault){
		.table = "body", .id = row->id, .what = "its messages are counted again" });
	return MEND_RUN(m, Q_REPAIR_BODY_REFS, error, row->id, row->wants + lost);
}

bool mend_places(struct mend *m, struct error *error)
{
	return each_body(m, Q_CHECK_MESSAGE_UID, move_lost, error) &&
	    each_body(m, Q_CHECK_MESSAGE_MAILBOX, move_lost, error) && move_spoiled(m, error) &&
	    each_body(m, Q_CHECK_BODY_REFS, mend_refs, error);
}
