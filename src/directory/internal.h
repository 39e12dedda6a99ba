/* internal: the handle, for the files of this room only. */
#ifndef DIRECTORY_INTERNAL_H
#define DIRECTORY_INTERNAL_H

#include "directory/directory.h"
#include "directory/program.h"

struct directory {
	struct db *db;
	int64_t wait_ms;
	/* Results of this call and the last one: so what the last call returned may be given to this. */
	struct arena *scratch[2];
	unsigned turn;
};

/* Begins a call: deadline, and room for its results, which is returned. */
struct arena *directory_turn(struct directory *dir);
/* ASCII lower case, in the arena. */
slice directory_fold(struct arena *arena, slice text);

#endif
