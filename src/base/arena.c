#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

#define ARENA_BLOCK 4000
#define ARENA_FIRST 480 /* ten thousand idle sessions have two arenas each */
#define ARENA_ALIGN 16

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ARENA_ALIGN) char data[];
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *);
	void *thing;
};

struct arena {
	struct block *blocks; /* newest first */
	struct deferred *deferred;
	size_t used, max;
};

struct arena *arena_new(size_t max)
{
	struct arena *a = NEW(struct arena);

	a->max = max;
	return a;
}

/* Each is larger than the one before, up to ARENA_BLOCK. */
static struct block *block_new(const struct block *before, size_t n)
{
	size_t size = before ? 4 * before->size : ARENA_FIRST;

	if (size > ARENA_BLOCK)
		size = ARENA_BLOCK;
	if (size < n)
		size = n;
	struct block *b = memory_new(1, sizeof *b + size);

	b->size = size;
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (n > a->max || a->used > a->max - n)
		panic("arena of %zu octets overrun by %zu: input was not bounded", a->max, n);
	if (!a->blocks || a->blocks->size - a->blocks->used < n) {
		struct block *b = block_new(a->blocks, n);

		b->next = a->blocks;
		a->blocks = b;
	}
	void *p = a->blocks->data + a->blocks->used;
	a->blocks->used += n;
	a->used += n;
	return p;
}

char *arena_str(struct arena *a, slice s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

slice arena_copy(struct arena *a, slice s)
{
	return (slice){ arena_str(a, s), s.n };
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = arena_alloc(a, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void arena_defer(struct arena *a, void (*fn)(void *), void *thing)
{
	struct deferred *d = ARENA_NEW(a, struct deferred);

	*d = (struct deferred){ .next = a->deferred, .fn = fn, .thing = thing };
	a->deferred = d;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

static void run_deferred(struct arena *a)
{
	while (a->deferred) {
		struct deferred *d = a->deferred;

		a->deferred = d->next;
		d->fn(d->thing);
	}
}

static void free_blocks(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_reset(struct arena *a)
{
	run_deferred(a);
	struct block *keep = a->blocks;
	if (keep && keep->size > ARENA_BLOCK) {
		free_blocks(keep);
		keep = NULL;
	} else if (keep) {
		free_blocks(keep->next);
		keep->next = NULL;
		memset(keep->data, 0, keep->used);
		keep->used = 0;
	}
	a->blocks = keep;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	run_deferred(a);
	free_blocks(a->blocks);
	free(a);
}
