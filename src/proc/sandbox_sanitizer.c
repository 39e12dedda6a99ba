/*
 * The wider filter of sanitizer builds: their runtime reads /proc, and LeakSanitizer stops the
 * threads with ptrace from a helper process. Only what must never happen in any build is refused:
 * running a program, becoming somebody else.
 */
#include <seccomp.h>
#include <stddef.h>

#include "proc/sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER 1
#endif
#endif

#ifdef SANITIZER
/* Threads to stop are found under /proc; a report names lines read from the program's own file. */
void sandbox_sanitizer_folders(struct sandbox *s)
{
	sandbox_folder(s, "/proc", SANDBOX_READS);
	sandbox_folder(s, "/proc/self/exe", SANDBOX_READS);
}

bool sandbox_is_sanitizer(void)
{
	return true;
}

bool sandbox_sanitizer(bool asks)
{
	static const int never[] = { SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(setuid),
		SCMP_SYS(setgid), SCMP_SYS(setresuid), SCMP_SYS(chroot), SCMP_SYS(mount),
		SCMP_SYS(listen), SCMP_SYS(connect), SCMP_SYS(bind) };
	size_t count = sizeof never / sizeof never[0] - (asks ? 2 : 0);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	for (size_t i = 0; filter && i < count; i++)
		seccomp_rule_add(filter, SCMP_ACT_TRAP, never[i], 0);
	bool ok = filter && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return ok;
}
#else
void sandbox_sanitizer_folders(struct sandbox *s)
{
	(void)s;
}

bool sandbox_is_sanitizer(void)
{
	return false;
}

bool sandbox_sanitizer(bool asks)
{
	(void)asks;
	return false;
}
#endif
