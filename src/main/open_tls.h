/*
 * open_tls: the files of TLS that only main may read, kept in sealed memory for the roles, a bundle each:
 * private keys for the role keys, what is public for those who shake hands.
 *
 * In the first each key is a name and its PEM. In the second each record is a kind and three fields:
 *     "pair"     key's name, "", certificate chain
 *     "host"     names, numbers of its pairs, ""            (pairs are counted from 0, "0 1")
 *     "listener" its name, numbers of its pairs, clientCA
 */
#ifndef MAIN_OPEN_TLS_H
#define MAIN_OPEN_TLS_H

#include "main/conf.h"

#define OPEN_TLS_MOST (64u << 20) /* octets of one bundle */

struct open_tls {
	int keys_fd, public_fd;
};

/* Opens all of it, and checks that certificates and keys fit; on failure nothing is open. Keys are called
 * "tls.NUMBER.I", so that no handshake meets another key after a reload. */
bool open_tls(const struct conf *conf, int number, struct open_tls *out, struct error *error);
void open_tls_close(struct open_tls *t);
/* "smtp 127.0.0.1:25": a listener as main, roles and the log call it. Indices change when the file does. */
const char *open_listener_name(const struct conf_listener *l, struct arena *arena);

#endif
