/* deliver: reads the spool and the directory, writes mail. No network yet. */
#include "proc/sandbox.h"

void sandbox_deliver(struct sandbox *s, const char *spool, const char *accounts,
    const char *directory, const char *trace)
{
	sandbox_allow(s, SANDBOX_BASE | SANDBOX_MESSAGES | SANDBOX_READ | SANDBOX_WRITE);
	sandbox_folder(s, spool, SANDBOX_READS);
	sandbox_folder(s, directory, SANDBOX_READS);
	sandbox_folder(s, trace, SANDBOX_WRITES);
	sandbox_folder(s, accounts, SANDBOX_WRITES);
}
