/* Random changes against a simple model, and a client that follows by store_changed alone. */
#include "lib/store_fixture.h"

#include "store/internal.h"

#define BOXES    3
#define MESSAGES 400 /* UIDs of a mailbox in the model */

struct model_box {
	int64_t id;
	uint32_t next;
	bool there[MESSAGES];
	int64_t flags[MESSAGES], size[MESSAGES];
	int64_t gone_at[MESSAGES]; /* modseq of the removal; at 0: the highest of the mailbox */
};

/* What a client of one mailbox believes. */
struct client {
	int64_t modseq;
	uint32_t uidnext;
	bool there[MESSAGES];
	int64_t flags[MESSAGES];
};

struct world {
	struct fixture *f;
	struct model_box box[BOXES];
	struct client client[BOXES];
};

static const char *const names[BOXES] = { "INBOX", "Archive", "Trash" };

static struct uid_set random_uids(void)
{
	struct uid_set set = { 0 };
	int n = rand() % 5 + 1;

	for (int i = 0; i < n; i++) {
		uint32_t lo = 1 + (uint32_t)rand() % (MESSAGES / 4);

		uid_set_add(&set, lo, lo + (uint32_t)rand() % 20);
	}
	return set;
}

static int64_t random_flags(void)
{
	return (rand() % 2 ? STORE_SEEN : 0) | (rand() % 3 ? 0 : STORE_DELETED) |
	    (rand() % 2 ? STORE_FLAGGED : 0) | (rand() % 4 ? 0 : 1LL << (8 + rand() % 55));
}

static void add_to_model(struct model_box *b, int64_t flags, int64_t size)
{
	b->there[b->next] = true;
	b->flags[b->next] = flags;
	b->size[b->next++] = size;
}

static bool has_room(const struct model_box *b, uint32_t n)
{
	return b->next + n < MESSAGES;
}

static void do_deliver(struct world *w, struct model_box *b)
{
	static const char text[50] = "text";
	int64_t flags = random_flags();
	size_t size = (size_t)rand() % sizeof(text);

	if (!has_room(b, 1))
		return;
	assert_int_equal(deliver(w->f, names[b - w->box], (slice){ text, size }, flags), b->next);
	add_to_model(b, flags, (int64_t)size);
}

static void do_flags(struct world *w, struct model_box *b)
{
	struct uid_set uids = random_uids(), changed = { 0 }, refused = { 0 };
	struct store_flag_change change = { (enum store_flag_op)(rand() % 3), random_flags(),
		STORE_ANY_MODSEQ };
	struct store_notice notice;

	assert_true(store_flags(w->f->store, ACCOUNT, b->id, &uids, &change, &changed, &refused,
	    &notice, &w->f->error));
	for (uint32_t uid = 1; uid < b->next; uid++) {
		int64_t old = b->flags[uid];

		if (!b->there[uid] || !uid_set_contains(&uids, uid))
			continue;
		if (change.op == STORE_FLAGS_SET)
			b->flags[uid] = change.flags;
		else if (change.op == STORE_FLAGS_ADD)
			b->flags[uid] |= change.flags;
		else
			b->flags[uid] &= ~change.flags;
		assert_int_equal(uid_set_contains(&changed, uid), b->flags[uid] != old);
	}
	assert_int_equal(notice.modseq != 0, changed.n > 0);
	uid_set_free(&uids);
	uid_set_free(&changed);
	uid_set_free(&refused);
}

static void do_expunge(struct world *w, struct model_box *b)
{
	struct uid_set uids = random_uids(), gone = { 0 };
	struct store_notice notice;
	bool all = rand() % 4 == 0;
	uint32_t count = 0;

	assert_true(store_expunge(
	    w->f->store, ACCOUNT, b->id, all ? NULL : &uids, &gone, &notice, &w->f->error));
	for (uint32_t uid = 1; uid < b->next; uid++)
		if (b->there[uid] && b->flags[uid] & STORE_DELETED &&
		    (all || uid_set_contains(&uids, uid))) {
			b->there[uid] = false;
			assert_true(uid_set_contains(&gone, uid));
			count++;
		}
	assert_int_equal(uid_set_count(&gone), count);
	uid_set_free(&uids);
	uid_set_free(&gone);
}

static void do_copy(struct world *w, struct model_box *b)
{
	struct model_box *to = &w->box[rand() % BOXES];
	struct uid_set uids = random_uids(), from = { 0 }, copies = { 0 };
	uint32_t first = to->next, end = b->next;
	struct store_notice notices[2];
	bool move = rand() % 2;
	size_t n;

	if (has_room(to, uid_set_count(&uids))) {
		assert_true(store_copy(w->f->store, ACCOUNT, b->id, &uids, to->id, move, &from,
		    &copies, notices, &n, &w->f->error));
		for (uint32_t uid = 1; uid < end; uid++)
			if (b->there[uid] && uid_set_contains(&uids, uid)) {
				add_to_model(to, b->flags[uid], b->size[uid]);
				b->there[uid] = !move;
			}
		assert_int_equal(uid_set_count(&copies), to->next - first);
		assert_int_equal(uid_set_count(&from), to->next - first);
	}
	uid_set_free(&uids);
	uid_set_free(&from);
	uid_set_free(&copies);
}

static void do_replace(struct world *w, struct model_box *b)
{
	struct model_box *to = &w->box[rand() % BOXES];
	struct store_message m = message_of(names[to - w->box], 0, SLICE("new"));
	uint32_t uid = 1 + (uint32_t)rand() % b->next;
	struct store_notice notices[2];
	struct store_result result;
	size_t n;

	if (!has_room(to, 1))
		return;
	m.segment = STORE_NO_SEGMENT;
	m.flags = random_flags();
	if (!b->there[uid]) {
		assert_false(store_replace(
		    w->f->store, ACCOUNT, &m, b->id, uid, &result, notices, &n, &w->f->error));
		assert_int_equal(w->f->error.fault, FAULT_ABSENT);
		assert_int_equal(n, 0);
		return;
	}
	assert_true(store_replace(
	    w->f->store, ACCOUNT, &m, b->id, uid, &result, notices, &n, &w->f->error));
	assert_int_equal(n, to == b ? 1 : 2);
	assert_int_equal(result.uid, to->next);
	b->there[uid] = false;
	add_to_model(to, m.flags, 3);
	m.mailbox = SLICE("nowhere");
	assert_true(store_replace(
	    w->f->store, ACCOUNT, &m, b->id, uid, &result, notices, &n, &w->f->error));
	assert_true(result.outcome == STORE_NO_MAILBOX && n == 0);
}

static void check_counters(struct world *w, const struct model_box *b)
{
	struct store_mailbox m = status(w->f, b->id);
	int64_t messages = 0, unseen = 0, deleted = 0, bytes = 0;

	for (uint32_t uid = 1; uid < b->next; uid++) {
		if (!b->there[uid])
			continue;
		messages++;
		bytes += b->size[uid];
		unseen += !(b->flags[uid] & STORE_SEEN);
		deleted += (b->flags[uid] & STORE_DELETED) != 0;
	}
	assert_int_equal(m.uidnext, b->next);
	assert_int_equal(m.messages, messages);
	assert_int_equal(m.unseen, unseen);
	assert_int_equal(m.deleted, deleted);
	assert_int_equal(m.bytes, bytes);
}

static void client_reads(struct world *w, int i, const struct uid_set *changed)
{
	struct client *c = &w->client[i];
	struct store_row *rows;
	size_t n;

	for (size_t r = 0; r < changed->n; r++) {
		assert_true(store_rows(w->f->store, ACCOUNT, w->box[i].id, changed->ranges[r].lo,
		    changed->ranges[r].hi, MESSAGES, false, w->f->arena, &rows, &n, &w->f->error));
		for (size_t k = 0; k < n; k++) {
			assert_true(rows[k].modseq > c->modseq);
			c->there[rows[k].uid] = true;
			c->flags[rows[k].uid] = rows[k].flags;
		}
	}
}

/* One that comes back with what it knew at an older modseq hears of every removal since, also of those that are
 * not noted any more, and never of a message that is there. */
static void check_removals(struct world *w, struct model_box *b)
{
	struct uid_set changed = { 0 }, vanished = { 0 };
	int64_t since = (int64_t)(rand() % (b->gone_at[0] + 1));
	struct store_mailbox m;

	assert_true(store_changed(w->f->store, ACCOUNT, b->id, since, 1, w->f->arena, &m, &changed,
	    &vanished, &w->f->error));
	for (uint32_t uid = 1; uid < MESSAGES; uid++) {
		if (uid_set_contains(&vanished, uid))
			assert_true(uid < b->next && !b->there[uid]);
		if (uid < b->next && !b->there[uid] && b->gone_at[uid] > since)
			assert_true(uid_set_contains(&vanished, uid));
	}
	uid_set_free(&changed);
	uid_set_free(&vanished);
}

static void forget_changes(struct world *w, struct model_box *b)
{
	int64_t before = status(w->f, b->id).horizon;
	struct db *db;

	assert_true(store_begin(w->f->store, ACCOUNT, DB_SYNC_NORMAL, &db, &w->f->error));
	assert_true(store_finish(
	    db, changes_prune(db, ACCOUNT, b->id, rand() % 20, &w->f->error), &w->f->error));
	assert_true(status(w->f, b->id).horizon >= before);
}

/* Modseqs of what is new in a mailbox only grow, and are told by the mailbox itself. */
static void note_modseqs(struct world *w, struct model_box *b)
{
	int64_t now = status(w->f, b->id).modseq;

	assert_true(now >= b->gone_at[0]);
	b->gone_at[0] = now;
	for (uint32_t uid = 1; uid < b->next; uid++)
		if (!b->there[uid] && b->gone_at[uid] == 0)
			b->gone_at[uid] = now;
}

/* Brings a client up to date; then it must believe what the model knows. */
static void follow(struct world *w, int i)
{
	struct client *c = &w->client[i];
	const struct model_box *b = &w->box[i];
	struct uid_set changed = { 0 }, vanished = { 0 };
	struct store_mailbox m;

	assert_true(store_changed(w->f->store, ACCOUNT, b->id, c->modseq, c->uidnext, w->f->arena,
	    &m, &changed, &vanished, &w->f->error));
	for (uint32_t uid = 1; uid < MESSAGES; uid++)
		if (uid_set_contains(&vanished, uid))
			c->there[uid] = false;
	client_reads(w, i, &changed);
	c->modseq = m.modseq;
	c->uidnext = m.uidnext;
	for (uint32_t uid = 1; uid < MESSAGES; uid++) {
		assert_int_equal(c->there[uid], b->there[uid]);
		if (b->there[uid])
			assert_true(c->flags[uid] == b->flags[uid]);
	}
	uid_set_free(&changed);
	uid_set_free(&vanished);
}

static void random_step(struct world *w)
{
	static void (*const steps[])(struct world *, struct model_box *) = { do_deliver, do_deliver,
		do_flags, do_flags, do_expunge, do_copy, do_replace };
	struct model_box *b = &w->box[rand() % BOXES];
	bool more;

	steps[(size_t)rand() % (sizeof(steps) / sizeof(steps[0]))](w, b);
	for (int i = 0; i < BOXES; i++) {
		check_counters(w, &w->box[i]);
		note_modseqs(w, &w->box[i]);
		if (rand() % 3 == 0)
			follow(w, i);
	}
	check_removals(w, b);
	if (rand() % 30 == 0)
		forget_changes(w, b);
	if (rand() % 20 == 0)
		assert_true(store_collect(w->f->store, ACCOUNT, &more, &w->f->error));
	if (rand() % 20 == 0)
		store_forget(w->f->store, ACCOUNT);
}

static void random_changes_agree_with_the_model(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	srand(unit_seed());
	w->f = *state;
	for (int i = 0; i < BOXES; i++) {
		if (i)
			assert_true(store_mailbox_create(w->f->store, ACCOUNT, slice_of(names[i]),
			    SLICE(""), &w->box[i].id, &w->f->error));
		w->box[i].id = mailbox_named(w->f, names[i]);
		w->box[i].next = w->client[i].uidnext = 1;
	}
	for (int step = 0; step < 500; step++) {
		random_step(w);
		arena_reset(w->f->arena);
		if (step % 25 == 0)
			verify(w->f);
	}
	for (int i = 0; i < BOXES; i++)
		follow(w, i);
	verify(w->f);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(random_changes_agree_with_the_model),
	};

	return UNIT_RUN(tests);
}
