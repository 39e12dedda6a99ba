#include "mail/section.h"

#include "mail/header.h"

/* What a multipart without parts holds, and what an encoded message shows: the structure has an empty text
 * there, since its grammar wants a body. */
static const struct part nothing = { .header = { "", 0 }, .body = { "", 0 } };

static const struct part *child_number(const struct part *part, unsigned number)
{
	const struct part *child = part->children ? part->children : &nothing;

	while (child && --number > 0)
		child = child->next;
	return child;
}

/* A message that is no multipart has one part, its body: number 1 (RFC 9051 §6.4.5.1). */
static const struct part *message_part(const struct part *message, unsigned number)
{
	if (message->kind == PART_MULTIPART)
		return child_number(message, number);
	return number == 1 ? message : NULL;
}

const struct part *section_part(const struct part *root, const struct section *section)
{
	const struct part *part = root;

	for (size_t i = 0; i < section->depth && part; i++) {
		unsigned number = section->path[i];

		if (number == 0)
			return NULL;
		if (i == 0)
			part = message_part(root, number);
		else if (part->kind == PART_MESSAGE || part->encoded)
			part = message_part(part->encoded ? &nothing : part->children, number);
		else
			part = part->kind == PART_MULTIPART ? child_number(part, number) : NULL;
	}
	return part;
}

static slice whole_message(const struct part *root)
{
	return (slice){ root->header.p, (size_t)(root->body.p - root->header.p) + root->body.n };
}

/* HEADER and TEXT of a part are those of the message in it. */
static const struct part *message_of(const struct part *part, size_t depth)
{
	if (depth == 0)
		return part;
	if (part->encoded)
		return &nothing;
	return part->kind == PART_MESSAGE ? part->children : NULL;
}

bool section_find(const struct part *root, const struct section *section, slice *out)
{
	const struct part *part = section_part(root, section);
	const struct part *message = part ? message_of(part, section->depth) : NULL;

	*out = (slice){ 0 };
	if (!part)
		return false;
	switch (section->kind) {
	case SECTION_ALL:
		*out = section->depth ? part->body : whole_message(root);
		return true;
	case SECTION_MIME:
		*out = part->header;
		return section->depth > 0;
	case SECTION_TEXT:
		*out = message ? message->body : (slice){ 0 };
		return message != NULL;
	case SECTION_HEADER:
	case SECTION_FIELDS:
	case SECTION_FIELDS_NOT:
		break;
	}
	*out = message ? message->header : (slice){ 0 };
	return message != NULL;
}

static bool is_named(const struct section *section, slice name)
{
	for (size_t i = 0; i < section->field_count; i++)
		if (slice_eq_nocase(section->fields[i], name))
			return true;
	return false;
}

void section_fields_write(slice header, const struct section *section, struct buf *out)
{
	struct header_field field;
	bool wanted = section->kind == SECTION_FIELDS;

	while (header_next(&header, &field))
		if (is_named(section, field.name) == wanted)
			buf_add(out, field.whole);
	buf_adds(out, "\r\n");
}
