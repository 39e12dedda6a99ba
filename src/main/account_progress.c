#include "main/account_progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define STEP_US 200000
#define WIDTH   30

void progress_step(struct progress *p, bool ok)
{
	char bar[WIDTH + 1] = "";
	int64_t now = clock_us();

	p->done += ok;
	if (now - p->shown_us < STEP_US || !isatty(STDERR_FILENO))
		return;
	p->shown_us = now;
	p->on_line = true;
	if (p->of == 0) {
		fprintf(stderr, "\r%llu messages %s", (unsigned long long)p->done, p->word);
		return;
	}
	size_t full = p->done >= p->of ? WIDTH : (size_t)(p->done * WIDTH / p->of);
	memset(bar, '#', full);
	memset(bar + full, '.', WIDTH - full);
	fprintf(stderr, "\r[%s] %llu of %llu messages %s", bar, (unsigned long long)p->done,
	    (unsigned long long)p->of, p->word);
}

void progress_end(struct progress *p)
{
	if (p->on_line)
		fprintf(stderr, "\r\033[K");
	p->on_line = false;
}
