/* CAPABILITY, NOOP, LOGOUT, STARTTLS, NAMESPACE: the small ones that need no mailbox. */
#include "imap/internal.h"

#include "imap/parse.h"

/* Each login keeps a little until the connection ends. */
#define LOGOUTS_MAX 1000

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

/* unauthenticate = "UNAUTHENTICATE"   RFC 8437 §2: all that a login, ENABLE and SELECT did is undone; TLS and
 * compression stay (its §3) */
struct imap_reply imap_cmd_unauthenticate(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (session_layered(im->s))
		return imap_reply_no("CANNOT", "not under the security layer of a login");
	if (im->logouts == LOGOUTS_MAX)
		return imap_reply_no("LIMIT", "too many logins on one connection");
	log_info("imap.logout", kv_str("s", im->s->id), kv_text("user", im->user));
	imap_logged_out(im);
	return imap_reply_ok("who are you");
}

/* "STARTTLS"   RFC 9051 §6.2.1 */
struct imap_reply imap_cmd_starttls(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (session_secure(im->s))
		return imap_reply_bad(im, "TLS is up already");
	if (session_layered(im->s))
		return imap_reply_bad(im, "the connection has a security layer already");
	/* TLS goes below compression, and cannot be put there any more (after UNAUTHENTICATE). */
	if (session_compressed(im->s))
		return imap_reply_bad(im, "the connection is compressed already");
	if (im->s->listener->tls != LISTENER_STARTTLS)
		return imap_reply_no("CANNOT", "no TLS here");
	return (struct imap_reply){ .status = IMAP_OK, .text = "shake hands", .starttls = true };
}

/* compress = "COMPRESS" SP "DEFLATE"   RFC 4978 §3 */
struct imap_reply imap_cmd_compress(struct imap *im, struct cursor *args)
{
	parse_space(args);
	slice algorithm = parse_atom(args, "DEFLATE");
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!slice_eq_nocase(algorithm, SLICE("DEFLATE")))
		return imap_reply_bad(im, "DEFLATE is the only algorithm");
	if (!imap_host.compress)
		return imap_reply_no("CANNOT", "compression is switched off here");
	if (session_layered(im->s))
		return imap_reply_no("CANNOT", "not under the security layer of a login");
	if (session_compressed(im->s))
		return imap_reply_no("COMPRESSIONACTIVE", "DEFLATE is in use already");
	if (!session_compress(im->s))
		return imap_reply_no("UNAVAILABLE", "no memory for that now");
	return (struct imap_reply){
		.status = IMAP_OK, .text = "compress from now on", .compress = true
	};
}

/* namespace-command = "NAMESPACE"   RFC 9051 §6.3.10: one personal name space without a prefix */
struct imap_reply imap_cmd_namespace(struct imap *im, struct cursor *args)
{
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	buf_adds(&im->s->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return imap_reply_ok("done");
}
