#include "vault/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "proc/stats.h"
#include "vault/kerberos.h"
#include "vault/remember.h"
#include "vault/scram.h"
#include "vault/verifier.h"

#define AUTH_QUEUE 1000 /* questions that may wait; more are told "later" */
#define DB_WAIT_MS 5000

enum { Q_FIND, Q_SET, Q_REMOVE, Q_WITHOUT_SCRAM };

static const struct db_table tables[] = {
	{ .name = "verifier",
	    .key = "account_id",
	    .rowid = "account_id",
	    .columns = { { "account_id", DB_ID }, { "verifier", DB_TEXT }, { "changed", DB_TIME },
		{ "scram", DB_TEXT } } },
};

static const struct db_migration migrations[] = {
	{ .version = 2, .table = "verifier", .column = { "scram", DB_TEXT } },
};

static const struct db_query queries[] = {
	[Q_FIND] = { "find",
	    "SELECT verifier, changed, scram FROM verifier WHERE account_id = ?1" },
	[Q_SET] = { "set",
	    "INSERT INTO verifier (account_id, verifier, changed, scram) "
	    "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (account_id) "
	    "DO UPDATE SET verifier = ?2, changed = ?3, scram = ?4" },
	[Q_REMOVE] = { "remove", "DELETE FROM verifier WHERE account_id = ?1" },
	[Q_WITHOUT_SCRAM] = { "without scram", "SELECT COUNT(*) FROM verifier WHERE scram = ''" },
};

const struct db_program auth_program = {
	.name = "auth",
	.version = 2,
	.tables = tables,
	.table_count = sizeof tables / sizeof tables[0],
	.migrations = migrations,
	.migration_count = sizeof migrations / sizeof migrations[0],
	.queries = queries,
	.query_count = sizeof queries / sizeof queries[0],
};

static struct db *db;
static pthread_mutex_t db_lock = PTHREAD_MUTEX_INITIALIZER;
static char nobody[VERIFIER_MAX];  /* a verifier that no password fits */
static unsigned char salt_key[32]; /* makes the salts of those who have none */

struct task {
	struct link link;
	struct call *call;
};

/* Questions of one kind wait for threads of their own: those about passwords cost 29 ms each, and nobody with a ticket
 * shall wait behind them. */
struct line {
	const char *what;
	struct list tasks;
	size_t count;
	pthread_mutex_t lock;
	pthread_cond_t there;
};

static struct line passwords = { .what = "password checks",
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.there = PTHREAD_COND_INITIALIZER };
static struct line quick = { .what = "questions about tickets and SCRAM",
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.there = PTHREAD_COND_INITIALIZER };

/* ---- auth.db; one handle, one user at a time ---- */

static struct db_stmt *use(size_t query, int64_t account)
{
	struct db_stmt *st;

	db_set_deadline(db, deadline_in_ms(DB_WAIT_MS));
	st = db_use(db, query);
	db_bind_id(st, 1, account);
	return st;
}

/* What is kept of an account's password. */
struct kept {
	bool found;
	char verifier[VERIFIER_MAX];
	char scram[SCRAM_TEXT];
	int64_t changed_us;
};

static bool find_kept(int64_t account, struct kept *out, struct error *error)
{
	*out = (struct kept){ 0 };
	if (account == 0)
		return true;
	pthread_mutex_lock(&db_lock);
	struct db_stmt *st = use(Q_FIND, account);
	out->found = db_step(st);
	if (out->found) {
		snprintf(
		    out->verifier, sizeof out->verifier, "%.*s", SLICE_ARG(db_column_text(st, 0)));
		out->changed_us = db_column_time(st, 1);
		snprintf(out->scram, sizeof out->scram, "%.*s", SLICE_ARG(db_column_text(st, 2)));
	}
	bool ok = db_done(st, error);
	pthread_mutex_unlock(&db_lock);
	return ok;
}

/* Tells all processes whether SCRAM can be offered: whether everybody could use it. */
static bool publish_scram(struct error *error)
{
	db_set_deadline(db, deadline_in_ms(DB_WAIT_MS));
	struct db_stmt *st = db_use(db, Q_WITHOUT_SCRAM);
	int64_t without = db_step(st) ? db_column_number(st, 0) : 1;
	bool ok = db_done(st, error);

	stats_set(STAT_SCRAM, ok && without == 0);
	return ok;
}

static bool set_kept(int64_t account, slice verifier, slice scram, struct error *error)
{
	pthread_mutex_lock(&db_lock);
	struct db_stmt *st = use(Q_SET, account);
	db_bind_text(st, 2, verifier);
	db_bind_time(st, 3, clock_wall_us());
	db_bind_text(st, 4, scram);
	bool ok = db_run(st, error) && publish_scram(error);
	pthread_mutex_unlock(&db_lock);
	return ok;
}

static bool remove_verifier(int64_t account, struct error *error)
{
	pthread_mutex_lock(&db_lock);
	bool ok = db_run(use(Q_REMOVE, account), error) && publish_scram(error);
	pthread_mutex_unlock(&db_lock);
	return ok;
}

bool auth_open(const char *path, struct error *error)
{
	struct db_options options = { .journal = DB_ROLLBACK, .sync = DB_SYNC_FULL, .mode = 0600 };

	if (!verifier_make(SLICE("nobody has this password"), nobody, error))
		return false;
	/* Same cost, but no password gives it. */
	size_t last = strlen(nobody) - 1;
	nobody[last] = nobody[last] == '.' ? '/' : '.';
	if (!remember_start() || RAND_bytes(salt_key, sizeof salt_key) != 1)
		return error_local(error, "no randomness for keys");
	return db_open(path, &auth_program, &options, deadline_in_ms(DB_WAIT_MS), &db, error) &&
	    publish_scram(error);
}

/* ---- answers ---- */

static void count_login(bool right)
{
	stats_count(right ? STAT_LOGINS : STAT_REFUSED, 1);
}

static bool check_password(int64_t account, slice password, const struct kept *kept)
{
	bool usable = password_usable(password);

	if (kept->found && usable && remember_knows(account, password, kept->changed_us))
		return true;
	/* Always one check, whoever asks for whom. */
	slice verifier = slice_of(kept->found ? kept->verifier : nobody);
	bool right =
	    verifier_fits(verifier, usable ? password : SLICE("x")) && kept->found && usable;
	if (right)
		remember_add(account, password, kept->changed_us);
	return right;
}

static bool answer_verify(struct call *call, int64_t account, struct error *error)
{
	slice password = message_get_text(&call->in);
	struct kept kept;
	struct message m;

	if (!find_kept(account, &kept, error))
		return false;
	bool right = check_password(account, password, &kept);
	count_login(right);
	message_begin(&m, MESSAGE_VERIFY_PASSWORD);
	message_put_number(&m, right);
	call_reply(call, &m);
	message_free(&m);
	return true;
}

static bool answer_set(struct call *call, int64_t account, struct error *error)
{
	slice password = message_get_text(&call->in);
	char verifier[VERIFIER_MAX];
	struct scram_verifier scram;
	struct buf text;

	if (!password_usable(password))
		return error_plain(error, FAULT_INPUT, "a password has 1 to %d octets and no NUL",
		    PASSWORD_MAX - 1);
	buf_init(&text, SCRAM_TEXT);
	bool ok = verifier_make(password, verifier, error) && scram_make(password, &scram, error);
	if (ok)
		scram_text(&scram, &text);
	ok = ok && set_kept(account, slice_of(verifier), buf_slice(&text), error);
	buf_free(&text);
	if (ok)
		call_reply_done(call);
	return ok;
}

/* A verifier in SCRAM's own form serves SCRAM only; any other serves passwords only. */
static bool answer_set_verifier(struct call *call, int64_t account, struct error *error)
{
	slice verifier = message_get_text(&call->in);

	if (!verifier_known(verifier, error) || !set_kept(account, verifier, SLICE(""), error))
		return false;
	call_reply_done(call);
	return true;
}

static bool answer_remove(struct call *call, int64_t account, struct error *error)
{
	if (!remove_verifier(account, error))
		return false;
	call_reply_done(call);
	return true;
}

/* The salt of somebody who has none: the same each time for a name, unlike any other's, so that it does
 * not tell who is here (RFC 5802 §5.1). */
static void made_up(slice name, struct scram_verifier *out)
{
	unsigned n = 32;
	unsigned char mac[32];

	HMAC(EVP_sha256(), salt_key, sizeof salt_key, (const unsigned char *)name.p, name.n, mac,
	    &n);
	*out = (struct scram_verifier){ .salt_octets = SCRAM_SALT, .iterations = SCRAM_ITERATIONS };
	memcpy(out->salt, mac, SCRAM_SALT);
}

static bool answer_salt(struct call *call, int64_t account, struct error *error)
{
	slice name = message_get_text(&call->in);
	struct scram_verifier scram;
	struct kept kept;
	struct message m;

	if (!find_kept(account, &kept, error))
		return false;
	if (!kept.found || !scram_parse(slice_of(kept.scram), &scram))
		made_up(name, &scram);
	message_begin(&m, MESSAGE_SCRAM_SALT);
	message_put_number(&m, scram.iterations);
	message_put_text(&m, (slice){ (const char *)scram.salt, scram.salt_octets });
	call_reply(call, &m);
	message_free(&m);
	return true;
}

static bool answer_proof(struct call *call, int64_t account, struct error *error)
{
	slice auth_message = message_get_text(&call->in), proof = message_get_text(&call->in);
	unsigned char signature[SCRAM_KEY] = { 0 };
	struct scram_verifier scram;
	struct kept kept;
	struct message m;

	if (!find_kept(account, &kept, error))
		return false;
	bool right = kept.found && scram_parse(slice_of(kept.scram), &scram) &&
	    scram_proof_right(&scram, auth_message, proof);
	if (right)
		scram_signature(&scram, auth_message, signature);
	count_login(right);
	message_begin(&m, MESSAGE_SCRAM_PROOF);
	message_put_number(&m, right);
	message_put_text(&m, (slice){ (const char *)signature, right ? SCRAM_KEY : 0 });
	call_reply(call, &m);
	message_free(&m);
	return true;
}

static void reply_kerberos(struct call *call, struct kerberos_answer *a, bool last)
{
	struct message m;

	if (last || a->result == KERBEROS_REFUSED)
		count_login(a->result == KERBEROS_ACCEPTED);
	message_begin(&m, call->type);
	message_put_number(&m, a->result);
	message_put_text(&m, slice_of(a->code));
	message_put_text(&m, slice_of(a->why));
	message_put_text(&m, buf_slice(&a->principal));
	message_put_text(&m, buf_slice(&a->token));
	message_put_text(&m, buf_slice(&a->challenge));
	message_put_text(&m, buf_slice(&a->state));
	message_put_text(&m, buf_slice(&a->authorize_as));
	message_put_number(&m, a->layer);
	message_put_number(&m, a->layer_most);
	call_reply(call, &m);
	message_free(&m);
	kerberos_answer_free(a);
}

static bool answer_accept(struct call *call, int64_t wanted, struct error *error)
{
	int64_t service = wanted & 255;
	struct kerberos_answer a;

	if (wanted < 0 || service >= KERBEROS_SERVICES)
		return error_plain(error, FAULT_INPUT, "there is no such service");
	kerberos_accept((enum kerberos_service)service, (unsigned)(wanted >> 8) & 7,
	    message_get_text(&call->in), &a);
	reply_kerberos(call, &a, false);
	return true;
}

static bool answer_finish(struct call *call, int64_t service, struct error *error)
{
	slice state = message_get_text(&call->in), response = message_get_text(&call->in);
	struct kerberos_answer a;

	kerberos_finish(state, response, &a);
	reply_kerberos(call, &a, true);
	return true;
}

static const struct {
	enum message_type type;
	int texts; /* fields after the account, or the service */
	bool (*run)(struct call *call, int64_t account, struct error *error);
} answers[] = {
	{ MESSAGE_VERIFY_PASSWORD, 1, answer_verify },
	{ MESSAGE_SET_PASSWORD, 1, answer_set },
	{ MESSAGE_SET_VERIFIER, 1, answer_set_verifier },
	{ MESSAGE_REMOVE_PASSWORD, 0, answer_remove },
	{ MESSAGE_SCRAM_SALT, 1, answer_salt },
	{ MESSAGE_SCRAM_PROOF, 2, answer_proof },
	{ MESSAGE_KERBEROS_ACCEPT, 1, answer_accept },
	{ MESSAGE_KERBEROS_FINISH, 2, answer_finish },
};

/* Is all there that the question needs? The reader is a copy. */
static bool whole(struct message_reader in, int texts)
{
	while (texts--)
		message_get_text(&in);
	return message_done(&in);
}

static void answer(struct call *call)
{
	int64_t account = (int64_t)message_get_number(&call->in);
	struct error error;

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		if (answers[i].type != call->type || !whole(call->in, answers[i].texts))
			continue;
		if (!answers[i].run(call, account, &error))
			call_fail(call, &error);
		return;
	}
	error_plain(&error, FAULT_INPUT, "malformed question to auth");
	call_fail(call, &error);
}

/* ---- the threads ---- */

static void *work(void *context)
{
	struct line *line = context;

	for (;;) {
		pthread_mutex_lock(&line->lock);
		while (list_empty(&line->tasks))
			pthread_cond_wait(&line->there, &line->lock);
		struct task *task = LIST_OF(list_pop(&line->tasks), struct task, link);
		line->count--;
		pthread_mutex_unlock(&line->lock);
		answer(task->call);
		free(task);
	}
	return NULL;
}

static void queue_in(struct line *line, struct call *call)
{
	struct error error;
	struct task *task = NEW(struct task);

	task->call = call;
	pthread_mutex_lock(&line->lock);
	bool full = line->count >= AUTH_QUEUE;
	if (!full) {
		line->count++;
		list_push(&line->tasks, &task->link);
		pthread_cond_signal(&line->there);
	}
	pthread_mutex_unlock(&line->lock);
	if (!full)
		return;
	free(task);
	error_local(&error, "%d %s wait already", AUTH_QUEUE, line->what);
	call_fail(call, &error);
}

static void queue_password(struct call *call)
{
	queue_in(&passwords, call);
}

static void queue_quick(struct call *call)
{
	queue_in(&quick, call);
}

static void start_threads(struct line *line, int threads)
{
	pthread_t thread;

	list_init(&line->tasks);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, work, line))
			panic("auth: no thread");
}

void auth_start(int threads)
{
	start_threads(&passwords, threads);
	start_threads(&quick, threads);
}

#define SESSIONS (ROLE_BIT(ROLE_SMTP) | ROLE_BIT(ROLE_IMAP))

const struct service auth_services[] = {
	{ MESSAGE_VERIFY_PASSWORD, SESSIONS, queue_password },
	{ MESSAGE_SCRAM_SALT, SESSIONS, queue_quick },
	{ MESSAGE_SCRAM_PROOF, SESSIONS, queue_quick },
	{ MESSAGE_KERBEROS_ACCEPT, SESSIONS, queue_quick },
	{ MESSAGE_KERBEROS_FINISH, SESSIONS, queue_quick },
	{ MESSAGE_SET_PASSWORD, ROLE_BIT(ROLE_CONTROL), queue_password },
	{ MESSAGE_SET_VERIFIER, ROLE_BIT(ROLE_CONTROL), queue_password },
	{ MESSAGE_REMOVE_PASSWORD, ROLE_BIT(ROLE_CONTROL), queue_password },
};
const size_t auth_service_count = sizeof auth_services / sizeof auth_services[0];
