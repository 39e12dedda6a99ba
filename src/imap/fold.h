/*
 * fold: text without cases, so that a search finds it whatever its case.
 *
 * Each character becomes the small letter of its capital, as Unicode has them: as in i;unicode-casemap (RFC 5051 §2),
 * but nothing is decomposed. What is no UTF-8 stays, and the two letters that would grow (U+023A, U+023E).
 */
#ifndef IMAP_FOLD_H
#define IMAP_FOLD_H

#include <stddef.h>

/* In place; how many octets are left of n. Any octets. */
size_t fold(char *text, size_t n);

#endif
