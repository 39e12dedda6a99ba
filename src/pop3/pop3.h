/*
 * pop3: the POP3 server (RFC 1939, RFC 2449, RFC 2595, RFC 5034 for AUTH PLAIN).
 *
 *     pop3_init(&(struct store_host){ .store = worker_store, .login = worker_login, ... });
 *     listener.protocol = &pop3_protocol;
 *
 * The session sees INBOX as it is at login; what is marked with DELE goes at QUIT, and only then. Two
 * sessions may have the same INBOX open, as with IMAP: a message that is gone meanwhile is -ERR.
 */
#ifndef POP3_POP3_H
#define POP3_POP3_H

#include "net/session.h"
#include "store/host.h"

extern const struct protocol pop3_protocol;

void pop3_init(const struct store_host *host);

#endif
