/* PROXY headers: taken octet by octet and at once, the answer is the same. */
#include <assert.h>

#include "base/buf.h"
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_answer take(slice input, size_t step, size_t *taken_out)
{
	enum proxy_answer answer = PROXY_MORE;
	const char *why;
	struct buf header;
	struct ip peer;

	buf_init(&header, PROXY_MAX);
	for (size_t at = 0; at < input.n && answer == PROXY_MORE;) {
		size_t n =
		    proxy_belongs(buf_slice(&header), slice_head(slice_from(input, at), step));

		assert(n > 0);
		buf_add(&header, slice_head(slice_from(input, at), n));
		at += n;
		answer = proxy_parse(buf_slice(&header), &peer, &why);
	}
	*taken_out = header.n;
	buf_free(&header);
	return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = { (const char *)data, size };
	size_t one, all;
	enum proxy_answer slow = take(input, 1, &one), fast = take(input, size, &all);

	assert(slow == fast && (slow == PROXY_WRONG || one == all));
	return 0;
}
