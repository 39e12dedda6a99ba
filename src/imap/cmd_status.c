#include "imap/internal.h"

#include "imap/parse.h"

enum item {
	MESSAGES,
	RECENT,
	UIDNEXT,
	UIDVALIDITY,
	UNSEEN,
	DELETED,
	SIZE,
	HIGHESTMODSEQ,
	MAILBOXID,
	ITEMS
};
/* ORDER enum item */
static const char *const names[ITEMS] = { "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN",
	"DELETED", "SIZE", "HIGHESTMODSEQ", "MAILBOXID" };

/* status-att = "MESSAGES" / "UIDNEXT" / ..., as a set of bits */
static unsigned item_parse(struct cursor *c)
{
	struct cursor before = *c;
	slice name = parse_atom(c, "status item");

	for (int i = 0; i < ITEMS; i++)
		if (slice_eq_nocase(name, slice_of(names[i])))
			return 1u << i;
	*c = before;
	cursor_fail(c, "status item");
	return 0;
}

static int64_t item_value(const struct store_mailbox *m, int64_t recent, enum item item)
{
	const int64_t values[ITEMS] = { [MESSAGES] = m->messages,
		[RECENT] = recent,
		[UIDNEXT] = m->uidnext,
		[UIDVALIDITY] = m->uidvalidity,
		[UNSEEN] = m->unseen,
		[DELETED] = m->deleted,
		[SIZE] = m->bytes,
		[HIGHESTMODSEQ] = m->modseq,
		[MAILBOXID] = m->id };

	return values[item];
}

/* "STATUS" SP mailbox SP "(" [status-att-val *(SP status-att-val)] ")" */
void imap_status_write(struct imap *im, slice name, const struct store_mailbox *m, unsigned items)
{
	const char *separator = "";
	struct error error;
	int64_t recent = 0;

	if (items & 1u << HIGHESTMODSEQ)
		imap_condstore(im, true);
	if (items & 1u << RECENT && m->recent < m->uidnext &&
	    !store_count_recent(imap_store(im), im->account, m, &recent, &error))
		imap_reply_error(im, &error);

	buf_adds(&im->s->out, "* STATUS ");
	imap_print_mailbox(im, name);
	buf_adds(&im->s->out, " (");
	for (int i = 0; i < ITEMS; i++) {
		if (!(items & 1u << i))
			continue;
		buf_addf(&im->s->out, i == MAILBOXID ? "%s%s (" IMAP_MAILBOX_ID ")" : "%s%s %lld",
		    separator, names[i], (long long)item_value(m, recent, (enum item)i));
		separator = " ";
	}
	buf_adds(&im->s->out, ")\r\n");
}

/* "(" status-att *(SP status-att) ")" */
unsigned imap_status_parse(struct cursor *c)
{
	unsigned items = 0;

	cursor_char(c, '(', "'('");
	do
		items |= item_parse(c);
	while (cursor_try_char(c, ' '));
	cursor_char(c, ')', "')'");
	return items;
}

/* status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"   RFC 9051 §6.3.11 */
struct imap_reply imap_cmd_status(struct imap *im, struct cursor *args)
{
	struct store_mailbox mailbox;
	struct imap_reply reply;

	parse_space(args);
	slice name = parse_mailbox(args, im->arena, im->utf8);
	parse_space(args);
	unsigned items = imap_status_parse(args);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!imap_find_mailbox(im, name, &mailbox, &reply))
		return reply;
	imap_status_write(im, name, &mailbox, items);
	return imap_reply_ok("done");
}
