#include "main/open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

static socklen_t listener_address(const struct conf_listener *l, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (void *)out;
	struct sockaddr_in6 *in6 = (void *)out;

	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, l->address, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)l->port);
		return sizeof *in4;
	}
	inet_pton(AF_INET6, l->address, &in6->sin6_addr);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)l->port);
	return sizeof *in6;
}

int open_listener(const struct conf_listener *l, struct error *error)
{
	struct sockaddr_storage address;
	socklen_t length = listener_address(l, &address);
	int on = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd >= 0 && address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 1024) < 0) {
		error_local(error, "cannot listen on %s port %lld (%s): %s", l->address,
		    (long long)l->port, l->protocol, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int open_control(const struct conf *conf, const struct users *users, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", conf->run_dir);
	/* The state's lock is ours, so whoever made an older socket here is gone. */
	unlink(address.sun_path);
	mode_t before = umask(0117);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
	    listen(fd, 64) == 0;
	umask(before);
	ok = ok && (!users->separate || lchown(address.sun_path, 0, users->admin) == 0);
	if (ok)
		return fd;
	error_local(error, "cannot make the socket %s: %s", address.sun_path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int open_sealed(slice content, const char *name, struct error *error)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && file_write_all(fd, content, error) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	error_local(error, "cannot keep the %s in memory: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A folder with its owner and mode, also where it is there already from an earlier start. Its parent is
 * ours, so nobody can put a link in its place. */
static bool make_owned(
    const char *path, unsigned mode, bool separate, uid_t uid, gid_t gid, struct error *error)
{
	if (!folder_make(path, mode & 0777, error))
		return false;
	if (!separate)
		return true;
	if (lchown(path, uid, gid) < 0 || chmod(path, (mode_t)mode) < 0)
		return error_local(error, "cannot give %s its owner: %s", path, strerror(errno));
	return true;
}

bool open_state(
    const struct conf *conf, const struct users *users, int smtp_processes, struct error *error)
{
	uid_t control = users->roles[ROLE_CONTROL].uid, auth = users->roles[ROLE_AUTH].uid;
	uid_t smtp = users->roles[ROLE_SMTP].uid;
	const struct {
		const char *name;
		unsigned mode; /* setgid: what is made there belongs to the group */
		uid_t uid;
		gid_t gid;
	} folders[] = {
		{ "", 0755, 0, 0 },
		{ "/directory", 02750, control, users->directory },
		{ "/auth", 0700, auth, users->roles[ROLE_AUTH].gid },
		{ "/spool", 0750, 0, users->spool },
		{ "/accounts", 02770, 0, users->mail },
		{ "/trace", 02770, 0, users->trace },
	};
	char path[4096];

	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		snprintf(path, sizeof path, "%s%s", conf->state_dir, folders[i].name);
		if (!make_owned(path, folders[i].mode, users->separate, folders[i].uid,
			folders[i].gid, error))
			return false;
	}
	for (int i = 0; i < smtp_processes; i++) {
		snprintf(path, sizeof path, "%s/spool/%d", conf->state_dir, i);
		if (!make_owned(path, 02770, users->separate, smtp, users->spool, error))
			return false;
	}
	return make_owned(conf->run_dir, 0750, users->separate, 0, users->admin, error);
}

bool open_lock(const struct conf *conf, struct error *error)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/lock", conf->state_dir);
	/* Kept open, and the lock with it, until the process ends. */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_local(error, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return error_local(error, "another server uses %s: it holds the lock on %s",
		    conf->state_dir, path);
	}
	return true;
}
