/* The role imap: IMAP and POP3 over the store. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "directory/quota.h"
#include "imap/imap.h"
#include "mail/charset.h"
#include "main/access_rules.h"
#include "main/role_login.h"
#include "main/role_sessions.h"
#include "main/role_tls.h"
#include "net/ask.h"
#include "pop3/pop3.h"
#include "proc/shared.h"

#define GRACE_MS 5000
#define HANDLES  1000 /* open accounts in the whole process, three descriptors each */
#define IDLE_US                                                                                    \
	2000000 /* a file that was not used for so long is closed: opening costs half a millisecond */

/* What a worker thread owns. */
struct worker {
	struct store *store;
	struct directory *directory; /* NULL: not open yet */
	struct charsets *charsets;
};

static struct listener listeners[2 * CONF_LISTENERS];
static const char *accounts_path, *directory_path;
static size_t handles;
/* One for each worker, opened before the sandbox is locked; those below charsets_taken have an owner. */
static struct charsets **charsets;
static size_t charsets_count_all;
static atomic_size_t charsets_taken;
static struct peers *peers;

static void *worker_start(void *context)
{
	struct worker *w = NEW(struct worker);

	(void)context;
	w->store = store_new(accounts_path, handles);
	size_t mine = atomic_fetch_add(&charsets_taken, 1);
	w->charsets = mine < charsets_count_all ? charsets[mine] : NULL;
	return w;
}

static void worker_stop(void *worker)
{
	struct worker *w = worker;

	store_free(w->store);
	directory_close(w->directory);
	charsets_close(w->charsets);
	free(w);
}

/* Sessions that sleep shall cost next to nothing: the files of their accounts are closed, and what they held goes
 * back to the system. */
static bool worker_tick(void *worker)
{
	struct worker *w = worker;
	struct error error;

	if (!store_sync(w->store, &error))
		log_warn("store.sync", kv_why(&error));
	if (store_trim(w->store, IDLE_US))
		return true;
	directory_close(w->directory);
	w->directory = NULL;
	db_heap_trim();
	malloc_trim(0);
	return false;
}

static struct store *worker_store(void *worker)
{
	return ((struct worker *)worker)->store;
}

static struct charsets *worker_charsets(void *worker)
{
	return ((struct worker *)worker)->charsets;
}

static void charsets_prepare(size_t workers)
{
	charsets = memory_new(workers, sizeof(struct charsets *));
	charsets_count_all = workers;
	for (size_t i = 0; i < workers; i++)
		charsets[i] = charsets_open();
}

static struct directory *worker_directory(struct worker *w, struct error *error)
{
	if (!w->directory && !directory_open(directory_path, false, &w->directory, error))
		return NULL;
	return w->directory;
}

/* An account that went has no quota either: its next command says more. */
static bool worker_quota(void *worker, int64_t id, int64_t *octets_out, struct error *error)
{
	struct directory *directory = worker_directory(worker, error);
	struct account account;

	*octets_out = 0;
	if (!directory)
		return false;
	enum directory_answer answer = directory_find_id(directory, id, &account, error);
	if (answer == DIRECTORY_FOUND)
		*octets_out = account.quota;
	return answer != DIRECTORY_FAILED;
}

static bool worker_may_act(
    void *worker, int64_t account, int64_t other, bool *may_out, struct error *error)
{
	struct directory *directory = worker_directory(worker, error);

	return directory && directory_may_act(directory, account, other, may_out, error);
}

static bool worker_find(
    void *worker, slice name, struct login_account *account_out, struct error *error)
{
	struct directory *directory = worker_directory(worker, error);

	return directory && login_find(directory, name, account_out, error);
}

static enum login_answer worker_login(void *worker, slice name, slice password,
    struct deadline deadline, int64_t *account_out, struct error *error)
{
	struct directory *directory = worker_directory(worker, error);

	return directory ? login_check(directory, name, password, deadline, account_out, error)
			 : LOGIN_FAILED;
}

/* ---- notices ---- */

/* An account that was nearly full: is it still? */
static void tell_quota(struct worker *w, int64_t id)
{
	struct error ignored;
	int64_t quota, used;

	if (quota_used(id) && worker_quota(w, id, &quota, &ignored) &&
	    store_used(w->store, id, &used, &ignored))
		quota_tell(id, quota, used);
}

static void notify(void *worker, const struct store_notice *notice)
{
	uint64_t key = store_watch_key(notice->account, notice->mailbox);
	struct message m;

	tell_quota(worker, notice->account);
	if (!shared_watched(key))
		return;
	role_sessions_notice(key);
	message_begin(&m, MESSAGE_NOTICE);
	message_put_number(&m, (uint64_t)notice->account);
	message_put_number(&m, (uint64_t)notice->mailbox);
	message_put_number(&m, (uint64_t)notice->modseq);
	peers_tell_all(peers, ROLE_IMAP, &m);
	message_free(&m);
}

static void take_notice(struct call *call)
{
	int64_t account = (int64_t)message_get_number(&call->in);
	int64_t mailbox = (int64_t)message_get_number(&call->in);

	message_get_number(&call->in); /* the modseq: whoever is woken looks for itself */
	if (message_done(&call->in))
		role_sessions_notice(store_watch_key(account, mailbox));
	call_end(call);
}

static const struct service services[] = {
	{ MESSAGE_ACCESS, ROLE_BIT(ROLE_CONTROL), access_rules_take },
	{ MESSAGE_NOTICE, ROLE_BIT(ROLE_DELIVER) | ROLE_BIT(ROLE_IMAP), take_notice },
};
static const size_t service_count = sizeof services / sizeof services[0];

/* ---- life ---- */

static bool start_imap(struct role_start *start, struct error *error)
{
	static struct store_host host = { .store = worker_store,
		.login = worker_login,
		.find = worker_find,
		.may_act = worker_may_act,
		.charsets = worker_charsets,
		.quota = worker_quota,
		.notify = notify };
	const struct conf *c = &start->conf;
	struct reactor_config config = { .workers = (int)c->imap_workers,
		.max_sessions = (size_t)c->imap_max_sessions,
		.worker_start = worker_start,
		.worker_stop = worker_stop,
		.worker_tick = worker_tick,
		.first_id = role_first_session(start),
		.handshake_ms = role_handshake_ms(c->imap_login_timeout_ms) };
	struct sandbox sandbox = { 0 };

	ask_init(start->peers);
	peers = start->peers;
	accounts_path = role_path(start, "accounts");
	directory_path = role_path(start, "directory/directory.db");
	handles = (size_t)(HANDLES / c->imap_workers) + 1;
	host.login_timeout_ms = (int)c->imap_login_timeout_ms;
	host.idle_timeout_ms = (int)c->imap_idle_timeout_ms;
	if (!role_login_start(c, error))
		return false;
	host.max_errors = (unsigned)c->imap_max_errors;
	host.max_login_failures = (unsigned)c->imap_max_auth_errors;
	host.compress = c->imap_compress;
	imap_init(&host);
	host.max_errors = (unsigned)c->pop3_max_errors;
	host.max_login_failures = (unsigned)c->pop3_max_auth_errors;
	pop3_init(&host);
	int n = role_listeners(start, "imap", &imap_protocol, listeners);
	n += role_listeners(start, "pop3", &pop3_protocol, listeners + n);
	if (!role_tls_start(start, listeners, n, error))
		return false;
	if (!store_warm_up(error))
		return false;
	charsets_prepare((size_t)config.workers);
	sandbox_imap(&sandbox, accounts_path, role_path(start, "directory"));
	if (!sandbox_lock(&sandbox, error))
		return false;
	access_rules_start(start);
	struct role_sessions sessions = {
		.listeners = listeners, .listener_count = n, .grace_ms = GRACE_MS
	};
	return role_sessions_start(start, &config, &sessions, error);
}

const struct role_program role_imap = { .role = ROLE_IMAP,
	.services = services,
	.service_count = &service_count,
	.start = start_imap,
	.descriptor = role_sessions_descriptor,
	.drain = role_sessions_drain };
