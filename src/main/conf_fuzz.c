/* Any file as the configuration: complaints, never an end; what is taken can be written and read again. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "main/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* A text without its closing quote costs libconfig the memory of that text. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static void ignore(void *context, const char *text)
{
	(void)context;
	assert(text[0]);
}

static void check_rows(const struct conf *conf, struct arena *arena)
{
	struct conf again = *conf;
	struct error error;

	for (size_t i = 0; i < conf_row_count; i++) {
		const char *value = conf_value(&conf_rows[i], conf, arena);

		assert(conf_set(&conf_rows[i], &again, slice_of(value), arena, &error));
		assert(
		    slice_eq(slice_of(value), slice_of(conf_value(&conf_rows[i], &again, arena))));
		conf_text(&conf_rows[i], conf, arena);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[40];
	static int fd = -1;
	struct arena *arena;
	struct conf conf;
	struct conf_origin origin;

	if (fd < 0)
		fd = memfd_create("conf", MFD_CLOEXEC);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	/* Other files are not what is tried here. */
	if (slice_search_nocase((slice){ (const char *)data, size }, SLICE("@include")) != SIZE_MAX)
		return 0;
	if (ftruncate(fd, 0) < 0 || (size && pwrite(fd, data, size, 0) < 0))
		return 0;
	arena = arena_new(8 << 20);
	if (conf_read(path, arena, &conf, &origin, ignore, NULL)) {
		check_rows(&conf, arena);
		conf_check(&conf, &origin, path, ignore, NULL);
		conf_warn(&conf, &origin, path, ignore, NULL);
	}
	arena_free(arena);
	return 0;
}
