#include <stdlib.h>

#include "base/memory.h"
#include "store/internal.h"

/* A mailbox that this transaction writes to. */
struct target {
	struct store_mailbox mailbox;
	slice name; /* as the messages name it */
	struct tally tally;
};

struct delivery {
	struct db *db;
	int64_t account, modseq;
	int64_t next_body;
	struct target *targets;
	size_t target_count;
};

/* The mailbox of this name; NULL in *target_out when there is none. */
static bool find_target(
    struct delivery *d, slice name, struct target **target_out, struct error *error)
{
	struct target *t;
	enum store_answer answer;

	*target_out = NULL;
	for (size_t i = 0; i < d->target_count; i++)
		if (slice_eq(d->targets[i].name, name)) {
			*target_out = &d->targets[i];
			return true;
		}
	t = &d->targets[d->target_count];
	answer = mailbox_by_name(d->db, d->account, name, NULL, &t->mailbox, error);
	if (answer != STORE_FOUND)
		return answer == STORE_ABSENT;
	/* "inbox" and "INBOX" are one mailbox under two names. */
	for (size_t i = 0; i < d->target_count; i++)
		if (d->targets[i].mailbox.id == t->mailbox.id) {
			*target_out = &d->targets[i];
			return true;
		}
	t->name = name;
	d->target_count++;
	*target_out = t;
	return true;
}

/* Writes the exactly-once row; *new_out is false when it was there. */
static bool mark_delivered(
    struct delivery *d, const struct store_message *m, bool *new_out, struct error *error)
{
	struct db_stmt *st;

	*new_out = true;
	if (m->segment < 0)
		return true;
	st = db_use(d->db, Q_DELIVERED_ADD);
	db_bind_id(st, 1, d->account);
	db_bind_number(st, 2, m->segment);
	db_bind_number(st, 3, m->place);
	db_bind_number(st, 4, m->recipient);
	*new_out = db_step(st);
	return db_done(st, error);
}

static bool add_body(
    struct delivery *d, const struct store_message *m, int64_t body, struct error *error)
{
	struct db_stmt *st = db_use(d->db, Q_BODY_ADD);

	db_bind_id(st, 1, d->account);
	db_bind_id(st, 2, body);
	db_bind_number(st, 3, (int64_t)m->content.n);
	if (!db_run(st, error))
		return false;
	st = db_use(d->db, Q_DATA_ADD);
	db_bind_id(st, 1, d->account);
	db_bind_id(st, 2, body);
	db_bind_bytes(st, 3, m->content);
	if (!db_run(st, error))
		return false;
	st = db_use(d->db, Q_HEAD_ADD);
	db_bind_id(st, 1, d->account);
	db_bind_id(st, 2, body);
	db_bind_bytes(st, 3, m->envelope);
	db_bind_bytes(st, 4, m->structure);
	db_bind_bytes(st, 5, m->bodystructure);
	return db_run(st, error);
}

/* A UID is never used twice, so a mailbox can be full for ever (after 4 thousand million). */
static bool need_uid(const struct target *t, struct error *error)
{
	return t->mailbox.uidnext + t->tally.uids < UINT32_MAX ||
	    error_plain(error, FAULT_LIMIT, "the mailbox has no UIDs left");
}

static bool add_message(struct delivery *d, struct target *t, const struct store_message *m,
    struct store_result *result_out, struct error *error)
{
	struct store_row row = { .uid = t->mailbox.uidnext + (uint32_t)t->tally.uids,
		.flags = m->flags & STORE_FLAGS_ALL,
		.modseq = d->modseq,
		.size = (int64_t)m->content.n,
		.received_us = m->received_us,
		.saved_us = clock_wall_us(),
		.body = d->next_body++ };

	if (!need_uid(t, error))
		return false;
	t->tally.uids++;
	tally_message(&t->tally, row.flags, row.size, 1);
	*result_out =
	    (struct store_result){ STORE_STORED, t->mailbox.id, row.uid, t->mailbox.uidvalidity };
	return add_body(d, m, row.body, error) &&
	    message_add(d->db, d->account, t->mailbox.id, &row, error);
}

static bool deliver_one(struct delivery *d, const struct store_message *m,
    struct store_result *result_out, struct error *error)
{
	struct target *t;
	bool new;

	*result_out = (struct store_result){ .outcome = STORE_NO_MAILBOX };
	if (!find_target(d, m->mailbox, &t, error))
		return false;
	/* Delivered before wins over a mailbox that went since: it is only asked, not marked. */
	if (!t)
		return true;
	if (!mark_delivered(d, m, &new, error))
		return false;
	if (new)
		return add_message(d, t, m, result_out, error);
	result_out->outcome = STORE_ALREADY;
	return true;
}

static bool prune(struct delivery *d, int64_t low_segment, struct error *error)
{
	struct db_stmt *st;

	if (low_segment <= 0)
		return true;
	st = db_use(d->db, Q_DELIVERED_PRUNE);
	db_bind_id(st, 1, d->account);
	db_bind_number(st, 2, low_segment);
	return db_run(st, error);
}

static bool write_tallies(struct delivery *d, struct store_notice *notices_out,
    size_t *notice_count_out, struct error *error)
{
	for (size_t i = 0; i < d->target_count; i++) {
		const struct target *t = &d->targets[i];

		if (t->tally.uids == 0)
			continue;
		if (!tally_write(d->db, d->account, t->mailbox.id, d->modseq, &t->tally, error))
			return false;
		notices_out[(*notice_count_out)++] =
		    (struct store_notice){ d->account, t->mailbox.id, d->modseq };
	}
	return true;
}

static bool deliver_all(struct delivery *d, const struct store_message *messages, size_t n,
    int64_t low_segment, struct store_result *results_out, struct error *error)
{
	int64_t last;

	if (!account_next(d->db, d->account, (int64_t)n, &d->modseq, &last, error) ||
	    !prune(d, low_segment, error))
		return false;
	d->next_body = last - (int64_t)n + 1;
	for (size_t i = 0; i < n; i++)
		if (!deliver_one(d, &messages[i], &results_out[i], error))
			return false;
	return true;
}

bool store_deliver(struct store *store, int64_t account, const struct store_message *messages,
    size_t n, int64_t low_segment, struct store_result *results_out,
    struct store_notice *notices_out, size_t *notice_count_out, struct error *error)
{
	struct delivery d = { .account = account };
	bool ok;

	*notice_count_out = 0;
	if (!store_begin(store, account, DB_SYNC_FULL, &d.db, error))
		return false;
	d.targets = memory_new(n + 1, sizeof(*d.targets));
	ok = deliver_all(&d, messages, n, low_segment, results_out, error) &&
	    write_tallies(&d, notices_out, notice_count_out, error);
	ok = store_finish(d.db, ok, error);
	if (!ok)
		*notice_count_out = 0;
	free(d.targets);
	return ok;
}

static bool remove_row(
    struct delivery *d, int64_t mailbox, const struct store_row *row, struct error *error)
{
	struct tally tally = { 0 };
	struct uid_set gone = { 0 };

	tally_message(&tally, row->flags, row->size, -1);
	uid_set_add(&gone, row->uid, row->uid);
	bool ok = message_remove(d->db, d->account, mailbox, row->uid, error) &&
	    body_refer(d->db, d->account, row->body, -1, error) &&
	    changes_add(d->db, d->account, mailbox, d->modseq, CHANGE_GONE, &gone, &tally, error) &&
	    tally_write(d->db, d->account, mailbox, d->modseq, &tally, error);
	uid_set_free(&gone);
	return ok;
}

/* The old one is looked for first: the new one may get the UID that was asked for. */
static bool replace(struct delivery *d, const struct store_message *message, int64_t mailbox,
    uint32_t uid, struct store_result *result_out, struct store_notice *notices_out,
    size_t *notice_count_out, struct error *error)
{
	struct store_row old;
	size_t n;

	if (!rows_read(
		d->db, d->account, mailbox, uid, uid, 1, STORE_NO_HEADS, NULL, &old, &n, error) ||
	    !deliver_all(d, message, 1, 0, result_out, error))
		return false;
	if (result_out->outcome != STORE_STORED)
		return true;
	if (n == 0)
		return error_plain(error, FAULT_ABSENT, "the message is gone");
	return write_tallies(d, notices_out, notice_count_out, error) &&
	    remove_row(d, mailbox, &old, error);
}

bool store_replace(struct store *store, int64_t account, const struct store_message *message,
    int64_t mailbox, uint32_t uid, struct store_result *result_out,
    struct store_notice *notices_out, size_t *notice_count_out, struct error *error)
{
	struct target target[2] = { 0 };
	struct delivery d = { .account = account, .targets = target };

	*notice_count_out = 0;
	if (!store_begin(store, account, DB_SYNC_FULL, &d.db, error))
		return false;
	bool ok =
	    replace(&d, message, mailbox, uid, result_out, notices_out, notice_count_out, error);
	if (ok && result_out->outcome != STORE_STORED) {
		db_rollback(d.db);
		return true;
	}
	ok = store_finish(d.db, ok, error);
	if (!ok)
		*notice_count_out = 0;
	else if (result_out->mailbox != mailbox)
		notices_out[(*notice_count_out)++] =
		    (struct store_notice){ account, mailbox, d.modseq };
	return ok;
}
