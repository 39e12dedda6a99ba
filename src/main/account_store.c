#include "main/account_store.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/directory.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/summary.h"

#define MEMORY    ((size_t)256 << 20)
#define WAIT_MS   60000
#define WORKERS   "hauberk-deliver"
#define PATH_MOST 4096

/* ---- whose files these are ---- */

static bool by_root;

static bool refuse(const char *what, const char *why)
{
	fprintf(stderr, "hauberk account: %s: %s\n", what, why);
	return false;
}

static uid_t owner;

void account_caller_begin(void)
{
	if (by_root && seteuid(0) < 0)
		abort();
}

void account_caller_end(void)
{
	if (by_root && seteuid(owner) < 0)
		abort();
}

/* ---- which accounts ---- */

static void add_account(struct account_store *at, int64_t id, const char *address)
{
	if ((at->n & (at->n - 1)) == 0) { /* full at 0, 1, 2, 4 ... */
		struct account_of_store *more =
		    ARENA_ARRAY(at->arena, struct account_of_store, at->n ? 2 * at->n : 1);

		if (at->n)
			memcpy(more, at->accounts, at->n * sizeof *more);
		at->accounts = more;
	}
	at->accounts[at->n++] = (struct account_of_store){ id, address };
}

static bool find_one(struct directory *dir, const char *address, struct account_store *at)
{
	const char *sign = strrchr(address, '@');
	struct account account;
	struct error error;

	if (!sign)
		return refuse(address, "this is not an address: write local-part@domain");
	slice local = { address, (size_t)(sign - address) };
	switch (directory_find_address(dir, local, slice_of(sign + 1), &account, &error)) {
	case DIRECTORY_FOUND:
		add_account(at, account.id, address);
		return true;
	case DIRECTORY_NO_ACCOUNT:
		return refuse(address, "there is no such account; see hauberk account list");
	case DIRECTORY_NO_DOMAIN:
		return refuse(address, "its domain is not ours; see hauberk domain list");
	case DIRECTORY_FAILED:
		break;
	}
	return refuse(address, error.why);
}

/* Whose folder it is; of an account that was removed, the folder's number. */
static const char *name_folder(
    struct account_store *at, const struct account *accounts, size_t n, int64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (accounts[i].id == id)
			return arena_printf(at->arena, "%.*s@%.*s", SLICE_ARG(accounts[i].local),
			    SLICE_ARG(accounts[i].domain));
	return arena_printf(at->arena, "%lld (no account)", (long long)id);
}

static bool find_all(struct directory *dir, struct account_store *at)
{
	struct account *accounts;
	struct error error;
	struct dirent *entry;
	uint64_t id;
	size_t n;

	if (!directory_account_list(dir, (slice){ 0 }, at->arena, &accounts, &n, &error))
		return refuse("the directory", error.why);
	DIR *folder = opendir(at->folder);
	if (!folder)
		return refuse(at->folder, strerror(errno));
	while ((entry = readdir(folder)))
		if (slice_number(slice_of(entry->d_name), INT64_MAX, &id))
			add_account(at, (int64_t)id, name_folder(at, accounts, n, (int64_t)id));
	closedir(folder);
	return true;
}

/* Who that is: of the folder of all, or where that is root's, of an account's, else the user of deliver. */
static uid_t find_owner(const struct account_store *at, const struct stat *all)
{
	uid_t uid = all->st_uid;
	char path[PATH_MOST];
	struct stat st;

	for (size_t i = 0; uid == 0 && i < at->n; i++) {
		snprintf(path, sizeof path, "%s/%lld", at->folder, (long long)at->accounts[i].id);
		if (stat(path, &st) == 0)
			uid = st.st_uid;
	}
	const struct passwd *user = uid == 0 ? getpwnam(WORKERS) : NULL;
	return user ? user->pw_uid : uid;
}

/* Files made from here on are for deliver and imap, too. */
static bool become_owner(const struct account_store *at)
{
	struct stat st;

	if (stat(at->folder, &st) < 0)
		return refuse(at->folder, strerror(errno));
	umask(0007);
	if (geteuid() != 0)
		return access(at->folder, R_OK | X_OK) == 0 || refuse(at->folder, strerror(errno));
	owner = find_owner(at, &st);
	if (owner == 0)
		return refuse(at->folder, "it belongs to root, and there is no user " WORKERS);
	if (setgroups(0, NULL) < 0 || setegid(st.st_gid) < 0 || seteuid(owner) < 0)
		return refuse("cannot become the mail's owner", strerror(errno));
	by_root = true;
	return true;
}

bool account_store_open(const char *conf_path, const char *address, struct account_store *out)
{
	struct conf_origin origin;
	struct directory *dir;
	struct error error;

	*out = (struct account_store){ 0 };
	if (!command_conf(conf_path, &out->conf, &origin))
		return false;
	out->arena = arena_new(MEMORY);
	out->folder = arena_printf(out->arena, "%s/accounts", out->conf.state_dir);
	const char *path =
	    arena_printf(out->arena, "%s/directory/directory.db", out->conf.state_dir);
	bool ok = directory_open(path, false, &dir, &error) || refuse("the directory", error.why);
	if (ok) {
		ok = address ? find_one(dir, address, out) : find_all(dir, out);
		directory_close(dir);
	}
	ok = ok && become_owner(out);
	if (!ok) {
		arena_free(out->arena);
		return false;
	}
	out->store = store_new(out->folder, 1);
	store_set_wait(out->store, WAIT_MS);
	return true;
}

void account_store_close(struct account_store *at)
{
	store_free(at->store);
	arena_free(at->arena);
}

/* ---- messages ---- */

/* Of the last Received field, which stands first, behind its semicolon; else of Date. */
static int64_t message_date(slice content)
{
	slice header = header_of(content), value;
	struct date date;

	if (header_find(header, SLICE("Received"), &value)) {
		size_t at = value.n;

		while (at > 0 && value.p[at - 1] != ';')
			at--;
		if (at > 0 && date_parse(slice_trim(slice_from(value, at)), &date))
			return date.seconds * 1000000;
	}
	if (header_find(header, SLICE("Date"), &value) && date_parse(value, &date))
		return date.seconds * 1000000;
	return clock_wall_us();
}

void account_summarise(slice content, struct store_summary *out)
{
	struct arena *arena = arena_new(2 * (size_t)MIME_ARENA);
	struct mime mime;

	mime_parse(content, arena, &mime);
	summary_write(&mime, &out->envelope, &out->structure);
	/* As the store has them: the short form is made of the long one. */
	buf_add(&out->bodystructure, buf_slice(&out->structure));
	buf_clear(&out->structure);
	structure_strip(buf_slice(&out->bodystructure), &out->structure);
	out->received_us = message_date(content);
	arena_free(arena);
}
