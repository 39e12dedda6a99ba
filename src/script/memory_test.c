/*
 * A run allocates in its arena and nowhere else, PCRE2 included. Linked so that calls of the arena pass by here
 * (meson.build); every other allocation of the process is counted while a program runs.
 */
#include "lib/lab.h"

static volatile bool in_arena, counting;
static volatile unsigned outside;

static void count(void)
{
	outside += counting && !in_arena;
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
/* The sanitizer owns malloc and tells of each. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*)(const volatile void *, size_t), void (*)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
	count();
}

static void on_free(const volatile void *p)
{
}

static void watch(void)
{
	assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free));
}
#else
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	count();
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	count();
	return __libc_realloc(p, n);
}

static void watch(void)
{
}
#endif

void *__real_arena_alloc(struct arena *a, size_t n);
void *__wrap_arena_alloc(struct arena *a, size_t n);
char *__wrap_arena_str(struct arena *a, slice s);
slice __wrap_arena_copy(struct arena *a, slice s);
char *__wrap_arena_printf(struct arena *a, const char *format, ...);

void *__wrap_arena_alloc(struct arena *a, size_t n)
{
	bool before = in_arena;

	in_arena = true;
	void *p = __real_arena_alloc(a, n);
	in_arena = before;
	return p;
}

char *__wrap_arena_str(struct arena *a, slice s)
{
	char *copy = __wrap_arena_alloc(a, s.n + 1);

	memcpy(copy, s.n ? s.p : "", s.n);
	copy[s.n] = '\0';
	return copy;
}

slice __wrap_arena_copy(struct arena *a, slice s)
{
	return (slice){ __wrap_arena_str(a, s), s.n };
}

char *__wrap_arena_printf(struct arena *a, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	assert_true(n >= 0 && n < (int)sizeof text);
	return __wrap_arena_str(a, (slice){ text, (size_t)n });
}

static const char everything[] =
    "table d of domain to string = [ \".example.org\" to \"x\" ]; table n of network = [ \"192.0.2.0/24\" ];"
    "table p of pattern = [ \"*hello*\", \"w?rld*\" ]; table a of address to number = [ \"@example.org\" to 5 ];"
    "method m(p1: string, q1: number) { set(text, \"%p1% %q1% %p1%\"); }"
    "rule \"r\" { when any { text matches [/(a+)+$/, /(\\w+) (\\w+)!/, \"*x*\"]; names matches /^z|q$/; host in d; } then { call(m, said, num); } }"
    "event onC {"
    " if (text matches p or names matches p or client in n or box in a) { set(other, \"%names% %client% %num% %octets% %kilo%\"); }"
    " set(mine, extract(said, /(.)(.)/)); export(mine); set(why, \"%mine%%text%%other%\");"
    " set(num, count(addresses(said)) + length(piece) + lookup(a, box) + number(text) * 2 / 3);"
    " set(host, domain(lower(said))); set(client2, ip(text)); set(mbox, address(said)); set(other, domainOf(mbox));"
    " foreach b in names { foreach c in addresses(said) { if (localPartOf(c) == b) { set(other, \"%b%%c%\"); } } }"
    " switch (lower(text)) { case \"x\": return; default: set(kind, \"red\"); }"
    " if (piece matches /(l|li|lin)*z/ or piece matches /line (?<x>t).*/) { set(text, lookup(d, host)); }"
    " reject(550, 5.7.1, \"%text%, %why%\"); }";

static void a_run_allocates_in_its_arena_only(void **state)
{
	static char long_text[60000];

	memset(long_text, 'a', sizeof long_text);
	lab_good(everything);
	watch();
	for (int round = 0; round < 20; round++) {
		lab_values();
		*lab_var("said") = VALUE_TEXT_OF(
		    SLICE("Ann <ann@example.org>, \"B\" <bob@EXAMPLE.net>, <alpha@x.example>"));
		*lab_var("piece") = VALUE_TEXT_OF(((slice){ long_text, sizeof long_text }));
		*lab_var("text") = VALUE_TEXT_OF(((slice){ long_text, (size_t)round * 50 }));
		counting = true;
		enum vm_result result = lab_run("onC");
		counting = false;
		assert_int_equal(result, VM_STOPPED);
	}
	assert_int_equal(outside, 0);
	/* And the counter counts. */
	counting = true;
	char *volatile p = malloc(10);
	counting = false;
	free(p);
	assert_int_equal(outside, 1);
}

static void a_run_takes_no_more_than_it_may(void **state)
{
	lab_good("event onC { foreach b in names { set(text, \"%text%%text%x%b%\"); } }");
	for (size_t memory = 0; memory < 40000; memory += 1000) {
		struct vm_limits limits = { VM_STEPS, memory, deadline_in_ms(1000), 100 };

		lab_values();
		vm_begin(&lab.vm, lab.policy->program, lab.vars, lab.arena, &limits);
		size_t before = arena_used(lab.arena);
		vm_run(&lab.vm, 0);
		assert_true(arena_used(lab.arena) - before <= memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_allocates_in_its_arena_only),
		cmocka_unit_test(a_run_takes_no_more_than_it_may),
	};
	int failed = UNIT_RUN(tests);

	lab_end();
	return failed;
}
