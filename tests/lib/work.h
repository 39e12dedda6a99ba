/*
 * work: counts what code does, so that a test can say how the time grows without a clock.
 *
 *     uint64_t before = work_done();
 *     mime_parse(...);
 *     uint64_t steps = work_done() - before;
 *
 * The files under test are compiled with -fsanitize-coverage=trace-pc: each basic block that runs counts one.
 * Octets that memchr, memcmp, memmem, memcpy and memset go over count as 1/16 (linked with --wrap).
 */
#ifndef TESTS_WORK_H
#define TESTS_WORK_H

#include <stdint.h>

uint64_t work_done(void);

#endif
