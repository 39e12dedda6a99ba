/*
 * shared: what all processes of a server count and know together, about an address or an account.
 *
 *     uint64_t key = shared_key("smtp", SLICE("192.0.2.1"));
 *     if (!shared_begin(key, 50)) ... 50 are open already, in all processes ...
 *     ...
 *     shared_end(key);
 *
 *     shared_note(key, 600);                        (a login failed)
 *     if (shared_noted(key, 600) >= 100) ...        (in the last 600 s)
 *
 * One table of fixed size, made by main in a memory file and mapped by the roles that speak or deliver; atomics,
 * no lock. Keys are hashed under a secret of the server's start, so nobody chooses which of them meet. A
 * process that dies takes its open counts along: each counts in a column of its own. When the table has
 * no room for a key, that key is not counted: the limits are for the well-being of others, and a server
 * that cannot count still serves.
 */
#ifndef PROC_SHARED_H
#define PROC_SHARED_H

#include "proc/role.h"

/* Makes the table; its descriptor is passed to the roles. -1 and errno when it cannot be made. */
int shared_create(void);
/* Maps the table and takes the column of this process, emptied. Without it nothing is limited. */
bool shared_open(int fd, enum role me, int instance);

/* The key of one thing of a kind; the same in every process. */
uint64_t shared_key(const char *kind, slice what);
/* The key of a thing with a number. */
uint64_t shared_key_number(const char *kind, int64_t number);
/* The part of an address that one client has by itself: IPv4 as it is, of IPv6 the first 64 bits, "2001:
 * db8:0:1" (RFC 6177). The result lives in out. */
slice shared_address(slice address, char out[64]);

/* Counts one more that is open, if there are fewer than `most` (0: any number). */
bool shared_begin(uint64_t key, int most);
/* It is not any more. */
void shared_end(uint64_t key);
/* How many are open, in all processes. */
int shared_open_count(uint64_t key);

/* Keeps a number under the key, for whoever asks in any process; 0: nothing is kept any more. It may be
 * forgotten when nobody has used it for an hour. */
void shared_set(uint64_t key, int64_t value);
/* 0: nothing is known. */
int64_t shared_value(uint64_t key);

/* Counts one event. Events are counted by windows of so many seconds. */
void shared_note(uint64_t key, int window_s);
/* How many there were in the last window_s seconds, about: the last window counts by its share. */
int shared_noted(uint64_t key, int window_s);

/* A session of this process waits for news under this key, or waits no longer. */
void shared_watch(uint64_t key, bool on);
/* Might anybody wait for it, in any process? Who changes first and asks then misses nobody who watches
 * first and looks then. */
bool shared_watched(uint64_t key);

#endif
