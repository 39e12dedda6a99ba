#include "imap/internal.h"

#include "imap/parse.h"

struct imap_reply imap_welcome(struct imap *im, slice user, int64_t account)
{
	imap_logged_in(im, user, account);
	log_info("imap.login", kv_str("s", im->s->id), kv_str("peer", im->s->peer),
	    kv_text("user", user), kv_num("account", account),
	    kv_str("tls", session_tls_text(im->s)));
	return imap_reply_ok("logged in");
}

struct imap_reply imap_unwelcome(struct imap *im, slice user)
{
	im->failed_logins++;
	log_warn("imap.login.wrong", kv_str("s", im->s->id), kv_str("peer", im->s->peer),
	    kv_text("user", user));
	return imap_reply_no("AUTHENTICATIONFAILED", "wrong name or password");
}

/* login = "LOGIN" SP userid SP password;  userid = astring, password = astring   RFC 9051 §6.2.3 */
struct imap_reply imap_cmd_login(struct imap *im, struct cursor *args)
{
	struct sasl_host host = store_sasl_host(&imap_host, im->s);

	parse_space(args);
	slice user = parse_astring(args, im->arena);
	parse_space(args);
	slice password = parse_astring(args, im->arena);

	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!imap_password_allowed(im))
		return host.secure
		    ? imap_reply_no("CANNOT", "LOGIN is switched off here; AUTHENTICATE is not")
		    : imap_reply_no("PRIVACYREQUIRED", "start TLS first");
	struct error error;
	int64_t account = 0;
	switch (sasl_password(&host, user, password, &account, &error)) {
	case LOGIN_RIGHT:
		return imap_welcome(im, user, account);
	case LOGIN_WRONG:
		return imap_unwelcome(im, user);
	case LOGIN_FAILED:
		break;
	}
	return imap_reply_error(im, &error);
}
