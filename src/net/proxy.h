/*
 * proxy: the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt, 2.1 and 2.2): a load balancer
 * says in front of everything else whose connection it hands on.
 *
 *     recv(fd, next, sizeof next, MSG_PEEK);
 *     n = proxy_belongs(so_far, next);             (that many octets are the header's: take them)
 *     switch (proxy_parse(so_far, &peer, &why)) ...
 *
 * Pure functions of octets. What is behind the header is never taken: it may be a TLS handshake.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/ip.h"

#define PROXY_MAX 2048 /* octets of a header, with its extensions */

enum proxy_answer {
	PROXY_MORE,  /* a header that has not ended */
	PROXY_PEER,  /* whole; *peer_out is the client */
	PROXY_LOCAL, /* whole; it names nobody: the balancer itself is the client (a health check) */
	PROXY_WRONG, /* no such header; *why_out says why */
};

/* How many of the next octets belong to the header that begins with so_far. At least 1 of them, or the
 * header is whole or wrong. */
size_t proxy_belongs(slice so_far, slice next);
enum proxy_answer proxy_parse(slice header, struct ip *peer_out, const char **why_out);

#endif
