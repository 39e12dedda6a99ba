/* Flag changes of many messages, which are written as spans and read from memory, against a plain model; and modseqs
 * after a loss of power. */
#include "lib/store_fixture.h"

#include "store/internal.h"

#define MESSAGES 700 /* enough to be kept in memory */
#define ROUNDS   120 /* enough for spans to be settled several times */

struct model {
	bool there[MESSAGES + 1];
	int64_t flags[MESSAGES + 1], modseq[MESSAGES + 1];
	int64_t last;   /* modseq */
	int64_t filled; /* the modseq that the messages came with */
};

static void fill(struct fixture *f, struct model *model)
{
	struct store_message *m = calloc(MESSAGES, sizeof *m);
	struct store_result *results = calloc(MESSAGES, sizeof *results);
	struct store_notice *notices = calloc(MESSAGES, sizeof *notices);
	size_t n;

	for (int i = 0; i < MESSAGES; i++) {
		m[i] = message_of("INBOX", i, SLICE("x"));
		m[i].segment = STORE_NO_SEGMENT;
	}
	assert_true(
	    store_deliver(f->store, ACCOUNT, m, MESSAGES, 0, results, notices, &n, &f->error));
	model->last = model->filled = notices[0].modseq;
	for (int i = 1; i <= MESSAGES; i++) {
		model->there[i] = true;
		model->modseq[i] = model->last;
	}
	free(m);
	free(results);
	free(notices);
}

static void change(struct fixture *f, struct model *model)
{
	static const int64_t flags[] = { STORE_SEEN, STORE_DELETED, STORE_FLAGGED | STORE_SEEN,
		1 << 9 };
	struct store_flag_change change = { (enum store_flag_op)(rand() % 3), flags[rand() % 4],
		rand() % 4 ? STORE_ANY_MODSEQ : model->last - rand() % 5 };
	struct uid_set uids = { 0 }, changed = { 0 }, refused = { 0 };
	struct store_notice notice;

	for (int i = rand() % 3; i >= 0; i--) {
		uint32_t lo = 1 + (uint32_t)rand() % MESSAGES;

		uid_set_add(&uids, rand() % 3 ? lo : 1, lo + (uint32_t)rand() % 600);
	}
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &uids, &change, &changed, &refused, &notice, &f->error));
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		int64_t before = model->flags[i];
		int64_t after = change.op == STORE_FLAGS_ADD ? before | change.flags
		    : change.op == STORE_FLAGS_REMOVE        ? before & ~change.flags
							     : change.flags;
		bool named = model->there[i] && uid_set_contains(&uids, i);
		bool may = model->modseq[i] <= change.unchanged_since;

		assert_int_equal(uid_set_contains(&refused, i), named && !may);
		assert_int_equal(uid_set_contains(&changed, i), named && may && after != before);
		if (!uid_set_contains(&changed, i))
			continue;
		model->flags[i] = after;
		model->modseq[i] = notice.modseq;
	}
	assert_int_equal(notice.modseq != 0, changed.n > 0);
	assert_true(notice.before == model->last);
	model->last = notice.modseq ? notice.modseq : model->last;
	uid_set_free(&uids);
	uid_set_free(&changed);
	uid_set_free(&refused);
}

static void compare(struct fixture *f, const struct model *model, enum store_heads heads)
{
	struct store_row *rows;
	size_t n, at = 0;

	assert_true(store_rows(f->store, ACCOUNT, f->inbox, 1, UINT32_MAX, MESSAGES + 1, heads,
	    f->arena, &rows, &n, &f->error));
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		if (!model->there[i])
			continue;
		assert_true(at < n);
		assert_int_equal(rows[at].uid, i);
		assert_true(rows[at].flags == model->flags[i]);
		assert_true(rows[at++].modseq == model->modseq[i]);
	}
	assert_int_equal(at, n);
}

/* Who was away since then is told of exactly what changed. */
static void follow(struct fixture *f, const struct model *model)
{
	struct uid_set changed = { 0 }, vanished = { 0 };
	int64_t since = model->last - rand() % 20;
	struct store_mailbox m;
	uint32_t unseen, first = 0;

	if (since < model->filled)
		since = model->filled; /* before, he could not know these messages */
	assert_true(store_changed(f->store, ACCOUNT, f->inbox, since, MESSAGES + 1, f->arena, &m,
	    &changed, &vanished, &f->error));
	assert_true(m.modseq == model->last);
	for (uint32_t i = 1; i <= MESSAGES; i++) {
		assert_int_equal(
		    uid_set_contains(&changed, i), model->there[i] && model->modseq[i] > since);
		if (!first && model->there[i] && !(model->flags[i] & STORE_SEEN))
			first = i;
	}
	assert_true(store_first_unseen(f->store, ACCOUNT, &m, &unseen, &f->error));
	assert_int_equal(unseen, first);
	uid_set_free(&changed);
	uid_set_free(&vanished);
}

static void expunge(struct fixture *f, struct model *model)
{
	struct uid_set gone = { 0 };
	struct store_notice notice;
	uint32_t lo = 1 + (uint32_t)rand() % MESSAGES;
	struct uid_set some = { 0 };

	uid_set_add(&some, lo, lo + 9);
	assert_true(store_expunge(f->store, ACCOUNT, f->inbox, &some, &gone, &notice, &f->error));
	for (uint32_t i = lo; i <= MESSAGES && i < lo + 10; i++) {
		bool goes = model->there[i] && model->flags[i] & STORE_DELETED;

		assert_int_equal(uid_set_contains(&gone, i), goes);
		model->there[i] = model->there[i] && !goes;
	}
	model->last = notice.modseq ? notice.modseq : model->last;
	uid_set_free(&some);
	uid_set_free(&gone);
}

static void changes_of_many_are_read_as_they_were_made(void **state)
{
	struct fixture *f = *state;
	struct model *model = calloc(1, sizeof *model);

	srand(unit_seed());
	fill(f, model);
	for (int i = 0; i < ROUNDS; i++) {
		change(f, model);
		if (rand() % 10 == 0)
			expunge(f, model);
		if (rand() % 3 == 0)
			compare(f, model, STORE_NO_HEADS); /* from memory */
		if (rand() % 3 == 0)
			compare(f, model, STORE_HEADS); /* from the file */
		follow(f, model);
		if (rand() % 20 == 0)
			store_forget(f->store, ACCOUNT);
		if (rand() % 20 == 0)
			store_trim(f->store, -1000000);
		arena_reset(f->arena);
	}
	compare(f, model, STORE_HEADS);
	verify(f);
	free(model);
}

/* A change of all is one row: that is its point. */
static void a_change_of_all_writes_one_row(void **state)
{
	struct fixture *f = *state;
	struct model *model = calloc(1, sizeof *model);
	struct store_flag_change change = { STORE_FLAGS_ADD, STORE_FLAGGED, STORE_ANY_MODSEQ };
	struct uid_set all = { 0 }, changed = { 0 }, refused = { 0 };
	struct store_notice notice;
	struct flag_spans spans;
	struct db *db;

	fill(f, model);
	uid_set_add(&all, 1, UINT32_MAX);
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &all, &change, &changed, &refused, &notice, &f->error));
	assert_int_equal(uid_set_count(&changed), MESSAGES);
	assert_true(store_use(f->store, ACCOUNT, &db, &f->error));
	assert_true(spans_read(db, ACCOUNT, f->inbox, &spans, &f->error));
	assert_int_equal(spans.n, 1);
	assert_int_equal(spans.list[0].lo, 1);
	assert_int_equal(spans.list[0].hi, MESSAGES);
	uid_set_free(&all);
	uid_set_free(&changed);
	uid_set_free(&refused);
	free(model);
}

/* What was not synced is lost, and the system has started anew: as the file would be found then. */
static void lose_power(struct fixture *f, int64_t modseq)
{
	static const struct db_query queries[] = {
		{ "account", "UPDATE account SET modseq = ?1, boot = 'another'" },
		{ "mailbox", "UPDATE mailbox SET modseq = ?1" },
		{ "message", "UPDATE message SET modseq = ?1, flags = 0 WHERE modseq > ?1" },
		{ "change", "DELETE FROM change WHERE modseq > ?1" },
		{ "noted", "UPDATE mailbox SET noted = (SELECT count(*) FROM change)" },
		{ "unseen", "UPDATE mailbox SET unseen = messages" },
	};
	struct db_program program = store_program;
	struct db_options options = { .journal = DB_WAL };
	char path[80];
	struct db *db;

	store_forget(f->store, ACCOUNT);
	program.queries = queries;
	program.query_count = 6;
	snprintf(path, sizeof path, "%s/%d/mail.db", f->folder, ACCOUNT);
	assert_true(db_open(path, &program, &options, deadline_in_ms(1000), &db, &f->error));
	for (size_t i = 0; i < program.query_count; i++) {
		struct db_stmt *st = db_use(db, i);

		if (i < 4)
			db_bind_number(st, 1, modseq);
		assert_true(db_run(st, &f->error));
	}
	db_close(db);
}

static int64_t flag_once(struct fixture *f, enum store_flag_op op)
{
	struct store_flag_change change = { op, STORE_SEEN, STORE_ANY_MODSEQ };
	struct uid_set one = { 0 }, changed = { 0 }, refused = { 0 };
	struct store_notice notice;

	uid_set_add(&one, 1, 1);
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &one, &change, &changed, &refused, &notice, &f->error));
	assert_true(notice.modseq > 0);
	uid_set_free(&one);
	uid_set_free(&changed);
	uid_set_free(&refused);
	return notice.modseq;
}

static void no_modseq_is_given_out_twice_after_a_loss_of_power(void **state)
{
	struct fixture *f = *state;
	int64_t highest = 0;

	deliver(f, "INBOX", SLICE("one"), 0);
	int64_t synced = status(f, f->inbox).modseq;
	for (int i = 0; i < 1500; i++) /* more than are reserved at once */
		highest = flag_once(f, i % 2 ? STORE_FLAGS_REMOVE : STORE_FLAGS_ADD);
	assert_true(store_sync(f->store, &f->error));
	lose_power(f, synced);
	assert_true(status(f, f->inbox).modseq >= highest);
	assert_true(flag_once(f, STORE_FLAGS_ADD) > highest);
	verify(f);
	/* Opened again in the same life of the system, nothing jumps. */
	int64_t now = status(f, f->inbox).modseq;
	store_forget(f->store, ACCOUNT);
	assert_true(status(f, f->inbox).modseq == now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    changes_of_many_are_read_as_they_were_made, fixture_make, fixture_end),
		cmocka_unit_test_setup_teardown(
		    a_change_of_all_writes_one_row, fixture_make, fixture_end),
		cmocka_unit_test_setup_teardown(
		    no_modseq_is_given_out_twice_after_a_loss_of_power, fixture_make, fixture_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
