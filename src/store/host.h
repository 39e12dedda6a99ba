/*
 * host: what a protocol over the store (IMAP, POP3) is given by the role that runs it.
 *
 *     static const struct store_host host = { .store = ..., .login = ..., .notify = ..., ... };
 *     imap_init(&host);
 *     pop3_init(&host);
 *
 * Set once before the first session; copied.
 */
#ifndef STORE_HOST_H
#define STORE_HOST_H

#include "store/store.h"
#include "vault/sasl.h"

struct store_host {
	/* The store of the worker that runs the session. */
	struct store *(*store)(void *worker);
	/* As login_check(), with the worker's directory. */
	enum login_answer (*login)(void *worker, slice name, slice password,
	    struct deadline deadline, int64_t *account_out, struct error *error);
	/* Name to account, as login_find(); false: nobody could say. */
	bool (*find)(
	    void *worker, slice name, struct login_account *account_out, struct error *error);
	/* As directory_may_act(); may be NULL: never. */
	bool (*may_act)(
	    void *worker, int64_t account, int64_t other, bool *may_out, struct error *error);
	/* The worker's converters; the function or its answer may be NULL. */
	struct charsets *(*charsets)(void *worker);
	/* Octets that the account may hold, 0 for any number. The function may be NULL: no account has a quota. */
	bool (*quota)(void *worker, int64_t account, int64_t *octets_out, struct error *error);
	/* Tells the other sessions, of all processes, what was changed. */
	void (*notify)(void *worker, const struct store_notice *notice);
	int login_timeout_ms; /* silence allowed between commands before the login */
	int idle_timeout_ms;  /* and after it */
	/* Malformed commands in a row, and wrong logins, until the session is closed. */
	unsigned max_errors, max_login_failures;
	bool compress; /* clients may compress the connection (RFC 4978) */
};

/* What an authentication of this session works with. */
static inline struct sasl_host store_sasl_host(const struct store_host *host, struct session *s)
{
	struct sasl_host sasl = { .context = s->worker,
		.login = host->login,
		.find = host->find,
		.may_act = host->may_act };

	sasl_host_fill(&sasl, s);
	return sasl;
}

#endif
