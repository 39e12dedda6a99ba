/* VRFY and EXPN: RFC 5321 §3.5, §4.1.1.6, §4.1.1.7. To those who may not ask, VRFY says neither yes nor no
 * (§3.5.3): that would tell spammers who is here. */
#include "smtp/internal.h"

#define EXPN_MAX (64 * 1024) /* octets of an answer */

static bool may_ask(const struct session *s, enum smtp_policy policy)
{
	return policy == SMTP_ANYBODY || (policy == SMTP_USERS && smtp_is_ours(s));
}

/* Whom the name leads to; what to answer when there is nobody. code 0: somebody. */
static struct reply look_up(
    struct session *s, const struct address *name, struct directory_recipients *to)
{
	struct error error;

	switch (smtp_resolve(s, name, to, &error)) {
	case DIRECTORY_FOUND:
		return (struct reply){ 0 };
	case DIRECTORY_NO_ACCOUNT:
		return reply(s, 550, "5.1.1", "there is no such mailbox here");
	case DIRECTORY_NO_DOMAIN:
		return reply(s, 550, "5.1.2", "the domain is not ours");
	case DIRECTORY_FAILED:
		break;
	}
	return smtp_ask_later(s, &error);
}

struct reply cmd_vrfy(struct session *s, struct cursor *c)
{
	struct directory_recipients to;
	struct address name;

	if (!parse_name(c, s->turn, &name))
		return reply_syntax(s, c);
	if (!may_ask(s, smtp_conf->vrfy) || !name.domain.n)
		return reply(s, 252, "2.1.5", "send mail and see");
	struct reply nobody = look_up(s, &name, &to);
	if (nobody.code)
		return nobody;
	return reply(s, 250, "2.1.5", "<%.*s>", SLICE_ARG(address_text(s->turn, &name)));
}

struct reply cmd_expn(struct session *s, struct cursor *c)
{
	struct directory_recipients to;
	struct address name;
	struct buf text;

	if (!parse_name(c, s->turn, &name))
		return reply_syntax(s, c);
	if (!may_ask(s, smtp_conf->expn))
		return reply(s, 502, "5.7.2", "nobody is told who is in a list");
	struct reply nobody = look_up(s, &name, &to);
	if (nobody.code)
		return nobody;
	buf_init(&text, EXPN_MAX);
	for (size_t i = 0; i < to.count; i++) {
		struct address member = { to.accounts[i].local, to.accounts[i].domain, false };

		buf_addf(
		    &text, "%s<%.*s>", i ? "\n" : "", SLICE_ARG(address_text(s->turn, &member)));
	}
	struct reply r = text.full ? reply(s, 452, "4.5.3", "the list is too long to be told")
				   : reply(s, 250, "2.1.5", "%.*s", SLICE_ARG(buf_slice(&text)));
	buf_free(&text);
	return r;
}
