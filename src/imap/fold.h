/*
 * fold: text in lower case, so that a search finds it whatever its case.
 *
 * UTF-8 of ASCII, Latin, Greek, Cyrillic and Armenian letters, as far as both cases have the same length; other
 * octets stay. Simpler than i;unicode-casemap (RFC 5051): nothing is decomposed.
 */
#ifndef IMAP_FOLD_H
#define IMAP_FOLD_H

#include <stddef.h>

/* In place. Any octets. */
void fold(char *text, size_t n);

#endif
