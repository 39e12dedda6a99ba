/* The system calls of each group of sandbox.h. A reviewer reads this top to bottom. */
#include <seccomp.h>
#include <stddef.h>

#include "proc/sandbox.h"

#define CALL(name) SCMP_SYS(name)

/* clone is not here: sandbox.c allows it for threads only. */
static const int base[] = {
	/* memory */
	CALL(brk), CALL(mmap), CALL(munmap), CALL(mremap), CALL(mprotect), CALL(madvise),
	/* time and waiting */
	CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday),
	CALL(futex), CALL(sched_yield), CALL(poll), CALL(ppoll), CALL(restart_syscall),
	/* threads and signals */
	CALL(set_robust_list), CALL(rseq), CALL(sched_getaffinity), CALL(gettid), CALL(getpid),
	CALL(tgkill), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
	CALL(sigaltstack), CALL(exit), CALL(exit_group),
	/* what is open */
	CALL(read), CALL(pread64), CALL(write), CALL(writev), CALL(close), CALL(fcntl), CALL(lseek),
	CALL(getrandom), CALL(dup3), /* a new log in the old one's place */
	/* asking about oneself */
	CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getrusage), CALL(uname),
	CALL(sysinfo), -1
};

static const int messages[] = { CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait),
	CALL(epoll_pwait), CALL(eventfd2), CALL(sendmsg), CALL(recvmsg), -1 };

static const int sessions[] = { CALL(accept4), CALL(sendto), CALL(recvfrom), CALL(sendmsg),
	CALL(recvmsg), CALL(shutdown), CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
	CALL(getpeername), CALL(timerfd_settime), -1 };

static const int reading[] = { CALL(open), CALL(openat), CALL(stat), CALL(lstat), CALL(fstat),
	CALL(newfstatat), CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2),
	CALL(readlink), CALL(readlinkat), CALL(preadv), CALL(getdents64), CALL(getcwd),
	CALL(fstatfs), CALL(statfs), CALL(fadvise64), -1 };

static const int writing[] = { CALL(pwrite64), CALL(pwritev), CALL(fsync), CALL(fdatasync),
	CALL(ftruncate), CALL(fallocate), CALL(rename), CALL(renameat), CALL(renameat2), CALL(link),
	CALL(linkat), CALL(unlink), CALL(unlinkat), CALL(mkdir), CALL(mkdirat), CALL(rmdir),
	CALL(fchmod), CALL(fchown), CALL(umask), CALL(utimensat), -1 };

/* socket itself: sandbox.c. Pipes are libunbound's way between its threads. */
static const int asking[] = { CALL(bind), CALL(connect), CALL(sendto), CALL(recvfrom),
	CALL(sendmsg), CALL(recvmsg), CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
	CALL(shutdown), CALL(pipe), CALL(pipe2), CALL(select), CALL(pselect6), CALL(epoll_create1),
	CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(eventfd2), -1 };

const int *sandbox_calls(enum sandbox_group group)
{
	switch (group) {
	case SANDBOX_BASE:
		return base;
	case SANDBOX_MESSAGES:
		return messages;
	case SANDBOX_SESSIONS:
		return sessions;
	case SANDBOX_READ:
		return reading;
	case SANDBOX_WRITE:
		return writing;
	case SANDBOX_ASK:
		return asking;
	}
	return NULL;
}
