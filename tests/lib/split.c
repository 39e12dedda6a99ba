#include "lib/split.h"

#include <stdlib.h>

static void octet_by_octet(slice input, void (*try)(void *, const slice *, size_t), void *context)
{
	slice *pieces = calloc(input.n, sizeof *pieces);

	for (size_t i = 0; i < input.n; i++)
		pieces[i] = (slice){ input.p + i, 1 };
	try(context, pieces, input.n);
	free(pieces);
}

void split_every_way(slice input, void (*try)(void *, const slice *, size_t), void *context)
{
	try(context, &input, 1);
	octet_by_octet(input, try, context);
	for (size_t i = 1; i < input.n; i++) {
		slice two[2] = { slice_head(input, i), slice_from(input, i) };

		try(context, two, 2);
		for (size_t j = i + 1; input.n <= SPLIT_THREE && j < input.n; j++) {
			slice three[3] = { slice_head(input, i), { input.p + i, j - i },
				slice_from(input, j) };

			try(context, three, 3);
		}
	}
}
