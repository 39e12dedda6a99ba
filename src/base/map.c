#include "base/map.h"

#include <stdlib.h>

#include "base/memory.h"

static size_t place(const struct map *m, uint64_t key)
{
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15u;
	key ^= key >> 29;
	return (size_t)key & (m->size - 1);
}

/* The slot of key, or the free one where it would go. */
static struct map_slot *slot_of(const struct map *m, uint64_t key)
{
	size_t i = place(m, key);

	while (m->slots[i].value && m->slots[i].key != key)
		i = (i + 1) & (m->size - 1);
	return &m->slots[i];
}

void *map_get(const struct map *m, uint64_t key)
{
	return m->size ? slot_of(m, key)->value : NULL;
}

static void resize(struct map *m, size_t size)
{
	struct map old = *m;

	m->slots = memory_new(size, sizeof *m->slots);
	m->size = size;
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].value)
			*slot_of(m, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

void map_set(struct map *m, uint64_t key, void *value)
{
	if ((m->count + 1) * 4 > m->size * 3)
		resize(m, m->size ? m->size * 2 : 16);
	struct map_slot *slot = slot_of(m, key);
	if (!slot->value)
		m->count++;
	*slot = (struct map_slot){ key, value };
}

void *map_remove(struct map *m, uint64_t key)
{
	if (!m->size)
		return NULL;
	struct map_slot *slot = slot_of(m, key);
	void *value = slot->value;
	if (!value)
		return NULL;
	slot->value = NULL;
	m->count--;
	/* What stood behind it may have been pushed on by it: put the rest of the run again. */
	for (size_t i = ((size_t)(slot - m->slots) + 1) & (m->size - 1); m->slots[i].value;
	     i = (i + 1) & (m->size - 1)) {
		struct map_slot moved = m->slots[i];

		m->slots[i].value = NULL;
		*slot_of(m, moved.key) = moved;
	}
	return value;
}

void *map_next(const struct map *m, size_t *at)
{
	while (*at < m->size) {
		void *value = m->slots[(*at)++].value;

		if (value)
			return value;
	}
	return NULL;
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}
