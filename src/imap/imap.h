/*
 * imap: the IMAP server (RFC 3501 with the parts of RFC 9051 that CAPABILITY names).
 *
 *     imap_init(&(struct store_host){ .store = worker_store, .login = worker_login, ... });
 *     listener.protocol = &imap_protocol;
 *
 * A command is gathered whole, literals included (gather.h), read with typed getters (parse.h), run
 * by its row of the table in command.c, and answered with what it returns. Long answers are jobs that
 * go on in later turns. What other sessions changed is told at the end of a command (view.h).
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "net/session.h"
#include "store/host.h"

extern const struct protocol imap_protocol;

void imap_init(const struct store_host *host);

#endif
