/*
 * tls_settings: what a listener allows in its handshakes: versions, ciphers, clients' certificates.
 *
 * Each part can be tried alone, so that a configuration is told all its mistakes at once:
 *
 *     for (enum tls_part part = 0; part < TLS_PARTS; part++)
 *             if (!tls_settings_check(&settings, part, &error)) ...
 */
#ifndef NET_TLS_SETTINGS_H
#define NET_TLS_SETTINGS_H

#include "base/error.h"
#include "base/slice.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

enum tls_client_auth { TLS_CLIENT_NO, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

struct tls_settings {
	const char *versions;  /* "TLSv1.2 TLSv1.3" */
	const char *ciphers;   /* up to TLS 1.2, as openssl-ciphers(1) writes it */
	const char *ciphers13; /* of TLS 1.3, names with colons between them */
	bool server_order;     /* the server's order of ciphers decides, not the client's */
	enum tls_client_auth client_auth;
	slice client_ca;  /* PEM of those who may have signed a client's certificate */
	int client_depth; /* of authorities between them and the client's certificate */
	const char *alpn; /* protocols spoken, "imap", with blanks between them; NULL: whatever */
	int ticket_s;     /* how long a session may be resumed; 0: not at all */
};

enum tls_part { TLS_VERSIONS, TLS_CIPHERS, TLS_CIPHERS13, TLS_CLIENTS, TLS_PARTS };

/* Both versions, OpenSSL's ciphers, no question for certificates. */
extern const struct tls_settings tls_settings_usual;

/* Would this part be taken? What is wrong is in error, for a person. */
bool tls_settings_check(
    const struct tls_settings *settings, enum tls_part part, struct error *error);
/* All parts, into a context; alpn is looked at later and must live as long as it. */
bool tls_settings_apply(
    struct ssl_ctx_st *ssl, const struct tls_settings *settings, struct error *error);
/* Is a version below 1.2 among them (RFC 8996: not to be used)? */
bool tls_settings_outdated(const char *versions);

#endif
