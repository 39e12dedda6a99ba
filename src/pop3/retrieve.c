/* RETR and TOP: a message on its way to the client. */
#include "pop3/internal.h"

#include "mail/header.h"

void pop3_job_end(struct pop3 *pop)
{
	buf_free(&pop->job.text);
	pop->job = (struct pop3_job){ 0 };
}

/* Sends lines, a dot before those that begin with one, until the output is full (RFC 1939 §3). Lines
 * end in CRLF on the wire however they were kept. */
static struct pop3_reply send_step(struct pop3 *pop)
{
	slice all = slice_head(buf_slice(&pop->job.text), pop->job.end);
	struct buf *out = &pop->s->out;

	while (pop->job.at < all.n) {
		if (out->n >= SESSION_MARK)
			return (struct pop3_reply){ .status = POP3_MORE };
		slice rest = slice_from(all, pop->job.at);
		slice line = line_of(slice_head(rest, SESSION_CHUNK));
		/* A line end is never cut in two. */
		if (line.n > 1 && line.n < rest.n && slice_ends(line, SLICE("\r")))
			line.n--;
		bool start = pop->job.at == 0 || all.p[pop->job.at - 1] == '\n';

		pop->job.at += line.n;
		if (start && line.p[0] == '.')
			buf_addc(out, '.');
		if (slice_ends(line, SLICE("\r\n"))) {
			buf_add(out, line);
			continue;
		}
		if (!slice_ends(line, SLICE("\n"))) {
			buf_add(out, line);
			if (pop->job.at == all.n)
				buf_adds(out, "\r\n");
			continue;
		}
		line.n--;
		buf_add(out, line);
		buf_adds(out, "\r\n");
	}
	buf_adds(out, ".\r\n");
	return (struct pop3_reply){ .status = POP3_DONE };
}

/* Where the message's text is; 0: it is gone. The next ones are looked up with it, as clients take them in their order;
 * of one that is removed meanwhile the text is there until it is not. */
static bool body_find(struct pop3 *pop, uint32_t uid, int64_t *body_out, struct error *error)
{
	struct store_row *rows;
	size_t count;

	*body_out = 0;
	for (size_t i = 0; i < pop->ahead_count; i++)
		if (pop->ahead[i].uid == uid) {
			*body_out = pop->ahead[i].body;
			return true;
		}
	pop->ahead_count = 0;
	if (!store_rows(pop3_store(pop), pop->account, pop->mailbox, uid, UINT32_MAX, POP3_AHEAD,
		STORE_NO_HEADS, pop->s->turn, &rows, &count, error))
		return false;
	for (; pop->ahead_count < count; pop->ahead_count++) {
		pop->ahead[pop->ahead_count].uid = rows[pop->ahead_count].uid;
		pop->ahead[pop->ahead_count].body = rows[pop->ahead_count].body;
	}
	if (count && rows[0].uid == uid)
		*body_out = rows[0].body;
	return true;
}

static bool text_read(struct pop3 *pop, uint32_t uid, struct pop3_reply *reply_out)
{
	struct error error;
	int64_t body;

	buf_init(&pop->job.text, POP3_MESSAGE);
	bool ok = body_find(pop, uid, &body, &error) &&
	    (body == 0 || store_body(pop3_store(pop), pop->account, body, &pop->job.text, &error));
	if (ok && body)
		return true;
	*reply_out = ok || error.fault == FAULT_ABSENT ? pop3_err(NULL, "the message is gone")
						       : pop3_failed(pop, &error);
	return false;
}

/* "RETR" SP msg */
struct pop3_reply pop3_cmd_retr(struct pop3 *pop, struct cursor *args)
{
	struct pop3_reply reply;
	uint32_t uid = pop3_message(pop, args, &reply);

	if (!uid)
		return reply;
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	if (!text_read(pop, uid, &reply))
		return reply;
	pop->job.step = send_step;
	pop->job.end = pop->job.text.n;
	buf_addf(&pop->s->out, "+OK %zu octets\r\n", pop->job.text.n);
	return (struct pop3_reply){ .status = POP3_MORE };
}

/* Where n lines after the header end. */
static size_t top_end(slice message, uint64_t n)
{
	size_t end = header_of(message).n;

	for (; n > 0 && end < message.n; n--)
		end += line_of(slice_from(message, end)).n;
	return end;
}

/* "TOP" SP msg SP n */
struct pop3_reply pop3_cmd_top(struct pop3 *pop, struct cursor *args)
{
	struct pop3_reply reply;
	uint32_t uid = pop3_message(pop, args, &reply);

	if (!uid)
		return reply;
	cursor_char(args, ' ', "one space");
	uint64_t lines = cursor_number(args, UINT32_MAX, "number of lines");
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	if (!text_read(pop, uid, &reply))
		return reply;
	pop->job.step = send_step;
	pop->job.end = top_end(buf_slice(&pop->job.text), lines);
	buf_adds(&pop->s->out, "+OK the top follows\r\n");
	return (struct pop3_reply){ .status = POP3_MORE };
}
