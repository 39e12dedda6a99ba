#include "main/peers.h"

static const struct {
	enum role one, other;
} pairs[] = {
	{ ROLE_CONTROL, ROLE_AUTH },    /* passwords are set */
	{ ROLE_CONTROL, ROLE_SMTP },    /* access rules, or the policy, have changed */
	{ ROLE_CONTROL, ROLE_DELIVER }, /* the policy has */
	{ ROLE_CONTROL, ROLE_IMAP },    /* likewise */
	{ ROLE_SMTP, ROLE_KEYS },       /* handshakes are signed */
	{ ROLE_SMTP, ROLE_AUTH },       /* senders log in */
	{ ROLE_SMTP, ROLE_QUEUE },      /* a message was accepted */
	{ ROLE_QUEUE, ROLE_DELIVER },   /* a message is to be delivered */
	{ ROLE_DELIVER, ROLE_IMAP },    /* a mailbox has changed */
	{ ROLE_IMAP, ROLE_IMAP },       /* likewise */
	{ ROLE_IMAP, ROLE_KEYS },       /* handshakes are signed */
	{ ROLE_IMAP, ROLE_AUTH },       /* readers log in */
};

bool peers_allowed(enum role one, enum role other)
{
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if ((pairs[i].one == one && pairs[i].other == other) ||
		    (pairs[i].one == other && pairs[i].other == one))
			return true;
	return false;
}
