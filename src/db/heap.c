#include "db/heap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/list.h"
#include "base/log.h"
#include "db/db.h"

#define SLAB 65536
#define HEAPS                                                                                      \
	16 /* threads share them in turns: a handle's pieces lie together, and are given back together */
#define PIECES (sizeof sizes / sizeof sizes[0])

/* Octets of a piece with its head; a page of SQLite has about 4,400. */
static const uint16_t sizes[] = { 48, 80, 112, 144, 208, 272, 400, 528, 784, 1040, 1552, 2064, 3088,
	4512, 8208, 16400 };

struct heap {
	pthread_mutex_t lock;
	struct list slabs[PIECES]; /* that have a free piece */
};

struct slab {
	struct link link; /* in its heap's list while a piece is free */
	struct heap *heap;
	struct piece *free;
	unsigned used, most, at; /* pieces; those from `at` on were never used */
	unsigned kind;
};

/* In front of what SQLite has. */
struct piece {
	struct slab *slab; /* NULL: a mapping of its own */
	union {
		size_t size; /* octets after this head */
		struct piece *next;
	};
};
_Static_assert(sizeof(struct piece) == 16, "SQLite wants 8 octets' alignment");

static struct heap heaps[HEAPS];
static atomic_uint threads;

static struct heap *heap_of_thread(void)
{
	static _Thread_local struct heap *own;

	if (!own)
		own = &heaps[threads++ % HEAPS];
	return own;
}

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct slab *slab_new(struct heap *heap, unsigned kind)
{
	struct slab *slab = map(SLAB);

	if (!slab)
		return NULL;
	slab->heap = heap;
	slab->kind = kind;
	slab->most = (unsigned)((SLAB - sizeof *slab) / sizes[kind]);
	list_push(&heap->slabs[kind], &slab->link);
	return slab;
}

static struct piece *slab_take(struct slab *slab)
{
	struct piece *piece = slab->free;

	if (piece)
		slab->free = piece->next;
	else
		piece = (void *)((char *)(slab + 1) + (size_t)sizes[slab->kind] * slab->at++);
	if (++slab->used == slab->most)
		list_remove(&slab->link);
	piece->slab = slab;
	return piece;
}

static void slab_give(struct slab *slab, struct piece *piece)
{
	struct heap *heap = slab->heap;

	pthread_mutex_lock(&heap->lock);
	piece->next = slab->free;
	slab->free = piece;
	if (slab->used-- == slab->most)
		list_push(&heap->slabs[slab->kind], &slab->link);
	/* One that is empty stays, until db_heap_trim(): making it anew for each piece would be slow. */
	bool over = slab->used == 0 && list_first(&heap->slabs[slab->kind]) != &slab->link;
	if (over)
		list_remove(&slab->link);
	pthread_mutex_unlock(&heap->lock);
	if (over)
		munmap(slab, SLAB);
}

static struct piece *small(unsigned kind)
{
	struct heap *heap = heap_of_thread();
	struct piece *piece = NULL;

	pthread_mutex_lock(&heap->lock);
	struct link *first = list_first(&heap->slabs[kind]);
	struct slab *slab = first ? LIST_OF(first, struct slab, link) : slab_new(heap, kind);
	if (slab)
		piece = slab_take(slab);
	pthread_mutex_unlock(&heap->lock);
	return piece;
}

static void *heap_malloc(int n)
{
	size_t need = (size_t)n + sizeof(struct piece);
	struct piece *piece;
	unsigned kind = 0;

	while (kind < PIECES && sizes[kind] < need)
		kind++;
	piece = kind < PIECES ? small(kind) : map(need);
	if (!piece)
		return NULL;
	piece->size = (kind < PIECES ? sizes[kind] : need) - sizeof *piece;
	return piece + 1;
}

static void heap_free(void *p)
{
	struct piece *piece = (struct piece *)p - 1;

	if (piece->slab)
		slab_give(piece->slab, piece);
	else
		munmap(piece, piece->size + sizeof *piece);
}

static int heap_size(void *p)
{
	return p ? (int)((struct piece *)p - 1)->size : 0;
}

static void *heap_realloc(void *p, int n)
{
	if (heap_size(p) >= n)
		return p;
	void *more = heap_malloc(n);
	if (!more)
		return NULL;
	memcpy(more, p, (size_t)heap_size(p));
	heap_free(p);
	return more;
}

static int heap_round_up(int n)
{
	return (n + 7) & ~7;
}

static int heap_start(void *nothing)
{
	(void)nothing;
	return SQLITE_OK;
}

static void heap_stop(void *nothing)
{
	(void)nothing;
}

const sqlite3_mem_methods db_heap_methods = { heap_malloc, heap_free, heap_realloc, heap_size,
	heap_round_up, heap_start, heap_stop, NULL };

static void lists_init(void)
{
	for (size_t i = 0; i < HEAPS; i++) {
		pthread_mutex_init(&heaps[i].lock, NULL);
		for (size_t k = 0; k < PIECES; k++)
			list_init(&heaps[i].slabs[k]);
	}
}

void db_heap_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, lists_init);
}

static void use(void)
{
	db_heap_init();
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &db_heap_methods) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		panic("SQLite was used before its memory was set up");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

void db_heap_use(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (SANITIZED)
		return;
	pthread_once(&once, use);
}

/* Unmaps the slabs of one kind that hold nothing. */
static void trim(struct heap *heap, unsigned kind)
{
	struct list keep;
	struct link *node;

	list_init(&keep);
	while ((node = list_pop(&heap->slabs[kind]))) {
		struct slab *slab = LIST_OF(node, struct slab, link);

		if (slab->used)
			list_push(&keep, node);
		else
			munmap(slab, SLAB);
	}
	while ((node = list_pop(&keep)))
		list_push(&heap->slabs[kind], node);
}

void db_heap_trim(void)
{
	struct heap *heap = heap_of_thread();

	db_heap_init();
	pthread_mutex_lock(&heap->lock);
	for (unsigned kind = 0; kind < PIECES; kind++)
		trim(heap, kind);
	pthread_mutex_unlock(&heap->lock);
}
