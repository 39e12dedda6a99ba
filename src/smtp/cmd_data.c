/* DATA and what follows it: RFC 5321 §4.1.1.4, §4.4 */
#include "smtp/internal.h"

#include "base/log.h"
#include "mail/date.h"
#include "queue/record.h"

/* Received, the trace that every server leaves (§4.4); "with" per RFC 3848. */
static void trace_write(struct session *s, struct buf *out)
{
	const struct smtp *smtp = s->state;
	struct date now = { .seconds = clock_wall_us() / 1000000 };

	buf_addf(out, "Received: from %.*s ([%s%s])\r\n", SLICE_ARG(smtp->hello),
	    s->peer_ipv6 ? "IPv6:" : "", s->peer);
	buf_addf(out, "\tby %s (Hauberk) with %s%s%s id %s.%u;\r\n\t", smtp_conf->hostname,
	    smtp->extended ? "ESMTP" : "SMTP", smtp->extended && session_secure(s) ? "S" : "",
	    smtp->extended && smtp->account ? "A" : "", s->id, smtp->messages + 1);
	date_write(&now, out);
	buf_adds(out, "\r\n");
}

void tx_begin_message(struct session *s, struct transaction *tx)
{
	const struct smtp *smtp = s->state;
	struct envelope envelope = { .sender = tx->sender,
		.login = smtp->login,
		.peer = slice_of(s->peer),
		.session = slice_of(s->id),
		.arrived_us = clock_wall_us(),
		.recipients = tx->recipients,
		.recipient_count = tx->recipient_count };
	struct buf encoded, trace;

	buf_init(&encoded, RECORD_ENVELOPE_MAX);
	buf_init(&trace, 4096);
	envelope_encode(&envelope, &encoded);
	trace_write(s, &trace);
	/* The trace is ours: it does not count against the client's limit. */
	tx->message =
	    spool_begin(smtp_conf->spool, buf_slice(&encoded), smtp_conf->max_message + trace.n);
	spool_write(tx->message, buf_slice(&trace), &tx->refused);
	buf_free(&encoded);
	buf_free(&trace);
}

void tx_add(struct transaction *tx, slice octets)
{
	if (spool_write(tx->message, octets, &tx->refused))
		return;
	/* The rest is only counted out: what it took of the disk is given back at once. */
	spool_abort(tx->message);
	tx->message = NULL;
}

struct reply cmd_data(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;

	cursor_skip(c, OCTET_BLANK);
	if (!cursor_done(c))
		return reply(s, 501, "5.5.4", "DATA takes no arguments");
	if (smtp->tx->message)
		return reply(s, 503, "5.5.1", "the message has begun with BDAT; go on with it");
	tx_begin_message(s, smtp->tx);
	smtp->in_data = true;
	session_want_chunk(s);
	session_set_timeout(s, smtp_conf->data_timeout_ms);
	return reply(s, 354, NULL, "end with a line that is a single dot");
}

/* ---- end of data ---- */

static struct reply refuse(struct session *s, const struct error *error)
{
	if (error->fault == FAULT_LIMIT)
		return reply(s, 552, "5.3.4", "%s", error->said);
	log_warn("spool.failed", kv_str("s", s->id), kv_why(error));
	return reply(s, 452, "4.3.1", "the message could not be kept: %s", error->said);
}

static void committed(void *session, const struct spool_result *result)
{
	struct session *s = session;
	struct smtp *smtp = s->state;

	/* The message is the spool's; its result is copied before the session goes on elsewhere. */
	smtp->tx->message = NULL;
	smtp->tx->result = *result;
	session_release(s);
}

/* The steps between the last octet and the answer. */
struct reply tx_commit(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;

	smtp->in_data = false;
	if (tx->hops.count > smtp_conf->max_hops) {
		unsigned hops = tx->hops.count;

		tx_end(smtp);
		return reply(s, 554, "5.4.6",
		    "a mail loop: the message has %u Received fields already", hops);
	}
	if (tx->refused.fault) {
		struct reply r = refuse(s, &tx->refused);

		tx_end(smtp);
		return r;
	}
	spool_commit(tx->message, committed, s);
	return (struct reply){ .silent = true, .turn = TURN_HELD };
}

struct reply data_committed(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;
	char id[QUEUE_ID_TEXT];
	struct reply r;

	if (tx->result.ok) {
		smtp->messages++;
		queue_id_text(tx->result.segment, tx->result.place, id, sizeof id);
		log_info("accepted", kv_str("s", s->id), kv_str("q", id), kv_str("peer", s->peer),
		    kv_text("from", tx->sender), kv_text("to", tx->recipients[0].address),
		    kv_num("recipients", (int64_t)tx->recipient_count),
		    kv_text("login", smtp->login),
		    kv_num("ms", (clock_us() - tx->began_us) / 1000));
		r = reply(s, 250, "2.0.0", "accepted as %s", id);
	} else {
		r = refuse(s, &tx->result.error);
	}
	tx_end(smtp);
	return r;
}

static struct reply bare_line_end(struct session *s)
{
	struct smtp *smtp = s->state;
	struct reply r =
	    reply(s, 554, "5.6.0", "a bare CR or LF in the message; lines end in CR LF");

	/* Whoever sends this may be smuggling: nothing of what follows is read. */
	smtp->in_data = false;
	tx_end(smtp);
	r.turn = TURN_CLOSE;
	return r;
}

struct reply data_chunk(struct session *s, slice chunk)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct buf content;
	size_t used;

	buf_init(&content, SESSION_CHUNK + 16);
	enum data_result result = data_read(&tx->data, chunk, &content, &used);
	if (result != DATA_BARE && !tx->refused.fault)
		tx_add(tx, buf_slice(&content));
	hops_take(&tx->hops, buf_slice(&content));
	buf_free(&content);
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
