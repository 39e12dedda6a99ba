/* Records, macros and the whole check: the input is what the domain name system answers to everything. */
#include <assert.h>
#include <string.h>

#include "trust/spf.h"
#include "trust/spf_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	slice input; /* lines; TXT gets the next one each time, as one string or several */
	size_t at;
	unsigned asked;
};

static slice next_line(struct world *w)
{
	slice rest = slice_from(w->input, w->at), line = slice_head(rest, slice_find(rest, '\n'));

	w->at = w->at + line.n + 1 < w->input.n ? w->at + line.n + 1 : 0;
	return slice_head(line, 255);
}

static void answer(
    void *context, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	struct world *w = context;
	slice line = next_line(w);
	char *p = arena_alloc(arena, line.n + 8);

	assert(++w->asked < 2000);
	assert(name.n <= 4096);
	*out = (struct dns_answer){ .result = DNS_FOUND, .name = name, .count = 1, .why = "" };
	out->records = ARENA_NEW(arena, slice);
	p[0] = (char)line.n;
	memcpy(p + 1, line.p, line.n);
	out->records[0] = (slice){ p, line.n + 1 };
	if (type != DNS_TXT)
		out->records[0] = line;
	if (line.n == 0) {
		out->result = w->asked % 3 == 0 ? DNS_NO_NAME
		    : w->asked % 3 == 1         ? DNS_NO_DATA
						: DNS_FAILED;
		out->count = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(64 << 20);
	struct world world = { .input = { (const char *)data, size } };
	struct spf_dns dns = { .context = &world, .ask = answer };
	struct spf_answer a;
	struct buf field;

	for (int ipv6 = 0; ipv6 < 2 && size; ipv6++) {
		struct spf_question q = { .dns = &dns,
			.sender = SLICE("strong-bad@email.example.com"),
			.helo = SLICE("mail.example.com"),
			.receiver = SLICE("mx.example.org"),
			.arena = arena };

		assert(ip_parse(ipv6 ? SLICE("2001:db8::cb01") : SLICE("192.0.2.3"), &q.peer));
		spf_check(&q, &a);
		buf_init(&field, 1 << 20);
		spf_received(&q, &a, &field);
		assert(memchr(field.p, '\n', field.n) == field.p + field.n - 1);
		assert(a.terms <= 10 && a.voids <= 3);
		buf_free(&field);
	}
	arena_free(arena);
	return 0;
}
