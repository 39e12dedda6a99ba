/*
 * tls: TLS on a session's socket, never waiting.
 *
 * The private key is not in this process: a signature is asked from the role keys by name (tls_key.h). So a
 * handshake step may block on that question and runs in a worker; reading and writing never do. A session
 * that is resumed by its ticket (tls_ticket.h) asks nobody.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/error.h"
#include "net/tls_hosts.h"
#include "net/tls_settings.h"

struct tls_context;
struct tls;

enum tls_result { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

/* A server's context: what is shown by default (n pairs, at most TLS_PAIRS), and to whom asks for one of the
 * hosts (NULL: none; the context holds them too). A ticket is good for the host that was asked for, its
 * certificates and these settings. */
struct tls_context *tls_context_new(const struct tls_pair *pairs, int n, struct tls_hosts *hosts,
    const struct tls_settings *settings, struct error *error);
/* Connections that are there keep it as long as they live. */
void tls_context_free(struct tls_context *c);

/* Server side of a connection on a non-blocking socket, which stays the caller's. */
struct tls *tls_new(struct tls_context *c, int fd);
/* One step. TLS_FAILED: why holds OpenSSL's reason. */
enum tls_result tls_handshake(struct tls *t, char *why, size_t why_size);
/* Only the client's Finished is still awaited (TLS 1.3, RFC 8446 §4.4.4): the next step asks nobody, and
 * judges no certificate. */
bool tls_nearly_done(const struct tls *t);
/* Reads at most n octets: TLS_DONE and *got_out, or what it waits for. */
enum tls_result tls_read(struct tls *t, char *p, size_t n, size_t *got_out);
enum tls_result tls_write(struct tls *t, slice data, size_t *written_out);
/* Octets were received that the socket does not show any more; maybe not yet a whole record. */
bool tls_pending(const struct tls *t);
/* Sends close_notify, once, if it goes at once. */
void tls_end(struct tls *t);
/* tls_end, and frees. */
void tls_free(struct tls *t);
/* Frees what OpenSSL keeps for the calling thread, which uses TLS no more: a thread that ends together with
 * the process may not come to it by itself. */
void tls_thread_end(void);
/* Adds channel binding data: "tls-exporter" (RFC 9266; TLS 1.3 only) or "tls-server-end-point" (RFC
 * 5929 §4). false: no such type here. */
bool tls_binding(const struct tls *t, slice type, struct buf *out);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
const char *tls_text(const struct tls *t);
/* After the handshake: did it go on with an earlier session? */
bool tls_resumed(const struct tls *t);
/* After the handshake: the subject of the client's certificate (RFC 4514), when one of the listener's
 * authorities vouches for it; "" otherwise. */
const char *tls_client(const struct tls *t);
/* Which names of a client's certificate. */
enum tls_client_name {
	TLS_CLIENT_EMAIL, /* rfc822Name (RFC 5280 §4.2.1.6) */
	TLS_CLIENT_UPN, /* a user principal name, as Active Directory's smart cards carry it ([MS-WCCE] szOID_NT_PRINCIPAL_NAME) */
};
/* After the handshake: adds these names of the client's certificate, each with a line feed behind it, when one of
 * the listener's authorities vouches for it; those with a control character are left out. */
void tls_client_names(const struct tls *t, enum tls_client_name kind, struct buf *out);
/* Why nobody vouches for the certificate that the client has shown; "" when somebody does, or it has
 * shown none. */
const char *tls_client_fault(const struct tls *t);

#endif
