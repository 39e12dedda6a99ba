/* Whole conversations of POP3 on a small store: any octets. */
#include "lib/store_feed.h"
#include "pop3/pop3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	store_feed(pop3_init, &pop3_protocol, (slice){ (const char *)data, size });
	return 0;
}
