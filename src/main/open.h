/*
 * open: what main opens before anybody else runs: listening sockets, the socket for commands, the
 * state folders; open_tls.h: the files that only it may read.
 */
#ifndef MAIN_OPEN_H
#define MAIN_OPEN_H

#include "main/conf.h"
#include "main/users.h"

/* Binds and listens; -1 and error (address, port and reason) otherwise. */
int open_listener(const struct conf_listener *l, struct error *error);
/* The local socket for commands, 0660, in place of a stale one. Fails when a server answers there. */
int open_control(const struct conf *conf, const struct users *users, struct error *error);
/* The content in a sealed memory file. */
int open_sealed(slice content, const char *name, struct error *error);
/* Makes the folders of the state, one for each of the smtp processes too, with their owners and modes. */
bool open_state(
    const struct conf *conf, const struct users *users, int smtp_processes, struct error *error);
/* One server a state folder: holds a lock until the process ends. */
bool open_lock(const struct conf *conf, struct error *error);

#endif
