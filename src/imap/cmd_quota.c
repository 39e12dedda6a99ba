/* GETQUOTA and GETQUOTAROOT (RFC 9208): every mailbox of an account is under one root, the account. */
#include "imap/internal.h"

#include "imap/parse.h"

#define ROOT "account"
#define UNIT 1024 /* octets of STORAGE (RFC 9208 §5.1) */

static bool limit_find(struct imap *im, int64_t *limit_out, struct error *error)
{
	*limit_out = 0;
	return !imap_host.quota || imap_host.quota(im->s->worker, im->account, limit_out, error);
}

bool imap_quota_room(struct imap *im, int64_t octets, struct imap_reply *reply_out)
{
	struct error error;
	int64_t limit, used;

	if (!limit_find(im, &limit, &error) ||
	    (limit && !store_used(imap_store(im), im->account, &used, &error))) {
		*reply_out = imap_reply_error(im, &error);
		return false;
	}
	if (limit == 0 || octets <= limit - used)
		return true;
	*reply_out = imap_reply_no("OVERQUOTA", "the account is full");
	return false;
}

/* quota-response = "QUOTA" SP quota-root-name SP "(" [quota-resource] ")" */
static struct imap_reply quota_write(struct imap *im, int64_t limit)
{
	struct error error;
	int64_t used;

	if (!store_used(imap_store(im), im->account, &used, &error))
		return imap_reply_error(im, &error);
	buf_adds(&im->s->out, "* QUOTA \"" ROOT "\" (");
	if (limit)
		buf_addf(&im->s->out, "STORAGE %lld %lld",
		    (long long)(used / UNIT + (used % UNIT > 0)), (long long)(limit / UNIT));
	buf_adds(&im->s->out, ")\r\n");
	return imap_reply_ok("done");
}

/* getquota = "GETQUOTA" SP quota-root-name   RFC 9208 §4.1.1 */
struct imap_reply imap_cmd_getquota(struct imap *im, struct cursor *args)
{
	struct error error;
	int64_t limit;

	parse_space(args);
	slice root = parse_astring(args, im->arena);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!slice_eq(root, SLICE(ROOT)))
		return imap_reply_no("NONEXISTENT", "no such quota root");
	if (!limit_find(im, &limit, &error))
		return imap_reply_error(im, &error);
	return quota_write(im, limit);
}

/* getquotaroot = "GETQUOTAROOT" SP mailbox   RFC 9208 §4.1.2; an account without a quota has no root */
struct imap_reply imap_cmd_getquotaroot(struct imap *im, struct cursor *args)
{
	struct store_mailbox mailbox;
	struct imap_reply reply;
	struct error error;
	int64_t limit;

	parse_space(args);
	slice name = parse_mailbox(args, im->arena, im->utf8);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!imap_find_mailbox(im, name, &mailbox, &reply))
		return reply;
	if (!limit_find(im, &limit, &error))
		return imap_reply_error(im, &error);
	buf_adds(&im->s->out, "* QUOTAROOT ");
	imap_print_mailbox(im, name);
	buf_adds(&im->s->out, limit ? " \"" ROOT "\"\r\n" : "\r\n");
	return limit ? quota_write(im, limit) : imap_reply_ok("done");
}
