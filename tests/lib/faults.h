/*
 * faults: a disk that fails, and a count of its syncs.
 *
 * Include it first, in one file of a test program: it defines the C library's functions that change
 * files, for the program and for the libraries that it loads (SQLite), and makes those below one
 * folder fail as the test says.
 *
 *     for (int at = 0;; at++) {
 *             faults_arm(folder, FAULT_WRITES | FAULT_NAMES, ENOSPC, at, true);
 *             ... what is tested ...
 *             if (!faults_end())
 *                     break;          (the call number `at` never came: all were tried)
 *     }
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

/* Both names of a function are defined here: with and without "64", and neither inline. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	FAULT_WRITES = 1, /* write, pwrite, pwritev: the first half is taken, then nothing */
	FAULT_SYNCS = 2,  /* fsync, fdatasync */
	FAULT_NAMES = 4,  /* new files and folders, rename, link */
	FAULT_CUTS = 8,   /* ftruncate */
	FAULT_GONE = 16,  /* unlink */
};

static struct {
	const char *folder;
	unsigned kinds;
	int code, at;
	bool lasting; /* that call and all after it, else that call only */
	bool armed, halved;
	_Atomic int calls;
	_Atomic int syncs; /* below the folder, whether they fail or not */
} faults;

static inline void faults_arm(const char *folder, unsigned kinds, int code, int at, bool lasting)
{
	faults.folder = folder;
	faults.kinds = kinds;
	faults.code = code;
	faults.at = at;
	faults.lasting = lasting;
	faults.halved = false;
	faults.calls = 0;
	faults.armed = true;
}

/* The disk is well again. Did anything fail? */
static inline bool faults_end(void)
{
	faults.armed = false;
	return faults.calls > faults.at;
}

static inline bool faults_is_below(const char *path)
{
	return faults.folder && strncmp(path, faults.folder, strlen(faults.folder)) == 0;
}

static inline bool faults_is_file(int fd)
{
	char name[40], path[400];

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, path, sizeof path - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	return faults_is_below(path);
}

/* Counts a call; true, with errno, when it must fail. */
static inline bool faults_hit(unsigned kind)
{
	if (!faults.armed || !(faults.kinds & kind))
		return false;
	int call = faults.calls++;
	if (call != faults.at && !(faults.lasting && call > faults.at))
		return false;
	errno = faults.code;
	return true;
}

/* How much of a write of n octets the disk takes; -1: it fails. Half of the first that fails is taken,
 * as by a disk that has just become full; what comes then belongs to the same call of the test. */
static inline ssize_t faults_takes(int fd, size_t n)
{
	if (!faults.armed || !faults_is_file(fd))
		return (ssize_t)n;
	if (faults.halved && !faults.lasting) {
		faults.halved = false;
		errno = faults.code;
		return -1;
	}
	if (!faults_hit(FAULT_WRITES))
		return (ssize_t)n;
	if (faults.halved || n < 2 || faults.code != ENOSPC) {
		errno = faults.code;
		return -1;
	}
	faults.halved = true;
	return (ssize_t)(n / 2);
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t takes = faults_takes(fd, n);

	return takes < 0 ? -1 : syscall(SYS_write, fd, p, (size_t)takes);
}

static inline ssize_t faults_pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t takes = faults_takes(fd, n);

	return takes < 0 ? -1 : syscall(SYS_pwrite64, fd, p, (size_t)takes, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return faults_pwrite(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return faults_pwrite(fd, p, n, at);
}

/* The half of several parts is half of them. */
static inline ssize_t faults_pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	ssize_t takes = faults_takes(fd, (size_t)n);

	return takes < 0 ? -1 : syscall(SYS_pwritev, fd, parts, (unsigned long)takes, at, 0L);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	return faults_pwritev(fd, parts, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at)
{
	return faults_pwritev(fd, parts, n, at);
}

static inline int faults_sync(int fd, long call)
{
	if (faults_is_file(fd)) {
		faults.syncs++;
		if (faults_hit(FAULT_SYNCS))
			return -1;
	}
	return (int)syscall(call, fd);
}

int fsync(int fd)
{
	return faults_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return faults_sync(fd, SYS_fdatasync);
}

static inline int faults_open(const char *path, int how, unsigned mode)
{
	if ((how & O_CREAT) && faults_is_below(path) && syscall(SYS_access, path, F_OK) < 0 &&
	    faults_hit(FAULT_NAMES))
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, how, mode);
}

int open(const char *path, int how, ...)
{
	va_list args;

	va_start(args, how);
	unsigned mode = how & O_CREAT ? va_arg(args, unsigned) : 0;
	va_end(args);
	return faults_open(path, how, mode);
}

int open64(const char *path, int how, ...)
{
	va_list args;

	va_start(args, how);
	unsigned mode = how & O_CREAT ? va_arg(args, unsigned) : 0;
	va_end(args);
	return faults_open(path, how, mode);
}

int mkdir(const char *path, mode_t mode)
{
	if (faults_is_below(path) && syscall(SYS_access, path, F_OK) < 0 && faults_hit(FAULT_NAMES))
		return -1;
	return (int)syscall(SYS_mkdir, path, mode);
}

int rename(const char *from, const char *to)
{
	return faults_is_below(from) && faults_hit(FAULT_NAMES)
	    ? -1
	    : (int)syscall(SYS_rename, from, to);
}

int link(const char *from, const char *to)
{
	return faults_is_below(from) && faults_hit(FAULT_NAMES) ? -1
								: (int)syscall(SYS_link, from, to);
}

static inline int faults_cut(int fd, off_t n)
{
	return faults_is_file(fd) && faults_hit(FAULT_CUTS) ? -1
							    : (int)syscall(SYS_ftruncate, fd, n);
}

int ftruncate(int fd, off_t n)
{
	return faults_cut(fd, n);
}

int ftruncate64(int fd, off_t n)
{
	return faults_cut(fd, n);
}

int unlink(const char *path)
{
	return faults_is_below(path) && faults_hit(FAULT_GONE) ? -1
							       : (int)syscall(SYS_unlink, path);
}

#endif
