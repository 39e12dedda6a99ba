/* Any octets as a message: parts inside their parents, a summary that is one balanced list. */
#include <assert.h>
#include <stdlib.h>

#include "mail/inspect.h"
#include "mail/section.h"
#include "mail/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void part_check(const struct part *part, const char *start, const char *end)
{
	assert(part->header.p >= start && part->header.p + part->header.n <= end);
	assert(part->body.p == part->header.p + part->header.n);
	assert(part->body.p + part->body.n <= end && part->depth < MIME_DEPTH);
	for (const struct part *child = part->children; child; child = child->next) {
		assert(child->parent == part);
		/* A header cut short by a delimiter ends with the line end that the body lacks. */
		part_check(child, part->body.p, end);
	}
}

/* Strings skipped, parentheses must pair and close only at the end. */
static void list_check(slice text)
{
	size_t depth = 0, i = 0;

	for (; i < text.n; i++) {
		if (text.p[i] == '"') {
			for (i++; text.p[i] != '"'; i++)
				i += text.p[i] == '\\';
		} else if (text.p[i] == '{') {
			size_t n = strtoul(text.p + i + 1, NULL, 10);

			i += slice_find(slice_from(text, i), '\n') + n;
		} else if (text.p[i] == '(') {
			depth++;
		} else if (text.p[i] == ')') {
			assert(depth > 0);
			depth--;
			assert(depth > 0 || i == text.n - 1);
		}
	}
	assert(depth == 0 && i == text.n);
}

static void sections_check(const struct part *root)
{
	slice names[] = { SLICE("Subject"), SLICE("Date") }, text;
	struct section section = { .path = { 1, 1, 2 }, .fields = names, .field_count = 2 };
	struct buf out;

	buf_init(&out, 10000);
	for (section.depth = 0; section.depth < 4; section.depth++)
		for (int kind = SECTION_ALL; kind <= SECTION_FIELDS_NOT; kind++) {
			section.kind = (enum section_kind)kind;
			if (section_find(root, &section, &text) && kind >= SECTION_FIELDS)
				section_fields_write(text, &section, &out);
		}
	buf_free(&out);
}

/* Every ambiguity has a place in the message, and a part that holds it. */
static void ambiguities_check(struct mime *mime, size_t size)
{
	struct buf path;

	mime_inspect(mime, NULL);
	buf_init(&path, 1000);
	for (int kind = 0; kind < AMBIGUITY_SIZE; kind++) {
		const struct ambiguity *one = &mime->ambiguities.of[kind];

		assert((one->count > 0) == (mime->ambiguities.seen >> kind & 1));
		if (one->count == 0)
			continue;
		assert(one->offset <= size);
		buf_clear(&path);
		part_path_write(one->part, &path);
		assert(path.n > 0 && !path.full);
	}
	part_at(mime, size / 2);
	buf_free(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice message = { (const char *)data, size };
	struct arena *arena = arena_new(MIME_ARENA);
	struct buf envelope, structure, body;
	struct mime mime;

	mime_parse(message, arena, &mime);
	if (size)
		part_check(mime.root, message.p, message.p + size);
	sections_check(mime.root);
	ambiguities_check(&mime, size);
	buf_init(&envelope, 100000);
	buf_init(&structure, 100000);
	buf_init(&body, 200000);
	summary_write(&mime, &envelope, &structure);
	list_check(buf_slice(&envelope));
	list_check(buf_slice(&structure));
	structure_strip(buf_slice(&structure), &body);
	list_check(buf_slice(&body));
	assert(body.n <= structure.n);
	buf_free(&envelope);
	buf_free(&structure);
	buf_free(&body);
	arena_free(arena);
	return 0;
}
