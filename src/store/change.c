/* Flags, removal, copies: what clients do to messages that are there. */
#include "store/cache.h"

/* Flag changes with fewer UIDs between them are noted as one span: a reader looks at the modseq of
 * each row anyway. */
#define SPAN_GAP 64

/* Messages that change one after the other, with nothing between them that must stay. */
struct run {
	uint32_t lo, hi;
	size_t n;
	bool span; /* it is going to be one row */
	struct {
		uint32_t uid;
		int64_t flags;
	} rows[STORE_SPAN_ROWS];
};

struct work {
	struct db *db;
	int64_t account, mailbox, modseq;
	int64_t before; /* modseq of the mailbox until now */
	struct tally tally;
	/* flags */
	const struct store_flag_change *change;
	const struct uid_set *uids;
	struct uid_set *changed, *refused;
	struct run run;
	size_t spans_left;
	/* Set where the rows come from memory; they are changed there after the commit. */
	struct row_cache *cache;
	/* expunge, copy */
	bool move;
	struct uid_set *gone, *to;
	struct store_mailbox target;
	struct tally target_tally;
};

static int64_t new_flags(const struct store_flag_change *change, int64_t old)
{
	int64_t flags = change->flags & STORE_FLAGS_ALL;

	switch (change->op) {
	case STORE_FLAGS_ADD:
		return old | flags;
	case STORE_FLAGS_REMOVE:
		return old & ~flags;
	case STORE_FLAGS_SET:
		break;
	}
	return flags;
}

/* Writes what was gathered. */
static bool run_end(struct work *w, struct error *error)
{
	struct run *r = &w->run;
	const struct store_flag_change *change = w->change;
	struct flag_span span = { .lo = r->lo,
		.hi = r->hi,
		.modseq = w->modseq,
		.cleared = change->op == STORE_FLAGS_ADD ? 0
		    : change->op == STORE_FLAGS_SET      ? STORE_FLAGS_ALL
							 : change->flags & STORE_FLAGS_ALL,
		.added = change->op == STORE_FLAGS_REMOVE ? 0 : change->flags & STORE_FLAGS_ALL };
	bool ok = true;

	if (r->span)
		ok = span_add(w->db, w->account, w->mailbox, &span, error);
	for (size_t i = 0; ok && !r->span && i < r->n; i++)
		ok = message_set_flags(w->db, w->account, w->mailbox, r->rows[i].uid,
		    r->rows[i].flags, w->modseq, error);
	r->n = 0;
	r->span = false;
	return ok;
}

/* Does uid belong to the same range of what was asked for as the run? What is not asked for must not be in it. */
static bool run_takes(const struct work *w, uint32_t uid)
{
	return uid_set_position(w->uids, uid) - uid_set_position(w->uids, w->run.lo) ==
	    uid - w->run.lo;
}

static bool run_add(struct work *w, uint32_t uid, int64_t flags, struct error *error)
{
	struct run *r = &w->run;

	if (r->n && !run_takes(w, uid) && !run_end(w, error))
		return false;
	if (r->n == STORE_SPAN_ROWS && !r->span) {
		r->span = w->spans_left > 0;
		if (r->span)
			w->spans_left--;
		else if (!run_end(w, error))
			return false;
	}
	if (r->n == 0)
		r->lo = uid;
	r->hi = uid;
	if (!r->span) {
		r->rows[r->n].uid = uid;
		r->rows[r->n++].flags = flags;
	}
	return true;
}

static bool flag_one(void *context, const struct store_row *row, struct error *error)
{
	struct work *w = context;
	int64_t flags = new_flags(w->change, row->flags);

	if (row->modseq > w->change->unchanged_since) {
		uid_set_add(w->refused, row->uid, row->uid);
		return run_end(w, error);
	}
	if (flags == row->flags)
		return true;
	tally_message(&w->tally, row->flags, row->size, -1);
	tally_message(&w->tally, flags, row->size, 1);
	uid_set_add(w->changed, row->uid, row->uid);
	return run_add(w, row->uid, flags, error);
}

static bool note_flags(struct work *w, struct error *error)
{
	struct uid_set spans = { 0 };
	bool ok;

	for (size_t i = 0; i < w->changed->n; i++) {
		uint32_t lo = w->changed->ranges[i].lo, last = uid_set_last(&spans);

		if (last && lo - last <= SPAN_GAP)
			lo = last + 1;
		uid_set_add(&spans, lo, w->changed->ranges[i].hi);
	}
	ok = changes_add(
	    w->db, w->account, w->mailbox, w->modseq, CHANGE_FLAGS, &spans, &w->tally, error);
	uid_set_free(&spans);
	return ok;
}

/* The modseq first: it locks the account's row where the engine locks rows. */
static bool start(struct work *w, struct error *error)
{
	struct store_mailbox mailbox;

	bool ok = account_next(w->db, w->account, 0, &w->modseq, NULL, error) &&
	    mailbox_need(w->db, w->account, w->mailbox, NULL, &mailbox, error);
	w->before = mailbox.modseq;
	return ok;
}

/* Ends the transaction; one that changed nothing is taken back and costs no write. */
static bool end(
    struct work *w, bool ok, bool changed, struct store_notice *notice_out, struct error *error)
{
	*notice_out = (struct store_notice){ w->account, w->mailbox, 0, w->before };
	if (ok && !changed) {
		db_rollback(w->db);
		return true;
	}
	ok = ok && tally_write(w->db, w->account, w->mailbox, w->modseq, &w->tally, error);
	if (!store_finish(w->db, ok, error))
		return false;
	notice_out->modseq = w->modseq;
	return true;
}

/* How many spans may be added. Where many are asked for and there are many already, those are written into the rows. */
static bool make_room(struct work *w, const struct row_visit *visit, struct error *error)
{
	struct flag_spans spans;

	w->spans_left = 0;
	if (uid_set_count(w->uids) < STORE_SPAN_ROWS)
		return true;
	if (!spans_read(w->db, w->account, w->mailbox, &spans, error))
		return false;
	w->spans_left = STORE_SPANS - spans.n;
	if (w->spans_left >= STORE_SPANS / 2)
		return true;
	w->spans_left = STORE_SPANS;
	return spans_settle(visit, &spans, error);
}

static bool flag_all(struct work *w, struct row_visit *visit, struct error *error)
{
	struct store_mailbox mailbox;
	uint32_t wanted = uid_set_count(w->uids);

	if (!start(w, error) || !make_room(w, visit, error))
		return false;
	if (wanted >= STORE_CHUNK) {
		if (!mailbox_need(w->db, w->account, w->mailbox, NULL, &mailbox, error))
			return false;
		w->cache = visit->cache =
		    rows_cache(visit->store, w->db, w->account, &mailbox, wanted);
	}
	return rows_visit(visit, error) && run_end(w, error) && note_flags(w, error);
}

/* What was committed, in memory. */
static void cache_follow(struct work *w)
{
	struct row_cache *c = w->cache;

	for (size_t i = 0; i < w->changed->n; i++)
		for (size_t k = cache_from(c, w->changed->ranges[i].lo);
		     k < c->n && c->rows[k].uid <= w->changed->ranges[i].hi; k++) {
			c->rows[k].flags = new_flags(w->change, c->rows[k].flags);
			c->rows[k].modseq = w->modseq;
		}
	if (w->changed->n)
		c->modseq = w->modseq;
	cache_give(c);
}

bool store_flags(struct store *store, int64_t account, int64_t mailbox, const struct uid_set *uids,
    const struct store_flag_change *change, struct uid_set *changed_out,
    struct uid_set *refused_out, struct store_notice *notice_out, struct error *error)
{
	struct work w = { .account = account,
		.mailbox = mailbox,
		.change = change,
		.uids = uids,
		.changed = changed_out,
		.refused = refused_out };
	struct row_visit visit = { .store = store,
		.account = account,
		.mailbox = mailbox,
		.uids = uids,
		.fn = flag_one,
		.context = &w };

	uid_set_clear(changed_out);
	uid_set_clear(refused_out);
	if (!store_begin_unsynced(store, account, &w.db, error))
		return false;
	visit.db = w.db;
	bool ok = flag_all(&w, &visit, error);
	ok = end(&w, ok, changed_out->n > 0, notice_out, error);
	if (w.cache && ok)
		cache_follow(&w);
	else
		cache_free(w.cache);
	return ok;
}

static bool expunge_one(void *context, const struct store_row *row, struct error *error)
{
	struct work *w = context;

	if (!(row->flags & STORE_DELETED))
		return true;
	tally_message(&w->tally, row->flags, row->size, -1);
	uid_set_add(w->gone, row->uid, row->uid);
	return message_remove(w->db, w->account, w->mailbox, row->uid, error) &&
	    body_refer(w->db, w->account, row->body, -1, error);
}

bool store_expunge(struct store *store, int64_t account, int64_t mailbox,
    const struct uid_set *uids, struct uid_set *gone_out, struct store_notice *notice_out,
    struct error *error)
{
	struct work w = { .account = account, .mailbox = mailbox, .gone = gone_out };
	struct row_visit visit = { .store = store,
		.account = account,
		.mailbox = mailbox,
		.uids = uids,
		.fn = expunge_one,
		.context = &w };
	bool ok;

	uid_set_clear(gone_out);
	if (!store_begin(store, account, DB_SYNC_FULL, &w.db, error))
		return false;
	visit.db = w.db;
	ok = start(&w, error) && rows_visit(&visit, error) &&
	    changes_add(w.db, account, mailbox, w.modseq, CHANGE_GONE, gone_out, &w.tally, error);
	return end(&w, ok, gone_out->n > 0, notice_out, error);
}

static bool copy_one(void *context, const struct store_row *row, struct error *error)
{
	struct work *w = context;
	struct store_row copy = *row;
	uint32_t before = row->uid;

	/* Copies made now have UIDs from uidnext on: into the same mailbox they are not copied again. */
	if (w->target.id == w->mailbox && before >= w->target.uidnext)
		return true;
	if (w->target.uidnext + w->target_tally.uids >= UINT32_MAX)
		return error_plain(error, FAULT_LIMIT, "the mailbox has no UIDs left");
	copy.uid = w->target.uidnext + (uint32_t)w->target_tally.uids++;
	copy.modseq = w->modseq;
	copy.saved_us = clock_wall_us();
	tally_message(&w->target_tally, row->flags, row->size, 1);
	uid_set_add(w->gone, before, before);
	uid_set_add(w->to, copy.uid, copy.uid);
	if (!message_add(w->db, w->account, w->target.id, &copy, error))
		return false;
	if (!w->move)
		return body_refer(w->db, w->account, row->body, 1, error);
	tally_message(&w->tally, row->flags, row->size, -1);
	return message_remove(w->db, w->account, w->mailbox, before, error);
}

static bool copy_all(
    struct work *w, const struct row_visit *visit, int64_t target, struct error *error)
{
	if (!start(w, error) || !mailbox_need(w->db, w->account, target, NULL, &w->target, error) ||
	    !rows_visit(visit, error))
		return false;
	if (w->to->n == 0)
		return true;
	if (!tally_write(w->db, w->account, target, w->modseq, &w->target_tally, error))
		return false;
	return !w->move ||
	    (changes_add(w->db, w->account, w->mailbox, w->modseq, CHANGE_GONE, w->gone, &w->tally,
		 error) &&
		tally_write(w->db, w->account, w->mailbox, w->modseq, &w->tally, error));
}

bool store_copy(struct store *store, int64_t account, int64_t mailbox, const struct uid_set *uids,
    int64_t target, bool move, struct uid_set *from_out, struct uid_set *to_out,
    struct store_notice *notices_out, size_t *notice_count_out, struct error *error)
{
	struct work w = {
		.account = account, .mailbox = mailbox, .move = move, .gone = from_out, .to = to_out
	};
	struct row_visit visit = { .store = store,
		.account = account,
		.mailbox = mailbox,
		.uids = uids,
		.fn = copy_one,
		.context = &w };

	uid_set_clear(from_out);
	uid_set_clear(to_out);
	*notice_count_out = 0;
	if (!store_begin(store, account, DB_SYNC_FULL, &w.db, error))
		return false;
	visit.db = w.db;
	if (!store_finish(w.db, copy_all(&w, &visit, target, error), error))
		return false;
	if (to_out->n == 0)
		return true;
	notices_out[(*notice_count_out)++] = (struct store_notice){ account, target, w.modseq };
	if (move && target != mailbox)
		notices_out[(*notice_count_out)++] =
		    (struct store_notice){ account, mailbox, w.modseq };
	return true;
}
