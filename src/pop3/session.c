/* The protocol as net/ calls it, and the AUTHORIZATION state (RFC 1939 §4): CAPA, STLS, USER, PASS,
 * AUTH, QUIT. */
#include "pop3/internal.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/memory.h"

struct pop3_setup pop3_setup;

void pop3_init(const struct pop3_setup *setup)
{
	pop3_setup = *setup;
}

struct store *pop3_store(struct pop3 *pop)
{
	return pop3_setup.store(pop->s->worker);
}

/* Passwords go over TLS only, unless the listener says otherwise. */
bool pop3_password_allowed(const struct pop3 *pop)
{
	return session_secure(pop->s) || pop->s->listener->plain_login;
}

/* ---- logging in ---- */

/* INBOX as it is now is what this session sees. */
static bool inbox_open(struct pop3 *pop, struct error *error)
{
	struct store_mailbox inbox;

	switch (store_mailbox_find(
	    pop3_store(pop), pop->account, SLICE("INBOX"), pop->s->turn, &inbox, error)) {
	case STORE_FOUND:
		break;
	case STORE_ABSENT:
		return error_local(error, "account %lld has no INBOX", (long long)pop->account);
	case STORE_FAILED:
		return false;
	}
	pop->mailbox = inbox.id;
	pop->uidvalidity = inbox.uidvalidity;
	return store_select(
	    pop3_store(pop), pop->account, pop->mailbox, pop->s->turn, &inbox, &pop->uids, error);
}

static struct pop3_reply logged_in(struct pop3 *pop, slice user)
{
	struct error error;

	pop->user = arena_copy(pop->s->arena, user);
	if (!inbox_open(pop, &error))
		return pop3_failed(pop, &error);
	pop->state = POP3_OPEN;
	session_want_line(pop->s, POP3_LINE);
	session_set_timeout(pop->s, POP3_TIMEOUT);
	log_info("pop3.login", kv_str("s", pop->s->id), kv_str("peer", pop->s->peer),
	    kv_text("user", user), kv_num("account", pop->account),
	    kv_str("tls", session_tls_text(pop->s)));
	return pop3_ok(arena_printf(pop->s->turn, "%u messages", uid_set_count(&pop->uids)));
}

struct pop3_reply pop3_login(struct pop3 *pop, slice user, slice password)
{
	struct error error;

	switch (pop3_setup.login(
	    pop->s->worker, user, password, pop->s->deadline, &pop->account, &error)) {
	case LOGIN_RIGHT:
		return logged_in(pop, user);
	case LOGIN_WRONG:
		pop->failed_logins++;
		log_warn("pop3.login.wrong", kv_str("s", pop->s->id), kv_str("peer", pop->s->peer),
		    kv_text("user", user));
		return pop3_err("AUTH", "wrong name or password");
	case LOGIN_FAILED:
		break;
	}
	return pop3_failed(pop, &error);
}

/* "USER" SP name; the answer is the same for every name. Few are remembered: each costs memory. */
struct pop3_reply pop3_cmd_user(struct pop3 *pop, struct cursor *args)
{
	cursor_char(args, ' ', "one space");
	if (cursor_end(args))
		cursor_fail(args, "name");
	if (args->expected)
		return pop3_syntax(pop, args);
	if (!pop3_password_allowed(pop))
		return pop3_err(NULL, "start TLS first");
	if (++pop->users > 2 * POP3_LOGINS)
		return pop3_err(NULL, "too many names");
	pop->user = arena_copy(pop->s->arena, args->rest);
	return pop3_ok("and the password?");
}

/* "PASS" SP string: blanks belong to the password (RFC 1939 §7) */
struct pop3_reply pop3_cmd_pass(struct pop3 *pop, struct cursor *args)
{
	cursor_char(args, ' ', "one space");
	if (args->expected)
		return pop3_syntax(pop, args);
	if (pop->user.n == 0)
		return pop3_bad(pop, "USER comes first");
	return pop3_login(pop, pop->user, args->rest);
}

/* The answer to our "+ ": base64 of a PLAIN message, or "*" (RFC 5034 §4). */
struct pop3_reply pop3_auth_line(struct pop3 *pop, slice line)
{
	struct buf message;
	slice user, password;
	struct pop3_reply reply;

	pop->waiting = false;
	session_want_line(pop->s, POP3_LINE);
	if (slice_eq(line, SLICE("*")))
		return pop3_bad(pop, "called off");
	buf_init(&message, POP3_AUTH_LINE);
	if (!base64_decode(line, &message)) {
		reply = pop3_bad(pop, "expected base64");
	} else if (!login_plain_parse(buf_slice(&message), &user, &password)) {
		pop->failed_logins++;
		reply = pop3_err("AUTH", "malformed, or for somebody else");
	} else {
		reply = pop3_login(pop, user, password);
	}
	if (message.p)
		explicit_bzero(message.p, message.n);
	buf_free(&message);
	return reply;
}

/* "AUTH" [SP "PLAIN" [SP initial-response]]; alone it lists the mechanisms (RFC 5034 §4) */
struct pop3_reply pop3_cmd_auth(struct pop3 *pop, struct cursor *args)
{
	if (cursor_end(args)) {
		buf_addf(&pop->s->out, "+OK mechanisms\r\n%s.\r\n",
		    pop3_password_allowed(pop) ? "PLAIN\r\n" : "");
		return (struct pop3_reply){ .status = POP3_DONE };
	}
	cursor_char(args, ' ', "one space");
	slice mechanism = cursor_span(args, OCTET_IMAP_ATOM, "mechanism");
	bool initial = cursor_try_char(args, ' ');
	if (args->expected || (!initial && !cursor_done(args)))
		return pop3_syntax(pop, args);
	if (!slice_eq_nocase(mechanism, SLICE("PLAIN")))
		return pop3_err(NULL, "no such mechanism");
	if (!pop3_password_allowed(pop))
		return pop3_err(NULL, "start TLS first");
	if (initial)
		return pop3_auth_line(pop, args->rest);
	session_want_line(pop->s, POP3_AUTH_LINE);
	buf_adds(&pop->s->out, "+ \r\n");
	return (struct pop3_reply){ .status = POP3_WAIT };
}

/* ---- the rest of AUTHORIZATION ---- */

/* "CAPA"   RFC 2449 §5 */
struct pop3_reply pop3_cmd_capa(struct pop3 *pop, struct cursor *args)
{
	struct buf *out = &pop->s->out;

	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	buf_adds(out,
	    "+OK what there is\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
	    "PIPELINING\r\n");
	if (pop->state == POP3_STRANGER && pop3_password_allowed(pop))
		buf_adds(out, "USER\r\nSASL PLAIN\r\n");
	if (pop->state == POP3_STRANGER && pop->s->listener->tls == LISTENER_STARTTLS &&
	    !session_secure(pop->s))
		buf_adds(out, "STLS\r\n");
	buf_adds(out, "IMPLEMENTATION Hauberk\r\n.\r\n");
	return (struct pop3_reply){ .status = POP3_DONE };
}

/* "STLS"   RFC 2595 §4 */
struct pop3_reply pop3_cmd_stls(struct pop3 *pop, struct cursor *args)
{
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	if (session_secure(pop->s))
		return pop3_bad(pop, "TLS is up already");
	if (pop->s->listener->tls != LISTENER_STARTTLS)
		return pop3_err(NULL, "no TLS here");
	return (struct pop3_reply){ .status = POP3_OK, .text = "shake hands", .starttls = true };
}

/* ---- what net/ calls ---- */

static enum turn pop3_greet(struct session *s)
{
	struct pop3 *pop = NEW(struct pop3);

	pop->s = s;
	pop->state = POP3_STRANGER;
	s->state = pop;
	session_want_line(s, POP3_LINE);
	session_set_timeout(s, POP3_TIMEOUT_BEFORE);
	buf_adds(&s->out, "+OK Hauberk ready\r\n");
	return TURN_NEXT;
}

static enum turn pop3_frame(struct session *s, slice line)
{
	return pop3_run(s->state, line);
}

static enum turn pop3_oversized(struct session *s)
{
	struct pop3 *pop = s->state;

	session_want_line(s, POP3_LINE);
	return pop3_answer(pop, pop3_bad(pop, "line too long"));
}

static enum turn pop3_more(struct session *s)
{
	struct pop3 *pop = s->state;

	return pop->job.step ? pop3_answer(pop, pop->job.step(pop)) : TURN_NEXT;
}

/* A name said before TLS does not count (RFC 2595 §4). */
static enum turn pop3_secured(struct session *s)
{
	struct pop3 *pop = s->state;

	pop->user = (slice){ 0 };
	return TURN_NEXT;
}

static void pop3_expired(struct session *s)
{
	buf_adds(&s->out, "-ERR you were silent too long; nothing was deleted\r\n");
}

static void pop3_drained(struct session *s)
{
	buf_adds(&s->out, "-ERR [SYS/TEMP] the server goes down, come again\r\n");
}

static void pop3_closed(struct session *s)
{
	struct pop3 *pop = s->state;

	pop3_job_end(pop);
	uid_set_free(&pop->uids);
	uid_set_free(&pop->deleted);
	free(pop);
}

const struct protocol pop3_protocol = {
	.name = "pop3",
	.open = pop3_greet,
	.frame = pop3_frame,
	.oversized = pop3_oversized,
	.more = pop3_more,
	.resume = pop3_more,
	.secured = pop3_secured,
	.expired = pop3_expired,
	.drained = pop3_drained,
	.closed = pop3_closed,
};
