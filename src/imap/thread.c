#include "imap/thread.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"

struct node {
	struct node *parent, *children, *next; /* children: newest first until they are sorted */
	bool message;                          /* false: only its name is known */
	bool reply;
	uint32_t uid;
	int64_t date;
	slice subject;
	struct node *all; /* in the order of their making */
};

struct thread {
	struct arena *arena;
	struct hash_key key;
	struct map ids;
	struct node *first, *last, *roots;
	size_t count;
};

struct thread *thread_new(struct arena *arena)
{
	struct thread *t = ARENA_NEW(arena, struct thread);

	t->arena = arena;
	if (getrandom(&t->key, sizeof t->key, 0) != sizeof t->key)
		panic("no random octets");
	return t;
}

void thread_free(struct thread *t)
{
	map_free(&t->ids);
}

static struct node *node_new(struct thread *t)
{
	struct node *node = ARENA_NEW(t->arena, struct node);

	t->count++;
	if (t->last)
		t->last->all = node;
	else
		t->first = node;
	t->last = node;
	return node;
}

static struct node *node_named(struct thread *t, slice id)
{
	uint64_t name = hash_keyed(&t->key, id);
	struct node *node = map_get(&t->ids, name);

	if (!node) {
		node = node_new(t);
		map_set(&t->ids, name, node);
	}
	return node;
}

/* Would child become its own ancestor, or the chain too long? */
static bool may_link(const struct node *parent, const struct node *child)
{
	size_t depth = 0;

	for (; parent && depth < THREAD_DEPTH; depth++, parent = parent->parent)
		if (parent == child)
			return false;
	return parent == NULL;
}

bool thread_add(struct thread *t, const struct thread_message *m)
{
	struct node *node = NULL, *parent = NULL;

	if (t->count + m->reference_count + 1 > THREAD_NODES)
		return false;
	if (m->id.n)
		node = node_named(t, m->id);
	/* Of two with one name the second counts as without. */
	if (!node || node->message)
		node = node_new(t);
	node->message = true;
	node->uid = m->uid;
	node->date = m->date;
	node->subject = m->subject;
	node->reply = m->reply;
	for (size_t i = 0; i < m->reference_count; i++) {
		struct node *child = node_named(t, m->references[i]);

		if (parent && !child->parent && may_link(parent, child))
			child->parent = parent;
		parent = child;
	}
	node->parent = NULL;
	if (parent && may_link(parent, node))
		node->parent = parent;
	return true;
}

/* ---- trees ---- */

static int node_compare(const void *a, const void *b)
{
	const struct node *one = *(struct node *const *)a, *other = *(struct node *const *)b;

	if (one->date != other->date)
		return one->date < other->date ? -1 : 1;
	return (one->uid > other->uid) - (one->uid < other->uid);
}

/* Sorts siblings; a name without a message counts as its first child. */
static struct node *siblings_sort(struct node *list)
{
	size_t n = 0, i = 0;

	for (struct node *node = list; node; node = node->next) {
		n++;
		if (!node->message && node->children) {
			node->date = node->children->date;
			node->uid = node->children->uid;
		}
	}
	if (n < 2)
		return list;
	struct node **array = memory_new(n, sizeof *array);
	for (struct node *node = list; node; node = node->next)
		array[i++] = node;
	qsort(array, n, sizeof *array, node_compare);
	for (i = 0; i < n; i++)
		array[i]->next = i + 1 < n ? array[i + 1] : NULL;
	list = array[0];
	free(array);
	return list;
}

static void list_push(struct node **list, struct node *node)
{
	node->next = *list;
	*list = node;
}

/* Puts all of a list before another. */
static void list_append(struct node **list, struct node *more)
{
	while (more) {
		struct node *next = more->next;

		list_push(list, more);
		more = next;
	}
}

/* Nodes so that children come before their parents. */
static struct node **order_bottom_up(struct thread *t)
{
	struct node **order = memory_new(t->count + 1, sizeof *order);
	size_t n = 0;

	/* Breadth first from the roots, to be read backwards. */
	for (struct node *root = t->roots; root; root = root->next)
		order[n++] = root;
	for (size_t i = 0; i < n; i++)
		for (struct node *child = order[i]->children; child; child = child->next)
			order[n++] = child;
	for (size_t i = 0; i < n / 2; i++) {
		struct node *swap = order[i];

		order[i] = order[n - 1 - i];
		order[n - 1 - i] = swap;
	}
	order[n] = NULL;
	return order;
}

/* Takes out names without messages: their children go up, at the top only a single one. */
static struct node *list_prune(struct node *list, bool top)
{
	struct node *kept = NULL;

	while (list) {
		struct node *node = list, *children = node->children;

		list = node->next;
		if (node->message || (top && children && children->next))
			list_push(&kept, node);
		else
			list_append(&kept, children);
	}
	return kept;
}

static void tree_make(struct thread *t)
{
	for (struct node *node = t->first; node; node = node->all)
		list_push(node->parent ? &node->parent->children : &t->roots, node);
	struct node **order = order_bottom_up(t);
	for (size_t i = 0; order[i]; i++) {
		order[i]->children = siblings_sort(list_prune(order[i]->children, false));
	}
	free(order);
	t->roots = siblings_sort(list_prune(t->roots, true));
}

/* ---- one subject, one thread ---- */

static const struct node *speaker(const struct node *root)
{
	return root->message ? root : root->children;
}

/* Which of the roots of a subject the others join: one without a message, else one that is no reply. */
static bool replaces(const struct node *now, const struct node *then)
{
	if (now->message != then->message)
		return !now->message;
	return then->message && then->reply && !now->reply;
}

static void subjects_collect(struct thread *t, struct map *table)
{
	for (struct node *root = t->roots; root; root = root->next) {
		slice subject = speaker(root)->subject;
		uint64_t key = hash_keyed(&t->key, subject);
		struct node *then = map_get(table, key);

		if (subject.n && (!then || replaces(root, then)))
			map_set(table, key, root);
	}
}

/* Two threads of one subject become one; what is in the table then. */
static struct node *threads_join(struct thread *t, struct node *then, struct node *now)
{
	if (!then->message && !now->message) {
		list_append(&then->children, now->children);
		return then;
	}
	if (!then->message || (now->message && now->reply && !then->reply)) {
		list_push(&then->children, now);
		return then;
	}
	/* A new top takes the place of the old one, which stays where it is as its child. */
	struct node *copy = node_new(t);
	*copy = *then;
	copy->all = NULL;
	*then = (struct node){ .next = then->next, .all = then->all };
	list_push(&then->children, copy);
	list_push(&then->children, now);
	return then;
}

static void subjects_join(struct thread *t)
{
	struct map table = { 0 };
	struct node *kept = NULL;

	subjects_collect(t, &table);
	for (struct node *root = t->roots; root;) {
		struct node *next = root->next;
		slice subject = speaker(root)->subject;
		struct node *then =
		    subject.n ? map_get(&table, hash_keyed(&t->key, subject)) : NULL;

		if (!then || then == root)
			list_push(&kept, root);
		else
			threads_join(t, then, root);
		root = next;
	}
	map_free(&table);
	for (struct node *root = kept; root; root = root->next)
		root->children = siblings_sort(root->children);
	t->roots = siblings_sort(kept);
}

void thread_by_references(struct thread *t)
{
	tree_make(t);
	subjects_join(t);
}

/* Messages of one subject: the first by date, all others its children (RFC 5256 §3, ORDEREDSUBJECT). */
void thread_by_subject(struct thread *t)
{
	struct map table = { 0 };
	struct node *list = NULL;

	for (struct node *node = t->first; node; node = node->all)
		if (node->message)
			list_push(&list, node);
	list = siblings_sort(list);
	while (list) {
		struct node *node = list;
		uint64_t key = hash_keyed(&t->key, node->subject);
		struct node *first = map_get(&table, key);

		list = node->next;
		list_push(first ? &first->children : &t->roots, node);
		if (!first)
			map_set(&table, key, node);
	}
	map_free(&table);
	for (struct node *root = t->roots; root; root = root->next)
		root->children = siblings_sort(root->children);
	t->roots = siblings_sort(t->roots);
}

/* ---- writing ---- */

/* What is left to write: lists of siblings; NULL for a ")". */
struct stack {
	const struct node **steps;
	size_t n, room;
};

static void push(struct stack *s, const struct node *node)
{
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->steps = memory_resize(s->steps, s->room * sizeof *s->steps);
	}
	s->steps[s->n++] = node;
}

/* thread-members and thread-nested: children of one node */
static const struct node *children_begin(const struct node *node, struct stack *s, struct buf *out)
{
	const struct node *children = node->children;

	if (!children)
		return NULL;
	if (!children->next) {
		if (node->message)
			buf_addc(out, ' ');
		return children;
	}
	if (node->message)
		buf_addc(out, ' ');
	push(s, children);
	return NULL;
}

void thread_write(const struct thread *t, uint32_t (*number)(void *context, uint32_t uid),
    void *context, struct buf *out)
{
	struct stack s = { 0 };

	if (t->roots)
		push(&s, t->roots);
	while (s.n) {
		const struct node *node = s.steps[--s.n];

		if (!node) {
			buf_addc(out, ')');
			continue;
		}
		if (node->next)
			push(&s, node->next);
		push(&s, NULL);
		buf_addc(out, '(');
		while (node) {
			if (node->message)
				buf_addf(out, "%u", number(context, node->uid));
			node = children_begin(node, &s, out);
		}
	}
	free(s.steps);
}

size_t thread_ids(slice value, slice *ids, size_t max)
{
	size_t n = 0;

	while (value.n) {
		slice id = slice_from(value, slice_find(value, '<'));
		size_t end = slice_find(id, '>');

		if (end >= id.n)
			break;
		id = slice_head(id, end + 1);
		value = slice_from(value, (size_t)(id.p - value.p) + id.n);
		if (n == max) {
			memmove(&ids[1], &ids[2], (max - 2) * sizeof *ids);
			n--;
		}
		ids[n++] = id;
	}
	return n;
}
