/*
 * spf: may this address send mail for that domain (RFC 7208)?
 *
 *     struct spf_question q = { .dns = &host, .peer = ip, .sender = SLICE("ann@example.org"),
 *             .helo = SLICE("mail.example.org"), .receiver = SLICE("mx.example.net"), .arena = s->turn };
 *     struct spf_answer a;
 *     spf_check(&q, &a);
 *     if (a.result == SPF_FAIL) ... 550, a.explanation ...
 *
 * The question of an empty sender, and one about HELO itself, is asked with "postmaster@" and HELO (§2.3, §2.4). Every
 * check has an end: 10 terms that ask, 2 questions without an answer (§4.6.4), and the questions' deadlines.
 */
#ifndef TRUST_SPF_H
#define TRUST_SPF_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/dns.h"

enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

/* Who answers questions: the domain name system, or a test's table. */
struct spf_dns {
	void *context;
	/* As dns_ask, within a deadline of its own. */
	void (*ask)(void *context, slice name, enum dns_type type, struct arena *arena,
	    struct dns_answer *out);
};

struct spf_question {
	const struct spf_dns *dns;
	struct ip peer;
	slice sender; /* of MAIL FROM, without angle brackets; empty: the question is about HELO */
	slice helo;   /* as the client said it */
	slice receiver; /* our own name; for explanations */
	struct arena *arena;
	struct buf *trace; /* NULL: none; a line for each step */
};

struct spf_answer {
	enum spf_result result;
	slice domain;    /* whose mail it says it is: of the sender or HELO */
	slice mechanism; /* the term that decided, "ip4:192.0.2.0/24"; "default" when none did */
	slice of;        /* whose record it stands in */
	slice
	    explanation; /* of SPF_FAIL: what the domain says to the sender (§6.2); empty: nothing */
	const char *why; /* for a person: what decided, or what is wrong */
	unsigned terms, voids,
	    range; /* how many terms asked; questions without answer; bits of the network that matched, 0: none */
};

void spf_check(const struct spf_question *question, struct spf_answer *answer_out);
/* "pass" and so on, as RFC 8601 §2.7.2 writes them. */
const char *spf_result_name(enum spf_result result);
/* Adds the field Received-SPF (§9.1) with its line end. */
void spf_received(
    const struct spf_question *question, const struct spf_answer *answer, struct buf *out);

#endif
