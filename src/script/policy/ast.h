/* ast: a policy as a tree. Every node knows where it stands in the text; all of it is the compiler's arena's. */
#ifndef SCRIPT_POLICY_AST_H
#define SCRIPT_POLICY_AST_H

#include "script/policy/source.h"
#include "script/vm/set.h"

enum base {
	BASE_ANY, /* the constant "", which fits anywhere; and what has no type after an error */
	BASE_TEXT,
	BASE_NUMBER,
	BASE_SIZE,
	BASE_DURATION,
	BASE_IP,
	BASE_DOMAIN,
	BASE_ADDRESS,
	BASE_YESNO,
	BASE_CHOICE,
	BASE_BODY,
};

struct type {
	enum base base;
	bool list;          /* list of base */
	bool kb;            /* a size whose bare number is KB */
	const char *choice; /* the words, with blanks between */
};

enum node_kind {
	/* expressions */
	NODE_CONST,   /* value; quoted or a number as written in text */
	NODE_TEXT,    /* kids: what is joined */
	NODE_NAME,    /* text */
	NODE_CALL,    /* text, kids: arguments */
	NODE_REGEX,   /* text, exact */
	NODE_OR,      /* kids */
	NODE_AND,     /* kids */
	NODE_NOT,     /* a */
	NODE_COMPARE, /* mark, a, b */
	NODE_IN,      /* a; b: LIST or NAME */
	NODE_MATCHES, /* a; b: LIST of CONST and REGEX, or NAME */
	NODE_SUM,     /* mark one of + - * /, a, b */
	NODE_NEG,     /* a */
	NODE_LIST,    /* kids: ITEM */
	NODE_ITEM,    /* text (a string's value) or number, last; a: CONST after `to` */
	/* statements */
	NODE_SET,     /* text, a */
	NODE_EXPORT,  /* text */
	NODE_DO,      /* a: CALL */
	NODE_IF,      /* kids: BRANCH */
	NODE_SWITCH,  /* a, kids: BRANCH */
	NODE_BRANCH,  /* if: a (none: else), b; switch: list of constants in a (none: default), b */
	NODE_FOREACH, /* text, a: NAME or CALL, b */
	NODE_RETURN,
	NODE_VERDICT, /* text: word; number: code or 0; text2: enhanced code; a: text */
	NODE_BLOCK,   /* kids */
};

struct node {
	uint8_t kind;
	char mark[2];    /* an operator */
	uint16_t height; /* of the tree below, so that walking it is bounded */
	bool quoted;     /* a constant in quotes */
	bool exact;      /* a regular expression that minds case */
	bool is_range;   /* an item with two ends */
	bool is_number;  /* an item or constant that is a number */
	char unit;       /* of a number: as struct token */
	struct range range;
	uint32_t from, to; /* of a statement: octets [from, to), the whole of it */
	slice text, text2;
	int64_t number, last;
	struct value value;
	struct node *a, *b, *kids, *next;
	/* By the checker: */
	struct type type;
	bool peer;             /* a client or a message said it */
	uint32_t ref;          /* variable, builtin, method or table */
	uint8_t ref_kind;      /* enum ref_kind */
	const struct set *set; /* of a list after in or matches */
};

enum ref_kind { REF_NONE, REF_VARIABLE, REF_CUSTOM, REF_LOCAL, REF_FUNC, REF_BUILTIN, REF_TABLE };

enum decl_kind { DECL_TABLE, DECL_RULE, DECL_EVENT, DECL_METHOD, DECL_TEST };

enum table_source { SOURCE_LIST, SOURCE_FILE, SOURCE_SQL, SOURCE_DIRECTORY };

struct param {
	struct param *next;
	slice name;
	struct range range;
	struct type type;
};

/* What a policy declares, in the order of the text. */
struct decl {
	struct decl *next;
	enum decl_kind kind;
	struct range range; /* of its name */
	struct range whole;
	slice name;
	struct node *body; /* BLOCK */
	/* rule */
	unsigned priority;
	slice at_event;
	struct range at_range;
	bool disabled, shadow, any;
	struct node *when; /* conditions */
	/* method */
	struct param *params;
	/* table */
	slice key_type;
	struct type to;
	bool has_to;
	enum table_source source;
	slice source_text, attribute;
	struct node *items;
	struct range source_range;
	uint32_t cache;
	/* test */
	struct step *steps;
};

enum step_kind {
	STEP_GIVEN, /* text: name; values; args of a check; outputs */
	STEP_GIVEN_DNS,
	STEP_GIVEN_FILTER,
	STEP_GIVEN_TIME,
	STEP_CONNECT,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_AUTH,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_RSET,
	STEP_QUIT,
	STEP_WAIT,
	STEP_PROCESS,
	STEP_RELAY,
	STEP_FAIL,
	STEP_EXPECT,      /* verdict: word, code, enhanced, glob, rule */
	STEP_EXPECT_RULE, /* not; string */
	STEP_EXPECT_DID,  /* not; call */
	STEP_EXPECT_TRUE, /* expr */
};

/* A fact that a session is given: a variable's value, or one that a check sets. */
struct given {
	struct given *next;
	slice name;
	struct range range;
	struct node *values; /* CONST */
	bool list;
};

/* A line of a session. */
struct step {
	struct step *next;
	enum step_kind kind;
	struct range range;
	slice text, text2, text3;
	bool negative, flag, is_call;
	int64_t number;
	uint32_t code;
	struct node
	    *expr; /* EXPECT_TRUE: a condition; EXPECT_DID: a CALL or NAME; GIVEN: arguments */
	struct given *given;
};

#endif
