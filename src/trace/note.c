/* Notes in memory. */
#include <stddef.h>

#include "base/clock.h"
#include "base/encode.h"
#include "trace/record.h"

void trace_begin(struct trace *t)
{
	*t = (struct trace){ .began_us = clock_wall_us() };
	buf_init(&t->data, TRACE_MAX);
}

void trace_free(struct trace *t)
{
	buf_free(&t->data);
}

void trace_append(struct trace *t, const struct trace *other)
{
	t->began_us = other->began_us;
	t->cut |= other->cut;
	buf_add(&t->data, buf_slice(&other->data));
}

static size_t length_of(const slice *texts, size_t count)
{
	size_t n = sizeof(struct trace_note_head);

	for (size_t i = 0; i < count; i++)
		n += 2 + (texts[i].n < TRACE_TEXT ? texts[i].n : TRACE_TEXT);
	return n;
}

void trace_note(
    struct trace *t, enum trace_kind kind, int64_t number, const slice *texts, size_t count)
{
	if (!t || t->cut)
		return;
	int64_t after = (clock_wall_us() - t->began_us) / 1000;
	struct trace_note_head head = { .kind = (uint8_t)kind,
		.texts = (uint8_t)count,
		.after_ms = after < 0    ? 0
		    : after > UINT32_MAX ? UINT32_MAX
					 : (uint32_t)after,
		.number = number };

	t->refused |= kind == TRACE_REPLY;
	if (t->data.n + length_of(texts, count) > TRACE_MAX) {
		t->cut = true;
		return;
	}
	buf_add(&t->data, (slice){ (const char *)&head, sizeof head });
	for (size_t i = 0; i < count; i++) {
		uint16_t n = (uint16_t)(texts[i].n < TRACE_TEXT ? texts[i].n : TRACE_TEXT);

		buf_add(&t->data, (slice){ (const char *)&n, sizeof n });
		buf_add(&t->data, slice_head(texts[i], n));
	}
}

size_t trace_at(const struct trace *t)
{
	return t ? t->data.n : 0;
}

void trace_set_number(struct trace *t, size_t at, int64_t number)
{
	if (t && at + sizeof(struct trace_note_head) <= t->data.n)
		memcpy(t->data.p + at + offsetof(struct trace_note_head, number), &number,
		    sizeof number);
}

uint32_t trace_crc(const struct trace_head *head, slice notes)
{
	size_t from = offsetof(struct trace_head, crc) + sizeof head->crc;

	return crc32c(
	    crc32c(0, slice_from((slice){ (const char *)head, sizeof *head }, from)), notes);
}

bool trace_next(slice *rest, int64_t began_us, struct trace_noted *out)
{
	struct trace_note_head head;
	uint16_t n;

	*out = (struct trace_noted){ 0 };
	if (rest->n < sizeof head)
		return false;
	memcpy(&head, rest->p, sizeof head);
	*rest = slice_from(*rest, sizeof head);
	if (head.kind >= TRACE_KINDS || head.texts > TRACE_TEXTS)
		return false;
	out->kind = (enum trace_kind)head.kind;
	out->number = head.number;
	out->at_us = began_us + (int64_t)head.after_ms * 1000;
	for (unsigned i = 0; i < head.texts; i++) {
		if (rest->n < sizeof n)
			return false;
		memcpy(&n, rest->p, sizeof n);
		*rest = slice_from(*rest, sizeof n);
		if (n > rest->n)
			return false;
		out->texts[i] = slice_head(*rest, n);
		*rest = slice_from(*rest, n);
	}
	return true;
}
