/*
 * encoded_word: header text with encoded words as UTF-8 (RFC 2047, RFC 6532).
 *
 *     struct buf text;
 *     buf_init(&text, 8192);
 *     unsigned flags = encoded_words_decode(set, field.value, &text);
 *
 * Tolerant, and always valid UTF-8: words may be longer than 75 octets and stand next to anything; one with a
 * blank or a '?' inside is none; a character cut between two words of one charset is put together again.
 * One pass. What does not fit into out is cut off (out->full).
 */
#ifndef MAIL_ENCODED_WORD_H
#define MAIL_ENCODED_WORD_H

#include "base/buf.h"
#include "mail/charset.h"

#define ENCODED_WORD_MOST 75 /* octets (RFC 2047 §2); longer ones are decoded and flagged */

enum encoded_word_flag {
	ENCODED_WORD_SEEN = 1 << 0,
	ENCODED_WORD_BAD = 1 << 1,     /* too long, not apart from other text, or bad inside */
	ENCODED_WORD_CHARSET = 1 << 2, /* of a charset that is not known: it stays as it stands */
	ENCODED_WORD_RAW = 1 << 3,     /* octets outside of words that are not UTF-8: U+FFFD each */
};

/* Adds the value, unfolded and decoded; flags say what was met. set may be NULL. */
unsigned encoded_words_decode(struct charsets *set, slice value, struct buf *out);

#endif
