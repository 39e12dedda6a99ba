/* Header fields: together with the empty line they are the header, nothing lost, nothing twice. */
#include <assert.h>

#include "mail/header.h"
#include "mail/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice header = header_of((slice){ (const char *)data, size }), rest = header;
	struct header_field field;
	struct parameter parameter;
	struct buf text;
	size_t total = 0;

	buf_init(&text, 1000);
	while (header_next(&rest, &field)) {
		assert(field.whole.n > 0 && field.value.n <= field.whole.n);
		total += field.whole.n;
		buf_clear(&text);
		header_unfold(field.value, &text);
		assert(slice_find(buf_slice(&text), '\n') == text.n);
		for (slice list = field.value; parameter_next(&list, &parameter);)
			parameter_value(&parameter, &text);
	}
	assert(total + rest.n == header.n && rest.n <= 2);
	buf_free(&text);
	return 0;
}
