/*
 * pattern: mailbox names and the wildcards of LIST (RFC 9051 §6.3.9).
 */
#ifndef IMAP_PATTERN_H
#define IMAP_PATTERN_H

#include "base/slice.h"

#define PATTERN_WILDCARDS 20 /* more match nothing */

/* "*" is any text, "%" any text without "/"; INBOX in any case. */
bool pattern_matches(slice pattern, slice name);

#endif
