/* CAPABILITY, NOOP, LOGOUT, STARTTLS, NAMESPACE: the small ones that need no mailbox. */
#include "imap/internal.h"

/* capability = "CAPABILITY"   RFC 9051 §6.1.1 */
struct imap_reply imap_cmd_capability(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	buf_adds(&im->s->out, "* ");
	imap_print_capabilities(im);
	buf_adds(&im->s->out, "\r\n");
	return imap_reply_ok("done");
}

/* noop = "NOOP"   RFC 9051 §6.1.2; what is new is told at the end of every command */
struct imap_reply imap_cmd_noop(struct imap *im, struct cursor *args)
{
	return cursor_done(args) ? imap_reply_ok("done") : imap_reply_syntax(im, args);
}

/* logout = "LOGOUT"   RFC 9051 §6.1.3 */
struct imap_reply imap_cmd_logout(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	buf_adds(&im->s->out, "* BYE until next time\r\n");
	return (struct imap_reply){ .status = IMAP_OK, .text = "done", .close = true };
}

/* "STARTTLS"   RFC 9051 §6.2.1 */
struct imap_reply imap_cmd_starttls(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (session_secure(im->s))
		return imap_reply_bad(im, "TLS is up already");
	if (im->s->listener->tls != LISTENER_STARTTLS)
		return imap_reply_no("CANNOT", "no TLS here");
	return (struct imap_reply){ .status = IMAP_OK, .text = "shake hands", .starttls = true };
}

/* namespace-command = "NAMESPACE"   RFC 9051 §6.3.10: one personal name space without a prefix */
struct imap_reply imap_cmd_namespace(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	buf_adds(&im->s->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return imap_reply_ok("done");
}
