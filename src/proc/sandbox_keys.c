/* keys: private keys in memory, and nothing but messages in and out. */
#include "proc/sandbox.h"

void sandbox_keys(struct sandbox *s)
{
	sandbox_allow(s, SANDBOX_BASE | SANDBOX_MESSAGES);
}
