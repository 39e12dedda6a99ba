/*
 * files: all files of a policy (itself, what it imports, its tables' files) as one text, the policy first.
 *
 *     struct policy_files b;
 *     files_begin(&b);
 *     sources_begin(&sources, arena, files_record, &b);        (what is read is put into it)
 *     ...
 *     sources_begin(&sources, arena, files_read, &b);          (elsewhere: it is read from it)
 */
#ifndef POLICY_FILES_H
#define POLICY_FILES_H

#include "script/policy/source.h"

#define FILES_OCTETS (64u << 20) /* octets */

struct policy_files {
	struct buf text; /* each file: "NAME-OCTETS CONTENT-OCTETS\n", name, content */
};

void files_begin(struct policy_files *b);
void files_free(struct policy_files *b);
/* Adds a file; false and error: it is too much. */
bool files_add(struct policy_files *b, slice name, slice content, struct error *error);
/* The content of the file; false: it is not there. */
bool files_find(slice text, slice name, slice *content_out);
/* Takes the first file off *rest; false: there is none. */
bool files_next(slice *rest, slice *name_out, slice *content_out);
/* The first file's name and content; false: it is none. */
bool files_first(slice text, slice *name_out, slice *content_out);

/* source_read: reads a file of the system and adds it to the files that are the context. */
source_read files_record;
/* source_read: the context is their text, a slice. */
source_read files_read;

#endif
