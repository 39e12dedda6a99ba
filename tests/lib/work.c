#include "lib/work.h"

#include <stddef.h>
#include <string.h>

#define VECTOR 16 /* octets that those functions take at a time */

static uint64_t steps;

void __sanitizer_cov_trace_pc(void);
void *__real_memchr(const void *p, int c, size_t n);
void *__wrap_memchr(const void *p, int c, size_t n);
int __real_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);
void *__real_memmem(const void *p, size_t n, const void *what, size_t what_n);
void *__wrap_memmem(const void *p, size_t n, const void *what, size_t what_n);
void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__real_memset(void *to, int c, size_t n);
void *__wrap_memset(void *to, int c, size_t n);

uint64_t work_done(void)
{
	return steps;
}

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

/* Of a search only what it had to go over. */
void *__wrap_memchr(const void *p, int c, size_t n)
{
	const char *found = __real_memchr(p, c, n);

	steps += (found ? (size_t)(found - (const char *)p) : n) / VECTOR;
	return (void *)(uintptr_t)found;
}

int __wrap_memcmp(const void *a, const void *b, size_t n)
{
	steps += n / VECTOR;
	return __real_memcmp(a, b, n);
}

void *__wrap_memmem(const void *p, size_t n, const void *what, size_t what_n)
{
	const char *found = __real_memmem(p, n, what, what_n);

	steps += (found ? (size_t)(found - (const char *)p) : n) / VECTOR;
	return (void *)(uintptr_t)found;
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	steps += n / VECTOR;
	return __real_memcpy(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n)
{
	steps += n / VECTOR;
	return __real_memset(to, c, n);
}
