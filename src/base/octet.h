/*
 * octet: classes of characters, one table for all grammars.
 *
 *     while (cursor.p < end && octet_is(*p, OCTET_ATEXT)) ...
 */
#ifndef BASE_OCTET_H
#define BASE_OCTET_H

#include <stdbool.h>
#include <stdint.h>

enum octet_class {
	OCTET_ALPHA = 1 << 0,
	OCTET_DIGIT = 1 << 1,
	OCTET_HEX = 1 << 2,
	OCTET_BLANK = 1 << 3,     /* SP, TAB */
	OCTET_ATEXT = 1 << 4,     /* RFC 5322 §3.2.3, without UTF-8 */
	OCTET_TOKEN = 1 << 5,     /* RFC 2045 §5.1: MIME token */
	OCTET_FIELD = 1 << 6,     /* RFC 5322 §3.6.8: header field name */
	OCTET_IMAP_ATOM = 1 << 7, /* RFC 9051: ATOM-CHAR */
	OCTET_CONTROL = 1 << 8,   /* 0-31, 127 */
	OCTET_UTF8 = 1 << 9,      /* 128-255 */
	OCTET_VISIBLE = 1 << 10,  /* 33-126 */
};

extern const uint16_t octet_classes[256];

static inline bool octet_is(char c, unsigned classes)
{
	return (octet_classes[(unsigned char)c] & classes) != 0;
}

/* ASCII lower case. */
static inline char octet_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* 0-15 of a hexadecimal digit, -1 for anything else. */
static inline int octet_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = octet_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
