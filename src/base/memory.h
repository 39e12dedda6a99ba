/*
 * memory: allocation that does not fail.
 *
 * Out of memory ends the process (its supervisor starts another); limits on what a client may make
 * us hold are set where the input enters, never by waiting for malloc to refuse.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory for count things of size octets; never NULL. The caller frees it with free(). */
void *memory_new(size_t count, size_t size);
/* realloc that does not fail. */
void *memory_resize(void *old, size_t size);
/* One zeroed struct. */
#define NEW(type) ((type *)memory_new(1, sizeof(type)))

#endif
