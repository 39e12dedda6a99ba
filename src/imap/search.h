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
#include "store/store.h"

#define SEARCH_DEPTH 50
#define SEARCH_KEYS  200

enum search_kind {
	SEARCH_ALL,
	SEARCH_NONE, /* RECENT and NEW: no message is ever recent here */
	SEARCH_AND,
	SEARCH_OR,
	SEARCH_NOT,
	SEARCH_FLAG,     /* flags & bits == wanted */
	SEARCH_KEYWORD,  /* becomes SEARCH_FLAG, or SEARCH_NONE or _ALL when nobody has it */
	SEARCH_SEQUENCE, /* message numbers */
	SEARCH_UIDS,
	SEARCH_HEADER,
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_BEFORE, /* INTERNALDATE, in days */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SENTBEFORE, /* the Date field */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_LARGER,
	SEARCH_SMALLER,
};

struct search {
	enum search_kind kind;
	struct search *next;     /* in the list of an AND */
	struct search *children; /* AND, OR: all of them; NOT: one */
	int64_t bits, wanted;
	slice name, text; /* HEADER; KEYWORD's name; text in lower case */
	struct sequence sequence;
	struct uid_set *uids; /* resolved by the caller */
	int64_t number;       /* day or size */
};

struct search_message {
	const struct store_row *row;
	/* The whole message in lower case, when a key needs it; false: it is gone. */
	bool (*text)(void *context, slice *out);
	void *context;
};

/* search-key *(SP search-key), all of which must hold. */
struct search *search_parse(struct cursor *c, struct arena *arena);
/* Calls fn for every key of the tree; false as soon as fn says so. */
bool search_each(struct search *tree, bool (*fn)(void *context, struct search *key), void *context);
bool search_matches(const struct search *tree, const struct search_message *message);

#endif
