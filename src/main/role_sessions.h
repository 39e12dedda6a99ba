/*
 * role_sessions: the life that roles with sessions (smtp, imap) share: a reactor in a thread of its own,
 * listeners, a certificate that may be renewed, draining.
 *
 *     struct role_sessions sessions = { listeners, n, 10000, ended };
 *     if (!role_sessions_start(start, &config, &sessions, error)) ...    (after the sandbox lock)
 *     const struct role_program role_smtp = { ..., .descriptor = role_sessions_descriptor,
 *             .drain = role_sessions_drain };
 *
 * One reactor a process. It is never freed: messages about certificates and mailboxes may come until the
 * process ends.
 */
#ifndef MAIN_ROLE_SESSIONS_H
#define MAIN_ROLE_SESSIONS_H

#include "main/role.h"
#include "net/reactor.h"

struct role_sessions {
	const struct listener *listeners; /* live as long as the process */
	int listener_count;
	int grace_ms;        /* for what is begun when the server goes down */
	void (*ended)(void); /* called when the reactor has been drained; may be NULL */
};

/* Starts the reactor; when it has been drained, the role's process stops. */
bool role_sessions_start(struct role_start *start, const struct reactor_config *config,
    const struct role_sessions *sessions, struct error *error);
/* Wakes the sessions that watch this key; harmless before the start. */
void role_sessions_notice(uint64_t key);
/* For struct role_program. */
bool role_sessions_descriptor(
    struct role_start *start, const char *name, int fd, struct error *error);
void role_sessions_drain(struct role_start *start);

#endif
