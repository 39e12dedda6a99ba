/*
 * imap: the IMAP server (RFC 3501 with the parts of RFC 9051 that CAPABILITY names).
 *
 *     imap_init(&(struct imap_setup){ .store = worker_store, .login = worker_login, ... });
 *     listener.protocol = &imap_protocol;
 *
 * A command is gathered whole, literals included (gather.h), read with typed getters (parse.h), run
 * by its row of the table in command.c, and answered with what it returns. Long answers are jobs that
 * go on in later turns. What other sessions changed is told at the end of a command (view.h).
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include "net/session.h"
#include "store/store.h"
#include "vault/login.h"

/* What the role gives us; set once before the first session. */
struct imap_setup {
	/* The store of the worker that runs the session. */
	struct store *(*store)(void *worker);
	/* As login_check(), with the worker's directory. */
	enum login_answer (*login)(void *worker, slice name, slice password,
	    struct deadline deadline, int64_t *account_out, struct error *error);
	/* Tells the other sessions, of all processes, what was changed. */
	void (*notify)(void *worker, const struct store_notice *notice);
};

extern const struct protocol imap_protocol;

void imap_init(const struct imap_setup *setup);
/* The key that IDLE watches: the role calls reactor_notice with it for each notice that arrives. */
uint64_t imap_watch_key(int64_t account, int64_t mailbox);

#endif
