/* BDAT: a message in chunks whose sizes are said before (RFC 3030). Whatever is wrong with a chunk, its
 * octets are counted out and never read as commands (§2); where the count itself is not known, or is more
 * than anybody may send, the connection ends. */
#include "smtp/internal.h"

/* The answer waits until the chunk has been counted out. */
static void refuse_chunk(struct chunk *chunk, int code, const char *enhanced, const char *why)
{
	chunk->code = code;
	chunk->enhanced = enhanced;
	chunk->why = why;
}

static struct reply chunk_end(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;
	struct chunk *chunk = &smtp->chunk;

	chunk->coming = smtp->in_data = false;
	if (chunk->code) {
		struct reply r = reply(s, chunk->code, chunk->enhanced, "%s", chunk->why);

		return tx ? tx_refused(s, r, SLICE("the message")) : r;
	}
	if (chunk->last || tx->refused.code)
		return tx_commit(s);
	return reply(s, 250, "2.0.0", "%llu octets taken", (unsigned long long)chunk->size);
}

struct reply bdat_chunk(struct session *s, slice octets)
{
	struct smtp *smtp = s->state;
	struct chunk *chunk = &smtp->chunk;
	slice ours = slice_head(octets, chunk->left < octets.n ? (size_t)chunk->left : octets.n);

	chunk->left -= ours.n;
	if (!chunk->code)
		tx_add(s, ours);
	struct reply over = tx_over(s);
	if (over.code) {
		chunk->coming = false;
		return over;
	}
	if (chunk->left)
		return (struct reply){ 0 };
	session_unread(s, octets.n - ours.n);
	return chunk_end(s);
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ];  end-marker = "LAST" */
static bool parse_bdat(struct cursor *c, struct chunk *chunk)
{
	*chunk = (struct chunk){ 0 };
	cursor_char(c, ' ', "a blank and the chunk's size");
	chunk->size = chunk->left = cursor_number(c, INT64_MAX, "the chunk's size");
	if (cursor_try_char(c, ' ')) {
		chunk->last = slice_eq_nocase(cursor_skip(c, OCTET_ALPHA), SLICE("LAST"));
		if (!chunk->last)
			cursor_fail(c, "LAST");
	}
	return cursor_done(c);
}

struct reply cmd_bdat(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;
	struct chunk *chunk = &smtp->chunk;
	struct reply r;

	if (!parse_bdat(c, chunk)) {
		r = reply_syntax(s, c);
		r.turn = TURN_CLOSE;
		return r;
	}
	if (chunk->size > smtp_max_message(s)) {
		r = reply(s, 552, "5.3.4", "a message may have %llu octets",
		    (unsigned long long)smtp_max_message(s));
		r.turn = TURN_CLOSE;
		return r;
	}
	if (!tx)
		refuse_chunk(chunk, 503, "5.5.1", "say MAIL first");
	else if (tx->accepted == 0)
		refuse_chunk(chunk, 554, "5.5.1", "no valid recipients");
	else if (!tx->began)
		tx_begin_message(tx);
	if (tx)
		tx->chunked = true;
	if (chunk->left == 0)
		return chunk_end(s);
	chunk->coming = smtp->in_data = true;
	session_want_chunk(s);
	session_set_timeout(s, smtp_conf->data_timeout_ms);
	return (struct reply){ .silent = true };
}
