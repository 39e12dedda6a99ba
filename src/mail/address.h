/*
 * address: mail addresses as SMTP commands and our own commands carry them.
 *
 *     struct cursor c = cursor_of(SLICE("<@relay.test:\"a b\"@Example.Test> SIZE=9"));
 *     struct address from;
 *     if (!path_reverse_parse(&c, arena, &from))
 *             return error_input(error, "expected %s at column %zu", c.expected, c.at + 1);
 *     (from.local is "a b", from.domain "example.test", the cursor stands before " SIZE")
 *
 * The local part is kept without its quotes, the domain in lower case with A-labels, both copied into the
 * arena, so an address outlives the command it came from. UTF-8 is taken (RFC 6531 §3.3) and told by
 * `utf8`: whoever needs ASCII refuses it.
 *
 * Addresses in header fields are another grammar: address_list.h.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

/* RFC 5321 §4.5.3.1, in octets; the whole is a path of 256 without its angle brackets. */
#define ADDRESS_LOCAL_MAX  64
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX        254
#define ADDRESS_LABEL_MAX  63

struct address {
	slice local;  /* without quotes and backslashes; never empty but in the null path */
	slice domain; /* lower case, or a literal like "[192.0.2.1]"; empty for "<postmaster>" */
	bool utf8;    /* it was written with octets above 127 */
};

/* Reverse-path of MAIL FROM, "<>" included, which gives two empty slices (RFC 5321 §4.1.2). */
bool path_reverse_parse(struct cursor *c, struct arena *arena, struct address *out);
/* Forward-path of RCPT TO, "<postmaster>" without domain included (RFC 5321 §4.1.1.3, §4.1.2). */
bool path_forward_parse(struct cursor *c, struct arena *arena, struct address *out);
/* The plain form local@domain, without angle brackets (RFC 5321 §4.1.2, Mailbox); all of text. */
bool address_parse(slice text, struct arena *arena, struct address *out);
/* A Domain or address-literal, as EHLO carries it; a lower-case copy (RFC 5321 §4.1.2, §4.1.3). */
bool domain_parse(struct cursor *c, struct arena *arena, slice *out);
/* The null reverse path "<>". */
bool address_is_null(const struct address *address);
/* Equal, the local part compared without case. */
bool address_equal(const struct address *a, const struct address *b);
/* Adds local@domain, the local part quoted where the grammar needs it; nothing for the null path. */
void address_write(const struct address *address, struct buf *out);
/* The same as a copy in the arena. */
slice address_text(struct arena *arena, const struct address *address);

#endif
