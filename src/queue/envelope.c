#include "queue/envelope.h"

/* Numbers are 8 octets in the machine's order (the spool belongs to one machine), texts a number and
 * their octets. */
static void put_number(struct buf *out, uint64_t n)
{
	buf_add(out, (slice){ (const char *)&n, sizeof n });
}

static void put_text(struct buf *out, slice text)
{
	put_number(out, text.n);
	buf_add(out, text);
}

static void put_copies(const struct envelope *e, struct buf *out)
{
	put_number(out, e->copy_count);
	for (size_t i = 0; i < e->copy_count; i++) {
		const struct envelope_copy *copy = &e->copies[i];

		put_number(out, copy->count);
		for (size_t k = 0; k < copy->count; k++) {
			put_number(out, copy->changes[k].kind);
			put_text(out, copy->changes[k].name);
			put_text(out, copy->changes[k].value);
		}
	}
	for (size_t i = 0; i < e->recipient_count; i++)
		put_number(out, e->recipients[i].copy);
}

void envelope_encode(const struct envelope *e, struct buf *out)
{
	put_text(out, e->sender);
	put_text(out, e->login);
	put_text(out, e->peer);
	put_text(out, e->session);
	put_text(out, e->id);
	put_number(out, e->flags);
	put_number(out, (uint64_t)e->arrived_us);
	put_number(out, e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++) {
		put_text(out, e->recipients[i].address);
		put_number(out, e->recipients[i].account);
		put_number(out, e->recipients[i].notify);
		put_text(out, e->recipients[i].original);
	}
	if (!e->copy_count && !e->facts.n)
		return;
	put_copies(e, out);
	put_text(out, e->facts);
}

static bool get_number(slice *rest, uint64_t *out)
{
	if (rest->n < sizeof *out)
		return false;
	memcpy(out, rest->p, sizeof *out);
	*rest = slice_from(*rest, sizeof *out);
	return true;
}

static bool get_text(slice *rest, slice *out)
{
	uint64_t n;

	if (!get_number(rest, &n) || n > rest->n)
		return false;
	*out = slice_head(*rest, (size_t)n);
	*rest = slice_from(*rest, (size_t)n);
	return true;
}

static bool get_copy(slice *data, struct arena *arena, struct envelope_copy *out)
{
	uint64_t count;

	if (!get_number(data, &count) || count > ENVELOPE_CHANGES)
		return false;
	out->count = (size_t)count;
	out->changes = ARENA_ARRAY(arena, struct envelope_change, count ? count : 1);
	for (struct envelope_change *c = out->changes; c < out->changes + count; c++)
		if (!get_number(data, &c->kind) || c->kind >= CHANGE_KINDS ||
		    !get_text(data, &c->name) || !get_text(data, &c->value))
			return false;
	return true;
}

static bool get_copies(slice *data, struct arena *arena, struct envelope *out)
{
	uint64_t count;

	if (!get_number(data, &count) || count > ENVELOPE_COPIES)
		return false;
	out->copy_count = (size_t)count;
	out->copies = ARENA_ARRAY(arena, struct envelope_copy, count ? count : 1);
	for (size_t i = 0; i < count; i++)
		if (!get_copy(data, arena, &out->copies[i]))
			return false;
	for (size_t i = 0; i < out->recipient_count; i++)
		if (!get_number(data, &out->recipients[i].copy) || out->recipients[i].copy > count)
			return false;
	return get_text(data, &out->facts) && (count > 0 || out->facts.n > 0);
}

bool envelope_decode(slice data, struct arena *arena, struct envelope *out)
{
	uint64_t arrived, count;

	*out = (struct envelope){ 0 };
	if (!get_text(&data, &out->sender) || !get_text(&data, &out->login) ||
	    !get_text(&data, &out->peer) || !get_text(&data, &out->session) ||
	    !get_text(&data, &out->id) || !get_number(&data, &out->flags) ||
	    !get_number(&data, &arrived) || !get_number(&data, &count) ||
	    count > ENVELOPE_RECIPIENTS)
		return false;
	out->arrived_us = (int64_t)arrived;
	out->recipient_count = (size_t)count;
	out->recipients = ARENA_ARRAY(arena, struct envelope_recipient, count ? count : 1);
	for (struct envelope_recipient *r = out->recipients; r < out->recipients + count; r++)
		if (!get_text(&data, &r->address) || !get_number(&data, &r->account) ||
		    !get_number(&data, &r->notify) || !get_text(&data, &r->original))
			return false;
	return data.n == 0 || (get_copies(&data, arena, out) && data.n == 0);
}
