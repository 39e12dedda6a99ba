/* The table of commands, and how one is answered. */
#include "pop3/internal.h"

#define ANYTIME (POP3_STRANGER | POP3_OPEN)

static const struct pop3_command commands[] = {
	/* clang-format off */
	/* verb    handler        states         RFC */
	{ "CAPA", pop3_cmd_capa, ANYTIME,       "2449 5" },
	{ "STLS", pop3_cmd_stls, POP3_STRANGER, "2595 4" },
	{ "UTF8", pop3_cmd_utf8, POP3_STRANGER, "6856 2" },
	{ "LANG", pop3_cmd_lang, ANYTIME,       "6856 3" },
	{ "USER", pop3_cmd_user, POP3_STRANGER, "1939 7" },
	{ "PASS", pop3_cmd_pass, POP3_STRANGER, "1939 7" },
	{ "AUTH", pop3_cmd_auth, POP3_STRANGER, "5034 4" },
	{ "QUIT", pop3_cmd_quit, ANYTIME,       "1939 5, 6" },
	{ "STAT", pop3_cmd_stat, POP3_OPEN,     "1939 5" },
	{ "LIST", pop3_cmd_list, POP3_OPEN,     "1939 5" },
	{ "UIDL", pop3_cmd_uidl, POP3_OPEN,     "1939 7" },
	{ "RETR", pop3_cmd_retr, POP3_OPEN,     "1939 5" },
	{ "TOP",  pop3_cmd_top,  POP3_OPEN,     "1939 7" },
	{ "DELE", pop3_cmd_dele, POP3_OPEN,     "1939 5" },
	{ "RSET", pop3_cmd_rset, POP3_OPEN,     "1939 5" },
	{ "NOOP", pop3_cmd_noop, POP3_OPEN,     "1939 5" },
	/* clang-format on */
};

struct pop3_reply pop3_ok(const char *text)
{
	return (struct pop3_reply){ .status = POP3_OK, .text = text };
}

struct pop3_reply pop3_err(const char *code, const char *text)
{
	return (struct pop3_reply){ .status = POP3_ERR, .code = code, .text = text };
}

struct pop3_reply pop3_bad(struct pop3 *pop, const char *text)
{
	pop->mistakes++;
	log_info(
	    "pop3.bad", kv_str("s", pop->s->id), kv_str("peer", pop->s->peer), kv_str("why", text));
	return pop3_err(NULL, text);
}

struct pop3_reply pop3_syntax(struct pop3 *pop, const struct cursor *c)
{
	return pop3_bad(
	    pop, arena_printf(pop->s->turn, "expected %s at column %zu", c->expected, c->at + 1));
}

/* RFC 3206: SYS/TEMP and SYS/PERM tell the client whether trying again helps. */
struct pop3_reply pop3_failed(struct pop3 *pop, const struct error *error)
{
	log_warn("pop3.failed", kv_str("s", pop->s->id), kv_text("user", pop->user),
	    kv_str("fault", fault_name(error->fault)), kv_why(error));
	return pop3_err(error->temporary ? "SYS/TEMP" : "SYS/PERM",
	    arena_str(pop->s->turn, slice_of(error->said)));
}

static const struct pop3_command *command_find(slice verb)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (slice_eq_nocase(verb, slice_of(commands[i].verb)))
			return &commands[i];
	return NULL;
}

static struct pop3_reply command_start(struct pop3 *pop, struct cursor *c)
{
	slice verb = cursor_span(c, OCTET_ALPHA | OCTET_DIGIT, "command");
	const struct pop3_command *command = command_find(verb);

	if (c->expected || (!cursor_end(c) && cursor_peek(c) != ' '))
		return pop3_bad(pop, "expected a command");
	if (!command)
		return pop3_bad(pop, "unknown command");
	if (!(command->states & pop->state))
		return pop3_bad(
		    pop, pop->state == POP3_STRANGER ? "log in first" : "you are logged in");
	return command->run(pop, c);
}

static void reply_write(struct pop3 *pop, const struct pop3_reply *reply)
{
	struct buf *out = &pop->s->out;

	if (reply->status == POP3_OK)
		buf_addf(out, "+OK %s\r\n", reply->text);
	else if (reply->status == POP3_ERR && reply->code)
		buf_addf(out, "-ERR [%s] %s\r\n", reply->code, reply->text);
	else if (reply->status == POP3_ERR)
		buf_addf(out, "-ERR %s\r\n", reply->text);
}

/* From a reply to where the session must wait: for the output, or the next line. */
enum turn pop3_answer(struct pop3 *pop, struct pop3_reply reply)
{
	/* The first part goes out with the line that says so. */
	if (reply.status == POP3_MORE && pop->s->out.n < SESSION_MARK)
		reply = pop->job.step(pop);
	if (reply.status == POP3_MORE)
		return TURN_MORE;
	pop->waiting = reply.status == POP3_WAIT;
	reply_write(pop, &reply);
	if (reply.status != POP3_ERR)
		pop->mistakes = 0;
	pop3_job_end(pop);
	if (pop->failed_logins >= pop3_host.max_login_failures ||
	    pop->mistakes >= pop3_host.max_errors)
		return TURN_CLOSE;
	if (reply.starttls)
		return TURN_STARTTLS;
	return reply.close ? TURN_CLOSE : TURN_NEXT;
}

enum turn pop3_run(struct pop3 *pop, slice line)
{
	struct cursor c = cursor_of(line);
	struct pop3_reply reply = pop->waiting ? pop3_auth_line(pop, line) : command_start(pop, &c);

	return pop3_answer(pop, reply);
}
