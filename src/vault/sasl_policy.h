/*
 * sasl_policy: which ways to log in a service offers, with TLS and without.
 *
 *     unsigned types;
 *     if (!sasl_types_read(SLICE("scram-sha-256 plain gssapi"), &types, &error)) ... which is wrong, and why ...
 *     sasl_policy_set(KERBEROS_IMAP, &(struct sasl_policy){ .secure_types = types, ... });
 *
 * A mechanism that a list names is offered where it can work: GSSAPI while there are keys, SCRAM while every
 * account has a verifier. A connection of a listener with plainLogin counts as one with TLS.
 */
#ifndef VAULT_SASL_POLICY_H
#define VAULT_SASL_POLICY_H

#include "base/error.h"
#include "base/slice.h"
#include "vault/keytab.h"

struct session;

/* Mechanisms that there are, as bits. */
enum sasl_type {
	SASL_SCRAM_PLUS = 1,
	SASL_SCRAM = 2,
	SASL_PLAIN = 4,
	SASL_LOGIN = 8,
	SASL_GSSAPI = 16,
	SASL_EXTERNAL = 32,
	SASL_ALL = 63,
	/* What somebody may guess at. */
	SASL_GUESSES = SASL_SCRAM_PLUS | SASL_SCRAM | SASL_PLAIN | SASL_LOGIN,
};

struct sasl_policy {
	unsigned secure_types, plain_types; /* bits of enum sasl_type: with TLS, without */
	bool secure_login, plain_login;     /* IMAP's LOGIN, POP3's USER and PASS */
};

/* Names of mechanisms with blanks or commas between them, in any case. false: one is unknown, or is known and
 * not there, with the reason. */
bool sasl_types_read(slice text, unsigned *types_out, struct error *error);
/* Set once at start for each service that is spoken; before, everything is offered with TLS and nothing without. */
void sasl_policy_set(enum kerberos_service service, const struct sasl_policy *policy);
/* What the session's service offers on its connection: bits of enum sasl_type. */
unsigned sasl_types_of(const struct session *s);
/* Are the commands with a password taken on it? */
bool sasl_login_allowed(const struct session *s);
/* Whom tickets of a session must be for, by what is spoken. */
enum kerberos_service sasl_service_of(const struct session *s);

#endif
