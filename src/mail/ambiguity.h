/*
 * ambiguity: what in a message two readers may read in two ways.
 *
 *     struct ambiguities found = { 0 };
 *     ambiguity_note(&found, AMBIGUITY_BARE_CR, part, offset);
 *     for (int kind = ambiguity_next(&found, 0); kind >= 0; kind = ambiguity_next(&found, kind + 1))
 *             ... ambiguity_name(kind), found.of[kind].count, found.of[kind].offset
 *
 * mime_parse() notes what it meets while it finds the parts; mime_inspect() looks at the rest. Each kind is
 * counted, and its first place kept: the part and the offset in the message. Nothing is decided here:
 *
 * - A policy reads names (`mimeAmbiguities` is the list of ambiguity_name()), and `mimeAmbiguous` is whether
 *   ambiguity_effects() holds anything but AMBIGUITY_FORM.
 * - A scanner takes the effect of a kind as the question which views it must make: AMBIGUITY_PARTS (cut the
 *   message at every delimiter that any reader might take), AMBIGUITY_CONTENT (decode by each encoding that
 *   stands there, and not at all), AMBIGUITY_NAME (every name), AMBIGUITY_SENDER (every address),
 *   AMBIGUITY_HIDDEN (something was not looked into: take the octets as they are).
 *
 * Names are stable: they appear in policies and logs. A kind is added at the end.
 */
#ifndef MAIL_AMBIGUITY_H
#define MAIL_AMBIGUITY_H

#include <stddef.h>
#include <stdint.h>

struct part;

enum ambiguity_kind {
	/* fields */
	AMBIGUITY_CONTENT_TYPE_TWICE,
	AMBIGUITY_ENCODING_TWICE,
	AMBIGUITY_DISPOSITION_TWICE,
	AMBIGUITY_CONTENT_FIELD_TWICE, /* another Content-* field */
	AMBIGUITY_FROM_TWICE,
	AMBIGUITY_SUBJECT_TWICE,
	AMBIGUITY_FIELD_TWICE,  /* another field that may be there once */
	AMBIGUITY_FROM_UNCLEAR, /* no address, several without a Sender, a group, or no grammar */
	AMBIGUITY_NO_FIELD,     /* a line in a header that is no field */
	AMBIGUITY_BLANK_BEFORE_COLON,
	AMBIGUITY_BLANK_FOLD,     /* a folded line of blanks only: an end of the header to some */
	AMBIGUITY_HEADER_UNENDED, /* no empty line before a delimiter */
	AMBIGUITY_HEADER_NOT_UTF8,
	AMBIGUITY_NO_MIME_VERSION,
	AMBIGUITY_ENCODED_WORD_BAD,
	/* Content-Type, Content-Disposition and their parameters */
	AMBIGUITY_CONTENT_TYPE_BAD,
	AMBIGUITY_COMMENT, /* in a Content-* field */
	AMBIGUITY_PARAMETER_BAD,
	AMBIGUITY_PARAMETER_TWICE,
	AMBIGUITY_PARAMETER_SECTIONS, /* of RFC 2231: one is missing or there twice, or both forms are there */
	AMBIGUITY_PARAMETER_MANY,
	AMBIGUITY_PARAMETER_ENCODED_WORD,
	AMBIGUITY_NAMES_DIFFER, /* filename, filename*, name, name* */
	AMBIGUITY_CHARSET_UNKNOWN,
	AMBIGUITY_MESSAGE_PARTIAL, /* or external-body: the content is elsewhere */
	/* boundaries */
	AMBIGUITY_BOUNDARY_MISSING, /* absent, empty or not usable */
	AMBIGUITY_BOUNDARY_TWICE,
	AMBIGUITY_BOUNDARY_LONG,
	AMBIGUITY_BOUNDARY_CHARACTER,
	AMBIGUITY_BOUNDARY_BLANK,    /* a blank at its end */
	AMBIGUITY_BOUNDARY_REPEATED, /* that of a multipart around it */
	AMBIGUITY_BOUNDARY_PREFIX,   /* of one around it, or the reverse */
	AMBIGUITY_DELIMITER_TAIL,    /* text after the boundary */
	AMBIGUITY_DELIMITER_MISSING, /* a multipart without any */
	AMBIGUITY_DELIMITER_UNCLOSED,
	AMBIGUITY_DELIMITER_AFTER_END,
	/* encodings */
	AMBIGUITY_ENCODING_UNKNOWN,
	AMBIGUITY_ENCODING_BAD,     /* more than a word: others may take another word of it */
	AMBIGUITY_ENCODING_NESTED,  /* of a multipart or message */
	AMBIGUITY_BASE64_CHARACTER, /* outside of the alphabet */
	AMBIGUITY_BASE64_PADDING,   /* data after it */
	AMBIGUITY_BASE64_CUT,       /* padding missing, or bits left over */
	AMBIGUITY_QUOTED_BAD,       /* '=' without two hexadecimal digits or a line end */
	AMBIGUITY_EIGHT_BIT,        /* octets above 127 where the encoding says there are none */
	AMBIGUITY_ENCODED_LINE,     /* an encoded line longer than 76 */
	/* octets */
	AMBIGUITY_NUL,
	AMBIGUITY_BARE_CR,
	AMBIGUITY_BARE_LF,
	AMBIGUITY_LINE_LONG, /* over 998 octets */
	/* our limits */
	AMBIGUITY_TOO_DEEP,
	AMBIGUITY_TOO_MANY,
	AMBIGUITY_HEADER_CUT,
	AMBIGUITY_SIZE
};

enum ambiguity_effect {
	AMBIGUITY_FORM = 1 << 0,    /* bad form; readers agree nevertheless */
	AMBIGUITY_PARTS = 1 << 1,   /* readers may cut the message into other parts */
	AMBIGUITY_CONTENT = 1 << 2, /* readers may decode other octets, or call them another type */
	AMBIGUITY_NAME = 1 << 3,    /* readers may see another file name */
	AMBIGUITY_SENDER = 1 << 4,  /* readers may see another sender, subject or recipient */
	AMBIGUITY_HIDDEN = 1 << 5,  /* there is something that was not looked into */
};

struct ambiguities {
	uint64_t seen; /* bit 1 << kind */
	struct ambiguity {
		uint32_t count;          /* sticks at its maximum */
		const struct part *part; /* of the first one; lives as long as the tree */
		size_t offset;           /* of the first one, in the message */
	} of[AMBIGUITY_SIZE];
};

/* Counts one; the first of its kind keeps its place. */
void ambiguity_note(
    struct ambiguities *all, enum ambiguity_kind kind, const struct part *part, size_t offset);
/* The first kind seen that is not below `from`; -1 for none. */
int ambiguity_next(const struct ambiguities *all, int from);
/* Effects of all kinds seen; 0 for a message that reads in one way. */
unsigned ambiguity_effects(const struct ambiguities *all);

/* "boundary-repeated"; lower case letters, digits and '-'. */
const char *ambiguity_name(enum ambiguity_kind kind);
/* The paragraph that is not kept: "RFC 2046 §5.1.1". */
const char *ambiguity_reference(enum ambiguity_kind kind);
enum ambiguity_effect ambiguity_effect(enum ambiguity_kind kind);

#endif
