/*
 * parse: the words of IMAP commands (RFC 9051 §9), read off a whole command with a cursor.
 *
 *     parse_space(&c);
 *     slice name = parse_mailbox(&c, arena);
 *     if (!cursor_done(&c))
 *             return imap_reply_syntax(im, &c);
 *
 * Errors are the cursor's: the first thing that was expected and where. What is not contiguous in the
 * command (quoted strings with escapes) is copied into the arena, the rest borrowed.
 */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include "base/arena.h"
#include "base/cursor.h"
#include "mail/section.h"

#define PARSE_FLAGS_MAX  100 /* flags in one list */
#define PARSE_FIELDS_MAX 200 /* names after HEADER.FIELDS */

/* Exactly one space. */
void parse_space(struct cursor *c);
slice parse_tag(struct cursor *c);
slice parse_atom(struct cursor *c, const char *expected);
slice parse_string(struct cursor *c, struct arena *arena);
/* How a message was sent: a literal, a literal8, in which NUL may be, or a literal8 with headers in UTF-8. */
enum parse_form { PARSE_TEXT, PARSE_BINARY, PARSE_UTF8 };
/* The message of APPEND. */
slice parse_message(struct cursor *c, enum parse_form *form_out);
slice parse_astring(struct cursor *c, struct arena *arena);
/* A mailbox name as UTF-8; the command has it so (utf8: RFC 9051 §5.1, RFC 6855 §3), or in modified UTF-7 (RFC
 * 3501 §5.1.3). */
slice parse_mailbox(struct cursor *c, struct arena *arena, bool utf8);
/* The same with wildcards, for LIST. */
slice parse_list_mailbox(struct cursor *c, struct arena *arena, bool utf8);
/* 1 to 2^32-1. */
uint32_t parse_number(struct cursor *c);

struct flag_list {
	int64_t system; /* STORE_SEEN and the like */
	slice *keywords;
	size_t keyword_count;
};

/* A flag list in parentheses, or (`bare`) flags without them (RFC 9051 §6.4.6). */
void parse_flags(struct cursor *c, struct arena *arena, bool bare, struct flag_list *out);
/* "[...]" of BODY, brackets included (RFC 9051 §6.4.5.1). */
void parse_section(struct cursor *c, struct arena *arena, struct section *out);

#endif
