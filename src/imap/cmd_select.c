/* SELECT, EXAMINE, CLOSE, UNSELECT, CHECK: entering and leaving a mailbox. */
#include "imap/internal.h"

#include "imap/parse.h"
#include "imap/resync.h"

struct selecting {
	bool condstore, read_only;
	struct resync resync;
};

static void count_keywords(struct imap *im)
{
	for (int bit = 0; bit < 64; bit++)
		im->view.keyword_count += imap_keywords(im)[bit].n > 0;
}

/* The untagged answers of RFC 9051 §6.3.2, with RECENT and UNSEEN for RFC 3501 §6.3.1 clients, LIST
 * for others. */
static void tell_mailbox(struct imap *im, const struct store_mailbox *m, uint32_t unseen)
{
	struct buf *out = &im->s->out;
	const struct view *v = &im->view;

	buf_adds(out, "* FLAGS ");
	imap_print_flag_names(im, false);
	buf_adds(out, "\r\n* OK [PERMANENTFLAGS ");
	if (v->read_only)
		buf_adds(out, "()");
	else
		imap_print_flag_names(im, true);
	buf_addf(out, "] kept\r\n* %u EXISTS\r\n", uid_set_count(&v->uids));
	if (!im->rev2)
		buf_addf(out, "* %u RECENT\r\n", view_recent(v));
	if (im->rev2) {
		buf_adds(out, "* LIST () \"/\" ");
		imap_print_mailbox(im, m->name);
		buf_adds(out, "\r\n");
	} else if (unseen && uid_set_position(&v->uids, unseen)) {
		buf_addf(out, "* OK [UNSEEN %u] first one\r\n", uid_set_position(&v->uids, unseen));
	}
	buf_addf(out, "* OK [UIDVALIDITY %u] valid\r\n* OK [UIDNEXT %u] next\r\n", m->uidvalidity,
	    m->uidnext);
	/* A modseq of 0 is none (RFC 7162 §3.1.2.1); a mailbox is made with one. */
	buf_addf(out,
	    "* OK [HIGHESTMODSEQ %lld] highest\r\n* OK [MAILBOXID (" IMAP_MAILBOX_ID ")] id\r\n",
	    (long long)m->modseq, (long long)m->id);
}

static bool view_open(
    struct imap *im, int64_t mailbox, bool read_only, struct imap_reply *reply_out)
{
	struct store_mailbox m;
	struct error error;
	uint32_t unseen;
	struct view *v = &im->view;

	if (!store_select(imap_store(im), im->account, mailbox, im->arena, &m, &v->uids, &error) ||
	    !store_first_unseen(imap_store(im), im->account, &m, &unseen, &error)) {
		*reply_out = imap_reply_error(im, &error);
		return false;
	}
	v->mailbox = mailbox;
	v->read_only = read_only;
	v->uidvalidity = m.uidvalidity;
	v->uidnext = m.uidnext;
	v->modseq = m.modseq;
	view_claim(im, &m);
	count_keywords(im);
	im->state = IMAP_SELECTED;
	tell_mailbox(im, &m, unseen);
	return true;
}

/* select-params = SP "(" select-param *(SP select-param) ")";  select-param = "CONDSTORE" / "QRESYNC" SP "(" ... ")"
 * RFC 7162 §3.1.8, §3.2.5 */
static void parameters_parse(struct imap *im, struct cursor *args, struct selecting *s)
{
	if (!cursor_try(args, SLICE(" (")))
		return;
	do {
		if (cursor_try(args, SLICE("CONDSTORE")))
			s->condstore = true;
		else if (!s->resync.wanted && cursor_try(args, SLICE("QRESYNC ")))
			resync_parse(args, im->arena, &s->resync);
		else
			cursor_fail(args, "CONDSTORE or QRESYNC");
	} while (cursor_try_char(args, ' '));
	cursor_char(args, ')', "')'");
}

static struct imap_reply select_step(struct imap *im, void *context)
{
	struct selecting *s = context;

	if (!resync_step(im, &s->resync))
		return imap_reply_more();
	return (struct imap_reply){ .status = IMAP_OK,
		.code = s->read_only ? "READ-ONLY" : "READ-WRITE",
		.text = "selected" };
}

/* What was selected before is not any more (RFC 7162 §3.2.11). */
static void leave(struct imap *im)
{
	if (im->state == IMAP_SELECTED)
		buf_adds(&im->s->out, "* OK [CLOSED] the one before\r\n");
	imap_deselect(im);
}

static bool selected(struct imap *im, slice name, struct selecting *s, struct imap_reply *reply_out)
{
	struct store_mailbox mailbox;
	struct error error;

	if (!imap_find_mailbox(im, name, &mailbox, reply_out) ||
	    !view_open(im, mailbox.id, s->read_only, reply_out))
		return false;
	if (resync_begin(im, &s->resync, &error))
		return true;
	*reply_out = imap_reply_error(im, &error);
	return false;
}

/* select = "SELECT" SP mailbox [select-params]; one that fails leaves no mailbox selected */
static struct imap_reply select_begin(struct imap *im, struct cursor *args, bool read_only)
{
	struct selecting *s = ARENA_NEW(im->arena, struct selecting);
	struct imap_reply reply;

	parse_space(args);
	slice name = parse_mailbox(args, im->arena, im->utf8);
	parameters_parse(im, args, s);
	s->read_only = read_only;
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (s->resync.wanted && !im->qresync)
		return imap_reply_bad(im, "QRESYNC needs ENABLE QRESYNC first");
	if (s->condstore)
		imap_condstore(im, false);
	leave(im);
	if (!selected(im, name, s, &reply)) {
		imap_deselect(im);
		return reply;
	}
	im->job = (struct job){ .step = select_step, .context = s };
	return imap_reply_more();
}

struct imap_reply imap_cmd_select(struct imap *im, struct cursor *args)
{
	return select_begin(im, args, false);
}

/* examine = "EXAMINE" SP mailbox   RFC 9051 §6.3.3 */
struct imap_reply imap_cmd_examine(struct imap *im, struct cursor *args)
{
	return select_begin(im, args, true);
}

/* close = "CLOSE"   RFC 9051 §6.4.1: what is \Deleted goes without a word */
struct imap_reply imap_cmd_close(struct imap *im, struct cursor *args)
{
	struct store_notice notice;
	struct error error;

	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!im->view.read_only) {
		struct uid_set *gone = imap_set(im);

		if (!store_expunge(
			imap_store(im), im->account, im->view.mailbox, NULL, gone, &notice, &error))
			return imap_reply_error(im, &error);
		imap_notify(im, &notice);
	}
	imap_deselect(im);
	return imap_reply_ok("closed");
}

/* unselect = "UNSELECT"   RFC 9051 §6.4.2 */
struct imap_reply imap_cmd_unselect(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	imap_deselect(im);
	return imap_reply_ok("unselected");
}

/* check = "CHECK"   RFC 3501 §6.4.1: every command leaves the mailbox safe already */
struct imap_reply imap_cmd_check(struct imap *im, struct cursor *args)
{
	return cursor_done(args) ? imap_reply_ok("done") : imap_reply_syntax(im, args);
}
