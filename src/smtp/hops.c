#include "smtp/hops.h"

#include "base/octet.h"

void hops_take(struct hop_counter *hops, slice piece)
{
	static const char name[] = "received:";

	for (size_t i = 0; i < piece.n && !hops->over; i++) {
		char c = piece.p[i];

		if (c == '\n') {
			hops->over = hops->column <= 1; /* nothing but its CR */
			hops->column = 0;
			hops->other = false;
			continue;
		}
		if (!hops->other && hops->column < sizeof name - 1)
			hops->other = octet_lower(c) != name[hops->column];
		hops->column++;
		if (!hops->other && hops->column == sizeof name - 1)
			hops->count++;
	}
}
