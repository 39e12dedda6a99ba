/*
 * arena: memory that dies together.
 *
 * A session has three (turn, transaction, connection), a delivery one. What is allocated is zeroed
 * and never freed singly; arena_reset ends the whole lifetime, runs what was deferred (last first)
 * and keeps one block for the next. The maximum is a promise of the door: input is bounded before
 * it gets here, so going beyond the maximum is our bug and ends the process.
 *
 *     struct arena *turn = arena_new(1 << 20);
 *     char *name = arena_str(turn, word);
 *     arena_defer(turn, close_statement, stmt);
 *     ...
 *     arena_reset(turn);
 *
 * Not for threads: one owner at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena;

/* An empty arena that may hold max octets. Owns nothing until first used. */
struct arena *arena_new(size_t max);
/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t n);
#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))
/* A copy that ends in NUL. */
char *arena_str(struct arena *a, slice s);
/* A copy. */
slice arena_copy(struct arena *a, slice s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Calls fn(thing) when the arena is reset or freed. */
void arena_defer(struct arena *a, void (*fn)(void *thing), void *thing);
/* Octets handed out since the last reset. */
size_t arena_used(const struct arena *a);
void arena_reset(struct arena *a);
/* Resets and frees; NULL is allowed. */
void arena_free(struct arena *a);

#endif
