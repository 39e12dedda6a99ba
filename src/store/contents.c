/* What no statement can check: checksums of texts and octets, and flags that are in spans. */
#include <stdio.h>

#include "store/examine.h"

#define RANGES_TOLD 20

bool mailbox_special_fits(slice special)
{
	static const char *const known[] = { "", "\\All", "\\Archive", "\\Drafts", "\\Flagged",
		"\\Junk", "\\Sent", "\\Trash", "\\Important" };

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (slice_eq(special, slice_of(known[i])))
			return true;
	return false;
}

static bool crc_differs(int64_t kept, int64_t is)
{
	return kept != 0 && kept != is;
}

/* ---- names ---- */

static void keep_mailbox(struct examine *e, struct db_stmt *st)
{
	if ((e->n & (e->n - 1)) == 0) { /* full at 0, 1, 2, 4 ... */
		struct examined_mailbox *more =
		    ARENA_ARRAY(e->arena, struct examined_mailbox, e->n ? 2 * e->n : 1);

		if (e->n)
			memcpy(more, e->mailboxes, e->n * sizeof *more);
		e->mailboxes = more;
	}
	e->mailboxes[e->n++] = (struct examined_mailbox){ .id = db_column_id(st, 0),
		.name = arena_copy(e->arena, db_column_text(st, 1)),
		.special = arena_copy(e->arena, db_column_text(st, 2)),
		.crc = db_column_number(st, 3),
		.uidnext = db_column_number(st, 4),
		.unseen = db_column_number(st, 5),
		.deleted = db_column_number(st, 6),
		.horizon = db_column_number(st, 7) };
}

static void check_mailbox(struct examine *e, const struct examined_mailbox *m)
{
	struct store_fault fault = { .table = "mailbox", .mailbox = m->id };

	fault.what = "its name is not what was written";
	fault.cure = "keep it, if a mailbox may be called so";
	if (crc_differs(m->crc, sum_crc(crc32c(0, m->name))) || !mailbox_name_fits(m->name))
		examine_tell(e, fault);
	fault.what = "a special use that there is none of";
	fault.cure = "take it away";
	if (!mailbox_special_fits(m->special))
		examine_tell(e, fault);
}

static bool examine_mailboxes(struct examine *e, struct error *error)
{
	struct db_stmt *st = db_use(e->db, Q_CHECK_MAILBOXES);

	e->n = 0;
	db_bind_id(st, 1, e->account);
	while (db_step(st))
		keep_mailbox(e, st);
	if (!db_done(st, error))
		return false;
	for (size_t i = 0; i < e->n; i++)
		check_mailbox(e, &e->mailboxes[i]);
	return true;
}

static bool examine_keywords(struct examine *e, struct error *error)
{
	struct db_stmt *st = db_use(e->db, Q_CHECK_KEYWORDS);

	db_bind_id(st, 1, e->account);
	while (db_step(st)) {
		int64_t bit = db_column_number(st, 0);

		if (crc_differs(db_column_number(st, 3),
			sum_keyword(bit, db_column_text(st, 1), db_column_text(st, 2))))
			examine_tell(e,
			    (struct store_fault){ .table = "keyword",
				.id = bit,
				.what = "its name is not what was written",
				.cure = "keep it, if a keyword may be called so" });
	}
	return db_done(st, error);
}

static bool examine_subscriptions(struct examine *e, struct error *error)
{
	struct db_stmt *st = db_use(e->db, Q_CHECK_SUBSCRIPTIONS);

	db_bind_id(st, 1, e->account);
	while (db_step(st)) {
		slice name = db_column_text(st, 0);

		if (crc_differs(db_column_number(st, 1), sum_crc(crc32c(0, name))) ||
		    !mailbox_name_fits(name))
			examine_tell(e,
			    (struct store_fault){ .table = "subscription",
				.name = name,
				.what = "its name is not what was written",
				.cure = "keep it, if a mailbox may be called so" });
	}
	return db_done(st, error);
}

bool examine_names(struct examine *e, struct error *error)
{
	return examine_mailboxes(e, error) && examine_keywords(e, error) &&
	    examine_subscriptions(e, error);
}

/* ---- contents ---- */

bool examine_contents(struct examine *e, struct error *error)
{
	struct db_stmt *st = db_use(e->db, Q_CHECK_CONTENTS);

	db_bind_id(st, 1, e->account);
	while (db_step(st))
		if (crc_differs(
			db_column_number(st, 2), sum_crc(crc32c(0, db_column_bytes(st, 1)))))
			examine_tell(e,
			    (struct store_fault){ .table = "body_data",
				.id = db_column_id(st, 0),
				.what = "the message is not what was written",
				.cure = "move it to " STORE_DAMAGED });
	if (!db_done(st, error))
		return false;
	st = db_use(e->db, Q_CHECK_HEADS);
	db_bind_id(st, 1, e->account);
	while (db_step(st)) {
		struct store_head head = { db_column_bytes(st, 1), db_column_bytes(st, 2),
			db_column_bytes(st, 3) };

		if (crc_differs(db_column_number(st, 4), sum_head(&head)))
			examine_tell(e,
			    (struct store_fault){ .table = "head",
				.id = db_column_id(st, 0),
				.what = "envelope or structure are not what was written",
				.cure = "make them from the message" });
	}
	return db_done(st, error);
}

/* ---- flags and UIDs ---- */

struct flag_count {
	struct tally tally;
	struct uid_set accounted; /* there, or noted as removed */
};

static bool count_flags(void *context, const struct store_row *row, struct error *error)
{
	struct flag_count *count = context;

	(void)error;
	tally_message(&count->tally, row->flags, row->size, 1);
	uid_set_add(&count->accounted, row->uid, row->uid);
	return true;
}

static void tell_counter(struct examine *e, const struct examined_mailbox *m, const char *name,
    int64_t has, int64_t wants)
{
	char what[120];

	snprintf(what, sizeof what, "wrong number of %s messages: it says %lld, there is %lld",
	    name, (long long)has, (long long)wants);
	if (has != wants)
		examine_tell(e,
		    (struct store_fault){ .table = "mailbox",
			.mailbox = m->id,
			.what = what,
			.cure = "count it again" });
}

static bool add_removed(
    struct examine *e, int64_t mailbox, struct uid_set *accounted, struct error *error)
{
	struct db_stmt *st = db_use(e->db, Q_CHECK_GONE);

	db_bind_id(st, 1, e->account);
	db_bind_id(st, 2, mailbox);
	while (db_step(st)) {
		int64_t lo = db_column_id(st, 0), hi = db_column_id(st, 1);

		if (lo > 0 && lo <= hi && hi < UINT32_MAX)
			uid_set_add(accounted, (uint32_t)lo, (uint32_t)hi);
	}
	return db_done(st, error);
}

/* UIDs that were given out, are not there, and were not removed: since removals are noted, all of them. */
static bool find_missing(struct examine *e, const struct examined_mailbox *m,
    struct uid_set *accounted, struct error *error)
{
	struct uid_set missing = { 0 };

	if (m->horizon != 0 || m->uidnext < 2 || m->uidnext > UINT32_MAX)
		return true;
	if (!add_removed(e, m->id, accounted, error))
		return false;
	uid_set_add(&missing, 1, (uint32_t)m->uidnext - 1);
	uid_set_remove_all(&missing, accounted);
	for (size_t i = 0; i < missing.n && i < RANGES_TOLD; i++) {
		char what[120];

		snprintf(what, sizeof what, "UIDs %u to %u are not there, and nobody removed them",
		    missing.ranges[i].lo, missing.ranges[i].hi);
		examine_tell(e,
		    (struct store_fault){ .table = "message",
			.mailbox = m->id,
			.uid = missing.ranges[i].lo,
			.what = what,
			.cure = "note them as removed; bodies that are left "
				"go to " STORE_RECOVERED });
	}
	uid_set_free(&missing);
	return true;
}

bool examine_flags(struct examine *e, struct error *error)
{
	bool ok = true;

	for (size_t i = 0; ok && i < e->n; i++) {
		const struct examined_mailbox *m = &e->mailboxes[i];
		struct flag_count count = { 0 };
		struct row_visit visit = { .store = e->store,
			.db = e->db,
			.account = e->account,
			.mailbox = m->id,
			.fn = count_flags,
			.context = &count };

		ok = rows_visit(&visit, error) && find_missing(e, m, &count.accounted, error);
		if (ok) {
			tell_counter(e, m, "unseen", m->unseen, count.tally.unseen);
			tell_counter(e, m, "deleted", m->deleted, count.tally.deleted);
		}
		uid_set_free(&count.accounted);
	}
	return ok;
}
