/*
 * pop3: the POP3 server (RFC 1939, RFC 2449, RFC 2595, RFC 5034 for AUTH PLAIN).
 *
 *     pop3_init(&(struct pop3_setup){ .store = worker_store, .login = worker_login, ... });
 *     listener.protocol = &pop3_protocol;
 *
 * The session sees INBOX as it is at login; what is marked with DELE goes at QUIT, and only then. Two
 * sessions may have the same INBOX open, as with IMAP: a message that is gone meanwhile is -ERR.
 */
#ifndef POP3_POP3_H
#define POP3_POP3_H

#include "net/session.h"
#include "store/store.h"
#include "vault/login.h"

/* What the role gives us; set once before the first session. */
struct pop3_setup {
	/* The store of the worker that runs the session. */
	struct store *(*store)(void *worker);
	/* As login_check(), with the worker's directory. */
	enum login_answer (*login)(void *worker, slice name, slice password,
	    struct deadline deadline, int64_t *account_out, struct error *error);
	/* Tells the other sessions, of all processes, what was changed. */
	void (*notify)(void *worker, const struct store_notice *notice);
};

extern const struct protocol pop3_protocol;

void pop3_init(const struct pop3_setup *setup);

#endif
