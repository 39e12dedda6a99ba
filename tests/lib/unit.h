/*
 * unit: what every unit test includes; cmocka as runner and assertions.
 *
 *     static void name_is_read(void **state) { ... assert_slice(name, "alice"); }
 *     int main(void) { const struct CMUnitTest tests[] = { cmocka_unit_test(name_is_read) }; return UNIT_RUN(tests); }
 *
 * A test's name says what holds.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/slice.h"

#define UNIT_RUN(tests) cmocka_run_group_tests((tests), NULL, NULL)

/* Asserts that a slice holds exactly this text. */
static inline void assert_slice_at(slice got, const char *want, const char *file, int line)
{
	if (!slice_eq(got, slice_of(want))) {
		print_error("got  \"%.*s\"\nwant \"%s\"\n", SLICE_ARG(got), want);
		_fail(file, line);
	}
}
#define assert_slice(got, want) assert_slice_at((got), (want), __FILE__, __LINE__)

/* The seed of a random test: SEED of the environment, or a new one; printed, so a failure can be
 * run again. */
static inline unsigned unit_seed(void)
{
	const char *given = getenv("SEED");
	unsigned seed =
	    given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)(uintptr_t)&given >> 4;

	print_message("# SEED=%u\n", seed);
	return seed;
}

#endif
