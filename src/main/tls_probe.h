/*
 * tls_probe: one TLS connection to a listener as a client makes it, for `hauberk tls check`.
 *
 * Blocking; every step has a deadline. Nothing is refused that the server shows: what is wrong with it is for
 * whoever asked.
 */
#ifndef MAIN_TLS_PROBE_H
#define MAIN_TLS_PROBE_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/error.h"

struct tls_target {
	const char *protocol, *address;
	int port;
	bool starttls;
	const char *host; /* asked for by name, and wanted in the certificate */
};

/* What the client offers; 0 and NULL: whatever OpenSSL knows. */
struct tls_offer {
	int version;
	const char *signatures;
	SSL_SESSION *session;
};

struct tls_probe {
	bool spoken;  /* the server took the offer */
	bool asked;   /* for a certificate of the client, which has none */
	bool refused; /* because of that */
	bool resumed;
	int version;
	const char *cipher;     /* OpenSSL's */
	long verified;          /* X509_V_OK: the system's authorities vouch for the chain */
	STACK_OF(X509) * chain; /* as it was sent, leaf first; NULL: none */
	SSL_SESSION *session;   /* with a ticket; NULL: none came */
};

/* false and error: nobody there, no STARTTLS. That no handshake came about is a result. */
bool tls_probe(const struct tls_target *target, const struct tls_offer *offer,
    struct tls_probe *out, struct error *error);
void tls_probe_free(struct tls_probe *p);

/* The steps of it, for tls_talk.h: a socket, or -1; TLS is begun by STARTTLS or STLS; what OpenSSL wants is there, false:
 * it wants nothing more, or the time is over. */
int tls_probe_dial(const struct tls_target *t, struct deadline deadline, struct error *error);
bool tls_probe_starttls(const struct tls_target *t, int fd, struct deadline deadline);
bool tls_probe_again(SSL *ssl, int returned, struct deadline deadline);

#endif
