/* What each recipient gets: the message as it came, or with the changes that the policy wants. */
#include "deliver/internal.h"

#include "mail/edit.h"
#include "mail/header.h"
#include "mail/summary.h"

#define SUMMARY_MOST  (1u << 20)                /* octets of an ENVELOPE or a BODYSTRUCTURE */
#define RETURN_PATH   "Return-Path: <%.*s>\r\n" /* RFC 5321 §4.4 */
#define RETURN_OCTETS 20
#define EDIT_OCTETS                                                                                \
	9000 /* that one change may add: 8 KiB of text, encoded and folded, is less than twice that */

static const struct envelope_copy *copy_of(const struct job *job, uint64_t copy)
{
	static const struct envelope_copy none;

	return copy ? &job->envelope.copies[copy - 1] : &none;
}

bool copy_differs(const struct job *job, uint64_t copy)
{
	const struct envelope_copy *c = copy_of(job, copy);

	for (size_t i = 0; i < c->count; i++)
		if (c->changes[i].kind < EDIT_KINDS)
			return true;
	return false;
}

const struct envelope_change *copy_find(
    const struct job *job, uint64_t copy, enum envelope_change_kind kind)
{
	const struct envelope_copy *c = copy_of(job, copy);

	for (size_t i = c->count; i > 0; i--)
		if (c->changes[i - 1].kind == kind)
			return &c->changes[i - 1];
	return NULL;
}

slice job_message(const struct job *job)
{
	slice content = buf_slice(&job->message.content);

	return slice_from(content, line_of(content).n);
}

void copy_begin(const struct job *job, uint64_t octets, struct parsed *out)
{
	slice sender = job->envelope.sender;

	buf_init(&out->content, RETURN_OCTETS + sender.n + (size_t)octets);
	buf_addf(&out->content, RETURN_PATH, SLICE_ARG(sender));
}

void copy_summarize(struct parsed *p, struct arena *arena)
{
	struct mime mime;

	buf_init(&p->summary_envelope, SUMMARY_MOST);
	buf_init(&p->structure, SUMMARY_MOST);
	buf_init(&p->body_structure, SUMMARY_MOST);
	mime_parse(buf_slice(&p->content), arena, &mime);
	summary_write(&mime, &p->summary_envelope, &p->structure);
	structure_strip(buf_slice(&p->structure), &p->body_structure);
	arena_reset(arena);
}

static void write_changed(
    const struct envelope_copy *c, slice message, struct arena *arena, struct buf *out)
{
	struct edit *edits = ARENA_ARRAY(arena, struct edit, c->count + 1);
	slice header = header_of(message);
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->changes[i].kind < EDIT_KINDS)
			edits[n++] = (struct edit){ (enum edit_kind)c->changes[i].kind,
				c->changes[i].name, c->changes[i].value };
	edit_apply(header, edits, n, arena, out);
	buf_add(out, slice_from(message, header.n));
}

void copy_render(
    const struct job *job, uint64_t copy, slice message, struct arena *arena, struct parsed *out)
{
	const struct envelope_copy *c = copy_of(job, copy);

	copy_begin(job, message.n + c->count * (uint64_t)(2 * EDIT_OCTETS), out);
	write_changed(c, message, arena, &out->content);
	copy_summarize(out, arena);
}

void parsed_free(struct parsed *p)
{
	buf_free(&p->content);
	buf_free(&p->summary_envelope);
	buf_free(&p->structure);
	buf_free(&p->body_structure);
}
