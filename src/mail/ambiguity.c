#include "mail/ambiguity.h"

_Static_assert(AMBIGUITY_SIZE <= 64, "ambiguities.seen has a bit for each kind");

struct row {
	const char *name, *reference;
	enum ambiguity_effect effect;
};

static const struct row rows[AMBIGUITY_SIZE] = {
	[AMBIGUITY_CONTENT_TYPE_TWICE] = { "content-type-twice", "RFC 2045 §3", AMBIGUITY_PARTS },
	[AMBIGUITY_ENCODING_TWICE] = { "encoding-twice", "RFC 2045 §3", AMBIGUITY_CONTENT },
	[AMBIGUITY_DISPOSITION_TWICE] = { "disposition-twice", "RFC 2183 §2", AMBIGUITY_NAME },
	[AMBIGUITY_CONTENT_FIELD_TWICE] = { "content-field-twice", "RFC 2045 §3", AMBIGUITY_FORM },
	[AMBIGUITY_FROM_TWICE] = { "from-twice", "RFC 5322 §3.6", AMBIGUITY_SENDER },
	[AMBIGUITY_SUBJECT_TWICE] = { "subject-twice", "RFC 5322 §3.6", AMBIGUITY_SENDER },
	[AMBIGUITY_FIELD_TWICE] = { "field-twice", "RFC 5322 §3.6", AMBIGUITY_SENDER },
	[AMBIGUITY_FROM_UNCLEAR] = { "from-unclear", "RFC 5322 §3.6.2", AMBIGUITY_SENDER },
	[AMBIGUITY_NO_FIELD] = { "no-field", "RFC 5322 §2.2", AMBIGUITY_PARTS },
	[AMBIGUITY_BLANK_BEFORE_COLON] = { "blank-before-colon", "RFC 5322 §4.5", AMBIGUITY_PARTS },
	[AMBIGUITY_BLANK_FOLD] = { "blank-fold", "RFC 5322 §4.2", AMBIGUITY_PARTS },
	[AMBIGUITY_HEADER_UNENDED] = { "header-unended", "RFC 2046 §5.1", AMBIGUITY_PARTS },
	[AMBIGUITY_HEADER_NOT_UTF8] = { "header-not-utf8", "RFC 6532 §3.2", AMBIGUITY_SENDER },
	[AMBIGUITY_NO_MIME_VERSION] = { "no-mime-version", "RFC 2045 §4", AMBIGUITY_FORM },
	[AMBIGUITY_ENCODED_WORD_BAD] = { "encoded-word-bad", "RFC 2047 §2", AMBIGUITY_SENDER },
	[AMBIGUITY_CONTENT_TYPE_BAD] = { "content-type-bad", "RFC 2045 §5.2", AMBIGUITY_PARTS },
	[AMBIGUITY_COMMENT] = { "comment", "RFC 5322 §3.2.2", AMBIGUITY_CONTENT },
	[AMBIGUITY_PARAMETER_BAD] = { "parameter-bad", "RFC 2045 §5.1", AMBIGUITY_NAME },
	[AMBIGUITY_PARAMETER_TWICE] = { "parameter-twice", "RFC 2045 §5.1", AMBIGUITY_NAME },
	[AMBIGUITY_PARAMETER_SECTIONS] = { "parameter-sections", "RFC 2231 §3", AMBIGUITY_NAME },
	[AMBIGUITY_PARAMETER_MANY] = { "parameter-many", "RFC 2231 §3", AMBIGUITY_HIDDEN },
	[AMBIGUITY_PARAMETER_ENCODED_WORD] = { "parameter-encoded-word", "RFC 2047 §5",
	    AMBIGUITY_NAME },
	[AMBIGUITY_NAMES_DIFFER] = { "names-differ", "RFC 2183 §2.3", AMBIGUITY_NAME },
	[AMBIGUITY_CHARSET_UNKNOWN] = { "charset-unknown", "RFC 2046 §4.1.2", AMBIGUITY_NAME },
	[AMBIGUITY_MESSAGE_PARTIAL] = { "message-partial", "RFC 2046 §5.2.2", AMBIGUITY_HIDDEN },
	[AMBIGUITY_BOUNDARY_MISSING] = { "boundary-missing", "RFC 2046 §5.1.1", AMBIGUITY_PARTS },
	[AMBIGUITY_BOUNDARY_TWICE] = { "boundary-twice", "RFC 2046 §5.1.1", AMBIGUITY_PARTS },
	[AMBIGUITY_BOUNDARY_LONG] = { "boundary-long", "RFC 2046 §5.1.1", AMBIGUITY_PARTS },
	[AMBIGUITY_BOUNDARY_CHARACTER] = { "boundary-character", "RFC 2046 §5.1.1",
	    AMBIGUITY_PARTS },
	[AMBIGUITY_BOUNDARY_BLANK] = { "boundary-blank", "RFC 2046 §5.1.1", AMBIGUITY_PARTS },
	[AMBIGUITY_BOUNDARY_REPEATED] = { "boundary-repeated", "RFC 2046 §5.1.2", AMBIGUITY_PARTS },
	[AMBIGUITY_BOUNDARY_PREFIX] = { "boundary-prefix", "RFC 2046 §5.1.1", AMBIGUITY_PARTS },
	[AMBIGUITY_DELIMITER_TAIL] = { "delimiter-tail", "RFC 2046 §5.1.1", AMBIGUITY_PARTS },
	[AMBIGUITY_DELIMITER_MISSING] = { "delimiter-missing", "RFC 2046 §5.1", AMBIGUITY_PARTS },
	[AMBIGUITY_DELIMITER_UNCLOSED] = { "delimiter-unclosed", "RFC 2046 §5.1.2",
	    AMBIGUITY_PARTS },
	[AMBIGUITY_DELIMITER_AFTER_END] = { "delimiter-after-end", "RFC 2046 §5.1.1",
	    AMBIGUITY_PARTS },
	[AMBIGUITY_ENCODING_UNKNOWN] = { "encoding-unknown", "RFC 2045 §6.4", AMBIGUITY_CONTENT },
	[AMBIGUITY_ENCODING_BAD] = { "encoding-bad", "RFC 2045 §6.1", AMBIGUITY_CONTENT },
	[AMBIGUITY_ENCODING_NESTED] = { "encoding-nested", "RFC 2045 §6.4", AMBIGUITY_PARTS },
	[AMBIGUITY_BASE64_CHARACTER] = { "base64-character", "RFC 2045 §6.8", AMBIGUITY_CONTENT },
	[AMBIGUITY_BASE64_PADDING] = { "base64-padding", "RFC 2045 §6.8", AMBIGUITY_CONTENT },
	[AMBIGUITY_BASE64_CUT] = { "base64-cut", "RFC 2045 §6.8", AMBIGUITY_CONTENT },
	[AMBIGUITY_QUOTED_BAD] = { "quoted-bad", "RFC 2045 §6.7", AMBIGUITY_CONTENT },
	[AMBIGUITY_EIGHT_BIT] = { "eight-bit", "RFC 2045 §6.2", AMBIGUITY_CONTENT },
	[AMBIGUITY_ENCODED_LINE] = { "encoded-line", "RFC 2045 §6.8", AMBIGUITY_FORM },
	[AMBIGUITY_NUL] = { "nul", "RFC 5322 §4", AMBIGUITY_CONTENT },
	[AMBIGUITY_BARE_CR] = { "bare-cr", "RFC 5322 §2.3", AMBIGUITY_PARTS },
	[AMBIGUITY_BARE_LF] = { "bare-lf", "RFC 5322 §2.3", AMBIGUITY_PARTS },
	[AMBIGUITY_LINE_LONG] = { "line-long", "RFC 5322 §2.1.1", AMBIGUITY_FORM },
	[AMBIGUITY_TOO_DEEP] = { "too-deep", "RFC 2046 §5.1.2", AMBIGUITY_HIDDEN },
	[AMBIGUITY_TOO_MANY] = { "too-many", "RFC 2046 §5.1", AMBIGUITY_HIDDEN },
	[AMBIGUITY_HEADER_CUT] = { "header-cut", "RFC 5322 §2.1", AMBIGUITY_HIDDEN },
};

void ambiguity_note(
    struct ambiguities *all, enum ambiguity_kind kind, const struct part *part, size_t offset)
{
	struct ambiguity *one = &all->of[kind];

	if (one->count == 0) {
		one->part = part;
		one->offset = offset;
		all->seen |= UINT64_C(1) << kind;
	}
	one->count += one->count < UINT32_MAX;
}

int ambiguity_next(const struct ambiguities *all, int from)
{
	for (int kind = from; kind < AMBIGUITY_SIZE; kind++)
		if (all->of[kind].count)
			return kind;
	return -1;
}

unsigned ambiguity_effects(const struct ambiguities *all)
{
	unsigned effects = 0;

	for (int kind = ambiguity_next(all, 0); kind >= 0; kind = ambiguity_next(all, kind + 1))
		effects |= rows[kind].effect;
	return effects;
}

const char *ambiguity_name(enum ambiguity_kind kind)
{
	return rows[kind].name;
}

const char *ambiguity_reference(enum ambiguity_kind kind)
{
	return rows[kind].reference;
}

enum ambiguity_effect ambiguity_effect(enum ambiguity_kind kind)
{
	return rows[kind].effect;
}
