#include "imap/internal.h"

#include "imap/utf7.h"
#include "mail/summary.h"

/* ORDER of the bits STORE_SEEN ... */
static const char *const system_flags[] = { "\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
	"\\Draft" };
#define SYSTEM_FLAGS (sizeof system_flags / sizeof system_flags[0])

/* capability-data = "CAPABILITY" *(SP capability); login mechanisms only while they can be used */
void imap_print_capabilities(struct imap *im)
{
	struct buf *out = &im->s->out;

	buf_adds(out,
	    "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR IDLE NAMESPACE UNSELECT UIDPLUS MOVE "
	    "CHILDREN SPECIAL-USE ID ENABLE CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN STATUS=SIZE "
	    "LIST-EXTENDED LIST-STATUS CREATE-SPECIAL-USE BINARY MULTIAPPEND "
	    "SORT SORT=DISPLAY ESORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT "
	    "QUOTA QUOTA=RES-STORAGE UTF8=ACCEPT UNAUTHENTICATE SAVEDATE PREVIEW REPLACE OBJECTID");
	if (imap_host.compress && !session_compressed(im->s) && !session_layered(im->s))
		buf_adds(out, " COMPRESS=DEFLATE");
	if (im->state != IMAP_STRANGER)
		return;
	if (im->s->listener->tls == LISTENER_STARTTLS && !session_secure(im->s) &&
	    !session_compressed(im->s))
		buf_adds(out, " STARTTLS");
	struct sasl_host host = store_sasl_host(&imap_host, im->s);
	sasl_offer(&host, " AUTH=", out);
	if (!imap_password_allowed(im))
		buf_adds(out, " LOGINDISABLED");
}

slice *imap_keywords(struct imap *im)
{
	struct error error;

	if (im->keywords)
		return im->keywords;
	if (!store_keywords(imap_store(im), im->account, im->arena, &im->keywords, &error)) {
		imap_reply_error(im, &error);
		im->keywords = ARENA_ARRAY(im->arena, slice, 64);
	}
	return im->keywords;
}

static void print_flag(struct buf *out, size_t *count, slice name)
{
	if ((*count)++)
		buf_addc(out, ' ');
	buf_add(out, name);
}

void imap_print_flags(struct imap *im, const struct store_row *row)
{
	struct buf *out = &im->s->out;
	int64_t flags = row->flags;
	size_t count = 0;

	buf_addc(out, '(');
	for (size_t i = 0; i < SYSTEM_FLAGS; i++)
		if (flags & 1 << i)
			print_flag(out, &count, slice_of(system_flags[i]));
	for (int bit = STORE_KEYWORD_FIRST;
	     flags >> STORE_KEYWORD_FIRST && bit <= STORE_KEYWORD_LAST; bit++)
		if (flags >> bit & 1 && imap_keywords(im)[bit].n)
			print_flag(out, &count, imap_keywords(im)[bit]);
	if (uid_set_contains(&im->view.recent, row->uid))
		print_flag(out, &count, SLICE("\\Recent"));
	buf_addc(out, ')');
}

void imap_print_state(struct imap *im, const struct store_row *row)
{
	buf_adds(&im->s->out, "FLAGS ");
	imap_print_flags(im, row);
	if (im->condstore)
		buf_addf(&im->s->out, " MODSEQ (%lld)", (long long)row->modseq);
}

void imap_print_flag_names(struct imap *im, bool more)
{
	struct buf *out = &im->s->out;
	size_t count = 0;

	buf_addc(out, '(');
	for (size_t i = 0; i < SYSTEM_FLAGS; i++)
		print_flag(out, &count, slice_of(system_flags[i]));
	for (int bit = STORE_KEYWORD_FIRST; bit <= STORE_KEYWORD_LAST; bit++)
		if (imap_keywords(im)[bit].n)
			print_flag(out, &count, imap_keywords(im)[bit]);
	if (more)
		print_flag(out, &count, SLICE("\\*"));
	buf_addc(out, ')');
}

/* A name has no line ends and no NUL: it can always be quoted. */
static void quoted_write(slice text, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, text.p[i]);
	}
	buf_addc(out, '"');
}

void imap_print_mailbox(struct imap *im, slice name)
{
	struct buf wire;

	if (im->utf8) {
		quoted_write(name, &im->s->out);
		return;
	}
	buf_init(&wire, 4 * name.n + 8);
	utf7_encode(name, &wire);
	imap_string_write(buf_slice(&wire), &im->s->out);
	buf_free(&wire);
}
