/* Whole conversations of IMAP on a small store: any octets. */
#include "lib/store_feed.h"
#include "imap/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	store_feed(imap_init, &imap_protocol, (slice){ (const char *)data, size });
	return 0;
}
