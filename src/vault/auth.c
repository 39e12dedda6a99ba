#include "vault/auth.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "proc/stats.h"

#define AUTH_QUEUE   1000 /* questions that may wait; more are told "later" */
#define PASSWORD_MAX 512  /* octets; libxcrypt's own limit */
#define VERIFIER_MAX 384
#define DB_WAIT_MS   5000

enum { Q_FIND, Q_SET, Q_REMOVE };

static const struct db_table tables[] = {
	{ .name = "verifier",
	    .key = "account_id",
	    .rowid = "account_id",
	    .columns = { { "account_id", DB_ID }, { "verifier", DB_TEXT },
		{ "changed", DB_TIME } } },
};

static const struct db_query queries[] = {
	[Q_FIND] = { "find", "SELECT verifier FROM verifier WHERE account_id = ?1" },
	[Q_SET] = { "set",
	    "INSERT INTO verifier (account_id, verifier, changed) VALUES (?1, ?2, ?3) "
	    "ON CONFLICT (account_id) DO UPDATE SET verifier = ?2, changed = ?3" },
	[Q_REMOVE] = { "remove", "DELETE FROM verifier WHERE account_id = ?1" },
};

const struct db_program auth_program = {
	.name = "auth",
	.version = 1,
	.tables = tables,
	.table_count = sizeof tables / sizeof tables[0],
	.queries = queries,
	.query_count = sizeof queries / sizeof queries[0],
};

static struct db *db;
static pthread_mutex_t db_lock = PTHREAD_MUTEX_INITIALIZER;
static char nobody[CRYPT_OUTPUT_SIZE]; /* a verifier that no password fits */

struct task {
	struct link link;
	struct call *call;
};

static struct list tasks;
static size_t task_count;
static pthread_mutex_t task_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t task_there = PTHREAD_COND_INITIALIZER;

/* ---- verifiers ---- */

static bool make_verifier(slice password, char *out, size_t size, struct error *error)
{
	struct crypt_data data = { 0 };
	char salt[CRYPT_GENSALT_OUTPUT_SIZE], text[PASSWORD_MAX + 1];
	const char *made = NULL;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(password));
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof salt))
		made = crypt_rn(text, salt, &data, sizeof data);
	if (made)
		snprintf(out, size, "%s", made);
	explicit_bzero(text, sizeof text);
	explicit_bzero(&data, sizeof data);
	return made || error_local(error, "no yescrypt verifier could be made");
}

static bool same(const char *a, const char *b)
{
	size_t n = strlen(a);
	unsigned char difference = 0;

	if (n != strlen(b))
		return false;
	for (size_t i = 0; i < n; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

static bool password_fits(slice password, const char *verifier)
{
	struct crypt_data data = { 0 };
	char text[PASSWORD_MAX + 1];

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(password));
	const char *made = crypt_rn(text, verifier, &data, sizeof data);
	bool fits = made && made[0] != '*' && same(made, verifier);
	explicit_bzero(text, sizeof text);
	explicit_bzero(&data, sizeof data);
	return fits;
}

/* ---- auth.db; one handle, one user at a time ---- */

static struct db_stmt *use(size_t query, int64_t account)
{
	struct db_stmt *st;

	db_set_deadline(db, deadline_in_ms(DB_WAIT_MS));
	st = db_use(db, query);
	db_bind_id(st, 1, account);
	return st;
}

static bool find_verifier(
    int64_t account, char *out, size_t size, bool *found_out, struct error *error)
{
	pthread_mutex_lock(&db_lock);
	struct db_stmt *st = use(Q_FIND, account);
	*found_out = db_step(st);
	if (*found_out)
		snprintf(out, size, "%.*s", SLICE_ARG(db_column_text(st, 0)));
	bool ok = db_done(st, error);
	pthread_mutex_unlock(&db_lock);
	return ok;
}

static bool set_verifier(int64_t account, const char *verifier, struct error *error)
{
	pthread_mutex_lock(&db_lock);
	struct db_stmt *st = use(Q_SET, account);
	db_bind_text(st, 2, slice_of(verifier));
	db_bind_time(st, 3, clock_wall_us());
	bool ok = db_run(st, error);
	pthread_mutex_unlock(&db_lock);
	return ok;
}

static bool remove_verifier(int64_t account, struct error *error)
{
	pthread_mutex_lock(&db_lock);
	bool ok = db_run(use(Q_REMOVE, account), error);
	pthread_mutex_unlock(&db_lock);
	return ok;
}

bool auth_open(const char *path, struct error *error)
{
	struct db_options options = { .journal = DB_ROLLBACK, .sync = DB_SYNC_FULL, .mode = 0600 };

	if (!make_verifier(SLICE("nobody has this password"), nobody, sizeof nobody, error))
		return false;
	/* Same cost, but no password gives it. */
	size_t last = strlen(nobody) - 1;
	nobody[last] = nobody[last] == '.' ? '/' : '.';
	return db_open(path, &auth_program, &options, deadline_in_ms(DB_WAIT_MS), &db, error);
}

/* ---- answers ---- */

/* Octets that libxcrypt cannot hash: our own limit, said in the same words for every account. */
static bool usable(slice password)
{
	return password.n > 0 && password.n < PASSWORD_MAX &&
	    slice_find(password, '\0') == password.n;
}

static bool answer_verify(struct call *call, int64_t account, slice password, struct error *error)
{
	char verifier[VERIFIER_MAX];
	struct message m;
	bool found = false;

	if (account && !find_verifier(account, verifier, sizeof verifier, &found, error))
		return false;
	bool right =
	    password_fits(usable(password) ? password : SLICE("x"), found ? verifier : nobody);
	right = right && found && usable(password);
	stats_count(right ? STAT_LOGINS : STAT_REFUSED, 1);
	message_begin(&m, MESSAGE_VERIFY_PASSWORD);
	message_put_number(&m, right);
	call_reply(call, &m);
	message_free(&m);
	return true;
}

static bool answer_set(struct call *call, int64_t account, slice password, struct error *error)
{
	char verifier[VERIFIER_MAX];

	if (!usable(password))
		return error_plain(error, FAULT_INPUT, "a password has 1 to %d octets and no NUL",
		    PASSWORD_MAX - 1);
	if (!make_verifier(password, verifier, sizeof verifier, error) ||
	    !set_verifier(account, verifier, error))
		return false;
	call_reply_done(call);
	return true;
}

static void answer(struct call *call)
{
	int64_t account = (int64_t)message_get_number(&call->in);
	slice password = { 0 };
	struct error error;
	bool ok = false;

	if (call->type != MESSAGE_REMOVE_PASSWORD)
		password = message_get_text(&call->in);
	if (!message_done(&call->in))
		error_plain(&error, FAULT_INPUT, "malformed question to auth");
	else if (call->type == MESSAGE_VERIFY_PASSWORD)
		ok = answer_verify(call, account, password, &error);
	else if (call->type == MESSAGE_SET_PASSWORD)
		ok = answer_set(call, account, password, &error);
	else if ((ok = remove_verifier(account, &error)))
		call_reply_done(call);
	if (!ok)
		call_fail(call, &error);
}

/* ---- the threads ---- */

static void *work(void *nothing)
{
	(void)nothing;
	for (;;) {
		pthread_mutex_lock(&task_lock);
		while (list_empty(&tasks))
			pthread_cond_wait(&task_there, &task_lock);
		struct task *task = LIST_OF(list_pop(&tasks), struct task, link);
		task_count--;
		pthread_mutex_unlock(&task_lock);
		answer(task->call);
		free(task);
	}
	return NULL;
}

static void queue_call(struct call *call)
{
	struct error error;
	struct task *task = NEW(struct task);

	task->call = call;
	pthread_mutex_lock(&task_lock);
	bool full = task_count >= AUTH_QUEUE;
	if (!full) {
		task_count++;
		list_push(&tasks, &task->link);
		pthread_cond_signal(&task_there);
	}
	pthread_mutex_unlock(&task_lock);
	if (!full)
		return;
	free(task);
	error_local(&error, "%d password checks wait already", AUTH_QUEUE);
	call_fail(call, &error);
}

void auth_start(int threads)
{
	pthread_t thread;

	list_init(&tasks);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, work, NULL))
			panic("auth: no thread");
}

const struct service auth_services[] = {
	{ MESSAGE_VERIFY_PASSWORD, ROLE_BIT(ROLE_SMTP) | ROLE_BIT(ROLE_IMAP), queue_call },
	{ MESSAGE_SET_PASSWORD, ROLE_BIT(ROLE_CONTROL), queue_call },
	{ MESSAGE_REMOVE_PASSWORD, ROLE_BIT(ROLE_CONTROL), queue_call },
};
const size_t auth_service_count = sizeof auth_services / sizeof auth_services[0];
