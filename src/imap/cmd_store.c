#include "imap/internal.h"

#include "imap/parse.h"
#include "imap/rows.h"

/* UIDs in one transaction: bounds how long others wait, and the memory of the answer. */
#define AT_ONCE 65536

struct storing {
	struct store_flag_change change;
	struct uid_set *uids;    /* still to do */
	struct uid_set *now;     /* stored, being told */
	struct uid_set *refused; /* because of UNCHANGEDSINCE */
	struct rows rows;
	bool silent, telling;
	uint32_t asked, told;
};

static void storing_free(void *context)
{
	rows_end(&((struct storing *)context)->rows);
}

/* Moves the lowest n UIDs of `from` to `to`. */
static void move_lowest(struct uid_set *from, uint32_t n, struct uid_set *to)
{
	uid_set_clear(to);
	while (n > 0 && from->n) {
		struct uid_range range = from->ranges[0];
		uint32_t count = range.hi - range.lo + 1;

		if (count > n)
			count = n;
		uid_set_add(to, range.lo, range.lo + count - 1);
		uid_set_remove(from, range.lo, range.lo + count - 1);
		n -= count;
	}
}

/* A silent one tells the modseq at most (RFC 7162 §3.1.3). */
static void tell_row(struct imap *im, const struct store_row *row, bool silent)
{
	buf_addf(&im->s->out, "* %u FETCH (", uid_set_position(&im->view.uids, row->uid));
	if (im->uid || im->qresync) /* RFC 7162 §3.2.4 */
		buf_addf(&im->s->out, "UID %u ", row->uid);
	if (silent)
		buf_addf(&im->s->out, "MODSEQ (%lld)", (long long)row->modseq);
	else
		imap_print_state(im, row);
	buf_adds(&im->s->out, ")\r\n");
}

/* Tells the flags of what was stored; false when the output must drain first. */
static bool tell_step(struct imap *im, struct storing *st, struct error *error)
{
	while (!imap_full(im)) {
		if (!rows_next(im, &st->rows, error)) {
			st->telling = false;
			return true;
		}
		tell_row(im, st->rows.row, st->silent);
		st->told++;
	}
	return false;
}

static bool store_some(struct imap *im, struct storing *st, struct error *error)
{
	struct uid_set changed = { 0 }, refused = { 0 };
	struct store_notice notice;

	move_lowest(st->uids, AT_ONCE, st->now);
	bool ok = store_flags(imap_store(im), im->account, im->view.mailbox, st->now, &st->change,
	    &changed, &refused, &notice, error);
	uid_set_add_all(st->refused, &refused);
	/* Silent ones have their new modseq told. */
	if (ok && st->silent) {
		uid_set_clear(st->now);
		uid_set_add_all(st->now, &changed);
	}
	uid_set_free(&changed);
	uid_set_free(&refused);
	if (!ok)
		return false;
	view_own(&im->view, &notice, &st->change);
	imap_notify(im, &notice);
	st->telling = !st->silent || im->condstore;
	st->asked += st->telling ? uid_set_count(st->now) : 0;
	rows_end(&st->rows);
	rows_begin(&st->rows, st->now, false);
	return true;
}

/* "MODIFIED" SP sequence-set: those left alone, as the command named them (RFC 7162 §3.1.3) */
static struct imap_reply modified(struct imap *im, struct uid_set *refused)
{
	struct uid_set *shown = im->uid ? refused : imap_set(im);
	struct buf code;

	uid_set_intersect(refused, &im->view.uids);
	for (size_t i = 0; !im->uid && i < refused->n; i++)
		uid_set_add(shown, uid_set_position(&im->view.uids, refused->ranges[i].lo),
		    uid_set_position(&im->view.uids, refused->ranges[i].hi));
	buf_init(&code, IMAP_COMMAND);
	buf_adds(&code, "MODIFIED ");
	uid_set_print(shown, &code);
	const char *text = code.full ? NULL : arena_str(im->arena, buf_slice(&code));
	buf_free(&code);
	return (struct imap_reply){
		.status = IMAP_OK, .code = text, .text = "some were changed by others"
	};
}

static struct imap_reply store_step(struct imap *im, void *context)
{
	struct storing *st = context;
	struct error error;

	/* All of a short one in one step: its answer is one packet. */
	if (!st->telling && st->uids->n && !store_some(im, st, &error))
		return imap_reply_error(im, &error);
	if (st->telling && !tell_step(im, st, &error))
		return imap_reply_more();
	if (st->rows.failed)
		return imap_reply_error(im, &error);
	if (st->uids->n)
		return imap_reply_more();
	if (st->refused->n)
		return modified(im, st->refused);
	if (st->told < st->asked && !im->uid)
		return imap_reply_no("EXPUNGEISSUED", "some of the messages are gone");
	return imap_reply_ok("stored");
}

/* Keywords become bits; those that are to be removed need not be made. */
static bool flags_resolve(struct imap *im, const struct flag_list *list,
    struct store_flag_change *change, struct imap_reply *reply_out)
{
	struct error error;
	int bit;

	change->flags = list->system;
	for (size_t i = 0; i < list->keyword_count; i++) {
		switch (store_find_keyword(imap_store(im), im->account, list->keywords[i],
		    change->op != STORE_FLAGS_REMOVE, &bit, &error)) {
		case STORE_FOUND:
			change->flags |= (int64_t)1 << bit;
			break;
		case STORE_ABSENT:
			break;
		case STORE_FAILED:
			*reply_out = imap_reply_error(im, &error);
			return false;
		}
	}
	return true;
}

/* store-modifiers = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP   RFC 7162 §3.1.3 */
static void modifiers_parse(struct cursor *args, struct store_flag_change *change)
{
	change->unchanged_since = STORE_ANY_MODSEQ;
	if (!cursor_try_char(args, '('))
		return;
	if (!cursor_try(args, SLICE("UNCHANGEDSINCE ")))
		cursor_fail(args, "UNCHANGEDSINCE");
	change->unchanged_since = (int64_t)cursor_number(args, INT64_MAX - 1, "modseq");
	cursor_char(args, ')', "')'");
	parse_space(args);
}

/* store = "STORE" SP sequence-set SP [store-modifiers] (["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / flags)) */
static void arguments_parse(struct imap *im, struct cursor *args, struct sequence *sequence,
    struct storing *st, struct flag_list *flags)
{
	parse_space(args);
	sequence_parse(args, im->arena, sequence);
	parse_space(args);
	modifiers_parse(args, &st->change);
	st->change.op = STORE_FLAGS_SET;
	if (cursor_try_char(args, '+'))
		st->change.op = STORE_FLAGS_ADD;
	else if (cursor_try_char(args, '-'))
		st->change.op = STORE_FLAGS_REMOVE;
	if (!cursor_try(args, SLICE("FLAGS")))
		cursor_fail(args, "FLAGS");
	st->silent = cursor_try(args, SLICE(".SILENT"));
	parse_space(args);
	parse_flags(args, im->arena, true, flags);
}

/* RFC 9051 §6.4.6 */
struct imap_reply imap_cmd_store(struct imap *im, struct cursor *args)
{
	struct storing *st = ARENA_NEW(im->arena, struct storing);
	struct sequence sequence;
	struct flag_list flags;
	struct imap_reply reply;

	arguments_parse(im, args, &sequence, st, &flags);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (im->view.read_only)
		return imap_reply_no(NULL, "the mailbox is open for reading only");
	if (!imap_resolve(im, &sequence, &st->uids, &reply) ||
	    !flags_resolve(im, &flags, &st->change, &reply))
		return reply;
	if (st->change.unchanged_since != STORE_ANY_MODSEQ)
		imap_condstore(im, true);
	st->now = imap_set(im);
	st->refused = imap_set(im);
	arena_defer(im->arena, storing_free, st);
	im->job = (struct job){ .step = store_step, .context = st };
	return imap_reply_more();
}
