#include "imap/internal.h"

#include "base/encode.h"
#include "imap/parse.h"

/* base64 of a PLAIN message (RFC 4616); the decoded password is wiped afterwards. */
static struct imap_reply plain_try(struct imap *im, slice text)
{
	struct buf message;
	slice user, password;
	struct imap_reply reply;

	buf_init(&message, IMAP_LINE_BEFORE);
	if (!base64_decode(text, &message)) {
		reply = imap_reply_bad(im, "expected base64");
	} else if (!login_plain_parse(buf_slice(&message), &user, &password)) {
		im->failed_logins++;
		reply = imap_reply_no("AUTHENTICATIONFAILED", "malformed, or for somebody else");
	} else {
		reply = imap_login_try(im, user, password);
	}
	if (message.p)
		explicit_bzero(message.p, message.n);
	buf_free(&message);
	return reply;
}

/* The answer to our "+": base64, or "*" to call it off (RFC 9051 §6.2.2). */
static struct imap_reply plain_line(struct imap *im, void *context, slice line)
{
	if (slice_eq(line, SLICE("*")))
		return imap_reply_bad(im, "called off");
	return plain_try(im, line);
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp];  initial-resp = base64 / "=" */
struct imap_reply imap_cmd_authenticate(struct imap *im, struct cursor *args)
{
	parse_space(args);
	slice mechanism = parse_atom(args, "mechanism");
	bool initial = cursor_try_char(args, ' ');

	if (args->expected || (!initial && !cursor_done(args)))
		return imap_reply_syntax(im, args);
	if (!slice_eq_nocase(mechanism, SLICE("PLAIN")))
		return imap_reply_no("CANNOT", "no such mechanism");
	if (!imap_password_allowed(im))
		return imap_reply_no("PRIVACYREQUIRED", "start TLS first");
	if (initial)
		return plain_try(im, slice_eq(args->rest, SLICE("=")) ? SLICE("") : args->rest);
	im->job.line = plain_line;
	buf_adds(&im->s->out, "+ \r\n");
	return imap_reply_wait();
}
