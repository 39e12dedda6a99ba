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

const char *open_keytab_path(const struct conf *conf, int i, struct arena *arena)
{
	slice rest = slice_of(conf->kerberos_keytab);

	for (; i > 0; i--)
		rest = slice_from(rest, slice_find(rest, '\n') + 1);
	return rest.n ? arena_str(arena, slice_head(rest, slice_find(rest, '\n'))) : NULL;
}

/* Of the same descriptor, so that what is checked is what is kept. Its keys go behind those of the files before:
 * together they are one keytab. */
static bool read_one(const char *path, struct arena *arena, struct buf *one, struct buf *all,
    struct stat *st, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct keytab keytab;
	struct error why;

	if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		error_local(error, "kerberos.keytab: cannot read %s: %s", path,
		    fd < 0 ? strerror(errno) : "it is no file");
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool ok =
	    file_read_fd(fd, path, one, &why) && keytab_read(buf_slice(one), arena, &keytab, &why);
	close(fd);
	if (!ok)
		return error_local(error, "kerberos.keytab: %s: %s", path, why.why);
	/* 05 02 stands once, at the begin of all. */
	buf_add(all, slice_from(slice_head(buf_slice(one), keytab.end), all->n ? 2 : 0));
	warn_readable(path, st);
	return !all->full ||
	    error_local(error, "kerberos.keytab: the files have more than %u octets", KEYTAB_MOST);
}

static bool read_all(const struct conf *conf, struct buf *one, struct buf *all,
    struct open_keytab *out, struct error *error)
{
	struct arena *arena = arena_new((KEYTAB_FILES + 2) * KEYTAB_MEMORY);
	struct keytab keytab;
	const char *path;
	bool ok = true;

	for (int i = 0; ok && (path = open_keytab_path(conf, i, arena)); i++)
		ok = i < KEYTAB_FILES
		    ? read_one(path, arena, one, all, &out->files[i], error)
		    : error_local(error, "kerberos.keytab: more than %d files", KEYTAB_FILES);
	if (ok && all->n) {
		ok = keytab_read(buf_slice(all), arena, &keytab, error);
		if (ok)
			keytab_warn(&keytab, keytab_rc4_of(conf->kerberos_rc4), warn,
			    (void *)open_keytab_path(conf, 0, arena));
	}
	arena_free(arena);
	return ok;
}

/* All its room at once: growing would leave keys in memory given back. */
static void begin_secret(struct buf *b)
{
	buf_init(b, KEYTAB_MOST);
	buf_room(b, KEYTAB_MOST);
}

static void end_secret(struct buf *b)
{
	explicit_bzero(b->p, b->cap);
	buf_free(b);
}

bool open_keytab(const struct conf *conf, struct open_keytab *out, struct error *error)
{
	struct buf one, all;

	*out = (struct open_keytab){ .fd = -1 };
	begin_secret(&one);
	begin_secret(&all);
	if (read_all(conf, &one, &all, out, error))
		out->fd = open_sealed(buf_slice(&all), "keytab", error);
	end_secret(&one);
	end_secret(&all);
	return out->fd >= 0;
}

void open_keytab_seen(
    const struct conf *conf, struct open_keytab *k, const struct open_keytab *failed)
{
	struct arena *arena = arena_new(1 << 18);
	const char *path;

	for (int i = 0; i < KEYTAB_FILES && (path = open_keytab_path(conf, i, arena)); i++) {
		k->files[i] = failed->files[i];
		if (k->files[i].st_ino == 0)
			stat(path, &k->files[i]);
	}
	arena_free(arena);
}

static bool differs(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
	    a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

bool open_keytab_changed(const struct conf *conf, const struct open_keytab *k)
{
	struct arena *arena = arena_new(1 << 18);
	bool changed = false;
	const char *path;
	struct stat st;

	for (int i = 0; i < KEYTAB_FILES && (path = open_keytab_path(conf, i, arena)); i++)
		changed |= stat(path, &st) == 0 && differs(&st, &k->files[i]);
	arena_free(arena);
	return changed;
}

void open_keytab_close(struct open_keytab *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}
