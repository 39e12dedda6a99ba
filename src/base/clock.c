#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t read_us(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t clock_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

struct deadline deadline_in_ms(int64_t ms)
{
	return (struct deadline){ clock_us() + ms * 1000 };
}

int deadline_left_ms(struct deadline d)
{
	int64_t left = (d.at_us - clock_us() + 999) / 1000;

	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(struct deadline d)
{
	return clock_us() >= d.at_us;
}
