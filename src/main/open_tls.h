/*
 * open_tls: the files of TLS that only main may read, each kept in sealed memory for the roles: of every
 * listener with TLS its certificate, its key and who may have signed its clients' certificates.
 */
#ifndef MAIN_OPEN_TLS_H
#define MAIN_OPEN_TLS_H

#include "main/conf.h"

/* By listener; -1 where there is none. Listeners of one pair of files share a number: pair is the first
 * of them, and only there are certificate and key open. */
struct open_tls {
	int pair[CONF_LISTENERS];
	int certificate_fds[CONF_LISTENERS], key_fds[CONF_LISTENERS];
	int client_ca_fds[CONF_LISTENERS];
};

/* Opens all of it, and checks that certificates and keys fit; on failure nothing is open. */
bool open_tls(const struct conf *conf, struct open_tls *out, struct error *error);
void open_tls_close(struct open_tls *t);
/* "smtp 127.0.0.1:25": a listener as main, roles and the log call it. Indices change when the file does. */
const char *open_listener_name(const struct conf_listener *l, struct arena *arena);

#endif
