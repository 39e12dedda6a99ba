/* Fields of a message that somebody gone mad has sent, read in any order. */
#include <assert.h>

#include "proc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t order = size ? data[0] : 0;
	slice body = slice_from((slice){ (const char *)data, size }, 1);
	struct message_reader in = { .rest = body };
	size_t left = body.n;
	unsigned sum = 0;

	for (int i = 0; i < 64; i++) {
		bool failed = in.failed;

		if (order >> (i % 8) & 1) {
			slice text = message_get_text(&in);

			assert(!failed || text.n == 0);
			for (size_t j = 0; j < text.n; j++)
				sum += (unsigned char)text.p[j];
		} else {
			uint64_t n = message_get_number(&in);

			assert(!failed || n == 0);
		}
		assert(in.rest.n <= left);
		assert(failed ? in.failed : in.failed || in.rest.n < left);
		left = in.rest.n;
	}
	assert(!in.failed || !message_done(&in));
	return sum == 1; /* looked at, so that it is read */
}
