/*
 * parse: from the text to the tree, by recursive descent, one function a production.
 *
 * After an error it goes on at the next statement or declaration, so that all errors of a file come in one run.
 * Nesting, words, nodes and files are bounded.
 */
#ifndef SCRIPT_POLICY_PARSE_H
#define SCRIPT_POLICY_PARSE_H

#include "script/policy/ast.h"
#include "script/policy/lex.h"

#define NESTING_MAX 64
#define NODES_MAX   1000000
#define HEIGHT_MAX  200

/* A statement or declaration with an error in it, left out of the tree. */
struct skipped {
	struct skipped *next;
	struct range range;
};

struct tree {
	struct decl *first, *last;
	uint32_t count, rules;
	struct skipped *skipped; /* what could not be read */
	bool alone;              /* imports are not followed */
	bool dead;               /* not read to its end: not worth checking */
};

struct parser {
	struct sources *src;
	struct arena *arena;
	struct lexer lexer;
	struct token now;
	uint32_t end; /* where the word before ended */
	bool failed;  /* an error was said; go up to where it goes on */
	bool dead;    /* a bound was passed; nothing more is read */
	unsigned depth;
	uint32_t *nodes; /* of all files */
	struct tree *tree;
};

/* Reads the file of this index, and all that it imports unless `alone`, into the tree. */
void policy_parse(struct sources *src, uint32_t file, bool alone, struct tree *tree);
/* Reads a file that is one session. NULL: nothing in it, or errors. */
struct step *session_parse(struct sources *src, uint32_t file);

/* ---- between the files of the parser ---- */

void parser_begin(struct parser *p, struct sources *src, uint32_t file, uint32_t *nodes);
bool parser_fail(struct parser *p, struct range range, const char *hint, const char *what);
/* "expected X" at the word in hand; always false. */
bool parser_expected(struct parser *p, const char *what);
/* The same, where nothing is missing but the word does not belong. */
bool parser_stray(struct parser *p, const char *what);
void parser_next(struct parser *p);
bool parser_at(const struct parser *p, const char *mark);
bool parser_at_word(const struct parser *p, const char *word);
/* Takes it if it comes. */
bool parser_try(struct parser *p, const char *mark);
bool parser_try_word(struct parser *p, const char *word);
/* Takes it, or fails. */
bool parser_want(struct parser *p, const char *mark);
bool parser_string(struct parser *p, slice *out);
bool parser_name(struct parser *p, const char *what, slice *out);
bool parser_enter(struct parser *p);
struct node *node_new(struct parser *p, enum node_kind kind, struct range range);
/* Sets a height from a kid; fails when the tree is too high. */
void node_grow(struct parser *p, struct node *n, const struct node *kid);
/* The words up to and with the next ';', or up to a '}'. */
void parser_skip(struct parser *p);

/* From this octet to the word before now nothing was read. */
void parser_skipped(struct parser *p, uint32_t from);

struct node *parse_expr(struct parser *p);
struct node *parse_const(struct parser *p);
struct node *parse_list(struct parser *p);
struct node *parse_block(struct parser *p);
struct node *parse_name_or_call(struct parser *p);
struct node *parse_text(struct parser *p);
bool is_reserved(slice word);
bool is_verdict(slice word);
struct step *parse_session(struct parser *p);

#endif
