/*
 * role: how a role's process comes to life.
 *
 * main starts `hauberk role NAME INSTANCE` with a channel on descriptor 3 and sends the settings and
 * descriptors that this role is given, then "start". The role's program warms up, locks its sandbox,
 * starts its threads; then it says "ready" and serves messages until it is drained or stopped.
 */
#ifndef MAIN_ROLE_H
#define MAIN_ROLE_H

#include "main/conf.h"
#include "proc/peers.h"
#include "proc/sandbox.h"

#define ROLE_DESCRIPTORS (3 * CONF_LISTENERS + 8)

/* What a role was given. */
struct role_start {
	enum role role;
	int instance;
	int cores;        /* of this machine, at least 1 */
	struct conf conf; /* only the rows of this role are set; listeners too */
	struct arena *arena;
	struct peers *peers;
	struct {
		const char *name;
		int fd;
	} descriptors[ROLE_DESCRIPTORS];
	int descriptor_count;
};

struct role_program {
	enum role role;
	const struct service *services;
	const size_t *service_count;
	/* Opens, warms up, locks (sandbox_lock), starts threads. */
	bool (*start)(struct role_start *start, struct error *error);
	/* A descriptor that came while serving (a new key or certificate); closed by the caller. May be
	 * NULL. */
	bool (*descriptor)(struct role_start *start, const char *name, int fd, struct error *error);
	/* Finish and then peers_stop(); NULL: stopping at once is fine. */
	void (*drain)(struct role_start *start);
	void (*added)(void *context, enum role role, int instance);
	void (*lost)(void *context, enum role role, int instance);
	void (*tick)(void *context); /* context is the role_start */
};

extern const struct role_program role_control, role_keys, role_auth, role_queue, role_deliver,
    role_smtp, role_imap;

/* The descriptor of that name, -1 when it was not given. */
int role_descriptor(const struct role_start *start, const char *name);
/* A path below the state folder, in the start's arena. */
const char *role_path(struct role_start *start, const char *below);
/* This process applies the active policy, and writes what happens to messages. dns may be NULL. Behind the lock. */
struct dns;
void role_policy(struct role_start *start, struct dns *dns);
/* What smtp and imap share. */
/* Where this process's session ids begin: no two processes of a server's life share one. */
uint64_t role_first_session(const struct role_start *start);
/* How long a TLS handshake may take where a client may be silent for so long. */
int role_handshake_ms(int64_t silence_ms);
/* Listeners of a protocol, into out (room for CONF_LISTENERS); how many. */
int role_listeners(
    struct role_start *start, const char *protocol, const struct protocol *p, struct listener *out);

#endif
