#include "lib/store_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/feed.h"

static char folder[] = "/tmp/hauberk-fuzz-XXXXXX";
static struct store *store;

/* In place of the C library's: what is tried here is not the disk. */
int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static struct store *host_store(void *worker)
{
	return worker;
}

static enum login_answer host_login(void *worker, slice name, slice password,
    struct deadline deadline, int64_t *account_out, struct error *error)
{
	(void)worker;
	(void)password;
	(void)deadline;
	(void)error;
	*account_out = 1;
	return slice_eq(name, SLICE("a")) ? LOGIN_RIGHT : LOGIN_WRONG;
}

static bool host_find(
    void *worker, slice name, struct login_account *account_out, struct error *error)
{
	(void)worker;
	(void)name;
	(void)error;
	*account_out = (struct login_account){ 0 };
	return true;
}

static void host_notify(void *worker, const struct store_notice *notice)
{
	(void)worker;
	(void)notice;
}

static void remove_folder(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	if (system(command))
		return;
}

static void deliver(const char *content)
{
	struct store_message message = {
		.segment = STORE_NO_SEGMENT, .mailbox = SLICE("INBOX"), .content = slice_of(content)
	};
	struct store_result result;
	struct store_notice notice;
	struct error error;
	size_t count;

	if (!store_deliver(store, 1, &message, 1, 0, &result, &notice, &count, &error))
		panic("%s", error.why);
}

static void set_up(void (*init)(const struct store_host *host))
{
	static const struct store_host host = { .store = host_store,
		.login = host_login,
		.find = host_find,
		.notify = host_notify,
		.login_timeout_ms = 60000,
		.idle_timeout_ms = 60000,
		.max_errors = 20,
		.max_login_failures = 3,
		.compress = true };

	log_open("fuzz", STDERR_FILENO, LOG_BUG);
	if (!mkdtemp(folder))
		panic("no folder");
	atexit(remove_folder);
	init(&host);
	store = store_new(folder, 4);
	deliver("From: a@b\r\nSubject: one\r\n\r\n.dot\r\nlast");
	deliver(
	    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--\r\n");
}

void store_feed(
    void (*init)(const struct store_host *), const struct protocol *protocol, slice input)
{
	struct listener listener = { .name = "fuzz", .protocol = protocol, .plain_login = true };

	if (!store)
		set_up(init);
	feed_all(&listener, store, input);
}
