/*
 * Who may talk to whom: the whole architecture of the server in one table (peers.c). main talks to all.
 */
#ifndef MAIN_PEERS_H
#define MAIN_PEERS_H

#include "proc/role.h"

/* May these two have a channel? */
bool peers_allowed(enum role one, enum role other);

#endif
