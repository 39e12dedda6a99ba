/*
 * clock: time in microseconds, and deadlines.
 *
 * A deadline is an absolute point on the monotonic clock. It is made once, where the waiting begins,
 * and handed down to every call that may block.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);
/* Microseconds of a clock that never goes back. */
int64_t clock_us(void);

struct deadline {
	int64_t at_us;
};

struct deadline deadline_in_ms(int64_t ms);
/* Milliseconds left, rounded up; 0 when it has passed. Fit for poll(). */
int deadline_left_ms(struct deadline d);
bool deadline_passed(struct deadline d);

#endif
