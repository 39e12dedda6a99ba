/*
 * map: from a 64-bit number to a pointer, open addressing.
 *
 *     struct map sessions = { 0 };
 *     map_set(&sessions, id, s);
 *     struct session *s = map_get(&sessions, id);
 *
 * NULL is "not there"; key 0 is a key like any other. The map owns its table, not the values.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t count, size; /* size is a power of two, or 0 */
};

void *map_get(const struct map *m, uint64_t key);
/* Sets or replaces; value must not be NULL. */
void map_set(struct map *m, uint64_t key, void *value);
/* Removes and returns the value, NULL when there was none. */
void *map_remove(struct map *m, uint64_t key);
/* Walks all entries in no order: start with *at = 0; NULL ends. No changes meanwhile. */
void *map_next(const struct map *m, size_t *at);
void map_free(struct map *m);

#endif
