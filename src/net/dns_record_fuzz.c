/* Data of records: the first octet says of which type; what is read as a name is written as text. */
#include <assert.h>
#include <string.h>

#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(1 << 20);
	slice input = { (const char *)data, size };
	slice rest = slice_from(input, size > 0), text, name;
	enum dns_type type = size ? (enum dns_type)data[0] : DNS_A;
	unsigned preference;
	struct ip ip;

	size_t n = dns_read_name(rest, arena, &name);
	assert(n <= rest.n && n <= 255 && (n == 0) == (name.n == 0));
	if (dns_read_mx(rest, arena, &preference, &name))
		assert(preference <= 0xffff && name.n);
	if (dns_read_txt(rest, arena, &text))
		assert(text.n < rest.n);
	if (dns_read_address(rest, &ip))
		assert(dns_reverse_name(&ip, arena).n > 0);
	text = dns_record_text(type, rest, arena);
	for (size_t i = 0; i < text.n; i++)
		assert(text.p[i] >= ' ' && text.p[i] < 0x7f);
	arena_free(arena);
	return 0;
}
