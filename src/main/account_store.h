/*
 * account_store: the mail of accounts, for commands that work on it beside the server or without one.
 *
 *     struct account_store at;
 *     if (!account_store_open(conf_path, address, &at))     (it was said why not)
 *             return 2;
 *     ... at.store, at.accounts[0].id
 *     account_store_close(&at);
 *
 * Started by root, the process works as the user whom the mail belongs to, and is root again only between
 * account_caller_begin and account_caller_end: while it reads or writes the caller's own files.
 */
#ifndef MAIN_ACCOUNT_STORE_H
#define MAIN_ACCOUNT_STORE_H

#include "main/command.h"
#include "store/verify.h"

struct account_of_store {
	int64_t id;
	const char *address; /* or the folder's name, where no account has it any more */
};

struct account_store {
	struct arena *arena;
	struct conf conf;
	const char *folder; /* of all accounts */
	struct store *store;
	struct account_of_store *accounts;
	size_t n;
};

/* One account by its address, or all that have a folder (address NULL). */
bool account_store_open(const char *conf_path, const char *address, struct account_store *out);
void account_store_close(struct account_store *at);
void account_caller_begin(void);
void account_caller_end(void);
/* Envelope and structures, as delivery makes them; the date of the last Received field, or of Date. */
void account_summarise(slice content, struct store_summary *out);

/* account_verify.c, account_import.c, account_export.c: the words after "account". Exit status. */
int account_verify(int argc, char **argv, const char *conf_path);
int account_repair(int argc, char **argv, const char *conf_path);
int account_import(int argc, char **argv, const char *conf_path);
int account_export(int argc, char **argv, const char *conf_path);

#endif
