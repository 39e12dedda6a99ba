/* auth: its own folder with auth.db. No network. */
#include "proc/sandbox.h"

void sandbox_auth(struct sandbox *s, const char *own)
{
	sandbox_allow(s, SANDBOX_BASE | SANDBOX_MESSAGES | SANDBOX_READ | SANDBOX_WRITE);
	sandbox_folder(s, own, SANDBOX_WRITES);
	sandbox_folder(s, "/dev/null", SANDBOX_READS); /* stands for krb5.conf (vault/kerberos.c) */
}
