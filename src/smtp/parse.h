/*
 * parse: the arguments of SMTP commands; pure functions of the line.
 *
 * Each takes the cursor behind the verb and says through it what was expected and where.
 */
#ifndef SMTP_PARSE_H
#define SMTP_PARSE_H

#include "base/arena.h"
#include "mail/address.h"

#define SMTP_NO_SIZE UINT64_MAX

struct mail_arguments {
	struct address sender;
	uint64_t size;  /* SIZE= (RFC 1870), SMTP_NO_SIZE when it was not given */
	unsigned flags; /* enum envelope_flag: BODY=, SMTPUTF8, REQUIRETLS, RET= */
	slice id;       /* ENVID= (RFC 3461 §4.4), borrowed from the line */
	slice unknown;  /* the first parameter that is not ours, empty: none */
};

struct rcpt_arguments {
	struct address recipient;
	slice as_written; /* the address between the angle brackets, in the arena */
	unsigned notify;  /* enum envelope_notify (RFC 3461 §4.1) */
	slice original;   /* ORCPT= (RFC 3461 §4.2), borrowed from the line */
	slice unknown;
};

/* "EHLO" SP ( Domain / address-literal ): RFC 5321 §4.1.1.1. HELO takes what people really send too. */
bool parse_hello(struct cursor *c, struct arena *arena, slice *domain_out);
/* "MAIL FROM:" Reverse-path [SP Mail-parameters]: RFC 5321 §4.1.1.2 */
bool parse_mail(struct cursor *c, struct arena *arena, struct mail_arguments *out);
/* "RCPT TO:" Forward-path [SP Rcpt-parameters]: RFC 5321 §4.1.1.3 */
bool parse_rcpt(struct cursor *c, struct arena *arena, struct rcpt_arguments *out);
/* "AUTH" SP mechanism [SP initial-response]: RFC 4954 §4. No response: its p is NULL. */
bool parse_auth(struct cursor *c, slice *mechanism_out, slice *response_out);
/* *( SP NAME=value ) of XCLIENT, one at a time: the value decoded from xtext, in the arena; "[UNAVAILABLE]"
 * and "[TEMPUNAVAIL]" are empty. false at the end, or with an error in the cursor. */
bool parse_xclient(struct cursor *c, struct arena *arena, slice *name_out, slice *value_out);
/* What VRFY and EXPN name (RFC 5321 §4.1.1.6), perhaps in angle brackets, perhaps with SMTPUTF8 behind it
 * (RFC 6531 §3.7.4.2). */
bool parse_name(struct cursor *c, struct arena *arena, struct address *out);

#endif
