/* auth.db on a disk that fails, at each call that changes it, one after another: the role auth goes on. */
#include "lib/faults.h"

#include "lib/unit.h"

#include <ftw.h>
#include <pthread.h>

#include "net/ask.h"
#include "vault/auth.h"

#define WAIT_MS 20000
#define ACCOUNT 7
#define OLD     "{SHA256}y6BrVzb69n5UsHtWHq6UOV53TFF6fZEKVDaeEmPM+9Q="
#define NEW_ONE "{SHA256}EVB6Di9eadXfpApiob17buV+a82FxnybhDGzb/8hxDc="

static char folder[40];
static struct peers *control, *smtp; /* who sets, and who asks */

static void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static struct peers *start_asker(struct peers *auth, enum role role)
{
	struct peers *peers = peers_new(role, 0, NULL, 0);
	pthread_t thread;
	int one, other;

	assert_true(channel_pair(&one, &other));
	peers_add(auth, role, 0, one);
	peers_add(peers, ROLE_AUTH, 0, other);
	pthread_create(&thread, NULL, run, peers);
	return peers;
}

/* The role's threads, and two who ask them. They end with the program. */
static int start_auth(void **state)
{
	struct peers *auth = peers_new(ROLE_AUTH, 0, auth_services, auth_service_count);
	struct error error;
	pthread_t thread;
	char path[60];

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/auth_fault.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/auth.db", folder);
	if (!auth_open(path, &error))
		fail_msg("%s", error.why);
	auth_start(1);
	control = start_asker(auth, ROLE_CONTROL);
	smtp = start_asker(auth, ROLE_SMTP);
	pthread_create(&thread, NULL, run, auth);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static bool set(const char *verifier, struct error *error)
{
	ask_init(control);
	return ask_set_verifier(ACCOUNT, slice_of(verifier), deadline_in_ms(WAIT_MS), error);
}

static bool fits(const char *password)
{
	struct error error;
	bool right;

	ask_init(smtp);
	if (!ask_password(ACCOUNT, slice_of(password), deadline_in_ms(WAIT_MS), &right, &error))
		fail_msg("%s", error.why);
	return right;
}

/* A password is changed while the disk fails: the new one holds if that was said, else the old one. */
static bool try_change(unsigned kinds, int code, int at, bool lasting)
{
	struct error error = { 0 };

	if (!set(OLD, &error))
		fail_msg("%s", error.why);
	faults_arm(folder, kinds, code, at, lasting);
	bool changed = set(NEW_ONE, &error);
	bool hit = faults_end();
	if (!changed) {
		assert_true(error.temporary);
		assert_true(error.said[0] != 0);
	}
	assert_int_equal(fits("new"), changed);
	assert_int_equal(fits("old"), !changed);
	return hit;
}

static bool try_removal(unsigned kinds, int code, int at, bool lasting)
{
	struct error error = { 0 };

	if (!set(OLD, &error))
		fail_msg("%s", error.why);
	faults_arm(folder, kinds, code, at, lasting);
	bool removed = ask_remove_password(ACCOUNT, deadline_in_ms(WAIT_MS), &error);
	bool hit = faults_end();
	assert_true(removed || error.temporary);
	assert_int_equal(fits("old"), !removed);
	return hit;
}

static void a_password_is_the_new_or_the_old_one(void **state)
{
	static const struct {
		const char *name;
		unsigned kinds;
		int code;
		bool lasting;
	} all[] = {
		{ "full for a moment", FAULT_WRITES | FAULT_NAMES, ENOSPC, false },
		{ "full", FAULT_WRITES | FAULT_NAMES, ENOSPC, true },
		{ "over quota", FAULT_WRITES | FAULT_NAMES, EDQUOT, true },
		{ "read-only", FAULT_WRITES | FAULT_NAMES | FAULT_CUTS | FAULT_GONE, EROFS, true },
		{ "cannot be written", FAULT_WRITES | FAULT_NAMES | FAULT_SYNCS, EIO, true },
		{ "cannot be synced for a moment", FAULT_SYNCS, EIO, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		int changes = 0, removals = 0;

		while (try_change(all[i].kinds, all[i].code, changes, all[i].lasting))
			changes++;
		while (try_removal(all[i].kinds, all[i].code, removals, all[i].lasting))
			removals++;
		print_message("# %s: %d and %d calls failed\n", all[i].name, changes, removals);
		assert_true(changes >= 2 && removals >= 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_the_new_or_the_old_one),
	};

	return cmocka_run_group_tests(tests, start_auth, remove_folder);
}
