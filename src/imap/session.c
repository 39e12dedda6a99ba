/* The protocol as net/ calls it: greeting, lines and literals, notices, goodbyes. */
#include "imap/internal.h"

#include <stdlib.h>

#include "base/memory.h"

struct store_host imap_host;

void imap_init(const struct store_host *host)
{
	imap_host = *host;
}

struct store *imap_store(struct imap *im)
{
	return imap_host.store(im->s->worker);
}

void imap_notify(struct imap *im, const struct store_notice *notice)
{
	if (notice->modseq)
		imap_host.notify(im->s->worker, notice);
}

/* Passwords go over TLS only, unless the listener says otherwise (RFC 9051 §6.2.3, §11.2). */
bool imap_password_allowed(const struct imap *im)
{
	return sasl_login_allowed(im->s);
}

static enum turn imap_open(struct session *s)
{
	struct imap *im = NEW(struct imap);

	im->s = s;
	im->state = IMAP_STRANGER;
	s->state = im;
	gather_init(&im->gather, 0, 0);
	session_want_line(s, IMAP_LINE_BEFORE);
	session_set_timeout(s, imap_host.login_timeout_ms);
	buf_adds(&s->out, "* OK [");
	imap_print_capabilities(im);
	buf_adds(&s->out, "] Hauberk ready\r\n");
	return TURN_NEXT;
}

void imap_logged_in(struct imap *im, slice user, int64_t account)
{
	im->state = IMAP_KNOWN;
	im->account = account;
	im->user = arena_copy(im->s->arena, user);
	session_want_line(im->s, IMAP_LINE);
	session_set_timeout(im->s, imap_host.idle_timeout_ms);
}

void imap_logged_out(struct imap *im)
{
	imap_deselect(im);
	im->state = IMAP_STRANGER;
	im->account = 0;
	im->user = SLICE("");
	im->condstore = im->qresync = im->rev2 = im->utf8 = im->accepts_utf8 = false;
	im->logouts++;
	session_want_line(im->s, IMAP_LINE_BEFORE);
	session_set_timeout(im->s, imap_host.login_timeout_ms);
}

void imap_deselect(struct imap *im)
{
	view_close(&im->view);
	session_watch(im->s, 0);
	if (im->state == IMAP_SELECTED)
		im->state = IMAP_KNOWN;
}

static void want_line(struct imap *im)
{
	session_want_line(im->s, im->state == IMAP_STRANGER ? IMAP_LINE_BEFORE : IMAP_LINE);
}

/* A message may be longer than any other literal. */
static void set_limits(struct imap *im, slice line)
{
	slice rest = slice_from(line, slice_find(line, ' ') + 1);
	bool append = slice_starts_nocase(rest, SLICE("APPEND ")) ||
	    slice_starts_nocase(rest, SLICE("REPLACE ")) ||
	    slice_starts_nocase(rest, SLICE("UID REPLACE "));

	if (im->gather.text.n)
		return;
	if (im->state == IMAP_STRANGER) {
		im->gather.text.max = IMAP_LINE_BEFORE + IMAP_LITERAL_BEFORE;
		im->gather.literal_max = IMAP_LITERAL_BEFORE;
		/* The session has taken a line as long as AUTHENTICATE may be. */
		if (line.n > im->gather.text.max)
			im->gather.text.max = line.n;
		return;
	}
	im->gather.text.max = append ? IMAP_APPEND + IMAP_COMMAND : IMAP_COMMAND;
	im->gather.literal_max = append ? IMAP_APPEND : IMAP_LITERAL;
}

static enum turn gathered_line(struct imap *im, slice line)
{
	set_limits(im, line);
	switch (gather_line(&im->gather, line)) {
	case GATHER_WHOLE:
		return imap_command_run(im, buf_slice(&im->gather.text));
	case GATHER_LITERAL:
		buf_adds(&im->s->out, "+ go on\r\n");
		break;
	case GATHER_LITERAL_PLUS:
		break;
	case GATHER_TOO_BIG:
		return imap_command_refuse(im, "command or literal too long");
	case GATHER_TOO_BIG_PLUS:
		buf_adds(&im->s->out, "* BYE literal too long\r\n");
		return TURN_CLOSE;
	}
	im->in_literal = true;
	session_want_octets(im->s, im->gather.literal);
	return TURN_NEXT;
}

static enum turn imap_frame(struct session *s, slice frame)
{
	struct imap *im = s->state;

	if (im->waiting)
		return imap_command_line(im, frame);
	if (im->in_literal) {
		im->in_literal = false;
		gather_literal(&im->gather, frame);
		want_line(im);
		return TURN_NEXT;
	}
	return gathered_line(im, frame);
}

/* Logins wait for the role auth: the lines of an exchange, and the last line of LOGIN. */
static struct gate *imap_gate(const struct session *s, slice line)
{
	const struct imap *im = s->state;
	slice text = im->gather.text.n ? buf_slice(&im->gather.text) : line;
	slice verb = slice_from(text, slice_find(text, ' ') + 1);
	bool login = im->waiting || slice_starts_nocase(verb, SLICE("LOGIN ")) ||
	    slice_starts_nocase(verb, SLICE("AUTHENTICATE "));

	if (im->state != IMAP_STRANGER || !login)
		return NULL;
	if (im->waiting || slice_starts_nocase(verb, SLICE("AUTHENTICATE ")))
		return sasl_gate(
		    &im->sasl, slice_from(verb, im->waiting ? verb.n : slice_find(verb, ' ') + 1));
	return sasl_password_gate();
}

static enum turn imap_oversized(struct session *s)
{
	struct imap *im = s->state;

	if (im->waiting)
		return imap_command_line(im, SLICE(""));
	return imap_command_refuse(im, "line too long");
}

static enum turn imap_more(struct session *s)
{
	return imap_command_go_on(s->state);
}

/* Nothing of before TLS counts (RFC 9051 §6.2.1). */
static enum turn imap_secured(struct session *s)
{
	struct imap *im = s->state;

	want_line(im);
	return TURN_NEXT;
}

/* During IDLE: somebody changed the mailbox. */
static enum turn imap_notice(struct session *s)
{
	struct imap *im = s->state;

	return im->waiting && im->job.step ? imap_command_go_on(im) : TURN_NEXT;
}

static void imap_expired(struct session *s)
{
	buf_adds(&s->out, "* BYE you were silent too long\r\n");
}

static void imap_crowded(struct session *s)
{
	buf_adds(&s->out, "* BYE [LIMIT] too many connections from your address\r\n");
}

static void imap_drained(struct session *s)
{
	buf_adds(&s->out, "* BYE the server goes down, come again\r\n");
}

static void imap_closed(struct session *s)
{
	struct imap *im = s->state;

	view_close(&im->view);
	view_sync_end(&im->sync);
	gather_reset(&im->gather);
	arena_free(im->arena);
	free(im);
}

const struct protocol imap_protocol = {
	.name = "imap",
	.open = imap_open,
	.frame = imap_frame,
	.gate = imap_gate,
	.oversized = imap_oversized,
	.longest = imap_authenticate_longest,
	.more = imap_more,
	.resume = imap_more,
	.secured = imap_secured,
	.notice = imap_notice,
	.expired = imap_expired,
	.drained = imap_drained,
	.crowded = imap_crowded,
	.closed = imap_closed,
};

/* ---- what many handlers begin with ---- */

bool imap_find_mailbox(
    struct imap *im, slice name, struct store_mailbox *out, struct imap_reply *reply_out)
{
	struct error error;

	switch (store_mailbox_find(imap_store(im), im->account, name, im->arena, out, &error)) {
	case STORE_FOUND:
		return true;
	case STORE_ABSENT:
		*reply_out = imap_reply_no("NONEXISTENT", "no such mailbox");
		break;
	case STORE_FAILED:
		*reply_out = imap_reply_error(im, &error);
		break;
	}
	return false;
}

static void set_free(void *set)
{
	uid_set_free(set);
}

struct uid_set *imap_set(struct imap *im)
{
	struct uid_set *set = ARENA_NEW(im->arena, struct uid_set);

	arena_defer(im->arena, set_free, set);
	return set;
}

bool imap_sequence(struct imap *im, const struct sequence *sequence, bool uid, struct uid_set *out)
{
	if (!sequence->saved)
		return sequence_resolve(sequence, &im->view.uids, uid, out);
	uid_set_add_all(out, &im->view.saved);
	uid_set_intersect(out, &im->view.uids);
	return true;
}

struct charsets *imap_charsets(struct imap *im)
{
	return imap_host.charsets ? imap_host.charsets(im->s->worker) : NULL;
}

bool imap_condstore(struct imap *im, bool tell)
{
	bool fresh = !im->condstore;

	im->condstore = true;
	if (fresh && tell && im->state == IMAP_SELECTED)
		buf_addf(&im->s->out, "* OK [HIGHESTMODSEQ %lld] from now on\r\n",
		    (long long)im->view.modseq);
	return fresh;
}

bool imap_resolve(struct imap *im, const struct sequence *sequence, struct uid_set **set_out,
    struct imap_reply *reply_out)
{
	*set_out = imap_set(im);
	if (imap_sequence(im, sequence, im->uid, *set_out))
		return true;
	*reply_out = imap_reply_bad(im, "there are not so many messages");
	return false;
}
