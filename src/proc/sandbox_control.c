/* control: the directory, and the local socket where commands come in. */
#include "proc/sandbox.h"

void sandbox_control(
    struct sandbox *s, const char *directory, const char *socket_folder, const char *trace)
{
	sandbox_allow(
	    s, SANDBOX_BASE | SANDBOX_MESSAGES | SANDBOX_SESSIONS | SANDBOX_READ | SANDBOX_WRITE);
	sandbox_folder(s, directory, SANDBOX_WRITES);
	sandbox_folder(s, socket_folder, SANDBOX_READS);
	sandbox_folder(s, trace, SANDBOX_WRITES);
}
