/* smtp: sessions on sockets that main opened, the directory to read, its own segments to write, name servers to ask. */
#include "proc/sandbox.h"

void sandbox_smtp(struct sandbox *s, const char *own_spool, const char *directory,
    const char *trace, const char *anchor)
{
	sandbox_allow(s,
	    SANDBOX_BASE | SANDBOX_MESSAGES | SANDBOX_SESSIONS | SANDBOX_READ | SANDBOX_WRITE |
		SANDBOX_ASK);
	sandbox_folder(s, own_spool, SANDBOX_WRITES);
	sandbox_folder(s, directory, SANDBOX_READS);
	sandbox_folder(s, trace, SANDBOX_WRITES);
	sandbox_folder(s, "/dev/null", SANDBOX_READS); /* stands for krb5.conf (vault/layer.c) */
	if (*anchor)
		sandbox_folder(s, anchor, SANDBOX_READS);
}
