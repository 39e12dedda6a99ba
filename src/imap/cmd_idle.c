#include "imap/internal.h"

/* Tells what is new and waits again; runs at the begin and at every notice. */
static struct imap_reply idle_step(struct imap *im, void *context)
{
	if (im->state != IMAP_SELECTED)
		return imap_reply_wait();
	if (!im->sync.running && view_sync_begin(im, true) == VIEW_LOST)
		return (struct imap_reply){
			.status = IMAP_NO, .text = "the mailbox was deleted", .close = true
		};
	if (im->sync.running && !view_sync_step(im))
		return imap_reply_more();
	/* Names may change while we wait; they are read again when they are needed. */
	im->keywords = NULL;
	return imap_reply_wait();
}

/* "DONE" */
static struct imap_reply idle_line(struct imap *im, void *context, slice line)
{
	session_watch(im->s, 0);
	if (!slice_eq_nocase(line, SLICE("DONE")))
		return imap_reply_bad(im, "expected DONE");
	return imap_reply_ok("idled");
}

/* idle = "IDLE" CRLF "DONE"   RFC 9051 §6.3.13 */
struct imap_reply imap_cmd_idle(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (im->state == IMAP_SELECTED)
		session_watch(im->s, imap_watch_key(im->account, im->view.mailbox));
	im->job = (struct job){ .step = idle_step, .line = idle_line };
	buf_adds(&im->s->out, "+ idling\r\n");
	return imap_reply_more();
}
