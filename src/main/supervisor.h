/*
 * supervisor: main's life while it serves.
 *
 * Starts the roles (control first, which makes what the others open; then all), gives each its settings,
 * descriptors and channels, starts again what dies (at once, then with doubling pauses up to ten seconds), and drains
 * in the reverse order: sessions first, so that nothing more is accepted, then the rest.
 */
#ifndef MAIN_SUPERVISOR_H
#define MAIN_SUPERVISOR_H

#include "main/open_keytab.h"
#include "main/open_log.h"
#include "main/open_tls.h"
#include "main/tickets.h"
#include "main/users.h"

struct supervised {
	const struct conf *conf;
	const char *conf_path; /* read again at SIGHUP */
	struct users users;
	int listener_fds[CONF_LISTENERS];
	int control_fd, stats_fd, shared_fd; /* -1 where there is none */
	struct open_tls tls;
	struct open_keytab keytab;
	struct tickets tickets;
	struct open_log log;
	int key_number; /* of them; grows with each reload, so that no handshake meets another key */
};

/* How many processes a setting of 0 or more means on this machine. */
int supervise_processes(int64_t wanted);
/* Runs until SIGTERM or SIGINT has drained everything; the exit status. At SIGHUP the configuration file,
 * certificates and keys are read again, and the log file is opened again: new certificates reach the processes at once, a changed setting
 * starts the processes that it concerns anew, one after the other; what is wrong changes nothing. */
int supervise(const struct supervised *what);

#endif
