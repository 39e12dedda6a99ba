#include "main/bundle.h"

void bundle_add(struct buf *out, slice text)
{
	uint32_t n = (uint32_t)text.n;

	buf_add(out, (slice){ (const char *)&n, sizeof n });
	buf_add(out, text);
}

bool bundle_get(slice *rest, slice *out)
{
	uint32_t n;

	if (rest->n < sizeof n)
		return false;
	memcpy(&n, rest->p, sizeof n);
	slice text = slice_from(*rest, sizeof n);
	if (text.n < n)
		return false;
	*out = slice_head(text, n);
	*rest = slice_from(text, n);
	return true;
}
