/* The protocol as net/ calls it, and the AUTHORIZATION state (RFC 1939 §4): CAPA, STLS, USER, PASS,
 * AUTH, UTF8, LANG, QUIT. */
#include "pop3/internal.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/memory.h"

struct store_host pop3_host;

void pop3_init(const struct store_host *host)
{
	pop3_host = *host;
}

struct store *pop3_store(struct pop3 *pop)
{
	return pop3_host.store(pop->s->worker);
}

/* Passwords go over TLS only, unless the listener says otherwise. */
bool pop3_password_allowed(const struct pop3 *pop)
{
	return sasl_login_allowed(pop->s);
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
	session_set_timeout(pop->s, pop3_host.idle_timeout_ms);
	log_info("pop3.login", kv_str("s", pop->s->id), kv_str("peer", pop->s->peer),
	    kv_text("user", user), kv_num("account", pop->account),
	    kv_str("tls", session_tls_text(pop->s)));
	return pop3_ok(arena_printf(pop->s->turn, "%u messages", uid_set_count(&pop->uids)));
}

static struct pop3_reply wrong(struct pop3 *pop, slice user)
{
	pop->failed_logins++;
	log_warn("pop3.login.wrong", kv_str("s", pop->s->id), kv_str("peer", pop->s->peer),
	    kv_text("user", user));
	return pop3_err("AUTH", "wrong name or password");
}

static struct pop3_reply login(struct pop3 *pop, slice user, slice password)
{
	struct sasl_host host = store_sasl_host(&pop3_host, pop->s);
	struct error error;

	switch (sasl_password(&host, user, password, &pop->account, &error)) {
	case LOGIN_RIGHT:
		return logged_in(pop, user);
	case LOGIN_WRONG:
		return wrong(pop, user);
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
		return pop3_err(NULL,
		    store_sasl_host(&pop3_host, pop->s).secure
			? "USER and PASS are switched off here; AUTH is not"
			: "start TLS first");
	if (++pop->users > 2 * pop3_host.max_login_failures)
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
	return login(pop, pop->user, args->rest);
}

/* The answer to our "+ ", or an initial one: base64, or "*" (RFC 5034 §4). */
struct pop3_reply pop3_auth_line(struct pop3 *pop, slice line)
{
	struct sasl_host host = store_sasl_host(&pop3_host, pop->s);
	enum sasl_result result;
	struct error error;
	struct buf challenge;

	pop->waiting = false;
	buf_init(&challenge, 2 * SASL_MESSAGE);
	result = sasl_line(&pop->sasl, &host, line, &challenge, &error);
	if (result == SASL_CONTINUE) {
		buf_adds(&pop->s->out, "+ ");
		buf_add(&pop->s->out, buf_slice(&challenge));
		buf_adds(&pop->s->out, "\r\n");
	}
	buf_free(&challenge);
	session_want_line(pop->s, result == SASL_CONTINUE ? POP3_AUTH_LINE : POP3_LINE);
	switch (result) {
	case SASL_CONTINUE:
		return (struct pop3_reply){ .status = POP3_WAIT };
	case SASL_DONE:
		pop->account = pop->sasl.account;
		return logged_in(pop, pop->sasl.name);
	case SASL_WRONG:
		return wrong(pop, pop->sasl.name);
	case SASL_MALFORMED:
		return pop3_bad(pop, arena_str(pop->s->turn, slice_of(error.said)));
	case SASL_FAILED:
		break;
	}
	return pop3_failed(pop, &error);
}

static struct pop3_reply list_mechanisms(struct pop3 *pop, const struct sasl_host *host)
{
	struct buf *out = &pop->s->out;

	buf_adds(out, "+OK mechanisms");
	sasl_offer(host, "\r\n", out);
	buf_adds(out, "\r\n.\r\n");
	return (struct pop3_reply){ .status = POP3_DONE };
}

/* "AUTH" [SP mechanism [SP initial-response]]; alone it lists the mechanisms (RFC 5034 §4) */
struct pop3_reply pop3_cmd_auth(struct pop3 *pop, struct cursor *args)
{
	struct sasl_host host = store_sasl_host(&pop3_host, pop->s);

	if (cursor_end(args))
		return list_mechanisms(pop, &host);
	cursor_char(args, ' ', "one space");
	slice name = cursor_span(args, OCTET_IMAP_ATOM, "mechanism");
	bool initial = cursor_try_char(args, ' ');
	if (args->expected || (!initial && !cursor_done(args)))
		return pop3_syntax(pop, args);
	const struct sasl_mechanism *mechanism = sasl_find(name, &host);
	if (!mechanism && !host.secure)
		return pop3_err(NULL, "start TLS first");
	if (!mechanism)
		return pop3_err(NULL, "no such mechanism");
	sasl_begin(&pop->sasl, mechanism, pop->s->arena);
	return pop3_auth_line(pop, initial ? args->rest : (slice){ 0 });
}

/* ---- the rest of AUTHORIZATION ---- */

static void print_login(struct pop3 *pop, struct buf *out)
{
	struct sasl_host host = store_sasl_host(&pop3_host, pop->s);

	if (pop3_password_allowed(pop))
		buf_adds(out, "USER\r\n");
	size_t before = out->n;
	buf_adds(out, "SASL");
	sasl_offer(&host, " ", out);
	if (out->n == before + 4)
		out->n = before; /* none is offered */
	else
		buf_adds(out, "\r\n");
}

/* "CAPA"   RFC 2449 §5 */
struct pop3_reply pop3_cmd_capa(struct pop3 *pop, struct cursor *args)
{
	struct buf *out = &pop->s->out;

	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	buf_adds(out,
	    "+OK what there is\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
	    "PIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\n");
	if (pop->state == POP3_STRANGER)
		print_login(pop, out);
	if (pop->state == POP3_STRANGER && pop->s->listener->tls == LISTENER_STARTTLS &&
	    !session_secure(pop->s))
		buf_adds(out, "STLS\r\n");
	buf_adds(out, "IMPLEMENTATION Hauberk\r\n.\r\n");
	return (struct pop3_reply){ .status = POP3_DONE };
}

/* "UTF8": the client takes UTF-8 in headers (RFC 6856 §2). Names and passwords are taken as UTF-8 with it and
 * without; so is what a message holds given as it is, for nobody has another form of it. */
struct pop3_reply pop3_cmd_utf8(struct pop3 *pop, struct cursor *args)
{
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	return pop3_ok("UTF-8 it is");
}

/* "LANG" [SP language]: the texts of answers are English (RFC 6856 §3) */
struct pop3_reply pop3_cmd_lang(struct pop3 *pop, struct cursor *args)
{
	if (cursor_end(args)) {
		buf_adds(&pop->s->out, "+OK languages\r\nen English\r\ni-default English\r\n.\r\n");
		return (struct pop3_reply){ .status = POP3_DONE };
	}
	cursor_char(args, ' ', "one space");
	if (args->expected)
		return pop3_syntax(pop, args);
	if (slice_eq_nocase(args->rest, SLICE("en")) || slice_eq(args->rest, SLICE("*")))
		return pop3_ok("en English");
	if (slice_eq_nocase(args->rest, SLICE("i-default")))
		return pop3_ok("i-default English");
	return pop3_err(NULL, "answers are in English only; LANG lists what there is");
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
	session_set_timeout(s, pop3_host.login_timeout_ms);
	buf_adds(&s->out, "+OK Hauberk ready\r\n");
	return TURN_NEXT;
}

static enum turn pop3_frame(struct session *s, slice line)
{
	return pop3_run(s->state, line);
}

/* Logins wait for the role auth. */
static struct gate *pop3_gate(const struct session *s, slice line)
{
	const struct pop3 *pop = s->state;
	bool stranger = pop->state == POP3_STRANGER;

	if (pop->waiting || (stranger && slice_starts_nocase(line, SLICE("AUTH "))))
		return sasl_gate(&pop->sasl, slice_from(line, 5));
	return stranger && slice_starts_nocase(line, SLICE("PASS ")) ? sasl_password_gate() : NULL;
}

/* RFC 5034 §4 has clients send a long response after our "+"; one that does not is served too. */
static size_t pop3_longest(struct session *s, slice begun)
{
	struct pop3 *pop = s->state;
	struct sasl_host host = store_sasl_host(&pop3_host, s);
	bool command = pop->state == POP3_STRANGER && slice_starts_nocase(begun, SLICE("AUTH "));

	if (!pop->waiting && !command)
		return 0;
	return sasl_line_most(&pop->sasl, &host, slice_from(begun, 5));
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

static void pop3_crowded(struct session *s)
{
	buf_adds(&s->out, "-ERR [SYS/TEMP] too many connections from your address\r\n");
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
	.gate = pop3_gate,
	.oversized = pop3_oversized,
	.longest = pop3_longest,
	.more = pop3_more,
	.resume = pop3_more,
	.secured = pop3_secured,
	.expired = pop3_expired,
	.drained = pop3_drained,
	.crowded = pop3_crowded,
	.closed = pop3_closed,
};
