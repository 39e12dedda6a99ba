/*
 * access: who may connect to a listener (the access and flow control of the server).
 *
 *     access_publish(access_new(rules, count));        (whenever the rules have changed)
 *     struct access_verdict verdict = access_enter(listener, peer, &pass);
 *     if (verdict.answer == ACCESS_ADMITTED) ... limits_leave(&pass) at its end ...
 *
 * A rule denies or allows the addresses of a set, on one listener, for one service (a protocol), or everywhere.
 * Rules of the listener are read before those of the service, these before those of all; among the rules of
 * one scope that match, the one with the lowest priority number decides. Who is allowed by a rule has that
 * rule's limits; whom no rule names has those of the listener and of the service.
 */
#ifndef NET_ACCESS_H
#define NET_ACCESS_H

#include "base/ip.h"
#include "net/session.h"
#include "proc/limits.h"

struct access_rule {
	int64_t id;
	bool allow;
	int64_t priority;     /* the lowest decides; of two, the one that denies */
	slice scope;          /* a listener (access_listener), "smtp", or "all" */
	struct ip_set *from;  /* whom it is about */
	struct limits limits; /* of a rule that allows; 0: any number */
};

struct access;

/* A listener as the scope of a rule: "192.0.2.1:25", "[2001:db8::1]:25", however its address is written. false:
 * the host is no IP address. */
#define ACCESS_LISTENER 64
bool access_listener(slice host, int64_t port, char out[ACCESS_LISTENER]);

/* Takes the sets over; the texts are copied. */
struct access *access_new(const struct access_rule *rules, size_t count);
/* NULL is allowed. */
void access_free(struct access *access);
/* The rule that decides for this address on a listener of a service; NULL: none. */
const struct access_rule *access_find(
    const struct access *access, slice listener, slice service, const struct ip *ip);

/* Makes these the rules of this process from now on; from any thread. It is freed when others come. */
void access_publish(struct access *access);

enum access_answer { ACCESS_ADMITTED, ACCESS_DENIED, ACCESS_CROWDED };

struct access_verdict {
	enum access_answer answer;
	int64_t rule;     /* that decided; 0: none */
	enum limit limit; /* that is reached */
	int64_t most;     /* what it allows */
};

/* How many connections the rule has decided about in the last hour, in all processes. */
int access_uses(int64_t rule);

/* May this peer connect? Counts it, if so. */
struct access_verdict access_enter(
    const struct listener *listener, slice peer, struct limits_pass *pass);

#endif
