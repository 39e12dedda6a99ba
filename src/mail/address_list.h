/*
 * address_list: the addresses in From, To, Cc and their like (RFC 5322 §3.4, §4.4).
 *
 *     struct address_list list;
 *     struct list_entry entry;
 *     address_list_open(&list, value);
 *     while (address_list_next(&list, &entry))
 *             if (entry.kind == ENTRY_MAILBOX) ... entry.name, entry.local, entry.domain
 *     address_list_close(&list);
 *
 * Tolerant, because what people's programs write is seldom the grammar: 8-bit octets, missing
 * domains, stray commas and unclosed brackets all give some entry rather than none. Encoded words are
 * left as they are. The text of an entry belongs to the list and is good until the next call.
 */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "base/buf.h"
#include "base/cursor.h"

#define ADDRESS_LIST_OCTETS  (256 * 1024) /* of a field that are looked at */
#define ADDRESS_LIST_ENTRIES 10000        /* that are given out */

struct list_entry {
	enum { ENTRY_MAILBOX, ENTRY_GROUP, ENTRY_GROUP_END } kind;
	slice name;  /* of a mailbox or a group, unquoted; from a comment where there is no other */
	slice route; /* obsolete source route "@a,@b", mostly empty */
	slice local; /* unquoted */
	slice domain;   /* as it came; empty when missing */
	bool malformed; /* in angle brackets: words that are no local part, or a group */
};

struct address_list {
	struct cursor c;
	struct buf text; /* of the current entry */
	size_t count;
	bool in_group;
};

void address_list_open(struct address_list *list, slice value);
/* The next entry; false at the end. A group is given as its name, its members and its end. */
bool address_list_next(struct address_list *list, struct list_entry *out);
void address_list_close(struct address_list *list);

#endif
