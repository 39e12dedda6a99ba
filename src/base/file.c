#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_read_fd(int fd, const char *name, struct buf *out, struct error *error)
{
	off_t at = 0;

	buf_clear(out);
	for (;;) {
		size_t left = out->max - out->n;
		char *room = buf_room(out, left < 65536 ? left : 65536);
		ssize_t n = pread(fd, room, left < 65536 ? left : 65536, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_local(error, "cannot read %s: %s", name, strerror(errno));
		if (n == 0 && left)
			return true;
		if (n == 0)
			return pread(fd, &(char){ 0 }, 1, at) == 0 ||
			    error_local(error, "%s is larger than %zu octets", name, out->max);
		buf_grow(out, (size_t)n);
		at += n;
	}
}

bool file_read(const char *path, struct buf *out, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_local(error, "cannot open %s: %s", path, strerror(errno));
	bool ok = file_read_fd(fd, path, out, error);
	close(fd);
	return ok;
}

bool file_write_all(int fd, slice data, struct error *error)
{
	while (data.n) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_local(error, "cannot write: %s", strerror(errno));
		data = slice_from(data, (size_t)n);
	}
	return true;
}

bool folder_sync(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_local(error, "cannot open folder %s: %s", path, strerror(errno));
	bool ok = fsync(fd) == 0;
	if (!ok)
		error_local(error, "cannot sync folder %s: %s", path, strerror(errno));
	close(fd);
	return ok;
}

bool folder_make(const char *path, unsigned mode, struct error *error)
{
	if (mkdir(path, (mode_t)mode) < 0 && errno != EEXIST)
		return error_local(error, "cannot make folder %s: %s", path, strerror(errno));
	return true;
}

static bool write_beside(const char *path, slice data, unsigned mode, struct error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);

	if (fd < 0)
		return error_local(error, "cannot create %s: %s", path, strerror(errno));
	bool ok = file_write_all(fd, data, error);
	if (ok && fsync(fd) < 0)
		ok = error_local(error, "cannot sync %s: %s", path, strerror(errno));
	close(fd);
	return ok;
}

bool file_replace(const char *path, slice data, unsigned mode, struct error *error)
{
	char beside[4096], folder[4096];
	const char *slash = strrchr(path, '/');
	int n = snprintf(beside, sizeof beside, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof beside)
		return error_local(error, "path too long: %.80s...", path);
	snprintf(
	    folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	if (!write_beside(beside, data, mode, error))
		return false;
	if (rename(beside, path) < 0)
		return error_local(error, "cannot rename %s: %s", beside, strerror(errno));
	return folder_sync(folder[0] ? folder : "/", error);
}
