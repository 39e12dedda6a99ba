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
	return data.n == 0;
}
