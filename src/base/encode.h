/*
 * encode: base64 (RFC 4648 §4), hexadecimal, UTF-8 (RFC 3629), CRC-32C.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

/* Adds the base64 of data, with padding, without line breaks. */
void base64_encode(slice data, struct buf *out);
/* Strict: alphabet and padding as in RFC 4648 §4, no blanks. false (and nothing added) otherwise. */
bool base64_decode(slice text, struct buf *out);
/* Adds lower-case hexadecimal. */
void hex_encode(slice data, struct buf *out);
bool hex_decode(slice text, struct buf *out);
/* Valid UTF-8, no surrogates, nothing overlong, at most U+10FFFF. */
bool utf8_valid(slice text);
/* CRC-32C (Castagnoli) of data, continued from `before` (0 at the start). */
uint32_t crc32c(uint32_t before, slice data);

#endif
