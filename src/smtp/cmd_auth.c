/* AUTH PLAIN and LOGIN: RFC 4954, RFC 4616. Passwords are asked of the role auth. */
#include "smtp/internal.h"

#include "base/encode.h"
#include "base/log.h"
#include "vault/login.h"

bool auth_possible(const struct session *s)
{
	return session_secure(s) || s->listener->plain_login;
}

static struct reply challenge(struct session *s, enum auth_step next, const char *text)
{
	((struct smtp *)s->state)->auth = next;
	return reply(s, 334, NULL, "%s", text);
}

static struct reply wrong(struct session *s, slice name)
{
	struct smtp *smtp = s->state;
	struct reply r = reply(s, 535, "5.7.8", "the name or the password is not right");

	log_info(
	    "login.refused", kv_str("s", s->id), kv_str("peer", s->peer), kv_text("name", name));
	if (++smtp->login_failures >= SMTP_LOGIN_TRIES)
		r.turn = TURN_CLOSE;
	return r;
}

static struct reply check(struct session *s, slice name, slice password)
{
	struct smtp *smtp = s->state;
	struct directory *directory;
	struct error error;
	int64_t account;

	smtp->auth = AUTH_NONE;
	enum login_answer answer = LOGIN_FAILED;
	if ((directory = smtp_directory(s, &error)))
		answer = login_check(directory, name, password, s->deadline, &account, &error);
	switch (answer) {
	case LOGIN_WRONG:
		return wrong(s, name);
	case LOGIN_FAILED:
		log_warn("login.failed", kv_str("s", s->id), kv_text("name", name), kv_why(&error));
		return reply(s, 454, "4.7.0", "%s", error.said);
	case LOGIN_RIGHT:
		break;
	}
	smtp->account = account;
	buf_clear(&smtp->login);
	buf_add(&smtp->login, name);
	log_info("login", kv_str("s", s->id), kv_str("peer", s->peer), kv_text("name", name));
	return reply(s, 235, "2.7.0", "welcome");
}

/* Decodes into the turn's arena; "=" is an empty response (RFC 4954 §4). */
static bool decode(struct session *s, slice text, slice *out)
{
	struct buf plain;

	if (slice_eq(text, SLICE("=")))
		text.n = 0;
	buf_init(&plain, SMTP_AUTH_LINE);
	bool ok = base64_decode(text, &plain);
	*out = arena_copy(s->turn, buf_slice(&plain));
	if (plain.p)
		explicit_bzero(plain.p, plain.cap);
	buf_free(&plain);
	return ok;
}

static struct reply check_plain(struct session *s, slice message)
{
	slice name, password;

	if (!login_plain_parse(message, &name, &password)) {
		((struct smtp *)s->state)->auth = AUTH_NONE;
		return reply(
		    s, 501, "5.5.2", "AUTH PLAIN wants NUL name NUL password, for yourself");
	}
	return check(s, name, password);
}

static struct reply take_response(struct session *s, slice text)
{
	struct smtp *smtp = s->state;
	slice plain;

	if (!decode(s, text, &plain)) {
		smtp->auth = AUTH_NONE;
		return reply(s, 501, "5.5.2", "the response is not base64");
	}
	switch (smtp->auth) {
	case AUTH_PLAIN:
		return check_plain(s, plain);
	case AUTH_LOGIN_NAME:
		buf_clear(&smtp->auth_name);
		buf_add(&smtp->auth_name, plain);
		return challenge(s, AUTH_LOGIN_PASSWORD, "UGFzc3dvcmQ6"); /* "Password:" */
	case AUTH_LOGIN_PASSWORD:
		return check(s, buf_slice(&smtp->auth_name), plain);
	case AUTH_NONE:
		break;
	}
	return reply(s, 503, "5.5.1", "no AUTH exchange");
}

struct reply auth_line(struct session *s, slice line)
{
	if (!slice_eq(line, SLICE("*")))
		return take_response(s, line);
	((struct smtp *)s->state)->auth = AUTH_NONE;
	return reply(s, 501, "5.0.0", "AUTH was cancelled");
}

struct reply cmd_auth(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	slice mechanism, response;

	if (!auth_possible(s))
		return reply(s, 538, "5.7.11", "encryption is required: STARTTLS first");
	if (smtp->account)
		return reply(s, 503, "5.5.1", "you are logged in already");
	if (!parse_auth(c, &mechanism, &response))
		return reply_syntax(s, c);
	bool plain = slice_eq_nocase(mechanism, SLICE("PLAIN"));
	if (!plain && !slice_eq_nocase(mechanism, SLICE("LOGIN")))
		return reply(s, 504, "5.5.4", "the mechanism is not offered; PLAIN and LOGIN are");
	smtp->auth = plain ? AUTH_PLAIN : AUTH_LOGIN_NAME;
	if (response.p)
		return take_response(s, response);
	return plain ? challenge(s, AUTH_PLAIN, "")
		     : challenge(s, AUTH_LOGIN_NAME, "VXNlcm5hbWU6"); /* "Username:" */
}
