/*
 * sasl: the server side of an authentication exchange (RFC 4422), the same for SMTP, IMAP and POP3.
 *
 *     struct sasl sasl;
 *     sasl_begin(&sasl, sasl_find(name, &host), s->arena);
 *     for each response of the client (decoded; the initial one may be missing):
 *             switch (sasl_step(&sasl, &host, response, &challenge, &error)) {
 *             case SASL_CONTINUE: ... send challenge ...
 *             case SASL_DONE:     ... sasl.account and sasl.name have logged in ...
 *             case SASL_WRONG:    ... say that it is not right, and no more ...
 *             case SASL_MALFORMED: ... error.said ...
 *             case SASL_FAILED:   ... temporary, error.said ...
 *             }
 *
 * A mechanism is a file mech_*.c and a row in sasl.c. Secrets are not here: mechanisms ask the role
 * auth. sasl_step blocks while it asks; it belongs in a worker.
 */
#ifndef VAULT_SASL_H
#define VAULT_SASL_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/layer.h"
#include "net/session.h"
#include "vault/keytab.h"
#include "vault/login.h"
#include "vault/sasl_policy.h"

#define SASL_MESSAGE 12288 /* octets of a decoded response */

enum sasl_result { SASL_CONTINUE, SASL_DONE, SASL_WRONG, SASL_MALFORMED, SASL_FAILED };

/* What the session knows and lends for a step. */
struct sasl_host {
	void *context;
	/* Name and password: as login_check. */
	enum login_answer (*login)(void *context, slice name, slice password,
	    struct deadline deadline, int64_t *account_out, struct error *error);
	/* Name to account, as login_find; false: nobody could say. */
	bool (*find)(
	    void *context, slice name, struct login_account *account_out, struct error *error);
	/* May who has logged in as this account act for another? As directory_may_act. NULL: never. */
	bool (*may_act)(
	    void *context, int64_t account, int64_t other, bool *may_out, struct error *error);
	/* Adds TLS channel binding data of this type ("tls-exporter" RFC 9266, "tls-server-end-point" RFC
	 * 5929); false where the connection has none. */
	bool (*binding)(const struct session *session, slice type, struct buf *out);
	struct session *session;
	struct deadline deadline;
	bool secure;    /* TLS is up, or the listener takes passwords without */
	bool encrypted; /* TLS is up */
	bool scram,
	    scram_plus; /* offered: every account has a verifier, and the administrator allows it */
	unsigned types; /* what the service allows on this connection: bits of enum sasl_type */
	bool kerberos;  /* auth has keys of the service */
	slice
	    certificate; /* names of the account that the client's certificate is for, each with a line feed behind it */
	unsigned layers; /* that GSSAPI may have without TLS (enum kerberos_layer) */
	enum kerberos_service service;
};

struct sasl_mechanism;

struct sasl {
	const struct sasl_mechanism *mechanism; /* NULL: no exchange */
	struct arena *arena;
	int step;
	int64_t account; /* after SASL_DONE */
	slice name;      /* whom the client claims to be; for the log */
	bool
	    layered; /* after SASL_DONE: all that follows is under a security layer, which is `layer` */
	struct session_layer layer;
	void *state; /* the mechanism's, in the arena */
};

struct sasl_mechanism {
	const char *name;
	enum sasl_type type;
	bool client_first; /* it begins with the client's message (RFC 4422 §3.3) */
	bool (*offered)(
	    const struct sasl_host *host); /* can it work, where the service allows it? */
	enum sasl_result (*step)(struct sasl *sasl, const struct sasl_host *host, slice response,
	    struct buf *challenge_out, struct error *error);
	size_t most; /* octets of a decoded response, where they may be more than SASL_MESSAGE */
	bool quick;  /* it checks no password, which takes long */
};

extern const struct sasl_mechanism sasl_plain, sasl_login, sasl_scram, sasl_scram_plus, sasl_gssapi,
    sasl_external;

/* Adds the names of what is offered now, each with `before` in front: " PLAIN SCRAM-SHA-256". */
void sasl_offer(const struct sasl_host *host, const char *before, struct buf *out);
/* The mechanism, case ignored, when it is offered now; else NULL. */
const struct sasl_mechanism *sasl_find(slice name, const struct sasl_host *host);
/* The arena must outlive the exchange. */
void sasl_begin(struct sasl *sasl, const struct sasl_mechanism *mechanism, struct arena *arena);
/* One response of the client; its p is NULL when there is none yet. The challenge is added undecoded. */
enum sasl_result sasl_step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error);

/* What SCRAM is offered by: "auto" (while every account has a verifier for it), "yes" or "no"; and whether
 * its form with channel binding is. Set once at start. */
void sasl_init(const char *scram, bool plus);
/* Which layers GSSAPI is offered with where there is no TLS: "no", "integrity" (and more), "confidentiality". Set once at
 * start. */
void sasl_set_layers(const char *least);
/* Whose names in a client's certificate are names of accounts, for EXTERNAL: "email", "upn", or "no": nobody's. Set
 * once at start. */
void sasl_set_certificates(const char *names);
/* The gates before the role auth, which protocols name for each frame of a login: of those that check a password,
 * which costs auth a core for a while, and of all others, which do not wait behind them; NULL: none. Set once, by
 * whoever made the reactor. */
void sasl_set_gates(struct gate *passwords, struct gate *others);
/* A command with a password. */
struct gate *sasl_password_gate(void);
/* A line of an exchange, or, while there is none, words that begin with a mechanism's name. */
struct gate *sasl_gate(const struct sasl *sasl, slice words);
/* Fills what a session's connection decides; login, find and context are the caller's. */
void sasl_host_fill(struct sasl_host *host, struct session *s);
/* For mechanisms: is it this account's password, unless too many were tried (throttle.h)? */
enum login_answer sasl_check(const struct sasl_host *host, slice name, slice password,
    int64_t *account_out, struct error *error);
/* Name and password, as IMAP's LOGIN and POP3's PASS carry them. */
enum login_answer sasl_password(const struct sasl_host *host, slice name, slice password,
    int64_t *account_out, struct error *error);
/* How long the line that has begun may become (net/session.h, longest): one of an exchange, or a command whose
 * words behind its verb these are, "GSSAPI YII...". 0: no longer than lines usually are. */
size_t sasl_line_most(const struct sasl *sasl, const struct sasl_host *host, slice words);
/* A step in base64, as all three protocols carry it. text.p NULL: no response yet. The challenge is added
 * as base64. "*" cancels: SASL_MALFORMED. */
enum sasl_result sasl_line(struct sasl *sasl, const struct sasl_host *host, slice text,
    struct buf *challenge_out, struct error *error);

#endif
