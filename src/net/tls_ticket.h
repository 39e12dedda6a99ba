/*
 * tls_ticket: session tickets (RFC 5077, RFC 8446 §4.6.1) under keys that all processes share.
 *
 * main makes the keys and hands them to every process that shakes hands: the present one, with which
 * tickets are made, and the one before, which is still taken. So a client may resume at any process.
 */
#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/slice.h"

/* 16 octets of name, 32 for AES-256-CBC, 32 for HMAC-SHA256 */
#define TLS_TICKET_KEY 80

/* One or two keys of TLS_TICKET_KEY octets, the present one first; from any thread. */
bool tls_tickets_set(slice keys, struct error *error);
/* Have any come? */
bool tls_tickets_there(void);
/* Tickets of this context's sessions are made with these keys. */
void tls_tickets_use(SSL_CTX *ssl);

#endif
