/* DATA and what follows it: RFC 5321 §4.1.1.4 */
#include "smtp/internal.h"

struct reply cmd_data(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;

	cursor_skip(c, OCTET_BLANK);
	if (!cursor_done(c))
		return reply(s, 501, "5.5.4", "DATA takes no arguments");
	if (smtp->tx->began)
		return reply(s, 503, "5.5.1", "the message has begun with BDAT; go on with it");
	if (smtp->tx->flags & ENVELOPE_BINARY) /* RFC 3030 §3 */
		return reply(s, 503, "5.5.1", "BODY=BINARYMIME wants BDAT");
	tx_begin_message(smtp->tx);
	smtp->in_data = true;
	session_want_chunk(s);
	session_set_timeout(s, smtp_conf->data_timeout_ms);
	return reply(s, 354, NULL, "end with a line that is a single dot");
}

static struct reply bare_line_end(struct session *s)
{
	struct smtp *smtp = s->state;
	struct reply r = reply(s, 554, "5.6.0", SMTP_BARE);

	/* Whoever sends this may be smuggling: nothing of what follows is read. */
	smtp->in_data = false;
	r.turn = TURN_CLOSE;
	return tx_refused(s, r, SLICE("the message"));
}

struct reply data_chunk(struct session *s, slice chunk)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct buf content;
	size_t used;

	buf_init(&content, SESSION_CHUNK + 16);
	enum data_result result = data_read(&tx->data, chunk, &content, &used);
	if (result != DATA_BARE)
		tx_add(s, buf_slice(&content));
	buf_free(&content);
	struct reply over = tx_over(s);
	if (over.code)
		return over;
	switch (result) {
	case DATA_MORE:
		return (struct reply){ 0 };
	case DATA_BARE:
		return bare_line_end(s);
	case DATA_END:
		break;
	}
	session_unread(s, chunk.n - used);
	return tx_commit(s);
}
