/* hauberk account export: mailboxes of an account as Maildir, mbox or files of one message each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "main/account_files.h"
#include "main/account_progress.h"
#include "main/account_store.h"

#define ROWS_AT_ONCE 500
#define CONTENT_MAX  ((size_t)1 << 31)
#define NAMES_MEMORY ((size_t)256 << 20)
#define ROWS_MEMORY  ((size_t)4 << 20)

struct export
{
	struct account_store at;
	int64_t account;
	enum files_format format;
	int root; /* the folder that is filled */
	const char *to;
	slice *keyword_names;
	int keywords[FILES_KEYWORDS]; /* bit of each letter */
	struct progress progress;
	/* the mailbox */
	int folder; /* or the mbox file */
	slice name;
	struct buf content, text;
	uint64_t left_out;
};

/* ---- files: as the caller ---- */

static int make_folder(int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool write_file(
    int at, const char *name, slice content, int64_t when_us, struct error *error)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
		{ .tv_sec = when_us / 1000000, .tv_nsec = when_us % 1000000 * 1000 } };
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && file_write_all(fd, content, error) && futimens(fd, times) == 0;

	if (fd >= 0)
		close(fd);
	return ok || error_local(error, "cannot write %s: %s", name, strerror(errno));
}

static bool write_keywords(struct export *e, int at, struct error *error)
{
	struct buf out;
	bool ok = true;

	buf_init(&out, 1 << 16);
	for (int i = 0; i < FILES_KEYWORDS && e->keywords[i] >= 0; i++)
		buf_addf(&out, "%d %.*s\n", i, SLICE_ARG(e->keyword_names[e->keywords[i]]));
	if (out.n)
		ok = write_file(at, FILES_KEYWORD_FILE, buf_slice(&out), clock_wall_us(), error);
	buf_free(&out);
	return ok;
}

/* ---- one message ---- */

static bool write_maildir(struct export *e, const struct store_row *row, struct error *error)
{
	char begin[100];
	struct buf name;

	buf_init(&name, 300);
	snprintf(begin, sizeof begin, "tmp/%lld.U%u.hauberk",
	    (long long)(row->received_us / 1000000), row->uid);
	buf_addf(&name, "cur/%s:2,", begin + 4);
	files_letters_write(row->flags, e->keywords, &name);
	bool ok = write_file(e->folder, begin, buf_slice(&e->content), row->received_us, error) &&
	    (renameat(e->folder, begin, e->folder, name.p) == 0 ||
		error_local(error, "cannot rename %s: %s", begin, strerror(errno)));
	buf_free(&name);
	return ok;
}

static bool write_eml(struct export *e, const struct store_row *row, struct error *error)
{
	struct buf name;

	buf_init(&name, 300);
	buf_addf(&name, "%010u.", row->uid);
	files_letters_write(row->flags, e->keywords, &name);
	buf_adds(&name, ".eml");
	bool ok = write_file(e->folder, name.p, buf_slice(&e->content), row->received_us, error);
	buf_free(&name);
	return ok;
}

/* Lines that a reader takes for its own; ours stand first, so that those of the message are left alone. */
static void add_status(const struct export *e, const struct store_row *row, struct buf *out)
{
	buf_addf(out,
	    "Status: %sO\nX-Status: %s%s%s%s\nX-Keywords:", row->flags & STORE_SEEN ? "R" : "",
	    row->flags & STORE_ANSWERED ? "A" : "", row->flags & STORE_FLAGGED ? "F" : "",
	    row->flags & STORE_DELETED ? "D" : "", row->flags & STORE_DRAFT ? "T" : "");
	for (int bit = STORE_KEYWORD_FIRST; bit <= STORE_KEYWORD_LAST; bit++)
		if (row->flags >> bit & 1 && e->keyword_names[bit].n)
			buf_addf(out, " %.*s", SLICE_ARG(e->keyword_names[bit]));
	buf_addf(out, "\nX-Hauberk-End: %s\n",
	    slice_ends(buf_slice(&e->content), SLICE("\r\n")) ? "line" : "open");
}

/* mboxrd: every line that begins with any number of ">" and "From " gets one more. */
static void add_quoted(slice content, struct buf *out)
{
	while (content.n) {
		size_t end = slice_find(content, '\n'), marks = 0;
		slice line = slice_head(content, end);

		content = slice_from(content, end + 1);
		while (marks < line.n && line.p[marks] == '>')
			marks++;
		if (slice_starts(slice_from(line, marks), SLICE("From ")))
			buf_addc(out, '>');
		if (slice_ends(line, SLICE("\r")))
			line.n--;
		buf_add(out, line);
		buf_addc(out, '\n');
	}
}

static bool write_mbox(struct export *e, const struct store_row *row, struct error *error)
{
	time_t when = row->received_us / 1000000;
	char date[40];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
	buf_clear(&e->text);
	buf_addf(&e->text, "From MAILER-DAEMON %s\n", date);
	add_status(e, row, &e->text);
	add_quoted(buf_slice(&e->content), &e->text);
	buf_addc(&e->text, '\n');
	if (e->text.full)
		return error_plain(error, FAULT_LIMIT, "the message is too large");
	return file_write_all(e->folder, buf_slice(&e->text), error);
}

static bool write_message(struct export *e, const struct store_row *row, struct error *error)
{
	switch (e->format) {
	case FILES_MAILDIR:
		return write_maildir(e, row, error);
	case FILES_MBOX:
		return write_mbox(e, row, error);
	case FILES_EML:
		return write_eml(e, row, error);
	case FILES_UNKNOWN:
		break;
	}
	return false;
}

/* false: no sense in going on. */
static bool export_message(struct export *e, const struct store_row *row, struct error *error)
{
	struct error why;

	if (!store_body(e->at.store, e->account, row->body, &e->content, &why)) {
		progress_end(&e->progress);
		fprintf(stderr, "hauberk account export: mailbox %.*s, UID %u is left out: %s\n",
		    SLICE_ARG(e->name), row->uid, why.why);
		e->left_out++;
		return true;
	}
	account_caller_begin();
	bool ok = write_message(e, row, error);
	account_caller_end();
	progress_step(&e->progress, ok);
	return ok;
}

/* ---- a mailbox ---- */

/* The folder, or the file of an mbox; -1: error says why. */
static int open_mailbox(struct export *e, struct error *error)
{
	bool inbox = slice_eq(e->name, SLICE("INBOX"));
	struct buf name;
	int fd = -1;

	buf_init(&name, 8192);
	if (e->format == FILES_MAILDIR)
		buf_addc(&name, '.');
	bool ok = files_name_write(e->name, &name);
	if (e->format == FILES_MBOX)
		buf_adds(&name, ".mbox");
	account_caller_begin();
	if (!ok)
		error_plain(error, FAULT_LIMIT, "its name is too long for a file");
	else if (e->format == FILES_MBOX)
		fd = openat(
		    e->root, name.p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	else
		fd = e->format == FILES_MAILDIR && inbox ? dup(e->root)
							 : make_folder(e->root, name.p);
	if (ok && fd < 0)
		error_local(error, "cannot make %s in %s: %s", name.p, e->to, strerror(errno));
	account_caller_end();
	buf_free(&name);
	return fd;
}

static bool begin_folder(struct export *e, struct error *error)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	bool ok = true;

	account_caller_begin();
	for (size_t i = 0; ok && e->format == FILES_MAILDIR && i < 3; i++) {
		int fd = make_folder(e->folder, parts[i]);

		ok = fd >= 0 || error_local(error, "cannot make %s: %s", parts[i], strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	if (ok && e->format != FILES_MBOX)
		ok = write_keywords(e, e->folder, error);
	account_caller_end();
	return ok;
}

static bool export_rows(struct export *e, int64_t mailbox, struct error *error)
{
	struct arena *arena = arena_new(ROWS_MEMORY);
	uint32_t lo = 1;
	size_t n = ROWS_AT_ONCE;
	bool ok = true;

	while (ok && n == ROWS_AT_ONCE && lo != 0) {
		struct store_row *rows;

		arena_reset(arena);
		ok = store_rows(e->at.store, e->account, mailbox, lo, UINT32_MAX, ROWS_AT_ONCE,
		    STORE_NO_HEADS, arena, &rows, &n, error);
		for (size_t i = 0; ok && i < n; i++)
			ok = export_message(e, &rows[i], error);
		lo = ok && n ? rows[n - 1].uid + 1 : 0;
	}
	arena_free(arena);
	return ok;
}

static bool export_mailbox(struct export *e, const struct store_mailbox *m, struct error *error)
{
	struct error why;

	e->name = m->name;
	e->folder = open_mailbox(e, &why);
	if (e->folder < 0) {
		fprintf(stderr, "hauberk account export: mailbox %.*s is left out: %s\n",
		    SLICE_ARG(m->name), why.why);
		e->left_out += (uint64_t)m->messages + 1;
		return true;
	}
	bool ok = begin_folder(e, error) && export_rows(e, m->id, error);
	if (ok && fsync(e->folder) < 0)
		ok = error_local(error, "cannot sync what was written: %s", strerror(errno));
	close(e->folder);
	return ok;
}

static bool export_all(struct export *e, struct error *error)
{
	struct arena *arena = arena_new(NAMES_MEMORY);
	struct store_mailbox *list;
	size_t n, used = 0;
	bool ok = store_keywords(e->at.store, e->account, arena, &e->keyword_names, error) &&
	    store_mailbox_list(e->at.store, e->account, arena, &list, &n, error);

	for (int i = 0; i < FILES_KEYWORDS; i++)
		e->keywords[i] = -1;
	for (int bit = 0; ok && bit < 64 && used < FILES_KEYWORDS; bit++)
		if (e->keyword_names[bit].n)
			e->keywords[used++] = bit;
	for (size_t i = 0; ok && i < n; i++)
		e->progress.of += (uint64_t)list[i].messages;
	for (size_t i = 0; ok && i < n; i++)
		ok = export_mailbox(e, &list[i], error);
	arena_free(arena);
	return ok;
}

/* A new folder, or one that is empty. */
static bool open_target(struct export *e)
{
	account_caller_begin();
	bool made = mkdir(e->to, 0700) == 0;
	e->root = open(e->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *why = strerror(errno);
	/* Only an empty one can be removed, so it is made again. */
	if (e->root >= 0 && !made) {
		made = rmdir(e->to) == 0 && mkdir(e->to, 0700) == 0;
		why = "it is not empty";
		close(e->root);
		e->root = made ? open(e->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	}
	account_caller_end();
	if (e->root < 0)
		fprintf(stderr,
		    "hauberk account export: %s: %s; name a folder that is new or empty\n", e->to,
		    why);
	return e->root >= 0;
}

static int export_account(struct export *e)
{
	struct error error;

	buf_init(&e->content, CONTENT_MAX);
	buf_init(&e->text, 2 * CONTENT_MAX);
	e->progress.word = "exported";
	bool ok = export_all(e, &error);
	progress_end(&e->progress);
	buf_free(&e->content);
	buf_free(&e->text);
	if (!ok)
		fprintf(stderr, "hauberk account export: %s; what is in %s is not all\n", error.why,
		    e->to);
	printf("%llu messages exported, %llu left out\n", (unsigned long long)e->progress.done,
	    (unsigned long long)e->left_out);
	return ok ? e->left_out > 0 : 2;
}

int account_export(int argc, char **argv, const char *conf_path)
{
	const char *format = NULL;
	struct export e = { .root = -1 };

	if (!command_option(&argc, argv, "--to", &e.to) ||
	    !command_option(&argc, argv, "--format", &format) || argc != 3 || !e.to || !format)
		return command_wrong(
		    &command_account, "export wants an address, --to PATH and --format", NULL);
	e.format = files_format_of(format);
	if (e.format == FILES_UNKNOWN)
		return command_wrong(&command_account, "there is no such format", format);
	if (!account_store_open(conf_path, argv[2], &e.at))
		return 2;
	e.account = e.at.accounts[0].id;
	int status = open_target(&e) ? export_account(&e) : 2;
	if (e.root >= 0)
		close(e.root);
	account_store_close(&e.at);
	return status;
}
