/*
 * tls_hosts: what this server shows to whoever asks for a host by name (SNI, RFC 6066 §3).
 *
 * An identity is one host's certificates: an ECDSA one, an RSA one, or both; OpenSSL takes the one that the
 * client can verify. Hosts are identities under names: an exact name wins over a wildcard. They are made
 * once, shared by the contexts of a process, and then only read, from any thread.
 */
#ifndef NET_TLS_HOSTS_H
#define NET_TLS_HOSTS_H

#include "base/buf.h"
#include "base/error.h"

#define TLS_PAIRS       2 /* of one host: one ECDSA, one RSA */
#define TLS_HOST_DIGEST 32

struct ssl_st;
struct ssl_ctx_st;
struct tls_identity;
struct tls_hosts;

/* A certificate with its key. */
struct tls_pair {
	slice chain; /* PEM, leaf first */
	slice key;   /* the name under which the role keys holds its private key */
};

struct tls_hosts *tls_hosts_new(void);
/* The caller's hold; they live on while a context has them. NULL is allowed. */
void tls_hosts_free(struct tls_hosts *hosts);
/* n pairs, 1 to TLS_PAIRS, under names in lower case with line feeds between them:
 * "a.example\n*.a.example". A name that is there already stays what it is. */
bool tls_hosts_add(
    struct tls_hosts *hosts, slice names, const struct tls_pair *pairs, int n, struct error *error);

/* Adds the host names in the certificate (its subjectAltNames) in lower case, with line feeds between
 * them. false: it is no certificate, or has none. */
bool tls_names_of(slice chain, struct buf *out, struct error *error);
/* A host's name, or a wildcard for the whole first label (RFC 6125 §6.4.3); ASCII. */
bool tls_name_valid(slice name);

/* For tls.c: NULL and error when a certificate cannot be used. */
struct tls_identity *tls_identity_new(const struct tls_pair *pairs, int n, struct error *error);
void tls_identity_free(struct tls_identity *identity);
/* Shows it in all handshakes of a context, or in that of one connection. */
bool tls_identity_use_always(const struct tls_identity *identity, struct ssl_ctx_st *ssl);
bool tls_identity_use(const struct tls_identity *identity, struct ssl_st *ssl);
/* SHA-256 of its certificates, TLS_HOST_DIGEST octets. */
const unsigned char *tls_identity_digest(const struct tls_identity *identity);
struct tls_hosts *tls_hosts_hold(struct tls_hosts *hosts);
/* Of a name in lower case; NULL: none. Borrowed as long as the hosts are held. */
const struct tls_identity *tls_hosts_find(const struct tls_hosts *hosts, slice name);

#endif
