/* imap (IMAP and POP3): sessions on sockets that main opened, the directory to read, mail to write. */
#include "proc/sandbox.h"

void sandbox_imap(struct sandbox *s, const char *accounts, const char *directory)
{
	sandbox_allow(
	    s, SANDBOX_BASE | SANDBOX_MESSAGES | SANDBOX_SESSIONS | SANDBOX_READ | SANDBOX_WRITE);
	sandbox_folder(s, accounts, SANDBOX_WRITES);
	sandbox_folder(s, directory, SANDBOX_READS);
	sandbox_folder(s, "/dev/null", SANDBOX_READS); /* stands for krb5.conf (vault/layer.c) */
}
