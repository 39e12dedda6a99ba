/* hauberk account import: from a Maildir, mbox files or files of one message each. */
#include "main/account_import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/octet.h"
#include "main/account_mbox.h"

#define ENTRIES_MOST  1000000 /* of one folder */
#define KEYWORDS_FILE (64 * 1024)
#define NAME_MOST     300

/* ---- the caller's folders and files; never through a link ---- */

struct entries {
	char **names;
	size_t n, room;
};

static int by_name(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static bool entries_read(int folder, struct entries *out, struct error *error)
{
	struct dirent *entry;
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	*out = (struct entries){ 0 };
	if (!dir)
		return error_local(error, "cannot list it: %s", strerror(errno));
	while (out->n < ENTRIES_MOST && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (out->n == out->room) {
			out->room = out->room ? 2 * out->room : 64;
			out->names = memory_resize(out->names, out->room * sizeof *out->names);
		}
		out->names[out->n] = memory_new(1, strlen(entry->d_name) + 1);
		memcpy(out->names[out->n++], entry->d_name, strlen(entry->d_name));
	}
	closedir(dir);
	if (out->n)
		qsort(out->names, out->n, sizeof *out->names, by_name);
	return out->n < ENTRIES_MOST ||
	    error_plain(error, FAULT_LIMIT, "it has more than %d entries", ENTRIES_MOST);
}

static void entries_free(struct entries *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->names[i]);
	free(e->names);
}

static bool list_as_caller(int folder, struct entries *out, struct error *error)
{
	account_caller_begin();
	bool ok = entries_read(folder, out, error);
	account_caller_end();
	return ok;
}

static int open_folder(int at, const char *name)
{
	account_caller_begin();
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	account_caller_end();
	return fd;
}

/* A plain file; -1 and why. Its time is that of the message. */
static int open_file(int at, const char *name, struct stat *st, const char **why_out)
{
	account_caller_begin();
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int cause = errno;
	account_caller_end();
	*why_out = cause == ELOOP ? "it is a symbolic link" : strerror(cause);
	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		*why_out = "it is no file";
		close(fd);
		return -1;
	}
	return fd;
}

static int64_t time_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
}

/* ---- one message a file ---- */

static bool import_file(
    struct import *i, int at, const char *name, int64_t flags, struct error *error)
{
	struct error cause;
	struct buf content;
	const char *why;
	struct stat st;
	int fd = open_file(at, name, &st, &why);
	bool ok = true;

	if (fd < 0) {
		import_left_out(i, name, why);
		return true;
	}
	buf_init(&content, FILES_MESSAGE_MAX);
	if (st.st_size > (off_t)FILES_MESSAGE_MAX)
		import_left_out(i, name, "it is larger than a message may be (256 MB)");
	else if (!file_read_fd(fd, name, &content, &cause))
		import_left_out(i, name, cause.why);
	else if (content.n == 0)
		import_left_out(i, name, "it is empty");
	else
		ok = import_message(i, buf_slice(&content), time_of(&st), flags, error);
	buf_free(&content);
	close(fd);
	return ok;
}

/* Lines of a number and a keyword: what the letters a to z mean. Most folders have none. */
static void read_keywords(struct import *i, int folder, int *keywords)
{
	struct error ignored;
	struct buf text;
	const char *why;
	struct stat st;
	int fd = open_file(folder, FILES_KEYWORD_FILE, &st, &why);

	for (int k = 0; k < FILES_KEYWORDS; k++)
		keywords[k] = -1;
	buf_init(&text, KEYWORDS_FILE);
	if (fd >= 0 && file_read_fd(fd, FILES_KEYWORD_FILE, &text, &ignored))
		for (slice rest = buf_slice(&text); rest.n;) {
			slice line = slice_head(rest, slice_find(rest, '\n'));
			size_t blank = slice_find(line, ' ');
			uint64_t letter;

			rest = slice_from(rest, line.n + 1);
			if (!slice_number(slice_head(line, blank), FILES_KEYWORDS - 1, &letter))
				continue;
			int64_t flag = import_keyword(i, slice_trim(slice_from(line, blank + 1)));
			keywords[letter] = flag ? __builtin_ctzll((uint64_t)flag) : -1;
		}
	buf_free(&text);
	if (fd >= 0)
		close(fd);
}

/* ---- mailboxes ---- */

/* The mailbox that a name below the source becomes: below the one that was asked for. */
static bool begin_mailbox(struct import *i, slice name, const char *shown, struct error *error)
{
	struct buf full;
	struct error cause;

	buf_init(&full, STORE_MAILBOX_MAX + 1);
	buf_add(&full, i->base);
	if (!slice_eq_nocase(name, SLICE("INBOX")) || i->base.n == 0) {
		buf_adds(&full, i->base.n ? "/" : "");
		buf_add(&full, name);
	}
	bool ok = import_begin(i, buf_slice(&full), &cause);
	buf_free(&full);
	if (ok)
		return true;
	import_left_out(i, shown, cause.why);
	/* A name that cannot be is the file's fault, and the others are taken. */
	*error = cause;
	return false;
}

static bool begin_named(struct import *i, slice file, const char *shown, struct error *error)
{
	struct buf name;

	buf_init(&name, STORE_MAILBOX_MAX);
	bool ok = files_name_read(file, &name);
	if (ok)
		ok = begin_mailbox(i, buf_slice(&name), shown, error);
	else {
		error_input(error, "no mailbox can have this name");
		import_left_out(i, shown, error->why);
	}
	buf_free(&name);
	return ok;
}

/* ---- Maildir ---- */

static slice maildir_letters(const char *name)
{
	const char *info = strstr(name, ":2,");

	return info ? slice_of(info + 3) : SLICE("");
}

/* new or cur */
static bool import_part(
    struct import *i, int folder, const char *part, const int *keywords, struct error *error)
{
	struct entries entries;
	int fd = open_folder(folder, part);
	bool ok = true;

	if (fd < 0) {
		import_left_out(i, part, strerror(errno));
		return true;
	}
	ok = list_as_caller(fd, &entries, error);
	for (size_t k = 0; ok && k < entries.n; k++)
		if (entries.names[k][0] != '.')
			ok = import_file(i, fd, entries.names[k],
			    files_letters_read(maildir_letters(entries.names[k]), keywords), error);
	entries_free(&entries);
	close(fd);
	return ok;
}

static bool import_maildir_folder(struct import *i, int folder, struct error *error)
{
	int keywords[FILES_KEYWORDS];

	read_keywords(i, folder, keywords);
	return import_part(i, folder, "cur", keywords, error) &&
	    import_part(i, folder, "new", keywords, error) && import_end(i, error);
}

static bool import_subfolder(struct import *i, int root, const char *name, struct error *error)
{
	int folder = open_folder(root, name);
	struct stat st;
	bool ok = true;

	if (folder < 0 && errno == ENOTDIR &&
	    (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode)))
		return true; /* a file of the program that wrote the Maildir */
	if (folder < 0)
		import_left_out(
		    i, name, errno == ENOTDIR ? "it is a symbolic link" : strerror(errno));
	else if (begin_named(i, slice_of(name + 1), name, error))
		ok = import_maildir_folder(i, folder, error);
	else
		ok = error->fault == FAULT_INPUT;
	if (folder >= 0)
		close(folder);
	return ok;
}

static bool import_maildir(struct import *i, int root, struct error *error)
{
	struct entries entries;

	if (!begin_mailbox(i, SLICE("INBOX"), "INBOX", error) ||
	    !import_maildir_folder(i, root, error))
		return false;
	bool ok = list_as_caller(root, &entries, error);
	for (size_t k = 0; ok && k < entries.n; k++)
		if (entries.names[k][0] == '.')
			ok = import_subfolder(i, root, entries.names[k], error);
	entries_free(&entries);
	return ok;
}

/* ---- files of one message ---- */

/* "0000000012.FS.eml": the letters between the dots. */
static slice eml_letters(slice name)
{
	slice rest = slice_from(name, slice_find(name, '.') + 1);
	slice letters = slice_head(rest, slice_find(rest, '.'));

	for (size_t k = 0; k < name.n && name.p[k] != '.'; k++)
		if (!octet_is(name.p[k], OCTET_DIGIT))
			return SLICE("");
	for (size_t k = 0; k < letters.n; k++)
		if (!octet_is(letters.p[k], OCTET_ALPHA))
			return SLICE("");
	return slice_eq_nocase(slice_from(rest, letters.n), SLICE(".eml")) ? letters : SLICE("");
}

static bool is_eml(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && slice_eq_nocase(slice_of(name + n - 4), SLICE(".eml"));
}

static bool import_eml_folder(struct import *i, int folder, struct error *error)
{
	int keywords[FILES_KEYWORDS];
	struct entries entries;

	read_keywords(i, folder, keywords);
	bool ok = list_as_caller(folder, &entries, error);
	for (size_t k = 0; ok && k < entries.n; k++)
		if (is_eml(entries.names[k]))
			ok = import_file(i, folder, entries.names[k],
			    files_letters_read(eml_letters(slice_of(entries.names[k])), keywords),
			    error);
	entries_free(&entries);
	return ok && import_end(i, error);
}

static bool import_eml(struct import *i, int root, struct error *error)
{
	struct entries entries;

	if (!begin_mailbox(i, SLICE("INBOX"), "INBOX", error) || !import_eml_folder(i, root, error))
		return false;
	bool ok = list_as_caller(root, &entries, error);
	for (size_t k = 0; ok && k < entries.n; k++) {
		const char *name = entries.names[k];
		int folder = is_eml(name) || name[0] == '.' ? -1 : open_folder(root, name);

		if (folder < 0)
			continue;
		if (begin_named(i, slice_of(name), name, error))
			ok = import_eml_folder(i, folder, error);
		else
			ok = error->fault == FAULT_INPUT;
		close(folder);
	}
	entries_free(&entries);
	return ok;
}

/* ---- mbox ---- */

static int64_t mbox_keywords(struct import *i, slice names)
{
	int64_t flags = 0;

	while (names.n) {
		slice name = slice_head(names, slice_find(names, ' '));

		flags |= import_keyword(i, name);
		names = slice_from(names, name.n + 1);
	}
	return flags;
}

static bool import_mbox_messages(
    struct import *i, struct mbox *mbox, const char *name, struct error *error)
{
	struct mbox_message m = { 0 };
	struct error cause;
	bool ok = true;

	buf_init(&m.text, FILES_MESSAGE_MAX);
	buf_init(&m.keywords, KEYWORDS_FILE);
	while (ok && mbox_next(mbox, &m, &cause)) {
		char where[NAME_MOST];

		snprintf(where, sizeof where, "%.200s, message at octet %llu", name,
		    (unsigned long long)m.offset);
		if (m.too_large)
			import_left_out(i, where, "it is larger than a message may be (256 MB)");
		else if (m.text.n == 0)
			import_left_out(i, where, "it is empty");
		else
			ok = import_message(i, buf_slice(&m.text), m.received_us,
			    m.flags | mbox_keywords(i, buf_slice(&m.keywords)), error);
	}
	if (ok && cause.fault != FAULT_NONE)
		import_left_out(i, name, cause.why);
	buf_free(&m.text);
	buf_free(&m.keywords);
	return ok && import_end(i, error);
}

static bool import_mbox_fd(struct import *i, int fd, const char *name, struct error *error)
{
	struct mbox mbox;

	mbox_open(&mbox, fd);
	bool ok = import_mbox_messages(i, &mbox, name, error);
	mbox_close(&mbox);
	return ok;
}

static bool is_mbox(const char *name)
{
	return slice_ends(slice_of(name), SLICE(".mbox")) && name[0] != '.';
}

static bool import_mbox_folder(struct import *i, int root, struct error *error)
{
	struct entries entries;
	bool ok = list_as_caller(root, &entries, error);

	for (size_t k = 0; ok && k < entries.n; k++) {
		const char *name = entries.names[k], *why;
		struct stat st;
		int fd = is_mbox(name) ? open_file(root, name, &st, &why) : -1;

		if (fd < 0) {
			if (is_mbox(name))
				import_left_out(i, name, why);
			continue;
		}
		if (begin_named(i, slice_head(slice_of(name), strlen(name) - 5), name, error))
			ok = import_mbox_fd(i, fd, name, error);
		else
			ok = error->fault == FAULT_INPUT;
		close(fd);
	}
	entries_free(&entries);
	return ok;
}

/* ---- all of it ---- */

static bool has_mbox(int root)
{
	struct entries entries;
	struct error ignored;
	bool found = false, ok = list_as_caller(root, &entries, &ignored);

	for (size_t k = 0; ok && k < entries.n; k++)
		found |= is_mbox(entries.names[k]);
	entries_free(&entries);
	return found;
}

static enum files_format guess(int root, bool folder)
{
	int cur = folder ? open_folder(root, "cur") : -1;

	if (cur >= 0)
		close(cur);
	return cur >= 0 ? FILES_MAILDIR : !folder || has_mbox(root) ? FILES_MBOX : FILES_EML;
}

static bool import_from(
    struct import *i, int root, bool folder, enum files_format format, struct error *error)
{
	if (format == FILES_UNKNOWN)
		format = guess(root, folder);
	if (!folder && format != FILES_MBOX)
		return error_input(error, "it is a file; a folder is wanted");
	if (format == FILES_MAILDIR)
		return import_maildir(i, root, error);
	if (format == FILES_EML)
		return import_eml(i, root, error);
	if (folder)
		return import_mbox_folder(i, root, error);
	return begin_mailbox(i, SLICE("INBOX"), "INBOX", error) &&
	    import_mbox_fd(i, root, "the file", error);
}

static int import_account(struct import *i, const char *from, enum files_format format)
{
	struct error error = { 0 };
	struct stat st;

	account_caller_begin();
	int root = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	account_caller_end();
	if (root < 0 || fstat(root, &st) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
		fprintf(stderr, "hauberk account import: %s: %s\n", from,
		    root < 0 ? strerror(errno) : "neither a file nor a folder");
		if (root >= 0)
			close(root);
		return 2;
	}
	buf_init(&i->old, (size_t)1 << 31);
	i->progress.word = "imported";
	bool ok = import_from(i, root, S_ISDIR(st.st_mode), format, &error);
	progress_end(&i->progress);
	close(root);
	buf_free(&i->old);
	map_free(&i->held);
	arena_free(i->arena);
	if (!ok)
		fprintf(stderr,
		    "hauberk account import: %s; what is said below is stored, run it again for the rest\n",
		    error.why);
	printf("%llu messages imported, %llu were there already, %llu left out\n",
	    (unsigned long long)i->progress.done, (unsigned long long)i->there,
	    (unsigned long long)i->left_out);
	return ok ? i->left_out > 0 : 2;
}

int account_import(int argc, char **argv, const char *conf_path)
{
	static struct import i;
	const char *from = NULL, *format = NULL, *mailbox = NULL;

	if (!command_option(&argc, argv, "--from", &from) ||
	    !command_option(&argc, argv, "--format", &format) ||
	    !command_option(&argc, argv, "--mailbox", &mailbox) || argc != 3 || !from)
		return command_wrong(
		    &command_account, "import wants an address and --from PATH", NULL);
	enum files_format wanted = format ? files_format_of(format) : FILES_UNKNOWN;
	if (format && wanted == FILES_UNKNOWN)
		return command_wrong(&command_account, "there is no such format", format);
	if (!account_store_open(conf_path, argv[2], &i.at))
		return 2;
	i.account = i.at.accounts[0].id;
	i.base = slice_of(mailbox);
	int status = import_account(&i, from, wanted);
	account_store_close(&i.at);
	return status;
}
