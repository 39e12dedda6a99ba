/* Whole conversations of SMTP: any octets as commands, logins and messages. */
#include "lib/feed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "directory/directory.h"
#include "net/ask.h"
#include "lib/smtp_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct smtp_conf conf = { SMTP_SETTINGS, .max_message = 5000, .max_recipients = 3,
	.command_timeout_ms = 60000, .data_timeout_ms = 60000 };
static const struct listener listener = {
	.name = "fuzz", .protocol = &smtp_protocol, .plain_login = true
};
static char folder[] = "/tmp/hauberk-fuzz-XXXXXX";
static void *worker;

/* In place of the C library's: what is tried here is not the disk. */
int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static void answer_password(struct call *call)
{
	struct message m;

	message_begin(&m, MESSAGE_VERIFY_PASSWORD);
	message_put_number(&m, message_get_number(&call->in) != 0);
	call_reply(call, &m);
	message_free(&m);
}

static void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

static void start_peers(void)
{
	static const struct service services[] = { { MESSAGE_VERIFY_PASSWORD, ROLE_BIT(ROLE_SMTP),
	    answer_password } };
	static struct peers *asking, *authority;
	pthread_t thread;
	int one, two;

	asking = peers_new(ROLE_SMTP, 0, NULL, 0);
	authority = peers_new(ROLE_AUTH, 0, services, 1);
	if (!channel_pair(&one, &two))
		panic("no channel");
	peers_add(asking, ROLE_AUTH, 0, one);
	peers_add(authority, ROLE_SMTP, 0, two);
	pthread_create(&thread, NULL, run, asking);
	pthread_create(&thread, NULL, run, authority);
	ask_init(asking);
}

static void remove_folder(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	if (system(command))
		return;
}

static void set_up(void)
{
	static char directory_path[100];
	char spool_path[100];
	struct directory *dir;
	struct error error;
	int64_t id;

	log_open("fuzz", STDERR_FILENO, LOG_BUG);
	if (!mkdtemp(folder))
		panic("no folder");
	atexit(remove_folder);
	snprintf(directory_path, sizeof directory_path, "%s/directory.db", folder);
	snprintf(spool_path, sizeof spool_path, "%s/spool", folder);
	start_peers();
	if (!directory_open(directory_path, true, &dir, &error) ||
	    !directory_domain_add(dir, SLICE("a"), &id, &error) ||
	    !directory_account_add(dir, SLICE("b"), SLICE("a"), &id, &error) ||
	    !(conf.spool = spool_open(spool_path, 0, peers_new(ROLE_SMTP, 1, NULL, 0), &error)))
		panic("%s", error.why);
	directory_close(dir);
	spool_start(conf.spool);
	conf.directory = directory_path;
	smtp_init(&conf);
	worker = smtp_worker_start(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!worker)
		set_up();
	feed_all(&listener, worker, (slice){ (const char *)data, size });
	return 0;
}
