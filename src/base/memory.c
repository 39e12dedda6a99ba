#include "base/memory.h"

#include <stdlib.h>

#include "base/log.h"

void *memory_new(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		panic("out of memory: %zu things of %zu octets", count, size);
	return p;
}

void *memory_resize(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		panic("out of memory: %zu octets", size);
	return p;
}
