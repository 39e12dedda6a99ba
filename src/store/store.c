#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/cache.h"

#define WAIT_MS       5000
#define CACHE_KB      512
#define CHECKPOINT_AT 2000 /* a stop for the log's growth; the background turn comes before it */
#define FOLDER_MODE   0770 /* deliver and imap are other users of one group */
#define FILE_MODE     0660
#define PATH_ROOM     40 /* "/", a number, "/mail.db" */

/* Modseqs that unsynced commits may take before the next synced one; of two processes, each counts its own. */
#define RESERVE 1000

struct handle {
	struct link link;
	int64_t account, used_us;
	struct db *db;
};

/* Of the system's start: where it is another than the account's, what was not synced may be lost. */
static char boot[64];
static pthread_once_t boot_once = PTHREAD_ONCE_INIT;

static void read_boot(void)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(boot, sizeof boot, file))
		log_warn("store.boot", kv_str("why", "the system's boot id cannot be read"));
	boot[strcspn(boot, "\n")] = '\0';
	if (file)
		fclose(file);
}

bool store_warm_up(struct error *error)
{
	struct db_options options = { .journal = DB_ROLLBACK };
	struct db *db;

	pthread_once(&boot_once, read_boot);
	if (!db_open(":memory:", &store_program, &options, deadline_in_ms(5000), &db, error))
		return false;
	db_close(db);
	return true;
}

struct store *store_new(const char *root, size_t handles)
{
	struct store *store = NEW(struct store);
	size_t n = strlen(root);

	pthread_once(&boot_once, read_boot);
	store->root = memory_new(1, n + 1);
	memcpy(store->root, root, n);
	store->max = handles ? handles : 1;
	store->wait_ms = WAIT_MS;
	list_init(&store->used);
	return store;
}

static void handle_close(struct store *store, struct handle *h)
{
	map_remove(&store->handles, (uint64_t)h->account);
	list_remove(&h->link);
	db_close(h->db);
	free(h);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	while (!list_empty(&store->used))
		handle_close(store, LIST_OF(list_first(&store->used), struct handle, link));
	map_free(&store->handles);
	free(store->root);
	free(store);
}

bool store_trim(struct store *store, int64_t idle_us)
{
	int64_t before = clock_us() - idle_us;
	bool cached = cache_trim(before);

	while (!list_empty(&store->used)) {
		struct handle *h = LIST_OF(list_first(&store->used), struct handle, link);

		if (h->used_us > before)
			return true;
		handle_close(store, h);
	}
	return cached;
}

void store_set_wait(struct store *store, int64_t ms)
{
	store->wait_ms = ms;
}

void store_forget(struct store *store, int64_t account)
{
	struct handle *h = map_get(&store->handles, (uint64_t)account);

	if (h)
		handle_close(store, h);
}

/* The account's row and INBOX, once; two processes may come here at the same time. */
static bool make_account(struct db *db, int64_t account, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_ADD);
	int64_t inbox;
	bool made;

	db_bind_id(st, 1, account);
	db_bind_text(st, 2, slice_of(boot));
	made = db_step(st);
	if (!db_done(st, error))
		return false;
	return !made || mailbox_add(db, account, SLICE("INBOX"), SLICE(""), &inbox, error);
}

/* After a start of the system: modseqs that were given out and lost must not be given out again, nor may a mailbox
 * go back behind them. Synced, as the file was opened. */
static bool recover(struct db *db, int64_t account, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_RECOVER);

	db_bind_id(st, 1, account);
	db_bind_text(st, 2, slice_of(boot));
	bool ours = db_step(st);
	int64_t modseq = db_column_number(st, 0);
	if (!db_done(st, error) || !ours)
		return !ours;
	st = db_use(db, Q_MAILBOX_RECOVER);
	db_bind_id(st, 1, account);
	db_bind_number(st, 2, modseq);
	return db_run(st, error);
}

static bool need_account(struct db *db, int64_t account, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_FIND);
	bool found, same;

	db_bind_id(st, 1, account);
	found = db_step(st);
	same = found && boot[0] && slice_eq(db_column_text(st, 4), slice_of(boot));
	if (!db_done(st, error))
		return false;
	if (same)
		return true;
	if (found)
		return db_begin(db, error) && store_finish(db, recover(db, account, error), error);
	return db_begin(db, error) && store_finish(db, make_account(db, account, error), error);
}

/* The folder's name must be as durable as what is stored in it: it is synced before the file exists,
 * so that whoever finds the file need not sync again. */
static bool make_folder(struct store *store, int64_t account, struct error *error)
{
	size_t room = strlen(store->root) + PATH_ROOM;
	char *path = memory_new(1, room);
	bool ok;

	snprintf(path, room, "%s/%lld", store->root, (long long)account);
	ok = folder_make(path, FOLDER_MODE, error) && folder_sync(store->root, error);
	free(path);
	return ok;
}

static bool open_account(struct store *store, int64_t account, struct deadline until,
    struct db **db_out, struct error *error)
{
	struct db_options options = { .journal = DB_WAL,
		.sync = DB_SYNC_FULL,
		.mode = FILE_MODE,
		.cache_kb = CACHE_KB,
		.checkpoint_at = CHECKPOINT_AT };
	size_t room = strlen(store->root) + PATH_ROOM;
	char *path = memory_new(1, room);
	bool ok;

	snprintf(path, room, "%s/%lld/mail.db", store->root, (long long)account);
	ok = (access(path, F_OK) == 0 || make_folder(store, account, error)) &&
	    db_open(path, &store_program, &options, until, db_out, error);
	free(path);
	if (ok && !need_account(*db_out, account, error)) {
		db_close(*db_out);
		ok = false;
	}
	return ok;
}

bool store_use(struct store *store, int64_t account, struct db **db_out, struct error *error)
{
	struct deadline until = deadline_in_ms(store->wait_ms);
	struct handle *h = map_get(&store->handles, (uint64_t)account);
	struct db *db;

	if (!h) {
		if (store->handles.count >= store->max)
			handle_close(store, LIST_OF(list_first(&store->used), struct handle, link));
		if (!open_account(store, account, until, &db, error))
			return false;
		h = NEW(struct handle);
		h->account = account;
		h->db = db;
		map_set(&store->handles, (uint64_t)account, h);
	}
	list_remove(&h->link);
	list_push(&store->used, &h->link);
	h->used_us = clock_us();
	db_set_deadline(h->db, until);
	*db_out = h->db;
	return true;
}

bool store_used(struct store *store, int64_t account, int64_t *octets_out, struct error *error)
{
	struct db *db;

	*octets_out = 0;
	if (!store_use(store, account, &db, error))
		return false;
	struct db_stmt *st = db_use(db, Q_ACCOUNT_FIND);
	db_bind_id(st, 1, account);
	if (db_step(st))
		*octets_out = db_column_number(st, 2);
	return db_done(st, error);
}

bool store_begin(struct store *store, int64_t account, enum db_sync sync, struct db **db_out,
    struct error *error)
{
	return store_use(store, account, db_out, error) && db_set_sync(*db_out, sync, error) &&
	    db_begin(*db_out, error);
}

static bool reserve(struct store *store, int64_t account, struct error *error)
{
	struct db *db;

	if (!store_begin(store, account, DB_SYNC_FULL, &db, error))
		return false;
	struct db_stmt *st = db_use(db, Q_ACCOUNT_RESERVE);
	db_bind_id(st, 1, account);
	db_bind_number(st, 2, RESERVE);
	return store_finish(db, db_run(st, error), error);
}

/* The account's last modseq, and up to where it is reserved, by whichever process. */
static bool read_modseq(
    struct db *db, int64_t account, int64_t *modseq_out, int64_t *ceiling_out, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_FIND);

	db_bind_id(st, 1, account);
	bool found = db_step(st);
	*modseq_out = db_column_number(st, 0);
	*ceiling_out = db_column_number(st, 3);
	return db_done(st, error) && found;
}

bool store_begin_unsynced(
    struct store *store, int64_t account, struct db **db_out, struct error *error)
{
	for (;;) {
		int64_t modseq, ceiling;

		if (!store_begin(store, account, DB_SYNC_NORMAL, db_out, error))
			return false;
		if (!read_modseq(*db_out, account, &modseq, &ceiling, error)) {
			db_rollback(*db_out);
			return false;
		}
		if (modseq < ceiling)
			return true;
		db_rollback(*db_out);
		if (!reserve(store, account, error))
			return false;
	}
}

bool store_sync(struct store *store, struct error *error)
{
	bool ok = true;

	LIST_EACH(node, &store->used)
	{
		ok = db_sync_log(LIST_OF(node, struct handle, link)->db, error) && ok;
	}
	return ok;
}

bool store_finish(struct db *db, bool ok, struct error *error)
{
	if (ok)
		return db_commit(db, error);
	db_rollback(db);
	return false;
}

bool store_checkpoint(struct store *store, int64_t account, struct error *error)
{
	struct db *db;
	int left;

	return store_use(store, account, &db, error) && db_set_sync(db, DB_SYNC_FULL, error) &&
	    db_checkpoint(db, &left, error);
}
