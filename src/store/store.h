/*
 * store: the mailboxes and messages of an account.
 *
 * An account is a folder `<root>/<id>/` with one file `mail.db`, made at first use (with INBOX). A
 * worker thread owns one `struct store`, which keeps the most recently used accounts open (three
 * descriptors each). Every change is one transaction that takes the write lock at once, so deliver
 * and imap processes may write the same account; one waits for the other.
 *
 *     struct store *store = store_new("/var/lib/hauberk/accounts", 1000);
 *     struct store_result results[n];
 *     struct store_notice notices[n];
 *     if (!store_deliver(store, account, messages, n, low, results, notices, &count, error))
 *             ... nothing was stored; try again later
 *     ... send notices[0..count-1] to the imap processes; only now forget the queue's items
 *
 * Delivery is exactly once: {segment, place, recipient} of the queue's item is written in the same
 * transaction, and a message that was delivered before is skipped and reported so.
 *
 * Every transaction that changes a mailbox takes one new modseq (RFC 7162) of the account. Envelope,
 * structure and body structure are ready IMAP text, written at delivery and only copied by FETCH.
 *
 * Texts and rows in results live in the caller's arena; uid_sets given as out-parameters are the
 * caller's to free and are cleared first. Calls on an unknown mailbox fail with FAULT_ABSENT. Disk
 * and lock errors are temporary, and nothing of the call was done.
 *
 * Accounts are numbers here: who they are is the directory's business. It does not parse messages,
 * check quota or send notices.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "db/db.h"
#include "store/uid_set.h"

/* System flags; keywords are the bits from STORE_KEYWORD_FIRST, numbered per account. */
#define STORE_SEEN            (1 << 0)
#define STORE_ANSWERED        (1 << 1)
#define STORE_FLAGGED         (1 << 2)
#define STORE_DELETED         (1 << 3)
#define STORE_DRAFT           (1 << 4)
#define STORE_KEYWORD_FIRST   8
#define STORE_KEYWORD_LAST    62
#define STORE_FLAGS_ALL       (INT64_MAX & ~INT64_C(0xe0)) /* what a message may have */
#define STORE_MAILBOX_MAX     1000                         /* octets in a mailbox name */
#define STORE_NO_SEGMENT      (-1) /* not from the queue (APPEND): no exactly-once row */
#define STORE_ANY_MODSEQ      INT64_MAX
#define STORE_GARBAGE_AT_ONCE 500

struct store;

enum store_answer {
	STORE_FOUND,
	STORE_ABSENT,
	STORE_FAILED, /* error is filled */
};

struct store_message {
	int64_t segment, place; /* the queue's item; or segment = STORE_NO_SEGMENT */
	/* Its number within the item. Two copies for one recipient need two numbers: the second of
	 * the same number is "already there", whatever its mailbox. */
	int64_t recipient;
	slice mailbox; /* name; "INBOX" in any case */
	slice content; /* the message, CRLF lines */
	int64_t received_us;
	slice envelope, structure, bodystructure; /* as FETCH prints them */
	int64_t flags;
};

enum store_outcome {
	STORE_STORED,
	STORE_ALREADY,    /* was delivered before; nothing done */
	STORE_NO_MAILBOX, /* no such mailbox; nothing done for this message */
};

struct store_result {
	enum store_outcome outcome;
	int64_t mailbox; /* of STORE_STORED */
	uint32_t uid, uidvalidity;
};

/* Sent by the caller to whoever watches the account, after the call returned. */
struct store_notice {
	int64_t account, mailbox, modseq;
	int64_t before; /* of flag changes: the mailbox's highest modseq until then */
};

/* The key that a session watches (session_watch) and that the role names (reactor_notice) for each
 * notice. */
static inline uint64_t store_watch_key(int64_t account, int64_t mailbox)
{
	/* Odd multiplier: mailboxes of one account never meet; two accounts' meeting only costs a look. */
	return ((uint64_t)account << 24 ^ (uint64_t)mailbox) * 2 + 1;
}

struct store_mailbox {
	int64_t id;
	slice name;    /* UTF-8, levels separated by "/" */
	slice special; /* "\\Sent" ..., or empty (RFC 6154) */
	bool subscribed;
	uint32_t uidvalidity, uidnext;
	uint32_t recent; /* UIDs from here on were told to no session yet (RFC 3501 §2.3.2) */
	int64_t modseq;  /* highest */
	int64_t horizon; /* what happened up to this modseq is not noted any more */
	int64_t messages, unseen, deleted, bytes;
};

struct store_head {
	slice envelope, structure, bodystructure;
};

struct store_row {
	uint32_t uid;
	int64_t flags, modseq, size, received_us;
	int64_t saved_us;       /* when it came into this mailbox (RFC 8514); 0: nobody knows */
	int64_t body;           /* for store_head and store_body */
	struct store_head head; /* when asked for */
};

/* What of a message's head is read. */
enum store_heads {
	STORE_NO_HEADS = false,
	STORE_HEADS = true,
	STORE_ENVELOPES = 2, /* the envelope alone */
};

enum store_flag_op { STORE_FLAGS_SET, STORE_FLAGS_ADD, STORE_FLAGS_REMOVE };

/* What is kept and asked, for the test that prepares everything on every engine. */
extern const struct db_program store_program;

/* Makes SQLite load and seed what it would otherwise do at first use: before a sandbox is locked. */
bool store_warm_up(struct error *error);
/* root must exist; at most `handles` accounts are open at once. */
struct store *store_new(const char *root, size_t handles);
void store_free(struct store *store);
/* Octets of all messages of the account. */
bool store_used(struct store *store, int64_t account, int64_t *octets_out, struct error *error);
/* How long a call waits for another writer; 5 seconds at first. */
void store_set_wait(struct store *store, int64_t ms);
/* Closes the files of accounts that were not used for `idle_us`: each holds some 150 KiB. true: others are open. */
bool store_trim(struct store *store, int64_t idle_us);
/* Closes the account's file if it is open. */
void store_forget(struct store *store, int64_t account);

/* Stores n messages in one transaction and forgets exactly-once rows of segments below low_segment
 * (whose removal must be durable). results_out and notices_out have room for n. */
bool store_deliver(struct store *store, int64_t account, const struct store_message *messages,
    size_t n, int64_t low_segment, struct store_result *results_out,
    struct store_notice *notices_out, size_t *notice_count_out, struct error *error);

/* Stores one message that is not from the queue, and removes another, in one transaction (RFC 8508). Nothing is done
 * where the message's mailbox is not there (STORE_NO_MAILBOX), or the one to remove is not (FAULT_ABSENT).
 * notices_out has room for 2. */
bool store_replace(struct store *store, int64_t account, const struct store_message *message,
    int64_t mailbox, uint32_t uid, struct store_result *result_out,
    struct store_notice *notices_out, size_t *notice_count_out, struct error *error);

/* In the order of their names. */
bool store_mailbox_list(struct store *store, int64_t account, struct arena *arena,
    struct store_mailbox **mailboxes_out, size_t *count_out, struct error *error);
/* By name, "INBOX" in any case. */
enum store_answer store_mailbox_find(struct store *store, int64_t account, slice name,
    struct arena *arena, struct store_mailbox *mailbox_out, struct error *error);
/* By id: one row, cheap; tells whether anything changed. */
enum store_answer store_mailbox_status(struct store *store, int64_t account, int64_t mailbox,
    struct arena *arena, struct store_mailbox *mailbox_out, struct error *error);
/* FAULT_DENIED when it exists. special may be empty. The new mailbox is subscribed
 * if its name was. */
bool store_mailbox_create(struct store *store, int64_t account, slice name, slice special,
    int64_t *mailbox_out, struct error *error);
/* Names that are subscribed to and have no mailbox (any more), in their order. */
bool store_subscriptions(struct store *store, int64_t account, struct arena *arena,
    slice **names_out, size_t *count_out, struct error *error);
/* Ends such a subscription. */
enum store_answer store_unsubscribe(
    struct store *store, int64_t account, slice name, struct error *error);
/* With its messages; a subscription to its name stays (RFC 3501 §6.3.6). INBOX is refused. */
bool store_mailbox_delete(
    struct store *store, int64_t account, int64_t mailbox, struct error *error);
/* A new name; not for INBOX (whose RENAME is a move). Mailboxes below it are the caller's. */
bool store_mailbox_rename(
    struct store *store, int64_t account, int64_t mailbox, slice name, struct error *error);
bool store_mailbox_subscribe(
    struct store *store, int64_t account, int64_t mailbox, bool subscribed, struct error *error);
/* Lowest UID without \Seen; 0 when there is none. mailbox: as it was just now. */
bool store_first_unseen(struct store *store, int64_t account, const struct store_mailbox *mailbox,
    uint32_t *uid_out, struct error *error);

/* Takes what is recent, for one session and none after it: UIDs from *from_out to below *to_out. The
 * commit is not synced. */
bool store_claim_recent(struct store *store, int64_t account, int64_t mailbox, uint32_t *from_out,
    uint32_t *to_out, struct error *error);
/* How many messages are recent. */
bool store_count_recent(struct store *store, int64_t account, const struct store_mailbox *mailbox,
    int64_t *count_out, struct error *error);

/* The bit of a keyword (ASCII case ignored); create: makes it when it is new. STORE_ABSENT when it
 * is not there (create false). With create: FAULT_LIMIT when all bits are taken. */
enum store_answer store_find_keyword(struct store *store, int64_t account, slice name, bool create,
    int *bit_out, struct error *error);
/* Names by bit, 64 of them, empty where a bit has none; in the arena. */
bool store_keywords(struct store *store, int64_t account, struct arena *arena, slice **names_out,
    struct error *error);

/* Status and UIDs of one moment, for SELECT. */
bool store_select(struct store *store, int64_t account, int64_t mailbox, struct arena *arena,
    struct store_mailbox *mailbox_out, struct uid_set *uids_out, struct error *error);
/* At most `limit` rows with UIDs from lo to hi, ascending; fewer than limit: there are no more.
 * The caller goes on from the last UID + 1. heads: fill row.head too. */
bool store_rows(struct store *store, int64_t account, int64_t mailbox, uint32_t lo, uint32_t hi,
    size_t limit, enum store_heads heads, struct arena *arena, struct store_row **rows_out,
    size_t *count_out, struct error *error);
/* FAULT_ABSENT when the message is gone. */
bool store_head(struct store *store, int64_t account, int64_t body, struct arena *arena,
    struct store_head *head_out, struct error *error);
/* The message into out (cleared first; FAULT_LIMIT when it has no room). FAULT_ABSENT when gone. */
bool store_body(
    struct store *store, int64_t account, int64_t body, struct buf *out, struct error *error);
/* The first octets of the message, at most n, without reading the others. */
bool store_body_head(struct store *store, int64_t account, int64_t body, size_t n, struct buf *out,
    struct error *error);
/* What happened since modseq `since` to one who knew UIDs below uidnext. changed_out: UIDs from
 * uidnext on, and older ones whose flags changed (read them with store_rows). vanished_out: UIDs that
 * are gone, maybe more than the asker ever knew: where `since` is so long ago that removals are forgotten,
 * all that the mailbox has not. uidnext 1: every message changed since.
 * mailbox_out: the mailbox at that moment (its modseq is the next `since`). */
bool store_changed(struct store *store, int64_t account, int64_t mailbox, int64_t since,
    uint32_t uidnext, struct arena *arena, struct store_mailbox *mailbox_out,
    struct uid_set *changed_out, struct uid_set *vanished_out, struct error *error);

struct store_flag_change {
	enum store_flag_op op;
	int64_t flags;
	int64_t
	    unchanged_since; /* leave messages with a higher modseq alone; or STORE_ANY_MODSEQ */
};

/* Changes flags of those in uids that exist. changed_out: whose flags are other than before, all now
 * with the modseq of the notice; refused_out: left alone because of unchanged_since. The rows as they
 * are now come from store_rows. notice_out->modseq is 0 when nothing changed. The commit is not
 * synced: flags may be lost with the power, until store_sync() or any synced commit to the account. A modseq that
 * was lost so is never given out again. */
bool store_flags(struct store *store, int64_t account, int64_t mailbox, const struct uid_set *uids,
    const struct store_flag_change *change, struct uid_set *changed_out,
    struct uid_set *refused_out, struct store_notice *notice_out, struct error *error);
/* Removes those of uids (NULL: of all) that have \Deleted. notice_out->modseq is 0 when none had. */
bool store_expunge(struct store *store, int64_t account, int64_t mailbox,
    const struct uid_set *uids, struct uid_set *gone_out, struct store_notice *notice_out,
    struct error *error);
/* COPY, or MOVE when `move`: those of uids that exist, in order. from_out and to_out correspond
 * (COPYUID); notices_out has room for 2, the target's first. FAULT_ABSENT: no such target. */
bool store_copy(struct store *store, int64_t account, int64_t mailbox, const struct uid_set *uids,
    int64_t target, bool move, struct uid_set *from_out, struct uid_set *to_out,
    struct store_notice *notices_out, size_t *notice_count_out, struct error *error);

/* Syncs what flag changes of this store left unsynced: to be called once a second. */
bool store_sync(struct store *store, struct error *error);
/* Background turns, on a store of their own thread. */
/* Frees at most STORE_GARBAGE_AT_ONCE bodies that nothing names any more; more_out: call again. */
bool store_collect(struct store *store, int64_t account, bool *more_out, struct error *error);
/* Moves what is in the write-ahead log into the file, without making a writer wait. */
bool store_checkpoint(struct store *store, int64_t account, struct error *error);
/* Counters, rows and bodies agree. Otherwise false, with FAULT_LOCAL, not temporary, saying where. */
bool store_verify(struct store *store, int64_t account, struct error *error);

#endif
