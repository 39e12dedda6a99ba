/*
 * ip: addresses of hosts and sets of them.
 *
 *     struct ip_set *set = ip_set_new(SLICE("10.0.0.0/8 192.0.2.1 2001:db8::1-2001:db8::ff"), &error);
 *     struct ip who;
 *     if (ip_parse(SLICE("::ffff:10.1.2.3"), &who) && ip_set_has(set, &who)) ...
 *     ip_set_free(set);
 *
 * An IPv4 address and the same one mapped into IPv6 (RFC 4291 §2.5.5.2) are one. Pure functions.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/error.h"
#include "base/slice.h"

struct ip {
	uint8_t octets[16]; /* IPv6, or IPv4 mapped into it */
};

/* "192.0.2.1" or "2001:db8::1"; no brackets, no zone. */
bool ip_parse(slice text, struct ip *out);
/* Writes it in its one usual form, IPv4 as IPv4 (RFC 5952); true: it is IPv6. */
#define IP_TEXT 46
bool ip_write(const struct ip *ip, char out[IP_TEXT]);
/* <0, 0, >0 */
int ip_compare(const struct ip *a, const struct ip *b);

struct ip_set;

/* Networks "10.0.0.0/8", ranges "10.0.0.1-10.0.0.9" and single addresses with blanks or commas between
 * them. NULL and error: which of them is wrong, and why. Empty text is an empty set. */
struct ip_set *ip_set_new(slice text, struct error *error);
/* NULL is allowed. */
void ip_set_free(struct ip_set *set);
/* Takes time that grows with the logarithm of the set's size. NULL has nobody. */
bool ip_set_has(const struct ip_set *set, const struct ip *ip);

#endif
