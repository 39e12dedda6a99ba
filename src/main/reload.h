/*
 * reload: what a changed configuration means for a server that runs.
 */
#ifndef MAIN_RELOAD_H
#define MAIN_RELOAD_H

#include "main/supervisor.h"

/* ROLE_BIT()s of the roles whose settings or listeners differ. */
unsigned reload_affected(const struct conf *before, const struct conf *after);
/* Name of a setting that differs and that only a new start can change; NULL: there is none. */
const char *reload_fixed(const struct conf *before, const struct conf *after);
/* Opens what the new configuration needs into *next, which begins as a copy of what there is: listening
 * sockets (those that stay are kept), certificates and keys. On failure nothing has changed. */
bool reload_open(const struct supervised *now, const struct conf *conf, struct supervised *next,
    struct error *error);
/* Closes what *old has and *now does not use any more. */
void reload_close(struct supervised *old, const struct supervised *now);

#endif
