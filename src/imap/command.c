/* The table of commands, and how one is answered. */
#include "imap/internal.h"

#include "imap/parse.h"

#define ANYTIME (IMAP_STRANGER | IMAP_KNOWN | IMAP_SELECTED)
#define LOGGED  (IMAP_KNOWN | IMAP_SELECTED)

/* LIST */
const struct command imap_commands[] = {
	/* clang-format off */
	/* verb           handler           states         flags                          RFC */
	{ "CAPABILITY",   imap_cmd_capability,   ANYTIME,       0,                             "9051 6.1.1" },
	{ "NOOP",         imap_cmd_noop,         ANYTIME,       0,                             "9051 6.1.2" },
	{ "ID",           imap_cmd_id,           ANYTIME,       0,                             "2971 3.1" },
	{ "LOGOUT",       imap_cmd_logout,       ANYTIME,       COMMAND_SILENT,                "9051 6.1.3" },
	{ "STARTTLS",     imap_cmd_starttls,     IMAP_STRANGER, COMMAND_SILENT,                "9051 6.2.1" },
	{ "AUTHENTICATE", imap_cmd_authenticate, IMAP_STRANGER, COMMAND_SECRET,                "9051 6.2.2" },
	{ "LOGIN",        imap_cmd_login,        IMAP_STRANGER, COMMAND_SECRET,                "9051 6.2.3" },
	{ "UNAUTHENTICATE", imap_cmd_unauthenticate, LOGGED,    COMMAND_SILENT,                "8437 2" },
	{ "ENABLE",       imap_cmd_enable,       LOGGED,        0,                             "9051 6.3.1" },
	{ "COMPRESS",     imap_cmd_compress,     LOGGED,        COMMAND_SILENT,                "4978 3" },
	{ "SELECT",       imap_cmd_select,       LOGGED,        COMMAND_SILENT,                "9051 6.3.2" },
	{ "EXAMINE",      imap_cmd_examine,      LOGGED,        COMMAND_SILENT,                "9051 6.3.3" },
	{ "CREATE",       imap_cmd_create,       LOGGED,        0,                             "9051 6.3.4" },
	{ "DELETE",       imap_cmd_delete,       LOGGED,        0,                             "9051 6.3.5" },
	{ "RENAME",       imap_cmd_rename,       LOGGED,        0,                             "9051 6.3.6" },
	{ "SUBSCRIBE",    imap_cmd_subscribe,    LOGGED,        0,                             "9051 6.3.7" },
	{ "UNSUBSCRIBE",  imap_cmd_unsubscribe,  LOGGED,        0,                             "9051 6.3.8" },
	{ "LIST",         imap_cmd_list,         LOGGED,        0,                             "9051 6.3.9" },
	{ "LSUB",         imap_cmd_lsub,         LOGGED,        0,                             "3501 6.3.9" },
	{ "NAMESPACE",    imap_cmd_namespace,    LOGGED,        0,                             "9051 6.3.10" },
	{ "STATUS",       imap_cmd_status,       LOGGED,        0,                             "9051 6.3.11" },
	{ "GETQUOTA",     imap_cmd_getquota,     LOGGED,        0,                             "9208 4.1.1" },
	{ "GETQUOTAROOT", imap_cmd_getquotaroot, LOGGED,        0,                             "9208 4.1.2" },
	{ "APPEND",       imap_cmd_append,       LOGGED,        0,                             "9051 6.3.12" },
	{ "REPLACE",      imap_cmd_replace,      IMAP_SELECTED, COMMAND_UID,                   "8508 3" },
	{ "IDLE",         imap_cmd_idle,         LOGGED,        0,                             "9051 6.3.13" },
	{ "CHECK",        imap_cmd_check,        IMAP_SELECTED, 0,                             "3501 6.4.1" },
	{ "CLOSE",        imap_cmd_close,        IMAP_SELECTED, COMMAND_SILENT,                "9051 6.4.1" },
	{ "UNSELECT",     imap_cmd_unselect,     IMAP_SELECTED, COMMAND_SILENT,                "9051 6.4.2" },
	{ "EXPUNGE",      imap_cmd_expunge,      IMAP_SELECTED, COMMAND_UID,                   "9051 6.4.3" },
	{ "SEARCH",       imap_cmd_search,       IMAP_SELECTED, COMMAND_UID | COMMAND_NUMBERS, "9051 6.4.4" },
	{ "SORT",         imap_cmd_sort,         IMAP_SELECTED, COMMAND_UID | COMMAND_NUMBERS, "5256 3" },
	{ "THREAD",       imap_cmd_thread,       IMAP_SELECTED, COMMAND_UID | COMMAND_NUMBERS, "5256 3" },
	{ "FETCH",        imap_cmd_fetch,        IMAP_SELECTED, COMMAND_UID | COMMAND_NUMBERS, "9051 6.4.5" },
	{ "STORE",        imap_cmd_store,        IMAP_SELECTED, COMMAND_UID | COMMAND_NUMBERS, "9051 6.4.6" },
	{ "COPY",         imap_cmd_copy,         IMAP_SELECTED, COMMAND_UID,                   "9051 6.4.7" },
	{ "MOVE",         imap_cmd_move,         IMAP_SELECTED, COMMAND_UID,                   "9051 6.4.8" },
	/* clang-format on */
};
const size_t imap_command_count = sizeof imap_commands / sizeof imap_commands[0];

static const struct command *command_find(slice verb)
{
	for (size_t i = 0; i < imap_command_count; i++)
		if (slice_eq_nocase(verb, slice_of(imap_commands[i].verb)))
			return &imap_commands[i];
	return NULL;
}

/* ---- the end of a command ---- */

static void command_end(struct imap *im)
{
	if (im->command && im->command->flags & COMMAND_SECRET && im->gather.text.p)
		explicit_bzero(im->gather.text.p, im->gather.text.n);
	view_sync_end(&im->sync);
	gather_reset(&im->gather);
	arena_free(im->arena);
	im->arena = NULL;
	im->command = NULL;
	im->job = (struct job){ 0 };
	im->keywords = NULL;
	im->uid = im->waiting = im->done = false;
}

static enum turn goodbye(struct imap *im, const char *why)
{
	buf_addf(&im->s->out, "* BYE %s\r\n", why);
	command_end(im);
	return TURN_CLOSE;
}

/* The tagged line. */
static enum turn command_answer(struct imap *im)
{
	struct imap_reply reply = im->reply;

	if (reply.modseq && im->qresync && im->state == IMAP_SELECTED)
		reply.code =
		    arena_printf(im->arena, "HIGHESTMODSEQ %lld", (long long)im->view.modseq);
	im->mistakes = reply.status == IMAP_BAD ? im->mistakes + 1 : 0;
	imap_reply_write(im, im->tag, &reply);
	if (im->mistakes >= imap_host.max_errors ||
	    im->failed_logins >= imap_host.max_login_failures) {
		slice why = im->mistakes >= imap_host.max_errors ? SLICE("mistakes")
								 : SLICE("failed logins");

		log_warn("imap.closed", kv_str("s", im->s->id), kv_str("peer", im->s->peer),
		    kv_text("why", why));
		return goodbye(im, "too many errors");
	}
	command_end(im);
	if (reply.starttls)
		return TURN_STARTTLS;
	if (reply.compress)
		return TURN_COMPRESS;
	return reply.close ? TURN_CLOSE : TURN_NEXT;
}

/* Looks for what other sessions did. True: there is something to tell, or the mailbox is gone. */
static enum view_found command_sync(struct imap *im)
{
	bool numbers = im->command && im->command->flags & COMMAND_NUMBERS && !im->uid;
	bool silent = im->command && im->command->flags & COMMAND_SILENT;

	bool fresh = im->view.fresh;
	im->view.fresh = false;
	if (im->state != IMAP_SELECTED || silent || im->reply.close || fresh)
		return VIEW_SAME;
	return view_sync_begin(im, !numbers);
}

/* From where the command stands to where it must wait: for the output, a line, or the next command. */
enum turn imap_command_go_on(struct imap *im)
{
	while (!im->done) {
		if (imap_full(im))
			return TURN_MORE;
		im->reply = im->job.step(im, im->job.context);
		if (im->reply.status == IMAP_MORE)
			return TURN_MORE;
		im->waiting = im->reply.status == IMAP_WAIT;
		if (im->waiting)
			return TURN_NEXT;
		im->done = true;
		if (command_sync(im) == VIEW_LOST)
			return goodbye(im, "the mailbox was deleted");
	}
	if (im->sync.running && !view_sync_step(im))
		return TURN_MORE;
	return command_answer(im);
}

/* ---- the begin of a command ---- */

static struct imap_reply final_step(struct imap *im, void *context)
{
	return *(const struct imap_reply *)context;
}

/* Goes on from a handler's reply as if a job's step had given it. */
static enum turn command_reply(struct imap *im, struct imap_reply reply)
{
	struct imap_reply *kept;

	if (reply.status == IMAP_MORE || reply.status == IMAP_WAIT) {
		im->waiting = reply.status == IMAP_WAIT;
		return im->waiting ? TURN_NEXT : imap_command_go_on(im);
	}
	kept = ARENA_NEW(im->arena, struct imap_reply);
	*kept = reply;
	im->job = (struct job){ .step = final_step, .context = kept };
	return imap_command_go_on(im);
}

/* "UID" SP (copy / move / fetch / search / store / expunge) */
static struct imap_reply command_start(struct imap *im, struct cursor *c)
{
	parse_space(c);
	slice verb = parse_atom(c, "command");
	im->uid = slice_eq_nocase(verb, SLICE("UID"));
	if (im->uid) {
		parse_space(c);
		verb = parse_atom(c, "command after UID");
	}
	if (c->expected)
		return imap_reply_syntax(im, c);
	im->command = command_find(verb);
	if (!im->command)
		return imap_reply_bad(im, "unknown command");
	if (im->uid && !(im->command->flags & COMMAND_UID))
		return imap_reply_bad(im,
		    "UID goes with FETCH, SEARCH, SORT, THREAD, STORE, COPY, MOVE, REPLACE, EXPUNGE");
	if (!(im->command->states & im->state))
		return imap_reply_bad(im,
		    im->state == IMAP_STRANGER ? "log in first"
			: im->state == IMAP_KNOWN && im->command->states != IMAP_STRANGER
			? "select a mailbox first"
			: "you are logged in already");
	return im->command->run(im, c);
}

enum turn imap_command_run(struct imap *im, slice text)
{
	struct cursor c = cursor_of(text);

	im->arena = arena_new(IMAP_COMMAND_MEMORY);
	im->tag = parse_tag(&c);
	struct imap_reply reply = c.expected ? imap_reply_syntax(im, &c) : command_start(im, &c);
	return command_reply(im, reply);
}

enum turn imap_command_line(struct imap *im, slice line)
{
	im->waiting = false;
	return command_reply(im, im->job.line(im, im->job.context, line));
}

enum turn imap_command_refuse(struct imap *im, const char *why)
{
	struct cursor c = cursor_of(buf_slice(&im->gather.text));

	im->arena = arena_new(IMAP_COMMAND_MEMORY);
	im->tag = parse_tag(&c);
	if (c.expected)
		im->tag = (slice){ 0 };
	im->command = NULL;
	return command_reply(im, imap_reply_bad(im, why));
}
