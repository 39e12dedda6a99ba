/* XCLIENT: a filter or proxy that stands before us says for whom it speaks (Postfix's XCLIENT_README). What it
 * says is as good as what the socket says, so only addresses of smtp.xclientFrom may. */
#include "smtp/internal.h"

#include "base/log.h"

/* What was said, before any of it holds. */
struct client {
	slice name, address, hello, protocol, login;
};

static bool take(struct cursor *c, slice name, slice value, struct client *out)
{
	struct {
		const char *name;
		slice *where;
	} const attributes[] = { { "NAME", &out->name }, { "ADDR", &out->address },
		{ "HELO", &out->hello }, { "PROTO", &out->protocol }, { "LOGIN", &out->login } };
	static const char *const ignored[] = { "PORT", "DESTADDR", "DESTPORT", "REVERSE_NAME" };

	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
		if (slice_eq_nocase(name, slice_of(attributes[i].name))) {
			*attributes[i].where = value;
			return true;
		}
	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		if (slice_eq_nocase(name, slice_of(ignored[i])))
			return true;
	return cursor_fail(c, "NAME, ADDR, PORT, PROTO, HELO, LOGIN, DESTADDR or DESTPORT");
}

static bool log_in(struct session *s, slice login, struct error *error)
{
	struct directory *directory = smtp_directory(s, error);
	struct smtp *smtp = s->state;
	struct account account;

	if (!directory)
		return false;
	switch (directory_find_login(directory, login, &account, error)) {
	case DIRECTORY_FOUND:
		smtp->account = account.id;
		smtp->login = arena_copy(s->arena, login);
		return account.enabled ||
		    error_plain(error, FAULT_DENIED, "the account is disabled");
	case DIRECTORY_NO_ACCOUNT:
	case DIRECTORY_NO_DOMAIN:
		return error_plain(error, FAULT_ABSENT, "LOGIN: there is no such account here");
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool is_name(slice text)
{
	return text.n <= SMTP_NAME && slice_find(text, ' ') == text.n;
}

struct reply cmd_xclient(struct session *s, struct cursor *c)
{
	struct smtp *smtp = s->state;
	struct client client = { 0 };
	slice name, value;
	struct error error;

	if (!smtp_may_speak_for(s))
		return reply(s, 550, "5.7.1", "XCLIENT is for hosts of smtp.xclientFrom only");
	while (parse_xclient(c, s->turn, &name, &value))
		if (!take(c, name, value, &client))
			break;
	if (!cursor_done(c))
		return reply_syntax(s, c);
	if (slice_starts_nocase(client.address, SLICE("IPV6:")))
		client.address = slice_from(client.address, 5);
	if (!is_name(client.name) || !is_name(client.hello))
		return reply(s, 501, "5.5.4", "NAME and HELO are names of at most 255 octets");
	if (client.address.n && !session_speak_for(s, client.address))
		return reply(s, 501, "5.5.4", "ADDR is no IP address");
	smtp_learn_peer(s);
	smtp_reset(smtp);
	if (client.login.n && !log_in(s, client.login, &error)) {
		smtp_reset(smtp);
		return reply(s, error.temporary ? 451 : 501, error.temporary ? "4.3.0" : "5.7.8",
		    "%s", error.said);
	}
	buf_add(&smtp->name, client.name);
	buf_add(&smtp->hello, client.hello);
	smtp->extended = client.hello.n && !slice_eq_nocase(client.protocol, SLICE("SMTP"));
	log_info("speaks.for", kv_str("s", s->id), kv_str("peer", s->peer),
	    kv_text("name", client.name), kv_text("login", smtp->login));
	TRACE(
	    smtp_trace(s), TRACE_CONNECTED, 0, slice_of(s->peer), SLICE("(by XCLIENT)"), SLICE(""));
	struct reply refused = event_connect(s);
	return refused.code ? refused : smtp_greeting(s);
}
