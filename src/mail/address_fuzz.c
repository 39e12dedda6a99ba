/* SMTP paths: what is accepted must be written in a form that is accepted again, and be equal. */
#include <assert.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read_again(const struct address *address, struct arena *arena)
{
	struct address again;
	struct buf text;

	assert(address->local.n <= ADDRESS_LOCAL_MAX && address->domain.n <= ADDRESS_DOMAIN_MAX);
	buf_init(&text, 1000);
	address_write(address, &text);
	if (address->domain.n) {
		assert(address_parse(buf_slice(&text), arena, &again));
		assert(address_equal(address, &again));
	}
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = { (const char *)data, size };
	struct arena *arena = arena_new(16 * size + (1 << 16));
	struct address address;
	struct cursor c = cursor_of(input);

	if (path_reverse_parse(&c, arena, &address))
		write_and_read_again(&address, arena);
	c = cursor_of(input);
	if (path_forward_parse(&c, arena, &address))
		write_and_read_again(&address, arena);
	if (address_parse(input, arena, &address))
		write_and_read_again(&address, arena);
	arena_free(arena);
	return 0;
}
