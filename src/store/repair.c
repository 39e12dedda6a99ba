/* Repair: what mends an account, step by step, in one transaction. */
#include <stdio.h>
#include <stdlib.h>

#include "base/octet.h"
#include "store/mend.h"

#define MEMORY     ((size_t)1 << 30)
#define DAY_US     (INT64_C(86400) * 1000000)
#define IDS_BEYOND 1000000 /* where the last id given out is not known */
/* More than mailboxes made on the way take. */
#define MODSEQS_BEYOND 1000

void mend_said(struct mend *m, struct store_fault what)
{
	for (size_t i = 0; what.mailbox && i < m->names.n; i++)
		if (m->names.mailboxes[i].id == what.mailbox)
			what.name = m->names.mailboxes[i].name;
	what.cure = "";
	m->done++;
	m->repair->done(m->repair->context, &what);
}

bool mend_run(
    struct mend *m, enum store_query query, const int64_t *numbers, size_t n, struct error *error)
{
	struct db_stmt *st = db_use(m->db, query);

	db_bind_id(st, 1, m->account);
	for (size_t i = 0; i < n; i++)
		db_bind_number(st, (int)i + 2, numbers[i]);
	return db_run(st, error);
}

static bool takes_arg(enum store_query query)
{
	return query == Q_REPAIR_MESSAGE_OF || query == Q_CHECK_MESSAGE_FLAGS;
}

bool mend_rows(struct mend *m, enum store_query query, int64_t arg, struct bad_row **rows_out,
    size_t *count_out, struct error *error)
{
	struct db_stmt *st = db_use(m->db, query);
	struct bad_row *rows = NULL;
	size_t n = 0;

	db_bind_id(st, 1, m->account);
	if (takes_arg(query))
		db_bind_number(st, 2, arg);
	while (db_step(st)) {
		if ((n & (n - 1)) == 0) { /* full at 0, 1, 2, 4 ... */
			struct bad_row *more = ARENA_ARRAY(m->arena, struct bad_row, n ? 2 * n : 1);

			if (n)
				memcpy(more, rows, n * sizeof *rows);
			rows = more;
		}
		rows[n++] = (struct bad_row){ db_column_number(st, 0), db_column_number(st, 1),
			db_column_number(st, 2), db_column_number(st, 3), db_column_number(st, 4) };
	}
	*rows_out = rows;
	*count_out = n;
	return db_done(st, error);
}

/* ---- steps: for each row that a check finds, one function ---- */

static bool make_inbox(struct mend *m, const struct bad_row *row, struct error *error)
{
	int64_t id;

	(void)row;
	return mailbox_add(m->db, m->account, SLICE("INBOX"), SLICE(""), &id, error);
}

/* The next UIDVALIDITY of the account, above all. */
static bool next_uidvalidity(struct mend *m, int64_t *out, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_REPAIR_LAST);
	int64_t now = clock_wall_us() / 1000000;

	db_bind_id(st, 1, m->account);
	db_step(st);
	*out = db_column_number(st, 2) + 1;
	if (*out < now)
		*out = now;
	return db_done(st, error);
}

static bool new_identity(struct mend *m, const struct bad_row *row, struct error *error)
{
	int64_t uidvalidity;

	return next_uidvalidity(m, &uidvalidity, error) &&
	    MEND_RUN(m, Q_REPAIR_IDENT, error, row->mailbox, uidvalidity);
}

static bool forget_notes(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_CHANGE_REMOVE, error, row->mailbox) &&
	    MEND_RUN(m, Q_REPAIR_FORGET, error, row->mailbox, m->modseq);
}

static bool mend_mailbox(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_MAILBOX, error, row->mailbox) && forget_notes(m, row, error);
}

static bool raise_uidnext(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_UIDNEXT, error, row->mailbox, row->wants + 1);
}

static bool mend_message(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_MESSAGE_MEND, error, row->mailbox, row->uid, STORE_FLAGS_ALL,
	    m->modseq, clock_wall_us() + DAY_US);
}

static bool take_size(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_MESSAGE_SIZE, error, row->mailbox, row->uid);
}

static bool remove_head(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_HEAD_REMOVE, error, row->id);
}

static bool remove_changes(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_CHANGE_REMOVE, error, row->mailbox);
}

static bool remove_span(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_SPAN_REMOVE, error, row->mailbox, row->uid, row->id);
}

static bool remove_mark(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_DELIVERED_REMOVE, error, row->id, row->has);
}

static bool remove_keyword(struct mend *m, const struct bad_row *row, struct error *error)
{
	return MEND_RUN(m, Q_REPAIR_KEYWORD_REMOVE, error, row->id);
}

static bool only_count(struct mend *m, const struct bad_row *row, struct error *error)
{
	(void)m, (void)row, (void)error;
	return true;
}

struct step {
	enum store_query query;
	const char *table, *done;
	bool (*fn)(struct mend *m, const struct bad_row *row, struct error *error);
};

/* Before bodies and messages are placed. */
static const struct step first_steps[] = {
	{ Q_CHECK_NO_INBOX, "mailbox", "INBOX made", make_inbox },
	{ Q_CHECK_MAILBOX_IDENT, "mailbox", "it has another UIDVALIDITY", new_identity },
	{ Q_CHECK_MAILBOX_SUM, "mailbox", "its notes of changes are forgotten", mend_mailbox },
	{ Q_CHECK_MESSAGE_FLAGS, "message", "flags that cannot be are cleared", mend_message },
	{ Q_CHECK_MESSAGE_SUM, "message", "kept; its flags and dates may be wrong", mend_message },
	{ Q_CHECK_CHANGE_SUM, "change", "its mailbox's notes of changes are forgotten",
	    forget_notes },
	{ Q_CHECK_CHANGE_MAILBOX, "change", "removed", remove_changes },
	{ Q_CHECK_MAILBOX_NOTED, "change", "the mailbox's notes of changes are forgotten",
	    forget_notes },
	{ Q_CHECK_SPAN_SUM, "flag_span", "removed; flag changes of many messages may be lost",
	    remove_span },
	{ Q_CHECK_SPAN_MAILBOX, "flag_span", "removed", remove_span },
	{ Q_CHECK_MAILBOX_SPANS, "flag_span",
	    "counted again; flag changes of many messages may be lost", only_count },
	{ Q_CHECK_DELIVERED_SUM, "delivered", "removed", remove_mark },
	{ Q_CHECK_KEYWORD_BIT, "keyword", "removed", remove_keyword },
};

/* When all messages have their places. What these tell of is written by derive(). */
static const struct step last_steps[] = {
	{ Q_CHECK_HEAD_BODY, "head", "removed: it belonged to nothing", remove_head },
	{ Q_CHECK_MESSAGE_SIZE, "message", "its size is that of its body now", take_size },
	{ Q_CHECK_MAILBOX_UIDNEXT, "mailbox", "UIDNEXT raised", raise_uidnext },
	{ Q_CHECK_BODY_SUM, "body", "its row agrees with itself again", only_count },
	{ Q_CHECK_NOT_GARBAGE, "garbage", "noted: a body that nothing names", only_count },
	{ Q_CHECK_GARBAGE, "garbage", "removed: a body that is used, or not there", only_count },
	{ Q_CHECK_MAILBOX_MESSAGES, "mailbox", "messages counted again", only_count },
	{ Q_CHECK_MAILBOX_BYTES, "mailbox", "octets counted again", only_count },
	{ Q_CHECK_MAILBOX_MODSEQ, "mailbox", "modseq raised", only_count },
	{ Q_CHECK_ACCOUNT_SUM, "account", "ids and modseq are beyond all that are used",
	    only_count },
	{ Q_CHECK_ACCOUNT_MESSAGES, "account", "messages counted again", only_count },
	{ Q_CHECK_ACCOUNT_BYTES, "account", "octets (quota used) counted again", only_count },
	{ Q_CHECK_ACCOUNT_MAILBOXES, "mailbox", "rows counted again", only_count },
	{ Q_CHECK_ACCOUNT_KEYWORDS, "keyword", "rows counted again", only_count },
	{ Q_CHECK_ACCOUNT_SUBSCRIPTIONS, "subscription", "rows counted again", only_count },
	{ Q_CHECK_ACCOUNT_DELIVERED, "delivered", "rows counted again", only_count },
	{ Q_CHECK_ACCOUNT_MODSEQ, "account", "modseq raised", only_count },
	{ Q_CHECK_ACCOUNT_MAILBOX_LAST, "account", "last mailbox id raised", only_count },
	{ Q_CHECK_ACCOUNT_BODY_LAST, "account", "last body id raised", only_count },
	{ Q_CHECK_ACCOUNT_UIDVALIDITY, "account", "UIDVALIDITY raised", only_count },
};

static bool run_steps(struct mend *m, const struct step *steps, size_t count, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		struct bad_row *rows;
		size_t n;

		if (!mend_rows(m, steps[i].query, STORE_FLAGS_ALL, &rows, &n, error))
			return false;
		for (size_t k = 0; k < n; k++) {
			if (!steps[i].fn(m, &rows[k], error))
				return false;
			mend_said(m,
			    (struct store_fault){ .table = steps[i].table,
				.mailbox = rows[k].mailbox,
				.uid = rows[k].uid,
				.id = rows[k].id,
				.what = steps[i].done });
		}
	}
	return true;
}

/* ---- names ---- */

static bool set_name(
    struct mend *m, const struct examined_mailbox *b, slice name, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_REPAIR_NAME);

	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, b->id);
	db_bind_text(st, 3, name);
	db_bind_text(st, 4, mailbox_special_fits(b->special) ? b->special : SLICE(""));
	db_bind_number(st, 5, sum_crc(crc32c(0, name)));
	return db_run(st, error);
}

static bool mend_mailbox_names(struct mend *m, struct error *error)
{
	for (size_t i = 0; i < m->names.n; i++) {
		const struct examined_mailbox *b = &m->names.mailboxes[i];
		bool fits = mailbox_name_fits(b->name);
		slice name = fits
		    ? b->name
		    : slice_of(arena_printf(m->arena, "Recovered-%lld", (long long)b->id));

		if (fits && b->crc == sum_crc(crc32c(0, b->name)) &&
		    mailbox_special_fits(b->special))
			continue;
		if (!set_name(m, b, name, error))
			return false;
		m->done++;
		if (b->crc || !fits)
			mend_said(m,
			    (struct store_fault){ .table = "mailbox",
				.mailbox = b->id,
				.what = fits ? "its name or special use may be wrong: it is kept"
					     : "it has another name" });
	}
	return true;
}

struct kept_keyword {
	int64_t bit;
	slice name, folded;
	bool right, known;
};

static bool add_keyword(struct mend *m, int64_t bit, slice name, slice folded, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_KEYWORD_ADD);

	db_bind_id(st, 1, m->account);
	db_bind_number(st, 2, bit);
	db_bind_text(st, 3, name);
	db_bind_text(st, 4, folded);
	db_bind_number(st, 5, sum_keyword(bit, name, folded));
	return db_run(st, error);
}

static size_t read_keywords(struct mend *m, struct kept_keyword *list, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_CHECK_KEYWORDS);
	size_t n = 0;

	db_bind_id(st, 1, m->account);
	while (n < 64 && db_step(st)) {
		struct kept_keyword *k = &list[n++];

		k->bit = db_column_number(st, 0);
		k->name = arena_copy(m->arena, db_column_text(st, 1));
		k->folded = arena_copy(m->arena, db_column_text(st, 2));
		k->known = db_column_number(st, 3) != 0;
		k->right = db_column_number(st, 3) == sum_keyword(k->bit, k->name, k->folded);
	}
	return db_done(st, error) ? n : SIZE_MAX;
}

/* IMAP sends it as an atom. */
static bool keyword_fits(const struct kept_keyword *k)
{
	for (size_t i = 0; i < k->name.n; i++)
		if (!octet_is(k->name.p[i], OCTET_IMAP_ATOM))
			return false;
	return k->name.n > 0 && slice_eq_nocase(k->name, k->folded);
}

static bool mend_keyword(struct mend *m, struct kept_keyword *k, struct error *error)
{
	if (k->right)
		return true;
	if (!keyword_fits(k))
		k->name = k->folded =
		    slice_of(arena_printf(m->arena, "recovered-%lld", (long long)k->bit));
	m->done++;
	if (k->known)
		mend_said(m,
		    (struct store_fault){ .table = "keyword",
			.id = k->bit,
			.what =
			    "its name may be wrong: it is kept, if a keyword may be called so" });
	return MEND_RUN(m, Q_REPAIR_KEYWORD_REMOVE, error, k->bit) &&
	    add_keyword(m, k->bit, k->name, k->folded, error);
}

/* A flag that messages have and that has no name: its row was lost. */
static bool name_used_bit(struct mend *m, int64_t bit, struct error *error)
{
	slice name = slice_of(arena_printf(m->arena, "recovered-%lld", (long long)bit));
	struct db_stmt *st = db_use(m->db, Q_REPAIR_KEYWORD_USED);

	db_bind_id(st, 1, m->account);
	db_bind_number(st, 2, (int64_t)1 << bit);
	db_step(st);
	bool used = db_column_number(st, 0) != 0;
	if (!db_done(st, error) || !used)
		return !used;
	mend_said(m,
	    (struct store_fault){
		.table = "keyword", .id = bit, .what = "lost; it is called recovered-N" });
	return add_keyword(m, bit, name, name, error);
}

static bool mend_keywords(struct mend *m, struct error *error)
{
	struct kept_keyword list[64];
	uint64_t named = 0;
	size_t n = read_keywords(m, list, error);

	if (n == SIZE_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!mend_keyword(m, &list[i], error))
			return false;
		named |= (uint64_t)1 << (list[i].bit & 63);
	}
	for (int bit = STORE_KEYWORD_FIRST; bit <= STORE_KEYWORD_LAST; bit++)
		if (!(named >> bit & 1) && !name_used_bit(m, bit, error))
			return false;
	return true;
}

struct kept_subscription {
	slice name;
	int64_t crc;
};

/* What no mailbox may be called may not even be text, and is named by its checksum. */
static bool mend_subscription(
    struct mend *m, const struct kept_subscription *s, struct error *error)
{
	bool fits = mailbox_name_fits(s->name);

	m->done++;
	if (s->crc)
		mend_said(m,
		    (struct store_fault){ .table = "subscription",
			.name = s->name,
			.what = fits ? "its name may be wrong: it is kept" : "removed" });
	if (!fits)
		return MEND_RUN(m, Q_REPAIR_SUBSCRIPTION_REMOVE, error, s->crc);
	struct db_stmt *st = db_use(m->db, Q_REPAIR_SUBSCRIPTION_SET);

	db_bind_id(st, 1, m->account);
	db_bind_text(st, 2, s->name);
	db_bind_number(st, 3, sum_crc(crc32c(0, s->name)));
	return db_run(st, error);
}

static bool mend_subscriptions(struct mend *m, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_CHECK_SUBSCRIPTIONS);
	struct kept_subscription *list = NULL;
	size_t n = 0;

	db_bind_id(st, 1, m->account);
	while (db_step(st)) {
		slice name = db_column_text(st, 0);
		int64_t crc = db_column_number(st, 1);

		if (crc == sum_crc(crc32c(0, name)) && mailbox_name_fits(name))
			continue;
		if ((n & (n - 1)) == 0) { /* full at 0, 1, 2, 4 ... */
			struct kept_subscription *more =
			    ARENA_ARRAY(m->arena, struct kept_subscription, n ? 2 * n : 1);

			if (n)
				memcpy(more, list, n * sizeof *more);
			list = more;
		}
		list[n++] = (struct kept_subscription){ arena_copy(m->arena, name), crc };
	}
	bool ok = db_done(st, error);
	for (size_t i = 0; ok && i < n; i++)
		ok = mend_subscription(m, &list[i], error);
	return ok;
}

static void ignore(void *context, const struct store_fault *fault)
{
	(void)context, (void)fault;
}

/* The mailboxes as they are now. */
static bool read_names(struct mend *m, struct error *error)
{
	m->names =
	    (struct examine){ m->store, m->db, m->account, .found = ignore, .arena = m->arena };
	return examine_names(&m->names, error);
}

/* ---- what follows from the rows ---- */

struct counted {
	struct tally tally;
	struct uid_set there;
};

static bool count_row(void *context, const struct store_row *row, struct error *error)
{
	struct counted *count = context;

	(void)error;
	tally_message(&count->tally, row->flags, row->size, 1);
	uid_set_add(&count->there, row->uid, row->uid);
	return true;
}

/* UIDs that are nowhere are gone: whoever knew them is told. */
static bool note_missing(
    struct mend *m, const struct examined_mailbox *b, struct uid_set *there, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_CHECK_GONE);
	struct uid_set missing = { 0 };
	struct tally ignored = { 0 };

	db_bind_id(st, 1, m->account);
	db_bind_id(st, 2, b->id);
	while (db_step(st)) {
		int64_t lo = db_column_id(st, 0), hi = db_column_id(st, 1);

		if (lo > 0 && lo <= hi && hi < UINT32_MAX)
			uid_set_add(there, (uint32_t)lo, (uint32_t)hi);
	}
	bool ok = db_done(st, error);
	if (ok && b->horizon == 0 && b->uidnext > 1 && b->uidnext <= UINT32_MAX) {
		uid_set_add(&missing, 1, (uint32_t)b->uidnext - 1);
		uid_set_remove_all(&missing, there);
		if (missing.n)
			mend_said(m,
			    (struct store_fault){ .table = "message",
				.mailbox = b->id,
				.uid = missing.ranges[0].lo,
				.what =
				    "UIDs from here on that are not there are noted as removed" });
		ok = changes_add(
		    m->db, m->account, b->id, m->modseq, CHANGE_GONE, &missing, &ignored, error);
	}
	uid_set_free(&missing);
	return ok;
}

static bool derive_mailbox(struct mend *m, const struct examined_mailbox *b, struct error *error)
{
	struct counted count = { 0 };
	struct row_visit visit = { .store = m->store,
		.db = m->db,
		.account = m->account,
		.mailbox = b->id,
		.fn = count_row,
		.context = &count };
	bool ok = rows_visit(&visit, error) && note_missing(m, b, &count.there, error);

	if (ok && (b->unseen != count.tally.unseen || b->deleted != count.tally.deleted))
		mend_said(m,
		    (struct store_fault){ .table = "mailbox",
			.mailbox = b->id,
			.what = "unseen and deleted counted again" });
	uid_set_free(&count.there);
	return ok &&
	    MEND_RUN(m, Q_REPAIR_MAILBOX_COUNTS, error, b->id, m->modseq, count.tally.unseen,
		count.tally.deleted);
}

static bool derive_account(struct mend *m, bool doubtful, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_REPAIR_KNOWN);
	int64_t mailbox_last, body_last, uidvalidity;

	db_bind_id(st, 1, m->account);
	db_step(st);
	int64_t had_uidvalidity = db_column_number(st, 1), had_mailbox = db_column_id(st, 2),
		had_body = db_column_id(st, 3);
	if (!db_done(st, error))
		return false;
	st = db_use(m->db, Q_REPAIR_LAST);
	db_bind_id(st, 1, m->account);
	db_step(st);
	mailbox_last = db_column_number(st, 0) + (doubtful ? IDS_BEYOND : 0);
	body_last = db_column_number(st, 1) + (doubtful ? IDS_BEYOND : 0);
	uidvalidity = db_column_number(st, 2);
	if (!db_done(st, error))
		return false;
	if (!doubtful) {
		mailbox_last = had_mailbox > mailbox_last ? had_mailbox : mailbox_last;
		body_last = had_body > body_last ? had_body : body_last;
		uidvalidity = had_uidvalidity > uidvalidity ? had_uidvalidity : uidvalidity;
	}
	return MEND_RUN(
		   m, Q_REPAIR_ACCOUNT, error, m->modseq, uidvalidity, mailbox_last, body_last) &&
	    db_run(db_use(m->db, Q_REPAIR_ACCOUNT_FILL), error);
}

static bool derive(struct mend *m, bool doubtful, struct error *error)
{
	if (!mend_run(m, Q_REPAIR_GARBAGE_ADD, NULL, 0, error) ||
	    !mend_run(m, Q_REPAIR_GARBAGE_REMOVE, NULL, 0, error) || !read_names(m, error))
		return false;
	for (size_t i = 0; i < m->names.n; i++)
		if (!derive_mailbox(m, &m->names.mailboxes[i], error))
			return false;
	return db_run(db_use(m->db, Q_REPAIR_BODY_FILL), error) &&
	    db_run(db_use(m->db, Q_REPAIR_MESSAGE_FILL), error) &&
	    db_run(db_use(m->db, Q_REPAIR_MAILBOX_FILL), error) &&
	    derive_account(m, doubtful, error);
}

/* ---- all of it ---- */

/* Of all that is changed: above everything that was ever told. */
static bool take_modseq(struct mend *m, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_REPAIR_MODSEQ);

	db_bind_id(st, 1, m->account);
	db_step(st);
	m->modseq = db_column_number(st, 0) + MODSEQS_BEYOND;
	return db_done(st, error);
}

/* Whether the last ids given out are known; makes the account's row where it is lost. */
static bool begin_account(struct mend *m, bool *doubtful_out, struct error *error)
{
	struct db_stmt *st = db_use(m->db, Q_ACCOUNT_ADD);
	struct bad_row *rows;
	size_t n;

	db_bind_id(st, 1, m->account);
	db_bind_text(st, 2, SLICE(""));
	bool made = db_step(st);
	if (!db_done(st, error) || !mend_rows(m, Q_CHECK_ACCOUNT_SUM, 0, &rows, &n, error))
		return false;
	if (made)
		mend_said(
		    m, (struct store_fault){ .table = "account", .what = "its row is made anew" });
	*doubtful_out = made || n > 0;
	return take_modseq(m, error) && (!*doubtful_out || derive_account(m, true, error));
}

static bool mend_all(struct mend *m, struct error *error)
{
	bool doubtful;

	m->recovered.name = STORE_RECOVERED;
	m->damaged.name = STORE_DAMAGED;
	return begin_account(m, &doubtful, error) && read_names(m, error) &&
	    mend_mailbox_names(m, error) && read_names(m, error) &&
	    run_steps(m, first_steps, sizeof first_steps / sizeof first_steps[0], error) &&
	    mend_bodies(m, error) && mend_places(m, error) && mend_keywords(m, error) &&
	    mend_subscriptions(m, error) &&
	    run_steps(m, last_steps, sizeof last_steps / sizeof last_steps[0], error) &&
	    derive(m, doubtful, error);
}

/* What is wrong before, and after. */
static bool count_faults(
    struct mend *m, store_found *found, struct examine *out, struct error *error)
{
	*out = (struct examine){ m->store, m->db, m->account, .found = found,
		.context = m->repair->context };
	return examine_all(out, error);
}

/* In the transaction. wanted_out: something was wrong. */
static bool mend_checked(struct mend *m, bool *wanted_out, bool *broken_out, struct error *error)
{
	struct examine before, after;

	if (!count_faults(m, ignore, &before, error))
		return false;
	*broken_out = before.broken;
	if (before.broken)
		return true;
	if (!mend_all(m, error))
		return false;
	*wanted_out = before.faults || m->done;
	if (!*wanted_out)
		return true;
	if (!count_faults(m, m->repair->done, &after, error))
		return false;
	m->repair->left = after.faults;
	return true;
}

static bool mend_file(struct mend *m, bool *broken_out, struct error *error)
{
	bool wanted = false;

	*broken_out = false;
	m->arena = arena_new(MEMORY);
	bool ok = db_begin(m->db, error) && mend_checked(m, &wanted, broken_out, error);
	if (ok && (*broken_out || !wanted || m->repair->dry_run))
		db_rollback(m->db);
	else
		ok = store_finish(m->db, ok, error);
	if (ok && wanted && !m->repair->dry_run)
		m->repair->notice.modseq = m->modseq;
	free(m->spoiled);
	m->spoiled = NULL;
	m->spoiled_count = m->spoiled_room = 0;
	arena_free(m->arena);
	return ok;
}

static void tell_lost(void *context, const char *table, const char *what)
{
	mend_said(context, (struct store_fault){ .table = table, .what = what });
}

/* The engine cannot use the file as it is: all rows that can be read go into a new one, which takes its place at one
 * stroke. What was there is kept beside it. */
static bool rebuild(struct mend *m, struct error *error)
{
	const struct db_rebuild_options options = { .first = m->account,
		.vital = "body_data",
		.lost = tell_lost,
		.context = m,
		.dry_run = m->repair->dry_run };

	return db_rebuild(m->db, &options, error);
}

/* Where the file does not even open, its first page is mended; that is not undone by what follows. */
static bool open_damaged(struct mend *m, struct error *error)
{
	char kept[DB_KEPT_PATH], what[DB_KEPT_PATH + 100];

	if (store_open_alone(m->store, m->account, &m->db, error))
		return true;
	if (!error->damaged || m->repair->dry_run ||
	    !store_mend_first_page(m->store, m->account, kept, error))
		return false;
	snprintf(what, sizeof what, "its first page is mended; what it was is kept as %s", kept);
	mend_said(m, (struct store_fault){ .table = "mail.db", .what = what });
	return store_open_alone(m->store, m->account, &m->db, error);
}

bool store_repair(
    struct store *store, int64_t account, struct store_repair *repair, struct error *error)
{
	struct mend m = { store, .account = account, .repair = repair };
	bool broken;

	repair->notice = (struct store_notice){ .account = account };
	repair->left = 0;
	if (!open_damaged(&m, error))
		return false;
	bool ok = mend_file(&m, &broken, error);
	if (ok && broken) {
		ok = rebuild(&m, error);
		if (ok && !repair->dry_run)
			ok = mend_file(&m, &broken, error) &&
			    (!broken || error_local(error, "the file made anew is damaged, too"));
	}
	db_close(m.db);
	return ok;
}
