/*
 * edit: changes of a message's header, one after the other.
 *
 *     struct edit edits[] = { { EDIT_ADD, SLICE("X-Spam"), SLICE("yes") } };
 *     edit_apply(header, edits, 1, arena, &out);
 *
 * Values are text (UTF-8) without line ends; fields are written with encoded words where they need them
 * (RFC 2047), folded at 78 octets (RFC 5322 §2.1.1). All other fields stay octet for octet, in their order.
 */
#ifndef MAIL_EDIT_H
#define MAIL_EDIT_H

#include "base/arena.h"
#include "base/buf.h"

enum edit_kind {
	EDIT_ADD,          /* a new topmost field */
	EDIT_ADD_MISSING,  /* only if there is none of the name */
	EDIT_MODIFY,       /* the topmost one's value; added if there is none */
	EDIT_MODIFY_THERE, /* the topmost one's value, if there is one */
	EDIT_REMOVE_FIRST, /* the topmost one goes */
	EDIT_REMOVE,       /* all of the name go */
	EDIT_KINDS
};

struct edit {
	enum edit_kind kind;
	slice name, value;
};

/* Adds the header as it is after the edits. It ends with its empty line, or has none. Works in the arena. */
void edit_apply(
    slice header, const struct edit *edits, size_t count, struct arena *arena, struct buf *out);
/* Adds one field with its line end. */
void field_write(slice name, slice value, struct buf *out);
/* A name that a field may have (RFC 5322 §3.6.8, ftext). */
bool field_name_valid(slice name);

#endif
