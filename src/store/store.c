#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "store/internal.h"

#define WAIT_MS       5000
#define CACHE_KB      512
#define CHECKPOINT_AT 2000 /* a stop for the log's growth; the background turn comes before it */
#define FOLDER_MODE   0770 /* deliver and imap are other users of one group */
#define FILE_MODE     0660
#define PATH_ROOM     40 /* "/", a number, "/mail.db" */

struct handle {
	struct link link;
	int64_t account, used_us;
	struct db *db;
};

bool store_warm_up(struct error *error)
{
	struct db_options options = { .journal = DB_ROLLBACK };
	struct db *db;

	if (!db_open(":memory:", &store_program, &options, deadline_in_ms(5000), &db, error))
		return false;
	db_close(db);
	return true;
}

struct store *store_new(const char *root, size_t handles)
{
	struct store *store = NEW(struct store);
	size_t n = strlen(root);

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

	while (!list_empty(&store->used)) {
		struct handle *h = LIST_OF(list_first(&store->used), struct handle, link);

		if (h->used_us > before)
			return true;
		handle_close(store, h);
	}
	return false;
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
	made = db_step(st);
	if (!db_done(st, error))
		return false;
	return !made || mailbox_add(db, account, SLICE("INBOX"), SLICE(""), &inbox, error);
}

static bool need_account(struct db *db, int64_t account, struct error *error)
{
	struct db_stmt *st = db_use(db, Q_ACCOUNT_FIND);
	bool found;

	db_bind_id(st, 1, account);
	found = db_step(st);
	if (!db_done(st, error))
		return false;
	if (found)
		return true;
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
