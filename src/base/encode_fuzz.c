/* base64, hexadecimal and UTF-8 readers on any input; what base64 accepts must come back the same. */
#include <assert.h>

#include "base/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = { (const char *)data, size };
	struct buf raw, again;

	buf_init(&raw, size + 1);
	buf_init(&again, 2 * size + 8);
	if (base64_decode(input, &raw)) {
		base64_encode(buf_slice(&raw), &again);
		assert(slice_eq(buf_slice(&again), input));
	}
	buf_clear(&raw);
	hex_decode(input, &raw);
	utf8_valid(input);
	buf_free(&raw);
	buf_free(&again);
	return 0;
}
