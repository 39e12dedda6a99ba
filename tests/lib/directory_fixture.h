/* A directory in a folder of the test's own. */
#ifndef LIB_DIRECTORY_FIXTURE_H
#define LIB_DIRECTORY_FIXTURE_H

#include "lib/unit.h"

#include <unistd.h>

#include "directory/directory.h"

struct fixture {
	char folder[40], path[64];
	struct directory *dir;
	struct arena *arena;
	struct error error;
	int64_t id;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/directory_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/directory.db", f->folder);
	f->arena = arena_new(1 << 20);
	*state = f;
	return directory_open(f->path, true, &f->dir, &f->error) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	directory_close(f->dir);
	arena_free(f->arena);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

#endif
