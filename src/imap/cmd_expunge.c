#include "imap/internal.h"

#include "imap/parse.h"

static struct imap_reply expunge_step(struct imap *im, void *gone)
{
	if (!view_expunge(im, gone))
		return imap_reply_more();
	return (struct imap_reply){ .status = IMAP_OK, .text = "expunged", .modseq = true };
}

/* expunge = "EXPUNGE"   RFC 9051 §6.4.3;  "UID EXPUNGE" SP sequence-set   §6.4.9 */
struct imap_reply imap_cmd_expunge(struct imap *im, struct cursor *args)
{
	struct uid_set *gone = imap_set(im), *chosen = NULL;
	struct sequence sequence;
	struct store_notice notice;
	struct error error;
	struct imap_reply reply;

	if (im->uid) {
		parse_space(args);
		sequence_parse(args, im->arena, &sequence);
	}
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (im->view.read_only)
		return imap_reply_no(NULL, "the mailbox is open for reading only");
	if (im->uid && !imap_resolve(im, &sequence, &chosen, &reply))
		return reply;
	if (!store_expunge(
		imap_store(im), im->account, im->view.mailbox, chosen, gone, &notice, &error))
		return imap_reply_error(im, &error);
	imap_notify(im, &notice);
	/* What came after our last look is not in the view and is not spoken of. */
	uid_set_intersect(gone, &im->view.uids);
	im->job = (struct job){ .step = expunge_step, .context = gone };
	return imap_reply_more();
}
