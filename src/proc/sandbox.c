#include "proc/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"

/* Rights that Debian 12's header does not name yet (landlock(7)). */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#define ACCESS_TRUNCATE (1ULL << 14) /* ABI 3 */

static int landlock_abi;
static bool kill_on_refusal;

void sandbox_allow(struct sandbox *s, unsigned groups)
{
	s->groups |= groups;
}

void sandbox_folder(struct sandbox *s, const char *path, enum sandbox_access access)
{
	assert(s->folder_count < SANDBOX_FOLDERS);
	s->folders[s->folder_count].path = path;
	s->folders[s->folder_count++].access = access;
}

int sandbox_landlock_abi(void)
{
	return landlock_abi;
}

static int abi_offered(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const char *most = getenv("HAUBERK_LANDLOCK_MAX");
	uint64_t limit;

	if (abi < 0)
		return 0;
	if (most && slice_number(slice_of(most), 1000, &limit) && (long)limit < abi)
		abi = (long)limit;
	return (int)abi;
}

static uint64_t all_rights(int abi)
{
	uint64_t rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
	    LANDLOCK_ACCESS_FS_MAKE_SYM;

	return rights | (abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
	    (abi >= 3 ? ACCESS_TRUNCATE : 0);
}

/* A folder's rights; a file that is named itself can only be read or written. */
static uint64_t rights_of(enum sandbox_access access, bool folder, int abi)
{
	uint64_t reads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	uint64_t file_only =
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE;
	uint64_t rights = reads;

	if (access == SANDBOX_WRITES)
		rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
		    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE;
	return rights & all_rights(abi) & (folder ? ~0ULL : file_only);
}

static bool landlock_folder(
    int ruleset, const char *path, enum sandbox_access access, int abi, struct error *error)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return error_local(error, "sandbox: cannot open %s: %s", path, strerror(errno));
	}
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights_of(access, S_ISDIR(st.st_mode), abi), .parent_fd = fd
	};
	long failed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
	return failed == 0 ||
	    error_local(error, "sandbox: no Landlock rule for %s: %s", path, strerror(errno));
}

static bool landlock_lock(const struct sandbox *s, struct error *error)
{
	int abi = abi_offered();

	landlock_abi = abi;
	if (abi == 0)
		return true;
	struct landlock_ruleset_attr attr = { .handled_access_fs = all_rights(abi) };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return error_local(error, "sandbox: no Landlock ruleset: %s", strerror(errno));
	bool ok = true;
	for (int i = 0; i < s->folder_count && ok; i++)
		ok = landlock_folder(ruleset, s->folders[i].path, s->folders[i].access, abi, error);
	if (ok && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		ok = error_local(error, "sandbox: Landlock refused: %s", strerror(errno));
	close(ruleset);
	return ok;
}

/* A system call outside the list: one line for each number; then EPERM, or the end. Only what is safe
 * in a signal handler happens here: log_write has no lock and no allocation. */
static void refused_call(int signal, siginfo_t *info, void *context)
{
	static bool said[1024];
	int number = info->si_syscall;
	ucontext_t *u = context;

	(void)signal;
	if (number >= 0 && number < 1024 && !said[number]) {
		said[number] = true;
		log_warn("sandbox.refused", kv_num("syscall", number),
		    kv_str("why",
			kill_on_refusal ? "not in this role's list; ending"
					: "not in this role's list; EPERM"));
	}
	if (kill_on_refusal)
		_exit(99);
#if defined(__x86_64__)
	u->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	u->uc_mcontext.regs[0] = (unsigned long)-EPERM;
#else
#error "say where this processor returns a system call's result"
#endif
}

/* Threads yes, processes no. clone3 hides its flags in memory: the C library falls back to clone when
 * told that it does not exist. */
static bool allow_threads(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0 &&
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	    /* stdout at exit asks whether it is a terminal */
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0) == 0 &&
	    /* thread stacks ask for their limit; nobody else's limits are read or set */
	    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
		SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)) == 0 &&
	    /* names of threads */
	    seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) == 0;
}

/* Where the others are: no local sockets, no packets of one's own making. */
static bool allow_sockets(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		   SCMP_A0(SCMP_CMP_EQ, AF_INET)) == 0 &&
	    seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6)) == 0;
}

static bool seccomp_lock(const struct sandbox *s, struct error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	bool ok = filter && allow_threads(filter);

	ok = ok && (!(s->groups & SANDBOX_ASK) || allow_sockets(filter));
	for (unsigned group = 1; group <= SANDBOX_ASK; group <<= 1) {
		if (!(s->groups & group))
			continue;
		for (const int *call = sandbox_calls((enum sandbox_group)group); *call != -1;
		     call++)
			if (ok && *call >= 0)
				ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, *call, 0) == 0;
	}
	ok = ok && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return ok || error_local(error, "sandbox: the kernel refused the seccomp filter");
}

bool sandbox_hide(struct error *error)
{
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	if (!sandbox_is_sanitizer())
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ||
	    error_local(error, "no_new_privs: %s", strerror(errno));
}

bool sandbox_lock(const struct sandbox *s, struct error *error)
{
	const char *mode = getenv("HAUBERK_SANDBOX");
	struct sigaction action = { .sa_sigaction = refused_call,
		.sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sandbox all = *s;

	kill_on_refusal = mode && strcmp(mode, "kill") == 0;
	if (sigaction(SIGSYS, &action, NULL) < 0)
		return error_local(error, "sandbox: %s", strerror(errno));
	if (!sandbox_hide(error))
		return false;
	sandbox_sanitizer_folders(&all);
	if (!landlock_lock(&all, error))
		return false;
	if (sandbox_sanitizer(s->groups & SANDBOX_ASK))
		return true;
	return seccomp_lock(s, error);
}
