/* From the client's octets to the spool, whether they came by DATA or by BDAT: the header is gathered until it
 * is whole, looked at and completed; the rest goes to the spool as it comes. */
#include "smtp/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "queue/record.h"

void tx_begin_message(struct transaction *tx)
{
	tx->began = true;
	buf_init(&tx->header, smtp_conf->max_header);
}

/* The rest of the message is only counted out: what it took of the disk is given back at once. */
void tx_refuse(struct transaction *tx, int code, const char *enhanced, const char *text, ...)
{
	char why[600];
	va_list args;

	if (tx->refused.code)
		return;
	va_start(args, text);
	vsnprintf(why, sizeof why, text, args);
	va_end(args);
	tx->refused = (struct reply){
		.code = code, .enhanced = enhanced, .text = arena_str(tx->arena, slice_of(why))
	};
	spool_abort(tx->message);
	tx->message = NULL;
	buf_free(&tx->header);
}

/* A refusal after which nothing more is read. */
static bool is_over(const struct transaction *tx)
{
	return tx->refused.code && tx->refused.turn == TURN_CLOSE;
}

static void refuse_for(struct session *s, const struct error *error)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (error->fault == FAULT_LIMIT) {
		tx_refuse(tx, 552, "5.3.4", "%s", error->said);
		return;
	}
	log_warn("spool.failed", kv_str("s", s->id), kv_why(error));
	tx_refuse(tx, 452, "4.3.1", "the message could not be kept: %s", error->said);
}

static void keep(struct session *s, slice octets)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct error error;

	if (!tx->refused.code && !spool_write(tx->message, octets, &error))
		refuse_for(s, &error);
}

/* ---- the header ---- */

/* What is ours does not count against the client's limit. */
static void open_spool(struct session *s, uint64_t ours)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	tx->arrived_us = clock_wall_us();
	tx->message = spool_begin(smtp_conf->spool, smtp_max_message(s) + ours);
}

/* The header is whole. */
static void header_done(struct session *s)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct header_facts facts;
	struct buf trace;

	tx->header_over = true;
	header_look(buf_slice(&tx->header), &facts);
	event_header(s);
	if (tx->refused.code)
		return;
	if (facts.hops >
	    policy_number_of(tx->judged.state, FACT_maxReceivedHeaders, smtp_conf->max_hops)) {
		tx_refuse(tx, 554, "5.4.6",
		    "a mail loop: the message has %u Received fields already", facts.hops);
		return;
	}
	buf_init(&trace, RECEIVED_MAX);
	trace_fields_write(s, &facts, &trace);
	/* Without a header all is body: nobody may take its first lines for fields behind ours. */
	if (facts.none)
		buf_adds(&trace, "\r\n");
	open_spool(s, trace.n);
	keep(s, buf_slice(&trace));
	keep(s, buf_slice(&tx->header));
	buf_free(&trace);
	if (!tx->judged.state)
		buf_free(&tx->header);
}

/* Where a header ends: behind its empty line; 0: not in this text, whose first `seen` octets are known. */
static size_t header_end(slice text, size_t seen)
{
	size_t from = seen > 3 ? seen - 3 : 0;

	if (slice_starts(text, SLICE("\r\n")))
		return 2;
	const char *end =
	    text.n > from ? memmem(text.p + from, text.n - from, "\r\n\r\n", 4) : NULL;
	return end ? (size_t)(end - text.p) + 4 : 0;
}

/* Takes what belongs to the header off *octets. */
static void header_take(struct session *s, slice *octets)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	size_t before = tx->header.n, room = smtp_conf->max_header - before;

	buf_add(&tx->header, slice_head(*octets, room));
	size_t end = header_end(buf_slice(&tx->header), before);
	slice taken = slice_head(*octets, end ? end - before : room);
	bool over = octets->n > taken.n && !end;
	*octets = slice_from(*octets, taken.n);
	if (tx->chunked && !lines_take(&tx->lines, taken))
		tx_refuse(tx, 554, "5.6.0", SMTP_BARE);
	else if (over)
		tx_refuse(tx, 552, "5.3.4", "the header is larger than %zu octets",
		    smtp_conf->max_header);
	else if (end) {
		tx->header.n = end;
		header_done(s);
	}
}

/* Lines that are too long; in a BINARYMIME body there are none. */
static bool lines_fit(struct transaction *tx, slice octets)
{
	while (smtp_conf->max_line && octets.n) {
		size_t n = slice_find(octets, '\n');

		tx->line += n;
		if (tx->line > smtp_conf->max_line + (n < octets.n)) /* its CR */
			return false;
		if (n < octets.n)
			tx->line = 0;
		octets = slice_from(octets, n + 1);
	}
	return true;
}

void tx_add(struct session *s, slice octets)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (!tx->refused.code && !(tx->flags & ENVELOPE_BINARY) && !lines_fit(tx, octets))
		tx_refuse(tx, 554, "5.6.0", "a line of the message is longer than %zu octets",
		    smtp_conf->max_line);
	if (!tx->refused.code && !tx->header_over)
		header_take(s, &octets);
	if (tx->refused.code || !octets.n)
		return;
	/* In a BINARYMIME body CR and LF are data (RFC 3030 §3). */
	if (tx->chunked && !(tx->flags & ENVELOPE_BINARY) && !lines_take(&tx->lines, octets))
		tx_refuse(tx, 554, "5.6.0", SMTP_BARE);
	else
		keep(s, octets);
	if (!tx->refused.code)
		event_body(s, octets);
}

/* ---- its end ---- */

static void committed(void *session, const struct spool_result *result)
{
	struct session *s = session;
	struct smtp *smtp = s->state;

	/* The message is the spool's; its result is copied before the session goes on elsewhere. */
	smtp->tx->message = NULL;
	smtp->tx->result = *result;
	session_release(s);
}

/* The text dies with the transaction. */
static struct reply refused(struct session *s)
{
	struct smtp *smtp = s->state;
	const struct reply *why = &smtp->tx->refused;
	struct reply r = reply(s, why->code,
	    why->enhanced ? arena_str(s->turn, slice_of(why->enhanced)) : NULL, "%s", why->text);

	r.turn = why->turn;
	return tx_refused(s, r, SLICE("the message"));
}

struct reply tx_over(struct session *s)
{
	struct smtp *smtp = s->state;

	if (!smtp->tx || !is_over(smtp->tx))
		return (struct reply){ 0 };
	smtp->in_data = false;
	return refused(s);
}

/* Nobody gets it: the policy has dropped each recipient, which is on record. */
static struct reply nobody(struct session *s)
{
	struct smtp *smtp = s->state;
	const struct transaction *tx = smtp->tx;

	smtp->messages++;
	log_info("discarded", kv_str("s", s->id), kv_str("peer", s->peer),
	    kv_text("from", tx->sender), kv_num("octets", (int64_t)spool_octets(tx->message)),
	    kv_text("why", deeds_why_discarded(tx)),
	    kv_num("policy", policy_number(tx->judged.state)));
	struct reply r = reply(s, 250, "2.0.0", "accepted as %s.%u", s->id, smtp->messages);
	TRACE(smtp_trace(s), TRACE_DISCARDED, 0, deeds_why_discarded(tx));
	smtp->tx->done = true;
	tx_end(smtp);
	return r;
}

static struct reply judge_and_commit(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;
	struct envelope envelope = { .sender = tx->sender,
		.login = smtp->login,
		.peer = slice_of(s->peer),
		.session = slice_of(s->id),
		.id = tx->id,
		.flags = tx->flags,
		.arrived_us = tx->arrived_us };
	struct buf encoded, facts;

	struct reply r = event_data(s);
	if (r.code)
		return tx_refused(s, r, SLICE("the message"));
	deeds_envelope(tx, &envelope);
	if (envelope.copy_count > ENVELOPE_COPIES) {
		tx_refuse(tx, 452, "4.5.3", "more than %d recipients that want copies of their own",
		    ENVELOPE_COPIES);
		return refused(s);
	}
	if (!envelope.recipient_count)
		return nobody(s);
	smtp->octets += spool_octets(tx->message);
	policy_number_is(tx->judged.state, FACT_mailSize, (int64_t)spool_octets(tx->message));
	buf_init(&facts, RECORD_ENVELOPE_MAX / 4);
	policy_save(tx->judged.state, &facts);
	envelope.facts = buf_slice(&facts);
	buf_init(&encoded, RECORD_ENVELOPE_MAX);
	envelope_encode(&envelope, &encoded);
	spool_commit(tx->message, buf_slice(&encoded), committed, s);
	buf_free(&encoded);
	buf_free(&facts);
	return (struct reply){ .silent = true, .turn = TURN_HELD };
}

/* The steps between the last octet and the answer. */
struct reply tx_commit(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;

	smtp->in_data = false;
	if (tx->chunked && !(tx->header_over && tx->flags & ENVELOPE_BINARY)) {
		if (tx->lines.after_cr)
			tx_refuse(tx, 554, "5.6.0", SMTP_BARE);
		if (tx->lines.inside)
			tx_add(s, SLICE("\r\n")); /* RFC 3030 lets the last line have no end */
	}
	if (!tx->refused.code && !tx->header_over)
		header_done(s);
	if (tx->refused.code)
		return refused(s);
	return judge_and_commit(s);
}

struct reply tx_committed(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;
	char id[QUEUE_ID_TEXT];

	if (!tx->result.ok) {
		refuse_for(s, &tx->result.error);
		return refused(s);
	}
	smtp->messages++;
	queue_id_text(tx->result.segment, tx->result.place, id, sizeof id);
	log_info("accepted", kv_str("s", s->id), kv_str("q", id), kv_str("peer", s->peer),
	    kv_text("from", tx->sender),
	    kv_text("to", tx->recipient_count ? tx->recipients[0].address : SLICE("")),
	    kv_num("recipients", (int64_t)tx->recipient_count), kv_text("login", smtp->login),
	    kv_num("ms", (clock_us() - tx->began_us) / 1000));
	struct reply r = reply(s, 250, "2.0.0", "accepted as %s", id);
	TRACE(smtp_trace(s), TRACE_ACCEPTED, (int64_t)tx->recipient_count, slice_of(id));
	tx->trace_id.segment = tx->result.segment;
	tx->trace_id.place = tx->result.place;
	tx->done = true;
	tx_end(smtp);
	return r;
}
