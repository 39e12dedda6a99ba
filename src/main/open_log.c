#include "main/open_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"
/* A journal that takes nothing costs its lines, not the mail. */
#define JOURNAL_PATIENCE_MS 100

/* Neither a pipe nor a device: waiting for one would stop the mail. */
static int open_file(const char *path, struct error *error)
{
	struct stat st;
	int fd =
	    open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	error_local(error, "cannot write the log file %.300s: %s", path,
	    fd < 0 ? strerror(errno) : "it is not a plain file");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_journal(struct error *error)
{
	const char *other = getenv("HAUBERK_JOURNAL"), *path = other ? other : JOURNAL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_usec = JOURNAL_PATIENCE_MS * 1000 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	error_local(error, "cannot reach the journal at %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool open_log(const struct conf *conf, struct open_log *out, struct error *error)
{
	struct open_log next = { log_target_find(slice_of(conf->log_target)), -1 };

	if (next.target == LOG_FILE)
		next.fd = open_file(conf->log_file, error);
	else if (next.target == LOG_JOURNAL)
		next.fd = open_journal(error);
	if (next.target != LOG_STDERR && next.fd < 0)
		return false;
	if (!log_set_target(next.target, next.fd)) {
		error_local(error, "cannot keep the log open: %s", strerror(errno));
		if (next.fd >= 0)
			close(next.fd);
		return false;
	}
	*out = next;
	return true;
}

#define PREFIX "log "

bool open_log_take(const char *name, int fd)
{
	enum log_target target;

	if (!slice_starts(slice_of(name), SLICE(PREFIX)))
		return false;
	target = log_target_find(slice_from(slice_of(name), sizeof PREFIX - 1));
	if (target != LOG_TARGETS && !log_set_target(target, fd))
		log_warn("log.kept", kv_str("why", strerror(errno)));
	return true;
}
