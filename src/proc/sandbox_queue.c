/* queue: reads and removes segments of the spool. No network. */
#include "proc/sandbox.h"

void sandbox_queue(struct sandbox *s, const char *spool)
{
	sandbox_allow(s, SANDBOX_BASE | SANDBOX_MESSAGES | SANDBOX_READ | SANDBOX_WRITE);
	sandbox_folder(s, spool, SANDBOX_WRITES);
}
