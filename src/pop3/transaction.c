/* The TRANSACTION state (RFC 1939 §5) but for the messages themselves: STAT, LIST, UIDL, DELE, RSET,
 * NOOP; and QUIT, which makes DELE come true (§6). */
#include "pop3/internal.h"

/* Rows read from the store at once. */
#define ROWS_AT_ONCE 200

/* Is it in this session's view, and not marked? */
static bool is_listed(const struct pop3 *pop, uint32_t uid)
{
	return uid_set_contains(&pop->uids, uid) && !uid_set_contains(&pop->deleted, uid);
}

uint32_t pop3_message(struct pop3 *pop, struct cursor *args, struct pop3_reply *reply_out)
{
	cursor_char(args, ' ', "one space");
	uint32_t number = (uint32_t)cursor_number(args, UINT32_MAX, "message number");

	if (args->expected) {
		*reply_out = pop3_syntax(pop, args);
		return 0;
	}
	uint32_t uid = number ? uid_set_at(&pop->uids, number) : 0;
	if (uid && is_listed(pop, uid))
		return uid;
	*reply_out = pop3_err(NULL, uid ? "marked for deletion" : "no such message");
	return 0;
}

/* Calls fn for the listed messages with UIDs from `*from` on, a batch at a time, until it has called
 * it for all (*from is 0 then) or the output is full. The memory of a batch goes with it. */
static bool rows_each(struct pop3 *pop, uint32_t *from,
    void (*fn)(struct pop3 *pop, const struct store_row *row), struct error *error)
{
	struct arena *arena = arena_new(ROWS_AT_ONCE * 1024);
	struct store_row *rows;
	size_t count;
	bool ok = true;

	while (ok && *from && pop->s->out.n < SESSION_MARK) {
		arena_reset(arena);
		ok = store_rows(pop3_store(pop), pop->account, pop->mailbox, *from, UINT32_MAX,
		    ROWS_AT_ONCE, false, arena, &rows, &count, error);
		for (size_t i = 0; ok && i < count; i++)
			if (is_listed(pop, rows[i].uid))
				fn(pop, &rows[i]);
		*from = ok && count == ROWS_AT_ONCE ? rows[count - 1].uid + 1 : 0;
	}
	arena_free(arena);
	return ok;
}

static void row_write(struct pop3 *pop, const struct store_row *row)
{
	uint32_t number = uid_set_position(&pop->uids, row->uid);

	if (pop->job.uidl)
		buf_addf(&pop->s->out, "%u %u.%u\r\n", number, pop->uidvalidity, row->uid);
	else
		buf_addf(&pop->s->out, "%u %lld\r\n", number, (long long)row->size);
}

/* A scan listing, as far as the output has room. */
static struct pop3_reply list_step(struct pop3 *pop)
{
	struct pop3_reply done = { .status = POP3_DONE };
	struct error error;

	if (!rows_each(pop, &pop->job.next, row_write, &error)) {
		/* In the middle of a listing there is no way to say so but to hang up. */
		pop3_failed(pop, &error);
		done.close = true;
		return done;
	}
	if (pop->job.next)
		return (struct pop3_reply){ .status = POP3_MORE };
	buf_adds(&pop->s->out, ".\r\n");
	return done;
}

/* One message's line. */
static struct pop3_reply list_one(struct pop3 *pop, struct cursor *args, bool uidl)
{
	struct pop3_reply reply;
	struct store_row *rows;
	struct error error;
	size_t count;
	uint32_t uid = pop3_message(pop, args, &reply);

	if (!uid)
		return reply;
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	if (!store_rows(pop3_store(pop), pop->account, pop->mailbox, uid, uid, 1, false,
		pop->s->turn, &rows, &count, &error))
		return pop3_failed(pop, &error);
	if (count == 0)
		return pop3_err(NULL, "the message is gone");
	pop->job.uidl = uidl;
	buf_adds(&pop->s->out, "+OK ");
	row_write(pop, rows);
	return (struct pop3_reply){ .status = POP3_DONE };
}

static struct pop3_reply list_begin(struct pop3 *pop, struct cursor *args, bool uidl)
{
	if (!cursor_end(args))
		return list_one(pop, args, uidl);
	pop->job = (struct pop3_job){ .step = list_step, .next = 1, .uidl = uidl };
	buf_adds(&pop->s->out, "+OK they follow\r\n");
	return (struct pop3_reply){ .status = POP3_MORE };
}

/* "LIST" [SP msg] */
struct pop3_reply pop3_cmd_list(struct pop3 *pop, struct cursor *args)
{
	return list_begin(pop, args, false);
}

/* "UIDL" [SP msg]: UIDVALIDITY and UID together never name another message (RFC 1939 §7) */
struct pop3_reply pop3_cmd_uidl(struct pop3 *pop, struct cursor *args)
{
	return list_begin(pop, args, true);
}

static void row_count(struct pop3 *pop, const struct store_row *row)
{
	pop->job.messages++;
	pop->job.octets += row->size;
}

/* "STAT": number and octets of the messages that are not marked */
struct pop3_reply pop3_cmd_stat(struct pop3 *pop, struct cursor *args)
{
	struct error error;
	uint32_t from = 1;

	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	while (from)
		if (!rows_each(pop, &from, row_count, &error))
			return pop3_failed(pop, &error);
	return pop3_ok(
	    arena_printf(pop->s->turn, "%u %lld", pop->job.messages, (long long)pop->job.octets));
}

/* "DELE" SP msg */
struct pop3_reply pop3_cmd_dele(struct pop3 *pop, struct cursor *args)
{
	struct pop3_reply reply;
	uint32_t uid = pop3_message(pop, args, &reply);

	if (!uid)
		return reply;
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	uid_set_add(&pop->deleted, uid, uid);
	return pop3_ok("marked");
}

/* "RSET" */
struct pop3_reply pop3_cmd_rset(struct pop3 *pop, struct cursor *args)
{
	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	uid_set_clear(&pop->deleted);
	return pop3_ok("nothing is marked");
}

/* "NOOP" */
struct pop3_reply pop3_cmd_noop(struct pop3 *pop, struct cursor *args)
{
	return cursor_done(args) ? pop3_ok("done") : pop3_syntax(pop, args);
}

static bool notified(struct pop3 *pop, bool ok, const struct store_notice *notice)
{
	if (ok && notice->modseq)
		pop3_setup.notify(pop->s->worker, notice);
	return ok;
}

/* The UPDATE state: what was marked goes (RFC 1939 §6). */
static bool marked_remove(struct pop3 *pop, struct error *error)
{
	struct store_flag_change change = { STORE_FLAGS_ADD, STORE_DELETED, STORE_ANY_MODSEQ };
	struct uid_set changed = { 0 }, refused = { 0 }, gone = { 0 };
	struct store *store = pop3_store(pop);
	struct store_notice notice;

	bool ok = notified(pop,
	    store_flags(store, pop->account, pop->mailbox, &pop->deleted, &change, &changed,
		&refused, &notice, error),
	    &notice);
	ok = ok &&
	    notified(pop,
		store_expunge(
		    store, pop->account, pop->mailbox, &pop->deleted, &gone, &notice, error),
		&notice);
	log_info("pop3.removed", kv_str("s", pop->s->id), kv_text("user", pop->user),
	    kv_num("messages", uid_set_count(&gone)));
	uid_set_free(&changed);
	uid_set_free(&refused);
	uid_set_free(&gone);
	return ok;
}

/* "QUIT" */
struct pop3_reply pop3_cmd_quit(struct pop3 *pop, struct cursor *args)
{
	struct pop3_reply reply = pop3_ok("until next time");
	struct error error;

	if (!cursor_done(args))
		return pop3_syntax(pop, args);
	if (pop->deleted.n && !marked_remove(pop, &error))
		reply = pop3_failed(pop, &error);
	reply.close = true;
	return reply;
}
