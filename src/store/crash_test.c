/* Several writers of one account at once, and writers that are killed. */
#include "lib/store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"

#define WRITERS 3
#define ROUNDS  40
#define BATCH   3
#define KILLS   12

/* One transaction of each kind; false on any error. */
static bool work(struct store *store, int64_t inbox, int64_t place)
{
	struct store_message m[BATCH];
	struct store_result results[BATCH];
	struct store_notice notices[BATCH];
	struct store_flag_change change = { STORE_FLAGS_ADD, STORE_DELETED, STORE_ANY_MODSEQ };
	struct uid_set some = { 0 }, a = { 0 }, b = { 0 };
	struct error error;
	bool ok, more;
	size_t n;

	for (int i = 0; i < BATCH; i++)
		m[i] = message_of("INBOX", place + i, SLICE("a message\r\n"));
	ok = store_deliver(store, ACCOUNT, m, BATCH, 0, results, notices, &n, &error);
	if (ok && results[0].outcome == STORE_STORED) {
		uid_set_add(&some, results[0].uid, results[0].uid);
		ok = store_flags(store, ACCOUNT, inbox, &some, &change, &a, &b, notices, &error) &&
		    store_expunge(store, ACCOUNT, inbox, &some, &a, notices, &error) &&
		    store_collect(store, ACCOUNT, &more, &error);
	}
	uid_set_free(&some);
	uid_set_free(&a);
	uid_set_free(&b);
	if (!ok)
		fprintf(stderr, "# %s\n", error.why);
	return ok;
}

static pid_t start_writer(struct fixture *f, int number)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct store *store = store_new(f->folder, 2);
		bool ok = true;

		/* A sanitizer build beside other tests is slow: the wait is not what is tested. */
		store_set_wait(store, 60000);
		for (int i = 0; ok && i < ROUNDS; i++)
			ok = work(store, f->inbox, number * 10000 + i * BATCH);
		store_free(store);
		_exit(ok ? 0 : 1);
	}
	return pid;
}

static void several_processes_write_one_account(void **state)
{
	struct fixture *f = *state;
	pid_t pids[WRITERS];

	store_forget(f->store, ACCOUNT);
	for (int i = 0; i < WRITERS; i++)
		pids[i] = start_writer(f, i);
	for (int i = 0; i < WRITERS; i++) {
		int status = -1;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	verify(f);
	assert_int_equal(status(f, f->inbox).messages, WRITERS * ROUNDS * (BATCH - 1));
	assert_int_equal(status(f, f->inbox).uidnext, WRITERS * ROUNDS * BATCH + 1);
}

static void several_processes_may_make_an_account(void **state)
{
	struct fixture *f = *state;
	pid_t pids[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct store *store = store_new(f->folder, 2);
			struct store_message m = message_of("INBOX", i, SLICE("x"));
			struct store_result result;
			struct store_notice notice;
			struct error error;
			size_t n;
			bool ok = true;

			store_set_wait(store, 60000);
			for (int64_t account = 100; ok && account < 110; account++)
				ok = store_deliver(
				    store, account, &m, 1, 0, &result, &notice, &n, &error);
			if (!ok)
				fprintf(stderr, "# %s\n", error.why);
			store_free(store);
			_exit(ok ? 0 : 1);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = -1;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (int64_t account = 100; account < 110; account++) {
		struct store_mailbox m;

		assert_int_equal(
		    store_mailbox_find(f->store, account, SLICE("INBOX"), f->arena, &m, &f->error),
		    STORE_FOUND);
		assert_int_equal(m.messages, WRITERS);
	}
}

static void two_handles_take_turns(void **state)
{
	struct fixture *f = *state;
	struct store *other = store_new(f->folder, 2);

	for (int i = 0; i < 20; i++)
		assert_true(work(i % 2 ? other : f->store, f->inbox, i * BATCH));
	verify(f);
	assert_int_equal(status(f, f->inbox).messages, 20 * (BATCH - 1));
	store_free(other);
}

/* Delivers from `place` on and says after each transaction how far it came, until it is killed. */
static pid_t start_victim(struct fixture *f, int64_t place, int said)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct store *store = store_new(f->folder, 2);

		store_set_wait(store, 60000);
		for (; work(store, f->inbox, place); place += BATCH)
			if (write(said, &place, sizeof(place)) != sizeof(place))
				break;
		_exit(1);
	}
	return pid;
}

/* The last place that the victim said was stored. */
static int64_t last_said(int from, int64_t place)
{
	int64_t said;

	while (read(from, &said, sizeof(said)) == sizeof(said))
		place = said;
	return place;
}

static void assert_stored(struct fixture *f, int64_t place)
{
	struct store_message m[BATCH];
	struct store_result results[BATCH];
	struct store_notice notices[BATCH];
	size_t n;

	for (int i = 0; i < BATCH; i++)
		m[i] = message_of("INBOX", place + i, SLICE("again"));
	assert_true(store_deliver(f->store, ACCOUNT, m, BATCH, 0, results, notices, &n, &f->error));
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(results[i].outcome, STORE_ALREADY);
}

/* The removals are as durable as the messages: whoever knew all is told what is missing. */
static void assert_removals_known(struct fixture *f)
{
	struct uid_set there = { 0 }, changed = { 0 }, vanished = { 0 };
	struct store_mailbox m;

	assert_true(store_changed(
	    f->store, ACCOUNT, f->inbox, 1, 1, f->arena, &m, &changed, &vanished, &f->error));
	assert_true(store_select(f->store, ACCOUNT, f->inbox, f->arena, &m, &there, &f->error));
	assert_int_equal(uid_set_count(&vanished) + uid_set_count(&there), m.uidnext - 1);
	uid_set_intersect(&there, &vanished);
	assert_int_equal(there.n, 0);
	uid_set_free(&there);
	uid_set_free(&changed);
	uid_set_free(&vanished);
}

static int64_t uids_given(struct fixture *f)
{
	return status(f, f->inbox).uidnext - 1;
}

static void a_killed_writer_loses_nothing_it_reported(void **state)
{
	struct fixture *f = *state;
	int64_t place = 0;

	srand(unit_seed());
	for (int i = 0; i < KILLS; i++) {
		int said[2], status;
		int64_t last;
		pid_t pid;

		assert_int_equal(pipe(said), 0);
		store_forget(f->store, ACCOUNT);
		pid = start_victim(f, place + BATCH, said[1]);
		close(said[1]);
		usleep(10000 + (unsigned)rand() % 60000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		last = last_said(said[0], place);
		close(said[0]);
		verify(f);
		assert_removals_known(f);
		for (int64_t p = place + BATCH; p <= last; p += BATCH)
			assert_stored(f, p);
		/* What it was doing when it died is delivered again: new or there, not twice. */
		assert_true(work(f->store, f->inbox, last + BATCH));
		place = last + BATCH;
		verify(f);
		assert_int_equal(uids_given(f), place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(two_handles_take_turns),
		WITH_STORE(several_processes_write_one_account),
		WITH_STORE(several_processes_may_make_an_account),
		WITH_STORE(a_killed_writer_loses_nothing_it_reported),
	};

	return UNIT_RUN(tests);
}
