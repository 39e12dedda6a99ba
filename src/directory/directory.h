/*
 * directory: domains, accounts and aliases (groups are aliases that lead to several), and access rules.
 *
 * One file, `directory.db`, written by the role control and read by every role that must know who is
 * ours. It has a rollback journal, so a reader of another uid needs no write permission; a reader
 * waits a moment while control writes and then answers with a temporary error.
 *
 *     struct directory *dir;
 *     struct account account;
 *     if (!directory_open(path, false, &dir, error))
 *             return false;
 *     switch (directory_find_address(dir, local, domain, &account, error)) {
 *     case DIRECTORY_FOUND: ...          (check account.enabled)
 *     case DIRECTORY_NO_ACCOUNT: ...     the domain is ours, nobody has this name
 *     case DIRECTORY_NO_DOMAIN: ...      not ours
 *     case DIRECTORY_FAILED: ...         ask later
 *     }
 *
 * Domains are compared without case and kept in lower case, as A-labels (IDNA); U-labels mean the same.
 * Local parts are kept as written and compared without case. Ids are never used twice. A handle belongs to one
 * thread.
 *
 * What a find returns in an account or domain is borrowed: it lives until the next call on the same
 * directory; ids may be kept for ever. Lists live in the caller's arena.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/arena.h"
#include "base/error.h"
#include "db/db.h"
#include "proc/limits.h"

#define DIRECTORY_LOCAL_MAX  64  /* RFC 5321 §4.5.3.1.1 */
#define DIRECTORY_DOMAIN_MAX 253 /* RFC 1035 §2.3.4 without the root label */

/* Bounds of what an alias leads to: aliases one behind another accounts. */
#define DIRECTORY_ALIAS_DEPTH      10
#define DIRECTORY_ALIAS_RECIPIENTS 1000

struct directory;

struct domain {
	int64_t id;
	slice name;    /* lower case */
	int64_t quota; /* octets of each account that has none of its own; 0: any number */
};

struct account {
	int64_t id;
	int64_t domain_id;
	slice local;  /* as written */
	slice domain; /* lower case */
	bool enabled; /* may log in and get mail */
	int64_t created_us;
	int64_t quota; /* octets, its own or its domain's; 0: any number */
};

/* local@domain, as somebody wrote it; DIRECTORY_CATCH_ALL for the alias of all that nobody else has. */
struct directory_address {
	slice local, domain;
};

#define DIRECTORY_CATCH_ALL SLICE("@")

/* Who may send to an alias. */
enum directory_senders {
	SENDERS_ANYONE,
	SENDERS_USERS,   /* who has logged in */
	SENDERS_MEMBERS, /* whose account it leads to */
};

/* One step of an alias. A target that is not there any more is empty. */
struct directory_alias {
	struct directory_address alias, target;
	enum directory_senders senders;
};

/* Whom mail for an address goes to: each account once, disabled ones too. */
struct directory_recipients {
	struct account *accounts;
	size_t count;
	bool alias;                     /* the address was one */
	bool catch_all;                 /* nobody has the address */
	enum directory_senders senders; /* what the alias says */
};

/* An access rule; what it means is in net/access.h. */
struct directory_rule {
	int64_t id;
	bool allow;
	int64_t priority;
	const char *scope; /* "smtp", "127.0.0.1:25", "all" */
	const char *from;  /* a set of addresses (base/ip.h) */
	const char *note;  /* for people; maybe empty */
	struct limits limits;
};

enum directory_answer {
	DIRECTORY_FOUND,
	DIRECTORY_NO_ACCOUNT,
	DIRECTORY_NO_DOMAIN, /* not ours */
	DIRECTORY_FAILED,    /* error is filled: ask later */
};

/* What is kept and asked, for the test that prepares everything on every engine. */
extern const struct db_program directory_program;

/* Writable: makes the file when it is not there. Readers fail until it was made. */
bool directory_open(
    const char *path, bool writable, struct directory **dir_out, struct error *error);
/* NULL is allowed. */
void directory_close(struct directory *dir);
/* How long a call waits for a lock; 3 seconds at first. */
void directory_set_wait(struct directory *dir, int64_t ms);
/* For the writer, now and then: a change that failed because of the disk may have left a journal behind,
 * with which nobody who only reads can read. Makes it good as soon as the disk allows; false: not yet. */
bool directory_heal(struct directory *dir, struct error *error);

/* Input errors say what is wrong with the name, and where. */
bool directory_domain_add(struct directory *dir, slice name, int64_t *id_out, struct error *error);
/* In the order of their names, in the arena. */
bool directory_domain_list(struct directory *dir, struct arena *arena, struct domain **domains_out,
    size_t *count_out, struct error *error);
/* Refused while the domain has accounts or aliases. */
bool directory_domain_remove(struct directory *dir, slice name, struct error *error);

/* Refused when an alias has the name. */
bool directory_account_add(
    struct directory *dir, slice local, slice domain, int64_t *id_out, struct error *error);
/* Of one domain, or of all when it is empty; in the order of domain and local part. */
bool directory_account_list(struct directory *dir, slice domain, struct arena *arena,
    struct account **accounts_out, size_t *count_out, struct error *error);
bool directory_account_enable(
    struct directory *dir, slice local, slice domain, bool enabled, struct error *error);
/* Octets; 0: as its domain says, DIRECTORY_NO_QUOTA: any number. */
bool directory_account_quota(
    struct directory *dir, slice local, slice domain, int64_t quota, struct error *error);
/* Octets for each account that has none of its own; 0: any number. */
bool directory_domain_quota(struct directory *dir, slice name, int64_t quota, struct error *error);
#define DIRECTORY_NO_QUOTA (-1)
/* Only the entry: mail in the account's folder stays. Refused while aliases lead to the account; `force`
 * takes it out of them, and removes those left without a target. */
bool directory_account_remove(
    struct directory *dir, slice local, slice domain, bool force, struct error *error);

/* Makes the alias when it is not there, and lets it lead to more accounts or aliases of ours: to all of
 * the targets or to none. Refused when an account has the name, when a loop would come of it (the error
 * names it), and beyond the limits above, of this alias and of those that lead to it. */
bool directory_alias_add(struct directory *dir, struct directory_address alias,
    const struct directory_address *targets, size_t count, struct error *error);
/* Says who may send to it. */
bool directory_alias_senders(struct directory *dir, struct directory_address alias,
    enum directory_senders senders, struct error *error);
/* Of one alias; of a domain when local is empty; all when both are. A row for each target, in order. */
bool directory_alias_list(struct directory *dir, slice local, slice domain, struct arena *arena,
    struct directory_alias **aliases_out, size_t *count_out, struct error *error);
/* Takes one target away, or all (NULL). Without targets the alias is gone, which is refused while other
 * aliases lead to it; `force` as above. */
bool directory_alias_remove(struct directory *dir, struct directory_address alias,
    const struct directory_address *target, bool force, bool *gone_out, struct error *error);

/* Lets the account `other` log in as the account, or ends that (FAULT_ABSENT where it may not). Nobody may act for
 * himself by a grant. */
bool directory_delegate_grant(
    struct directory *dir, int64_t account, int64_t other, struct error *error);
bool directory_delegate_revoke(
    struct directory *dir, int64_t account, int64_t other, struct error *error);
/* Who may act for the account, or for any (0): pairs of owner and delegate, in the arena. */
struct directory_delegate {
	struct directory_address owner, delegate;
};
bool directory_delegate_list(struct directory *dir, int64_t account, struct arena *arena,
    struct directory_delegate **rows_out, size_t *count_out, struct error *error);
/* May `account` log in as `other`? */
bool directory_may_act(
    struct directory *dir, int64_t account, int64_t other, bool *may_out, struct error *error);

/* In the order of their ids, in the arena. */
bool directory_rule_list(struct directory *dir, struct arena *arena,
    struct directory_rule **rules_out, size_t *count_out, struct error *error);
/* Gives it a new id. */
bool directory_rule_add(struct directory *dir, struct directory_rule *rule, struct error *error);
/* All of the rule with this id; FAULT_ABSENT when there is none, as in remove. */
bool directory_rule_change(
    struct directory *dir, const struct directory_rule *rule, struct error *error);
bool directory_rule_remove(struct directory *dir, int64_t id, struct error *error);

/* A version of the policy; numbers grow, and the highest is active. */
struct directory_policy {
	int64_t number, made_us;
	slice who, why;
	slice name;   /* of its first file; empty: from here on there is none */
	slice bundle; /* its files (policy/files.h); not in lists */
};
/* Gives it the next number, and the time. */
bool directory_policy_add(
    struct directory *dir, struct directory_policy *policy, struct error *error);
/* The last first, in the arena. */
bool directory_policy_list(struct directory *dir, struct arena *arena,
    struct directory_policy **rows_out, size_t *count_out, struct error *error);
/* The version of this number, or (0) the active one; in the arena. FAULT_ABSENT: there is none. */
bool directory_policy_read(struct directory *dir, int64_t number, struct arena *arena,
    struct directory_policy *policy_out, struct error *error);

/* Never DIRECTORY_NO_ACCOUNT. */
enum directory_answer directory_find_domain(
    struct directory *dir, slice name, struct domain *domain_out, struct error *error);
/* Accounts only. Disabled ones are found too. A malformed name is simply not there. */
enum directory_answer directory_find_address(struct directory *dir, slice local, slice domain,
    struct account *account_out, struct error *error);
/* Whom mail for this address goes to, through aliases; accounts are the arena's. An address that nobody
 * has, with a detail behind a plus sign, is that without the detail (subaddressing, RFC 5233 §1), or else goes to
 * the domain's catch-all. An alias beyond the limits is DIRECTORY_FAILED with FAULT_LIMIT. Without any account: DIRECTORY_NO_ACCOUNT. */
enum directory_answer directory_resolve(struct directory *dir, slice local, slice domain,
    struct arena *arena, struct directory_recipients *out, struct error *error);
/* Somebody must read what is sent to postmaster and abuse (RFC 5321 §4.5.1, RFC 2142): where nobody has the
 * name, the oldest enabled account of the domain, or of all domains when it is empty. */
enum directory_answer directory_find_oldest(
    struct directory *dir, slice domain, struct account *account_out, struct error *error);
/* "alice@example.test"; or "alice" when there is exactly one domain (else DIRECTORY_NO_DOMAIN). An alias
 * will do when it leads to exactly one account. */
enum directory_answer directory_find_login(
    struct directory *dir, slice name, struct account *account_out, struct error *error);
/* Never DIRECTORY_NO_DOMAIN. */
enum directory_answer directory_find_id(
    struct directory *dir, int64_t id, struct account *account_out, struct error *error);

#endif
