/* The arguments of every command, and the data stream, on any input. */
#include "smtp/data.h"
#include "smtp/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_parsers(slice input, struct arena *arena)
{
	struct cursor c = cursor_of(input);
	struct mail_arguments mail;
	struct rcpt_arguments rcpt;
	slice one, two;

	parse_mail(&c, arena, &mail);
	c = cursor_of(input);
	parse_rcpt(&c, arena, &rcpt);
	c = cursor_of(input);
	parse_hello(&c, arena, &one);
	c = cursor_of(input);
	parse_auth(&c, &one, &two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = { (const char *)data, size < 60000 ? size : 60000 };
	struct arena *arena = arena_new(16 << 20);
	struct data_reader reader = { 0 };
	struct buf out;
	size_t used;

	try_parsers(input, arena);
	buf_init(&out, input.n + 16);
	data_read(&reader, input, &out, &used);
	buf_free(&out);
	arena_free(arena);
	return 0;
}
