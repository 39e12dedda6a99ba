/*
 * source: the texts that a policy is made of, and what is said about them.
 *
 *     struct sources src;
 *     sources_begin(&src, arena, read, context);
 *     ...
 *     remark_add(&src, REMARK_ERROR, range, "one of: pass fail", "'%s' is not a value", word);
 *     sources_print(&src, false, &out);
 *
 * Each message has a file, line and column (in characters), shows the line with a caret and may have a hint. At
 * most REMARKS_MAX errors of a file are kept; they come out in the order of the text.
 */
#ifndef SCRIPT_POLICY_SOURCE_H
#define SCRIPT_POLICY_SOURCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define REMARKS_MAX 20        /* errors of a file; as many warnings */
#define FILES_MAX   64        /* of a policy */
#define TEXT_MAX    (4 << 20) /* octets of all files together */

struct range {
	uint32_t file;
	uint32_t at, end; /* octets [at, end) of the file */
};

enum remark_kind { REMARK_ERROR, REMARK_WARNING, REMARK_NOTE };

struct remark {
	struct remark *next;
	enum remark_kind kind;
	struct range range;
	uint32_t order;
	const char *text, *hint; /* hint: NULL for none */
};

struct source {
	const char *name; /* as it is shown */
	slice text;
	unsigned errors, others;
	bool loading;    /* imports of it are being read */
	uint32_t *lines; /* where each begins; made when first asked for */
	uint32_t line_count;
};

/* Reads a file into the arena. false and error: it cannot. */
typedef bool source_read(void *context, const char *name, size_t max, struct arena *arena,
    slice *out, struct error *error);

struct sources {
	struct arena *arena;
	source_read *read;
	void *context;
	struct source files[FILES_MAX];
	uint32_t file_count;
	size_t octets;
	struct remark *messages;
	uint32_t remark_count;
	unsigned errors, warnings;
};

void sources_begin(struct sources *src, struct arena *arena, source_read *read, void *context);
/* Adds a text under a name; UINT32_MAX and a message: there are too many, it is too long, or it is no text. */
uint32_t sources_add(struct sources *src, const char *name, slice text, struct range from);
/* hint may be NULL. */
void remark_add(struct sources *src, enum remark_kind kind, struct range range, const char *hint,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* All messages, ordered; as text, or as a JSON array. */
void sources_print(struct sources *src, bool json, struct buf *out);
/* Line and column of a place, both from 1; the column in characters. */
void source_place(struct sources *src, struct range range, unsigned *line, unsigned *column);
/* The text of a range. */
slice source_text(const struct sources *src, struct range range);

/* How far two words are from one another: letters changed, added, left out or in the wrong order; more than
 * `most` may be told as `most` + 1. Without case. */
unsigned word_distance(slice a, slice b, unsigned most);

#endif
