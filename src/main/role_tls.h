/*
 * role_tls: the TLS contexts of a role's listeners, each as its listener's settings want it.
 *
 *     if (!role_tls_start(start, listeners, n, error)) ...   (before the sandbox lock)
 *     role_tls_serve(reactor);                               (when it has the listeners)
 *
 * main sends two descriptors, and each again when it has changed: "certificates" (open_tls.h) and
 * "tickets", the keys of session tickets (tickets.h).
 */
#ifndef MAIN_ROLE_TLS_H
#define MAIN_ROLE_TLS_H

#include "main/role.h"
#include "net/reactor.h"

/* Makes the contexts; the listeners stay the caller's as long as the process lives. */
bool role_tls_start(
    struct role_start *start, const struct listener *listeners, int n, struct error *error);
/* Hands them over. */
void role_tls_serve(struct reactor *reactor);
/* A descriptor that came while serving. What is said of listeners which are not here is left alone: they are
 * of the configuration that this process is about to make room for. On failure all stays as it is. */
bool role_tls_take(const char *name, int fd, struct error *error);

#endif
