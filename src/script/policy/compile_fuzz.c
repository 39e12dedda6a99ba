/* Any text as a policy: errors or a program that is verified; laid out, it means the same and stays as it is. */
#include <assert.h>
#include <stdlib.h>

#include "lib/lab_host.h"
#include "script/policy/fmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool none(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	return true;
}

static bool read_table(void *context, const char *name, size_t max, struct arena *arena, slice *out,
    struct error *error)
{
	*out = SLICE("example.org x\n.example.net y\n5\n");
	return strstr(name, "t.txt") || error_local(error, "there is no file %s", name);
}

/* The program as text; an empty one when it is refused. Reads the remarks too. */
static void compile(slice text, struct arena *arena, struct buf *out)
{
	struct policy_host host = lab_tables_host();
	struct sources sources;
	struct buf said;

	host.call = none;
	sources_begin(&sources, arena, read_table, NULL);
	uint32_t file = sources_add(&sources, "f", text, (struct range){ 0 });
	struct policy *p = policy_compile(&host, &sources, file, NULL);
	assert((p == NULL) == (sources.errors > 0));
	buf_init(&said, 8 << 20);
	sources_print(&sources, false, &said);
	sources_print(&sources, true, &said);
	buf_free(&said);
	if (p) {
		assert(p->program->verified);
		program_dump(p->program, out);
	}
}

static bool lay_out(slice text, struct arena *arena, struct buf *out)
{
	struct sources sources;

	sources_begin(&sources, arena, NULL, NULL);
	uint32_t file = sources_add(&sources, "f", text, (struct range){ 0 });
	return file != UINT32_MAX && policy_fmt(&sources, file, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(1ull << 30);
	struct buf program, laid, again, same;

	buf_init(&program, 64 << 20);
	buf_init(&laid, 16 << 20);
	buf_init(&again, 16 << 20);
	buf_init(&same, 64 << 20);
	compile((slice){ (const char *)data, size }, arena, &program);
	if (lay_out((slice){ (const char *)data, size }, arena, &laid)) {
		assert(lay_out(buf_slice(&laid), arena, &again));
		assert(slice_eq(buf_slice(&laid), buf_slice(&again)));
		compile(buf_slice(&laid), arena, &same);
		assert(slice_eq(buf_slice(&program), buf_slice(&same)));
	}
	buf_free(&program);
	buf_free(&laid);
	buf_free(&again);
	buf_free(&same);
	arena_free(arena);
	return 0;
}
