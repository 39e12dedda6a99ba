/*
 * sandbox: what a role may still do once it serves.
 *
 * Each role has one file, sandbox_<role>.c, that lists what it may: groups of system calls and
 * folders. A role loads what it will need first (warm up), then locks: no new privileges, no core
 * dumps, not dumpable, Landlock for files, seccomp for system calls. Both bind the threads that are
 * made afterwards, so the lock comes before the first thread.
 *
 *     void sandbox_keys(struct sandbox *s)
 *     {
 *             sandbox_allow(s, SANDBOX_BASE | SANDBOX_MESSAGES);
 *     }
 *
 * A system call that is not allowed ends the process where HAUBERK_SANDBOX=kill is set (tests), and
 * fails with EPERM and one log line a call number elsewhere. Nothing may ever be executed. Landlock is
 * used at the ABI that the kernel offers; HAUBERK_LANDLOCK_MAX lowers it for tests, 0 means none.
 */
#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H

#include "base/error.h"

/* Groups of system calls; sandbox_calls.c has their lists. */
enum sandbox_group {
	SANDBOX_BASE = 1 << 0,     /* memory, time, threads, signals, exit, the log */
	SANDBOX_MESSAGES = 1 << 1, /* epoll, channels */
	SANDBOX_SESSIONS = 1 << 2, /* accept, send and receive on sockets that are open */
	SANDBOX_READ = 1 << 3,     /* open and read files */
	SANDBOX_WRITE = 1 << 4,    /* create, write, sync, rename and remove files, make folders */
	SANDBOX_ASK = 1 << 5,      /* ask name servers: sockets of IPv4 and IPv6, no others */
};

#define SANDBOX_FOLDERS 16

enum sandbox_access { SANDBOX_READS, SANDBOX_WRITES };

struct sandbox {
	unsigned groups;
	struct {
		const char *path;
		enum sandbox_access access;
	} folders[SANDBOX_FOLDERS];
	int folder_count;
};

void sandbox_allow(struct sandbox *s, unsigned groups);
/* A folder (or file) and all below it. It must exist when the sandbox is locked; the text must live
 * until then. */
void sandbox_folder(struct sandbox *s, const char *path, enum sandbox_access access);
/* Locks this process. There is no way back. */
bool sandbox_lock(const struct sandbox *s, struct error *error);
/* The part of it that main takes too, which must stay what it is: no core dumps, not dumpable, no new
 * privileges. */
bool sandbox_hide(struct error *error);
/* Landlock's ABI as used (0: none), for the status. */
int sandbox_landlock_abi(void);

/* What each role may; the arguments are the folders it is told of in its settings. */
void sandbox_control(
    struct sandbox *s, const char *directory, const char *socket_folder, const char *trace);
void sandbox_keys(struct sandbox *s);
void sandbox_auth(struct sandbox *s, const char *own);
void sandbox_queue(struct sandbox *s, const char *spool);
void sandbox_deliver(struct sandbox *s, const char *spool, const char *accounts,
    const char *directory, const char *trace);
/* anchor: the file that validation begins with; "": none. */
void sandbox_smtp(struct sandbox *s, const char *own_spool, const char *directory,
    const char *trace, const char *anchor);
void sandbox_imap(struct sandbox *s, const char *accounts, const char *directory);

/* For sandbox.c: the numbers of the system calls of a group, -1 ends the list. */
const int *sandbox_calls(enum sandbox_group group);
/* Is this one? Their leak check needs a process that can be looked into. */
bool sandbox_is_sanitizer(void);
/* The filter of sanitizer builds (sandbox_sanitizer.c): everything but what must never happen; asks: with SANDBOX_ASK.
 * false in other builds. */
bool sandbox_sanitizer(bool asks);
/* Adds what the runtime of a sanitizer build reads; nothing in another build. */
void sandbox_sanitizer_folders(struct sandbox *s);

#endif
