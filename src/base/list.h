/*
 * list: an intrusive doubly linked list.
 *
 *     struct thing { struct link link; ... };
 *     struct list things;
 *     list_init(&things);
 *     list_push(&things, &t->link);
 *     struct thing *first = LIST_OF(list_first(&things), struct thing, link);
 *     LIST_EACH (node, &things) ...      (node must not be removed inside)
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

struct list {
	struct link head;
};

#define LIST_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define LIST_EACH(node, list)                                                                      \
	for (struct link *node = (list)->head.next; node != &(list)->head; node = node->next)

static inline void list_init(struct list *l)
{
	l->head.next = l->head.prev = &l->head;
}

static inline bool list_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

/* The first node, NULL when there is none. */
static inline struct link *list_first(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.next;
}

/* Adds at the end. */
static inline void list_push(struct list *l, struct link *node)
{
	node->prev = l->head.prev;
	node->next = &l->head;
	l->head.prev->next = node;
	l->head.prev = node;
}

/* Takes out of whichever list it is in; harmless on a zeroed or already removed node. */
static inline void list_remove(struct link *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

/* Takes the first node out, NULL when there is none. */
static inline struct link *list_pop(struct list *l)
{
	struct link *node = list_first(l);

	if (node)
		list_remove(node);
	return node;
}

#endif
