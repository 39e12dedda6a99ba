/* Envelopes: what decodes is encoded to the same octets. */
#include <assert.h>

#include "queue/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = { (const char *)data, size };
	struct arena *arena = arena_new(1 << 20);
	struct envelope e;
	struct buf out;

	buf_init(&out, size);
	if (envelope_decode(input, arena, &e)) {
		envelope_encode(&e, &out);
		assert(!out.full && slice_eq(buf_slice(&out), input));
	}
	buf_free(&out);
	arena_free(arena);
	return 0;
}
