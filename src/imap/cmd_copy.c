/* COPY and MOVE. */
#include "imap/internal.h"

#include "imap/parse.h"
#include "imap/rows.h"

/* resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set   RFC 9051 §7.1 */
static const char *copy_code(struct imap *im, const struct store_mailbox *target,
    const struct uid_set *from, const struct uid_set *to)
{
	struct buf code;

	if (from->n == 0)
		return NULL;
	buf_init(&code, IMAP_COMMAND);
	buf_addf(&code, "COPYUID %u ", target->uidvalidity);
	uid_set_print(from, &code);
	buf_addc(&code, ' ');
	uid_set_print(to, &code);
	const char *text = code.full ? NULL : arena_str(im->arena, buf_slice(&code));
	buf_free(&code);
	return text;
}

static struct imap_reply move_step(struct imap *im, void *gone)
{
	if (!view_expunge(im, gone))
		return imap_reply_more();
	return (struct imap_reply){ .status = IMAP_OK, .text = "moved", .modseq = true };
}

static struct imap_reply moved(struct imap *im, const char *code, struct uid_set *from)
{
	/* Before the EXPUNGE lines, or the client could not know where they went (RFC 6851 §4.3). */
	if (code)
		buf_addf(&im->s->out, "* OK [%s] moved\r\n", code);
	uid_set_intersect(from, &im->view.uids);
	im->job = (struct job){ .step = move_step, .context = from };
	return imap_reply_more();
}

/* Copies count like messages of their own. */
static bool room_for(struct imap *im, const struct uid_set *uids, struct imap_reply *reply_out)
{
	struct error error;
	struct rows rows;
	int64_t octets = 0;

	if (!imap_host.quota)
		return true;
	rows_begin(&rows, uids, false);
	while (rows_next(im, &rows, &error))
		octets += rows.row->size;
	bool failed = rows.failed;
	rows_end(&rows);
	if (!failed)
		return imap_quota_room(im, octets, reply_out);
	*reply_out = imap_reply_error(im, &error);
	return false;
}

/* copy = "COPY" SP sequence-set SP mailbox */
static struct imap_reply copy_begin(struct imap *im, struct cursor *args, bool move)
{
	struct uid_set *chosen, *from = imap_set(im), *to = imap_set(im);
	struct store_notice notices[2];
	struct store_mailbox target;
	struct sequence sequence;
	struct imap_reply reply;
	struct error error;
	size_t count;

	parse_space(args);
	sequence_parse(args, im->arena, &sequence);
	parse_space(args);
	slice name = parse_mailbox(args, im->arena, im->utf8);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (move && im->view.read_only)
		return imap_reply_no(NULL, "the mailbox is open for reading only");
	if (!imap_resolve(im, &sequence, &chosen, &reply))
		return reply;
	if (!imap_find_mailbox(im, name, &target, &reply)) {
		reply.code = "TRYCREATE";
		return reply;
	}
	/* A move takes no room. */
	if (!move && !room_for(im, chosen, &reply))
		return reply;
	if (!store_copy(imap_store(im), im->account, im->view.mailbox, chosen, target.id, move,
		from, to, notices, &count, &error))
		return imap_reply_error(im, &error);
	for (size_t i = 0; i < count; i++)
		imap_notify(im, &notices[i]);
	const char *code = copy_code(im, &target, from, to);
	if (move)
		return moved(im, code, from);
	return (struct imap_reply){ .status = IMAP_OK, .code = code, .text = "copied" };
}

/* RFC 9051 §6.4.7 */
struct imap_reply imap_cmd_copy(struct imap *im, struct cursor *args)
{
	return copy_begin(im, args, false);
}

/* RFC 9051 §6.4.8 */
struct imap_reply imap_cmd_move(struct imap *im, struct cursor *args)
{
	return copy_begin(im, args, true);
}
