/* A session of SMTP from greeting to goodbye; the commands are in the files cmd_*.c. */
#include "smtp/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

const struct smtp_conf *smtp_conf;

static const struct command commands[] = {
	/* verb, handler, when, RFC */
	{ "EHLO", cmd_ehlo, WHEN_QUICK, "5321 4.1.1.1" },
	{ "HELO", cmd_helo, WHEN_QUICK, "5321 4.1.1.1" },
	{ "MAIL", cmd_mail, WHEN_HELLO | WHEN_NO_TX | WHEN_ALLOWED | WHEN_QUICK_STRANGER,
	    "5321 4.1.1.2" },
	{ "RCPT", cmd_rcpt, WHEN_TX, "5321 4.1.1.3" },
	{ "DATA", cmd_data, WHEN_TX | WHEN_RCPT | WHEN_QUICK, "5321 4.1.1.4" },
	{ "RSET", cmd_rset, 0, "5321 4.1.1.5" },
	{ "NOOP", cmd_noop, WHEN_QUICK, "5321 4.1.1.9" },
	{ "QUIT", cmd_quit, WHEN_QUICK, "5321 4.1.1.10" },
	{ "VRFY", cmd_vrfy, 0, "5321 4.1.1.6" },
	{ "HELP", cmd_help, WHEN_QUICK, "5321 4.1.1.8" },
	{ "EXPN", cmd_expn, 0, "5321 4.1.1.7" },
	{ "BDAT", cmd_bdat, 0, "3030 2" }, /* it counts its octets out before it complains */
	{ "STARTTLS", cmd_starttls, WHEN_NO_TX | WHEN_QUICK,
	    "3207" }, /* some greet only afterwards */
	{ "XCLIENT", cmd_xclient, WHEN_NO_TX, "Postfix XCLIENT_README" },
	{ "AUTH", cmd_auth, WHEN_HELLO | WHEN_NO_TX, "4954" },
};

static const struct command *command_find(slice line)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		slice verb = slice_of(commands[i].verb);

		if (slice_starts_nocase(line, verb) &&
		    (line.n == verb.n || line.p[verb.n] == ' ' || line.p[verb.n] == '\t'))
			return &commands[i];
	}
	return NULL;
}

struct trace *smtp_trace(const struct session *s)
{
	struct smtp *smtp = s->state;

	if (!trace_is_on())
		return NULL;
	return smtp->tx ? &smtp->tx->trace : &smtp->trace;
}

void tx_end(struct smtp *smtp)
{
	if (!smtp->tx)
		return;
	if (smtp->tx->trace.refused || smtp->tx->done)
		trace_write(&smtp->tx->trace_id, &smtp->tx->trace);
	trace_free(&smtp->tx->trace);
	policy_close(smtp->tx->judged.state);
	spool_abort(smtp->tx->message);
	buf_free(&smtp->tx->header);
	arena_free(smtp->tx->arena);
	smtp->tx = NULL;
}

struct reply tx_refused(struct session *s, struct reply r, slice what)
{
	TRACE(smtp_trace(s), TRACE_REPLY, r.code, what, slice_of(r.text));
	r.noted = true;
	tx_end(s->state);
	return r;
}

void smtp_reset(struct smtp *smtp)
{
	tx_end(smtp);
	buf_free(&smtp->hello);
	buf_free(&smtp->name);
	smtp->extended = false;
	smtp->account = 0;
	smtp->login = (slice){ 0 };
	smtp->mechanism = NULL;
	smtp->sasl = (struct sasl){ 0 };
	smtp->in_data = false;
	smtp->chunk = (struct chunk){ 0 };
}

/* A worker's directory is opened at its first use, and again after a failure. */
struct directory *smtp_directory(struct session *s, struct error *error)
{
	struct smtp_worker *worker = s->worker;

	if (!worker->directory &&
	    !directory_open(smtp_conf->directory, false, &worker->directory, error))
		return NULL;
	return worker->directory;
}

enum directory_answer smtp_resolve(struct session *s, const struct address *address,
    struct directory_recipients *out, struct error *error)
{
	struct directory *directory = smtp_directory(s, error);

	*out = (struct directory_recipients){ 0 };
	return directory
	    ? directory_resolve(directory, address->local, address->domain, s->turn, out, error)
	    : DIRECTORY_FAILED;
}

struct reply smtp_ask_later(struct session *s, const struct error *error)
{
	log_warn("directory.failed", kv_str("s", s->id), kv_why(error));
	return reply(s, 451, "4.3.0", "%s", error->said);
}

void *smtp_worker_start(void *context)
{
	(void)context;
	return NEW(struct smtp_worker);
}

void smtp_worker_stop(void *worker)
{
	directory_close(((struct smtp_worker *)worker)->directory);
	free(worker);
}

bool smtp_is_ours(const struct session *s)
{
	const struct smtp *smtp = s->state;

	return smtp->account != 0 || smtp->relays;
}

static bool peer_is_in(const struct session *s, const struct ip_set *set)
{
	struct ip ip;

	return ip_parse(slice_of(s->peer), &ip) && ip_set_has(set, &ip);
}

bool smtp_may_speak_for(const struct session *s)
{
	return peer_is_in(s, smtp_conf->xclient_from);
}

void smtp_learn_peer(struct session *s)
{
	((struct smtp *)s->state)->relays = peer_is_in(s, smtp_conf->relay_from);
}

struct reply smtp_greeting(struct session *s)
{
	const struct smtp *smtp = s->state;
	slice text = policy_text_of(smtp->policy, FACT_smtpGreeting, SLICE("ESMTP Hauberk"));

	return reply(s, 220, NULL, "%s %.*s", smtp_conf->hostname, SLICE_ARG(text));
}

uint64_t smtp_max_message(const struct session *s)
{
	const struct smtp *smtp = s->state;
	const struct policy_state *state = smtp->tx ? smtp->tx->judged.state : smtp->policy;

	return (uint64_t)policy_number_of(state, FACT_maxDataSize, (int64_t)smtp_conf->max_message);
}

void smtp_init(const struct smtp_conf *conf)
{
	smtp_conf = conf;
}

/* ---- a command line ---- */

static struct reply out_of_order(struct session *s, const char *what)
{
	return reply(s, 503, "5.5.1", "%s", what);
}

/* Is this the moment for the command? code 0: yes. */
static struct reply check_when(struct session *s, const struct command *command)
{
	const struct smtp *smtp = s->state;

	if ((command->when & WHEN_HELLO) && !smtp->hello.n)
		return out_of_order(s, "say EHLO first");
	if ((command->when & WHEN_ALLOWED) && s->listener->submission && !smtp_is_ours(s))
		return reply(s, 530, "5.7.0", "log in first%s",
		    session_secure(s) || s->listener->plain_login ? "" : "; STARTTLS, then AUTH");
	if ((command->when & WHEN_NO_TX) && smtp->tx)
		return out_of_order(s, "not inside a mail transaction");
	if ((command->when & WHEN_TX) && !smtp->tx)
		return out_of_order(s, "say MAIL first");
	if ((command->when & WHEN_RCPT) && smtp->tx->accepted == 0)
		return reply(s, 554, "5.5.1", "no valid recipients");
	return (struct reply){ 0 };
}

/* A greeting of 554 leaves nothing but QUIT (RFC 5321 §3.1). */
static bool is_turned_away(const struct session *s, const struct command *command)
{
	return ((const struct smtp *)s->state)->turned_away && command->run != cmd_quit &&
	    command->run != cmd_xclient;
}

static struct reply run_command(struct session *s, slice line)
{
	const struct command *command = command_find(line);

	if (!command)
		return reply(s, 500, "5.5.2", "unknown command");
	if (is_turned_away(s, command))
		return out_of_order(s, "this server takes nothing from you; say QUIT");
	struct reply when = check_when(s, command);
	if (when.code)
		return when;
	struct cursor arguments = cursor_of(slice_from(line, strlen(command->verb)));
	/* cppcheck-suppress returnDanglingLifetime; a reply keeps nothing of the cursor */
	return command->run(s, &arguments);
}

/* What no handler may ever see in a line (RFC 5321 §2.3.8, §4.1.1). */
static const char *line_fault(const struct session *s, slice line)
{
	if (s->line_end != FRAME_CRLF)
		return "the line ends in a bare LF; it must end in CR LF";
	if (slice_find(line, '\r') < line.n)
		return "a bare CR in the line";
	if (slice_find(line, '\0') < line.n)
		return "a NUL in the line";
	return NULL;
}

static struct reply handle_line(struct session *s, slice line)
{
	struct smtp *smtp = s->state;
	const char *fault = line_fault(s, line);

	if (fault) {
		struct reply r = reply(s, 500, "5.5.2", "%s", fault);

		r.turn =
		    TURN_CLOSE; /* whatever follows may be meant for another server's reading of it */
		return r;
	}
	if (smtp->sasl.mechanism)
		return auth_line(s, line);
	if (line.n > SMTP_LINE && !slice_starts_nocase(line, SLICE("AUTH ")))
		return reply(s, 500, "5.5.6", "the line is longer than %d octets", SMTP_LINE);
	return run_command(s, line);
}

/* Says it, logs refusals once, and counts mistakes. */
static enum turn answer(struct session *s, struct reply r, slice line)
{
	struct smtp *smtp = s->state;

	if (r.silent)
		return r.turn;
	if (r.code >= 400) {
		log_info("refused", kv_str("s", s->id), kv_str("peer", s->peer),
		    kv_num("code", r.code), kv_str("why", r.text),
		    kv_text("command", slice_head(line, 200)));
		smtp->errors++;
		if (!r.noted)
			TRACE(smtp_trace(s), TRACE_REPLY, r.code, slice_head(line, 200),
			    slice_of(r.text));
	}
	reply_write(s, &r);
	if (smtp->errors > policy_number_of(smtp->policy, FACT_maxErrors, smtp_conf->max_errors) &&
	    r.turn == TURN_NEXT) {
		buf_addf(&s->out, "421 4.7.0 %s too many errors, goodbye\r\n", smtp_conf->hostname);
		return TURN_CLOSE;
	}
	return r.turn;
}

/* Logins wait for the role auth. */
static struct gate *gate_of(const struct session *s, slice line)
{
	const struct smtp *smtp = s->state;
	bool login = smtp->sasl.mechanism || slice_starts_nocase(line, SLICE("AUTH "));

	return login && !smtp->in_data ? sasl_gate(&smtp->sasl, slice_from(line, 5)) : NULL;
}

static void expect_line(struct session *s)
{
	session_want_line(s, SMTP_AUTH_LINE);
	session_set_timeout(s, smtp_conf->command_timeout_ms);
}

static enum turn frame(struct session *s, slice octets)
{
	struct smtp *smtp = s->state;

	/* Told apart before the line is handled: after a wrong password the exchange is over. */
	bool secret =
	    smtp->sasl.mechanism || slice_starts_nocase(slice_trim(octets), SLICE("AUTH"));
	if (!smtp->in_data)
		return answer(s, handle_line(s, octets), secret ? SLICE("AUTH ...") : octets);
	struct reply r = smtp->chunk.coming ? bdat_chunk(s, octets) : data_chunk(s, octets);
	if (!smtp->in_data)
		expect_line(s);
	if (r.code == 0 && !r.silent)
		return TURN_NEXT; /* more is to come */
	return answer(s, r, SLICE("(message)"));
}

static enum turn resume(struct session *s)
{
	return answer(s, tx_committed(s), SLICE("(message)"));
}

/* ---- beginning and end ---- */

static enum turn greet(struct session *s)
{
	struct smtp *smtp = NEW(struct smtp);

	buf_init(&smtp->hello, SMTP_NAME);
	buf_init(&smtp->name, SMTP_NAME);
	s->state = smtp;
	trace_begin(&smtp->trace);
	TRACE(smtp_trace(s), TRACE_CONNECTED, 0, slice_of(s->peer), slice_of(s->listener->name),
	    slice_of(session_tls_text(s)));
	expect_line(s);
	session_set_rate(s, smtp_conf->data_rate);
	log_info("connected", kv_str("s", s->id), kv_str("peer", s->peer),
	    kv_str("listener", s->listener->name), kv_str("tls", session_tls_text(s)));
	smtp_learn_peer(s);
	struct reply r = event_connect(s);
	if (!r.code)
		r = smtp_greeting(s);
	else
		r = reply(s, r.code, NULL, "%s %s", smtp_conf->hostname, r.text);
	bool stays = r.code == 220 || ((struct smtp *)s->state)->turned_away;
	r.turn = stays ? TURN_NEXT : TURN_CLOSE;
	reply_write(s, &r);
	return r.turn;
}

/* May onConnect ask the network? */
static bool greets_slowly(void)
{
	return !policy_quick(ON_CONNECT);
}

/* RFC 3207 §4.2: all that the client said before is forgotten. */
static enum turn secured(struct session *s)
{
	struct smtp *smtp = s->state;

	smtp_reset(smtp);
	expect_line(s);
	return TURN_NEXT;
}

static enum turn oversized(struct session *s)
{
	struct smtp *smtp = s->state;
	int most = (int)auth_longest(s, SLICE(""));

	smtp->sasl.mechanism = NULL;
	session_want_line(s, SMTP_AUTH_LINE);
	return answer(s,
	    reply(
		s, 500, "5.5.6", "the line is longer than %d octets", most ? most : SMTP_AUTH_LINE),
	    SLICE("(a line too long)"));
}

static bool quick(const struct session *s, slice line)
{
	const struct smtp *smtp = s->state;

	if (!smtp || smtp->in_data || smtp->sasl.mechanism)
		return false;
	const struct command *command = command_find(line);
	return command && event_quick(s, command) &&
	    (command->when & (smtp->account ? WHEN_QUICK : WHEN_QUICK | WHEN_QUICK_STRANGER));
}

static void expired(struct session *s)
{
	buf_addf(&s->out, "421 4.4.2 %s timeout, goodbye\r\n", smtp_conf->hostname);
}

static void crowded(struct session *s)
{
	buf_addf(&s->out, "421 4.7.0 %s too many connections from your address\r\n",
	    smtp_conf->hostname);
}

static void drained(struct session *s)
{
	buf_addf(&s->out, "421 4.3.2 %s is going down, please come again\r\n", smtp_conf->hostname);
}

static void closed(struct session *s)
{
	struct smtp *smtp = s->state;

	log_info("closed", kv_str("s", s->id), kv_num("messages", smtp->messages),
	    kv_num("errors", smtp->errors));
	smtp_reset(smtp);
	/* What was refused before there was a message. */
	if (smtp->trace.refused)
		trace_write(&(struct trace_id){ .session = slice_of(s->id) }, &smtp->trace);
	trace_free(&smtp->trace);
	policy_close(smtp->policy);
	free(smtp);
}

const struct protocol smtp_protocol = {
	.name = "smtp",
	.open = greet,
	.open_blocks = greets_slowly,
	.frame = frame,
	.gate = gate_of,
	.oversized = oversized,
	.longest = auth_longest,
	.resume = resume,
	.secured = secured,
	.quick = quick,
	.expired = expired,
	.drained = drained,
	.crowded = crowded,
	.closed = closed,
};
