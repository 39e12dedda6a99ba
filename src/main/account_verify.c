/* hauberk account verify and repair. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "db/wal.h"
#include "main/account_store.h"

#define TOLD_MOST 10000 /* faults of an account that are printed */

struct report {
	struct account_store *at;
	const struct account_of_store *account;
	bool json;
	uint64_t faults; /* of this account */
	bool first;      /* nothing of this account was printed yet */
};

/* ---- how it looks ---- */

static void print_json_text(slice text)
{
	bool valid = utf8_valid(text); /* what is damaged need not be */

	putchar('"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c == 127 || (c > 127 && !valid))
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_json(struct report *r, const struct store_fault *f)
{
	printf("%s\n    {\"table\": ", r->first ? "" : ",");
	print_json_text(slice_of(f->table));
	if (f->name.n) {
		printf(", \"mailbox\": ");
		print_json_text(f->name);
	}
	if (f->uid)
		printf(", \"uid\": %lld", (long long)f->uid);
	if (f->id)
		printf(", \"id\": %lld", (long long)f->id);
	printf(", \"what\": ");
	print_json_text(slice_of(f->what));
	printf(", \"repair\": ");
	print_json_text(slice_of(f->cure));
	putchar('}');
}

/* Names come from whoever made the mailbox, or from damage. */
static void print_text(slice text)
{
	bool valid = utf8_valid(text);

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		putchar(c < ' ' || c == 127 || (c > 127 && !valid) ? '?' : c);
	}
}

static void print_plain(const struct report *r, const struct store_fault *f)
{
	printf("%s: %s", r->account->address, f->table);
	if (f->name.n) {
		printf(", mailbox ");
		print_text(f->name);
	} else if (f->mailbox) {
		printf(", mailbox number %lld", (long long)f->mailbox);
	}
	if (f->uid)
		printf(", UID %lld", (long long)f->uid);
	if (f->id)
		printf(", id %lld", (long long)f->id);
	printf(": ");
	print_text(slice_of(f->what));
	if (f->cure[0])
		printf(" (repair: %s)", f->cure);
	putchar('\n');
}

static void found(void *context, const struct store_fault *fault)
{
	struct report *r = context;

	if (r->faults++ >= TOLD_MOST)
		return;
	if (r->json)
		print_json(r, fault);
	else
		print_plain(r, fault);
	r->first = false;
}

/* ---- the log of the file ---- */

static const char *mail_path(const struct report *r)
{
	return arena_printf(
	    r->at->arena, "%s/%lld/mail.db", r->at->folder, (long long)r->account->id);
}

static void tell_log(struct report *r, const struct wal_state *state, const char *cure)
{
	char what[200];

	if (state->frame == 0)
		snprintf(what, sizeof what, "the head of the log is not what was written");
	else
		snprintf(what, sizeof what,
		    "frame %u of the log is not what was written; changes up to frame %u are lost "
		    "when the file is opened",
		    state->frame, state->last);
	found(r, &(struct store_fault){ .table = "mail.db-wal", .what = what, .cure = cure });
}

/* ---- verify ---- */

/* false: it could not be looked at. */
static bool verify_one(struct report *r)
{
	struct wal_state log;
	struct error error;
	bool ok = wal_check(mail_path(r), &log, &error);

	if (ok && log.damaged)
		tell_log(r, &log, "take it as it is; what that spoils is found then");
	/* To open it would forget what is behind the damage. */
	if (ok && (!log.damaged || log.in_use))
		ok = store_examine(r->at->store, r->account->id, found, r, &error);
	if (!ok && error.fault == FAULT_ABSENT)
		return true;
	if (!ok)
		fprintf(stderr, "hauberk account: %s: %s\n", r->account->address, error.why);
	return ok;
}

static void begin_account(struct report *r, bool another)
{
	r->faults = 0;
	r->first = true;
	if (!r->json)
		return;
	printf("%s\n  {\"address\": ", another ? "," : "");
	print_json_text(slice_of(r->account->address));
	printf(", \"id\": %lld, \"faults\": [", (long long)r->account->id);
}

static void end_account(const struct report *r, bool looked)
{
	if (r->json)
		printf("], \"looked\": %s}", looked ? "true" : "false");
	else if (looked && r->faults == 0)
		printf("%s: nothing is wrong\n", r->account->address);
	fflush(stdout);
}

static int verify_all(struct report *r)
{
	int status = 0;

	printf("%s", r->json ? "[" : "");
	for (size_t i = 0; i < r->at->n; i++) {
		r->account = &r->at->accounts[i];
		begin_account(r, i > 0);
		bool looked = verify_one(r);
		end_account(r, looked);
		if (!looked)
			status = 2;
		else if (r->faults && status == 0)
			status = 1;
		store_forget(r->at->store, r->account->id);
	}
	printf("%s", r->json ? "\n]\n" : "");
	return status;
}

int account_verify(int argc, char **argv, const char *conf_path)
{
	bool all = command_flag(&argc, argv, "--all"), json = command_flag(&argc, argv, "--json");
	struct account_store at;
	struct report r = { .at = &at, .json = json };

	if (argc != (all ? 2 : 3))
		return command_wrong(&command_account, "verify wants an address, or --all", NULL);
	if (!account_store_open(conf_path, all ? NULL : argv[2], &at))
		return 2;
	int status = verify_all(&r);
	account_store_close(&at);
	return status;
}

/* ---- repair ---- */

static bool mend_log(struct report *r, bool dry_run, struct error *error)
{
	const char *path = mail_path(r);
	struct wal_state log;

	if (!wal_check(path, &log, error))
		return false;
	if (!log.damaged)
		return true;
	if (dry_run)
		return error_local(error,
		    "%s-wal is damaged: what is behind that is seen when it is mended, without --dry-run",
		    path);
	if (!wal_mend(path, &log, error))
		return false;
	tell_log(r, &log, "");
	return true;
}

static int repair_one(struct report *r, bool dry_run)
{
	struct store_repair repair = {
		.dry_run = dry_run, .summarise = account_summarise, .done = found, .context = r
	};
	struct error error;

	if (!mend_log(r, dry_run, &error) ||
	    !store_repair(r->at->store, r->account->id, &repair, &error)) {
		if (error.fault == FAULT_ABSENT) {
			printf("%s: %s\n", r->account->address, error.why);
			return 0;
		}
		fprintf(stderr, "hauberk account: %s: %s; %s\n", r->account->address, error.why,
		    r->faults ? "no more than what is said was done" : "nothing was changed");
		return 2;
	}
	if (r->faults == 0 && repair.notice.modseq == 0)
		printf("%s: nothing is wrong\n", r->account->address);
	else if (dry_run)
		printf("%s: that would be done; nothing was changed\n", r->account->address);
	else
		printf("%s: repaired; %llu faults are left\n", r->account->address,
		    (unsigned long long)repair.left);
	return repair.left ? 1 : 0;
}

int account_repair(int argc, char **argv, const char *conf_path)
{
	bool dry_run = command_flag(&argc, argv, "--dry-run");
	struct account_store at;
	struct report r = { .at = &at };

	if (argc != 3)
		return command_wrong(&command_account, "repair wants an address", NULL);
	if (!account_store_open(conf_path, argv[2], &at))
		return 2;
	r.account = at.accounts;
	r.first = true;
	int status = repair_one(&r, dry_run);
	account_store_close(&at);
	return status;
}
