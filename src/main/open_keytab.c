#include "main/open_keytab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "main/open.h"
#include "vault/keytab.h"

static void warn(void *path, const char *text)
{
	log_warn("keytab.warning", kv_str("file", path), kv_str("why", text));
}

static void warn_readable(const char *path, const struct stat *st)
{
	if (st->st_mode & 077)
		log_warn("keytab.warning", kv_str("file", path),
		    kv_str("why",
			"others than its owner can read it, and so pose as this server: chmod 600"));
}

static bool check(const struct conf *conf, slice content, struct error *error)
{
	struct arena *arena = arena_new(KEYTAB_MEMORY);
	struct keytab keytab;
	bool ok = keytab_read(content, arena, &keytab, error);

	if (ok)
		keytab_warn(&keytab, keytab_rc4_of(conf->kerberos_rc4), warn,
		    (void *)conf->kerberos_keytab);
	arena_free(arena);
	return ok;
}

/* Of the same descriptor, so that what is checked is what is kept. */
static bool read_it(
    const struct conf *conf, struct buf *content, struct stat *st, struct error *error)
{
	const char *path = conf->kerberos_keytab;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct error why;

	if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		error_local(error, "kerberos.keytab: cannot read %s: %s", path,
		    fd < 0 ? strerror(errno) : "it is no file");
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool ok = file_read_fd(fd, path, content, &why) && check(conf, buf_slice(content), &why);
	close(fd);
	if (!ok)
		return error_local(error, "kerberos.keytab: %s: %s", path, why.why);
	warn_readable(path, st);
	return true;
}

bool open_keytab(const struct conf *conf, struct open_keytab *out, struct error *error)
{
	struct buf content;

	*out = (struct open_keytab){ .fd = -1 };
	buf_init(&content, KEYTAB_MOST);
	buf_room(
	    &content, KEYTAB_MOST); /* at once: growing would leave keys in memory given back */
	bool ok = !conf->kerberos_keytab[0] || read_it(conf, &content, &out->file, error);
	if (ok)
		out->fd = open_sealed(buf_slice(&content), "keytab", error);
	explicit_bzero(content.p, content.n);
	buf_free(&content);
	return out->fd >= 0;
}

bool open_keytab_changed(const struct conf *conf, const struct open_keytab *k)
{
	struct stat st;

	if (!conf->kerberos_keytab[0] || stat(conf->kerberos_keytab, &st) < 0)
		return false;
	return st.st_ino != k->file.st_ino || st.st_dev != k->file.st_dev ||
	    st.st_size != k->file.st_size || st.st_mtim.tv_sec != k->file.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != k->file.st_mtim.tv_nsec;
}

void open_keytab_close(struct open_keytab *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}
