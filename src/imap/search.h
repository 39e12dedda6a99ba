/*
 * search: the criteria of SEARCH (RFC 9051 §6.4.4) as a tree, and whether a message meets them.
 *
 *     struct search *tree = search_parse(&c, arena);
 *     ... resolve what needs the mailbox: search_each()
 *     if (search_matches(tree, &message)) ...
 *
 * The tree knows nothing of sessions. What a key needs that costs (the message itself) is asked for
 * only when it comes to that.
 */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "base/arena.h"
#include "imap/sequence.h"
#include "mail/charset.h"
#include "store/store.h"

#define SEARCH_DEPTH 50
#define SEARCH_KEYS  200

enum search_kind {
	SEARCH_ALL,
	SEARCH_NONE,
	SEARCH_AND,
	SEARCH_OR,
	SEARCH_NOT,
	SEARCH_FLAG,     /* flags & bits == wanted */
	SEARCH_KEYWORD,  /* becomes SEARCH_FLAG, or SEARCH_NONE or _ALL when nobody has it */
	SEARCH_SEQUENCE, /* message numbers */
	SEARCH_UIDS,
	SEARCH_RECENT, /* becomes SEARCH_UIDS */
	SEARCH_NEW,    /* the same and not \Seen */
	SEARCH_OLD,
	SEARCH_HEADER,
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_BEFORE, /* INTERNALDATE, in days; ORDER of these three: before, on, since */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SENTBEFORE, /* the Date field */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_LARGER,
	SEARCH_SMALLER,
	SEARCH_OLDER, /* RFC 5032 */
	SEARCH_YOUNGER,
	SEARCH_EMAILID,     /* RFC 8474 §6 */
	SEARCH_SAVEDBEFORE, /* RFC 8514 §4.3 */
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE,
	SEARCH_MODSEQ,  /* RFC 7162 §3.1.5 */
	SEARCH_SUBJECT, /* of the envelope (RFC 9051 §6.4.4) */
	SEARCH_FROM,
	SEARCH_TO,
	SEARCH_CC,
	SEARCH_BCC,
};

struct search {
	enum search_kind kind;
	struct search *next;     /* in the list of an AND */
	struct search *children; /* AND, OR: all of them; NOT: one */
	int64_t bits, wanted;
	slice name, text; /* HEADER; KEYWORD's name; text in lower case (fold.h) */
	struct sequence sequence;
	struct uid_set *uids; /* resolved by the caller */
	int64_t number;       /* day, size, modseq, or a point in time in seconds */
};

struct search_message {
	const struct store_row *row;
	struct charsets *charsets; /* NULL: the few that need no converter */
	struct arena *arena;       /* of this message */
	/* The beginning of the message, with its header, when a key needs it; false: it is gone. */
	bool (*header)(void *context, slice *out);
	/* The same as search_text_write() gives it. */
	bool (*text)(void *context, slice *out, size_t *body_at_out);
	void *context;
};

/* Does the key look at the envelope of messages (store_row.head)? */
bool search_needs_head(const struct search *key);
/* search-key *(SP search-key), all of which must hold. */
struct search *search_parse(struct cursor *c, struct arena *arena);
/* Calls fn for every key of the tree; false as soon as fn says so. */
bool search_each(struct search *tree, bool (*fn)(void *context, struct search *key), void *context);
bool search_matches(const struct search *tree, const struct search_message *message);

#endif
