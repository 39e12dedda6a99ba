/*
 * Runs a fuzz target over the files of a folder, so that every input that was ever interesting is
 * tried in ordinary builds too. Prints TAP, one line a file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *folder, const char *name)
{
	char path[4096];
	struct buf content;
	struct error error;

	buf_init(&content, 64 << 20);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	bool ok = file_read(path, &content, &error);
	if (ok) {
		/* A copy of the exact size, so that a read past the end is seen. */
		uint8_t *exact = malloc(content.n ? content.n : 1);

		if (content.n)
			memcpy(exact, content.p, content.n);
		LLVMFuzzerTestOneInput(exact, content.n);
		free(exact);
	}
	buf_free(&content);
	return ok;
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	int n = argc == 2 ? scandir(argv[1], &entries, NULL, alphasort) : -1;
	int count = 0;

	if (n < 0) {
		fprintf(stderr, "usage: %s FOLDER (a readable folder of inputs)\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			bool ok = replay(argv[1], entries[i]->d_name);

			count++;
			printf("%s %d - %s\n", ok ? "ok" : "not ok", count, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	printf("1..%d\n", count);
	return count ? 0 : 1;
}
