/* Databases on a disk that fails, at each call that changes it, one after another. */
#include "lib/faults.h"

#include "lib/store_fixture.h"

#include "directory/directory.h"

#define BATCH 3

static const struct disk_fault {
	const char *name;
	unsigned kinds;
	int code;
	bool lasting;
} disk_faults[] = {
	{ "full for a moment", FAULT_WRITES | FAULT_NAMES, ENOSPC, false },
	{ "full", FAULT_WRITES | FAULT_NAMES, ENOSPC, true },
	{ "over quota", FAULT_WRITES | FAULT_NAMES, EDQUOT, true },
	{ "read-only", FAULT_WRITES | FAULT_NAMES | FAULT_CUTS | FAULT_GONE, EROFS, true },
	{ "cannot be written", FAULT_WRITES | FAULT_NAMES | FAULT_SYNCS, EIO, true },
	{ "cannot be synced for a moment", FAULT_SYNCS, EIO, false },
	{ "cannot be cut", FAULT_CUTS, EIO, false },
};

static void assert_refused(const struct error *error)
{
	assert_int_equal(error->fault, FAULT_LOCAL);
	assert_true(error->temporary);
	assert_non_null(strstr(error->why, "/tmp/"));
}

/* ---- an account ---- */

struct made {
	bool delivered, copied, removed;
};

static bool deliver_batch(struct store *store, int64_t place, enum store_outcome *outcome_out,
    struct store_result *results, struct error *error)
{
	struct store_message m[BATCH];
	struct store_notice notices[BATCH];
	static char large[20000];
	size_t n;

	memset(large, 'x', sizeof large);
	for (int i = 0; i < BATCH; i++)
		m[i] = message_of("INBOX", place + i, (slice){ large, sizeof large });
	if (!store_deliver(store, ACCOUNT, m, BATCH, 0, results, notices, &n, error))
		return false;
	*outcome_out = results[0].outcome;
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(results[i].outcome, *outcome_out); /* all or none */
	return true;
}

/* One message takes another's place, or none does. */
static void replace_one(struct store *store, int64_t mailbox)
{
	struct store_message m = message_of("INBOX", 0, SLICE("instead"));
	struct store_notice notices[2];
	struct store_result result;
	struct error error = { 0 };
	size_t n;

	m.segment = STORE_NO_SEGMENT;
	if (!store_replace(store, ACCOUNT, &m, mailbox, 2, &result, notices, &n, &error))
		assert_refused(&error);
}

/* One change of each kind; what was said to be done goes to made_out. */
static void work(struct store *store, struct made *made_out)
{
	struct store_result results[BATCH];
	struct store_flag_change change = { STORE_FLAGS_ADD, STORE_DELETED, STORE_ANY_MODSEQ };
	struct uid_set one = { 0 }, a = { 0 }, b = { 0 };
	struct store_notice notice;
	struct error error = { 0 };
	enum store_outcome outcome;
	bool more;

	*made_out = (struct made){ 0 };
	made_out->delivered = deliver_batch(store, 1, &outcome, results, &error);
	if (!made_out->delivered)
		assert_refused(&error);
	else
		assert_int_equal(outcome, STORE_STORED);
	uid_set_add(&one, 1, 1);
	if (made_out->delivered) {
		bool marked = store_flags(
		    store, ACCOUNT, results[0].mailbox, &one, &change, &a, &b, &notice, &error);

		if (!marked)
			assert_refused(&error);
		bool expunged =
		    store_expunge(store, ACCOUNT, results[0].mailbox, &one, &a, &notice, &error);
		if (!expunged)
			assert_refused(&error);
		made_out->removed = marked && expunged;
		replace_one(store, results[0].mailbox);
	}
	if (!store_checkpoint(store, ACCOUNT, &error) ||
	    !store_collect(store, ACCOUNT, &more, &error))
		assert_refused(&error);
	uid_set_free(&one);
	uid_set_free(&a);
	uid_set_free(&b);
}

static int64_t messages_in(struct store *store)
{
	struct arena *arena = arena_new(1 << 20);
	struct store_mailbox inbox;
	struct error error;

	if (store_mailbox_find(store, ACCOUNT, SLICE("INBOX"), arena, &inbox, &error) !=
	    STORE_FOUND)
		fail_msg("%s", error.why);
	if (!store_verify(store, ACCOUNT, &error))
		fail_msg("%s", error.why);
	arena_free(arena);
	return inbox.messages;
}

/* What was done is there, also for another process; the same messages again are stored once. */
static void check_account(const char *folder, struct store *store, const struct made *made)
{
	struct store *other = store_new(folder, 1);
	struct store_result results[BATCH];
	enum store_outcome outcome;
	struct error error;
	/* What is not marked \Deleted is not removed. */
	int64_t want = made->delivered ? BATCH - made->removed : 0;

	assert_int_equal(messages_in(other), want);
	assert_int_equal(messages_in(store), want);
	if (!deliver_batch(store, 1, &outcome, results, &error))
		fail_msg("%s", error.why);
	assert_int_equal(outcome, made->delivered ? STORE_ALREADY : STORE_STORED);
	if (!deliver_batch(store, 100, &outcome, results, &error))
		fail_msg("%s", error.why);
	assert_int_equal(outcome, STORE_STORED);
	assert_int_equal(messages_in(other), (made->delivered ? want : BATCH) + BATCH);
	store_free(other);
}

static bool try_account(const struct disk_fault *fault, int at)
{
	char folder[40];
	struct made made;

	snprintf(folder, sizeof folder, "/tmp/store_fault.XXXXXX");
	assert_non_null(mkdtemp(folder));
	struct store *store = store_new(folder, 1);
	faults_arm(folder, fault->kinds, fault->code, at, fault->lasting);
	work(store, &made);
	bool hit = faults_end();
	if (fault->lasting && hit && (fault->kinds & FAULT_WRITES) && at == 0)
		assert_false(made.delivered);
	check_account(folder, store, &made);
	store_free(store);
	nftw(folder, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return hit;
}

static void an_account_is_whole_whatever_the_disk_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof disk_faults / sizeof disk_faults[0]; i++) {
		int at = 0;

		while (try_account(&disk_faults[i], at))
			at++;
		print_message("# account: %s: %d calls failed\n", disk_faults[i].name, at);
		assert_true(at >= 1 || !(disk_faults[i].kinds & FAULT_WRITES));
	}
}

/* ---- the directory ---- */

/* As a reader sees them: how many, and how many of them are enabled. */
static size_t accounts_in(const char *path, size_t *enabled_out)
{
	struct arena *arena = arena_new(1 << 20);
	struct directory *dir;
	struct account *accounts;
	struct error error;
	size_t n = 0;

	if (!directory_open(path, false, &dir, &error) ||
	    !directory_account_list(dir, SLICE(""), arena, &accounts, &n, &error))
		fail_msg("%s", error.why);
	*enabled_out = 0;
	for (size_t i = 0; i < n; i++)
		*enabled_out += accounts[i].enabled;
	directory_close(dir);
	arena_free(arena);
	return n;
}

static bool refused(bool done, const struct error *error)
{
	if (!done)
		assert_refused(error);
	return !done;
}

static bool try_directory(const struct disk_fault *fault, int at)
{
	char folder[40], path[60];
	struct directory *dir;
	struct error error;
	size_t said = 0, disabled = 0, enabled;
	int64_t id;

	snprintf(folder, sizeof folder, "/tmp/store_fault.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/directory.db", folder);
	faults_arm(folder, fault->kinds, fault->code, at, fault->lasting);
	bool open = !refused(directory_open(path, true, &dir, &error), &error);
	bool domain =
	    open && !refused(directory_domain_add(dir, SLICE("example.test"), &id, &error), &error);
	if (domain)
		said += !refused(
		    directory_account_add(dir, SLICE("a"), SLICE("example.test"), &id, &error),
		    &error);
	if (said)
		disabled += !refused(
		    directory_account_enable(dir, SLICE("a"), SLICE("example.test"), false, &error),
		    &error);
	bool hit = faults_end();
	/* control is started again when it could not open; else it goes on with what it has. */
	if (!open)
		assert_true(directory_open(path, true, &dir, &error));
	if (!domain && !directory_domain_add(dir, SLICE("example.test"), &id, &error))
		fail_msg("%s", error.why);
	/* As control does by itself, once a second: a journal may be left that no reader can roll back. */
	if (!directory_heal(dir, &error))
		fail_msg("%s", error.why);
	assert_int_equal(accounts_in(path, &enabled), said);
	assert_int_equal(enabled, said - disabled);
	if (!directory_account_add(dir, SLICE("b"), SLICE("example.test"), &id, &error))
		fail_msg("%s", error.why);
	assert_int_equal(accounts_in(path, &enabled), said + 1);
	directory_close(dir);
	nftw(folder, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return hit;
}

static void the_directory_is_whole_whatever_the_disk_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof disk_faults / sizeof disk_faults[0]; i++) {
		int at = 0;

		while (try_directory(&disk_faults[i], at))
			at++;
		print_message("# directory: %s: %d calls failed\n", disk_faults[i].name, at);
		assert_true(at >= 1 || !(disk_faults[i].kinds & FAULT_WRITES));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_is_whole_whatever_the_disk_does),
		cmocka_unit_test(the_directory_is_whole_whatever_the_disk_does),
	};

	return UNIT_RUN(tests);
}
