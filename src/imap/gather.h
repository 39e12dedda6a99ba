/*
 * gather: puts a command together from its lines and literals (RFC 9051 §2.2.1, RFC 7888).
 *
 *     switch (gather_line(&g, line)) {
 *     case GATHER_WHOLE: ... buf_slice(&g.text) is the command, literals inside as "{3}CRLFabc"
 *     case GATHER_LITERAL: ... gather_literal() is wanted next, with g.literal octets
 *     ...
 *
 * Only finds the ends; what a command means is for parse.h.
 */
#ifndef IMAP_GATHER_H
#define IMAP_GATHER_H

#include "base/buf.h"

struct gather {
	struct buf text;
	size_t literal;     /* octets of the literal that is to come */
	size_t literal_max; /* longest literal accepted */
};

enum gather_result {
	GATHER_WHOLE,
	GATHER_LITERAL,      /* the client waits for "+" */
	GATHER_LITERAL_PLUS, /* the client sends it without waiting */
	GATHER_TOO_BIG,      /* refuse; the client waits for our word */
	GATHER_TOO_BIG_PLUS, /* the client is sending it already: nothing but closing helps */
};

void gather_init(struct gather *g, size_t text_max, size_t literal_max);
enum gather_result gather_line(struct gather *g, slice line);
void gather_literal(struct gather *g, slice octets);
/* Ready for the next command; gives the memory back. */
void gather_reset(struct gather *g);

#endif
