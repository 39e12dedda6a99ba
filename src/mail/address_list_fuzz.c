/* Address lists of header fields: always an end, entries within bounds, groups closed. */
#include <assert.h>

#include "mail/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_list list;
	struct list_entry entry;
	int open = 0;

	address_list_open(&list, (slice){ (const char *)data, size });
	while (address_list_next(&list, &entry)) {
		assert(entry.local.n <= size && entry.domain.n <= size && entry.route.n <= size);
		open += (entry.kind == ENTRY_GROUP) - (entry.kind == ENTRY_GROUP_END);
		assert(open == 0 || open == 1);
	}
	assert(open == 0 && !list.text.full);
	address_list_close(&list);
	return 0;
}
