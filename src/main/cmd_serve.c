/* hauberk serve: opens what is needed, then supervises the roles. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "main/command.h"
#include "main/open.h"
#include "main/supervisor.h"
#include "proc/sandbox.h"
#include "proc/shared.h"
#include "proc/stats.h"

static bool open_all(const struct conf *conf, struct supervised *what, struct error *error)
{
	int smtp = supervise_processes(conf->smtp_processes);

	if (!open_state(conf, &what->users, smtp, error) || !open_lock(conf, error))
		return false;
	if (!open_tls(conf, what->key_number, &what->tls, error) ||
	    !open_keytab(conf, &what->keytab, error) || !tickets_open(&what->tickets, error))
		return false;
	for (int i = 0; i < conf->listener_count; i++)
		if ((what->listener_fds[i] = open_listener(&conf->listeners[i], error)) < 0)
			return false;
	what->stats_fd = stats_create();
	what->shared_fd = shared_create();
	if (what->stats_fd < 0 || what->shared_fd < 0)
		return error_local(error, "no shared memory for the counters");
	what->control_fd = open_control(conf, &what->users, error);
	return what->control_fd >= 0;
}

/* As many descriptors as the system allows: sessions and account files need them. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void warn(void *context, const char *text)
{
	(void)context;
	log_warn("conf.warning", kv_str("why", text));
}

static int run(int argc, char **argv)
{
	struct conf conf;
	struct conf_origin origin;
	struct supervised what;
	struct error error;
	const char *path;
	bool as_user = false;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_serve, "-c wants a file", NULL);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--as-user") != 0)
			return command_wrong(&command_serve, "there is no such word", argv[i]);
		as_user = true;
	}
	if (as_user && geteuid() == 0)
		return command_wrong(
		    &command_serve, "--as-user is for users that are not root", NULL);
	if (!as_user && geteuid() != 0)
		return command_wrong(
		    &command_serve, "not root: say --as-user to run all roles as you", NULL);
	if (!command_conf(path, &conf, &origin))
		return 1;
	log_open("main", STDERR_FILENO,
	    strcmp(conf.log_level, "debug") == 0      ? LOG_DEBUG
		: strcmp(conf.log_level, "warn") == 0 ? LOG_WARN
						      : LOG_INFO);
	raise_limits();
	what = (struct supervised){ .conf = &conf, .conf_path = path, .control_fd = -1 };
	if (!open_log(&conf, &what.log, &error)) {
		fprintf(stderr, "hauberk serve: %s\n", error.why);
		return 1;
	}
	conf_warn(&conf, &origin, path, warn, NULL);
	/* main keeps the private key for a role keys to come. */
	if (!sandbox_hide(&error) || !users_find(!as_user, &what.users, &error) ||
	    !open_all(&conf, &what, &error)) {
		fprintf(stderr, "hauberk serve: %s\n", error.why);
		return 1;
	}
	return supervise(&what);
}

const struct command command_serve = { "serve", "run the server in the foreground",
	"usage: hauberk serve [--as-user] [-c FILE]\n"
	"\n"
	"Started by root, each role runs as a user of its own, hauberk-smtp and so on.\n"
	"  --as-user   not root: every role runs as the user who starts it, on ports above 1023\n"
	"\n"
	"SIGTERM or Ctrl-C drains: nothing new is accepted, what was begun is finished.\n",
	run };
