/*
 * charset: text in old character sets to UTF-8 (RFC 2046 §4.1.2, RFC 2047, RFC 2231).
 *
 *     struct charsets *set = charsets_open();          (before the sandbox is locked)
 *     if (charset_decode(set, charset, octets, &out) == CHARSET_UNKNOWN) ...
 *
 * The converters are those of a fixed list, opened all at once through glibc's iconv: behind the lock of a
 * role nothing can be loaded. us-ascii, utf-8 and iso-8859-1 need none and work without a set. Every other
 * name is refused: there is no way from a message to a file of the system. Sets are not for threads: each
 * thread has its own.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/buf.h"

struct charsets;

enum charset_result {
	CHARSET_WHOLE,    /* every octet was a character */
	CHARSET_REPLACED, /* some were none: U+FFFD stands for each */
	CHARSET_CUT,      /* out is full */
	CHARSET_UNKNOWN,  /* no such charset, or it is not in the set; nothing was added */
};

/* Opens the converters; one that the system does not have is unknown. Never NULL. */
struct charsets *charsets_open(void);
/* NULL is allowed. */
void charsets_close(struct charsets *set);
/* How many converters are open. */
size_t charsets_count(const struct charsets *set);
/* Would charset_decode know it? Case is ignored; a language behind '*' (RFC 2231 §5) too. */
bool charset_known(const struct charsets *set, slice charset);
/* Adds the text as valid UTF-8. set may be NULL. */
enum charset_result charset_decode(
    struct charsets *set, slice charset, slice octets, struct buf *out);

#endif
