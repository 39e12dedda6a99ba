/* spf_record: a record of RFC 7208 §12 as terms. Pure; what it finds points into the text. */
#ifndef TRUST_SPF_RECORD_H
#define TRUST_SPF_RECORD_H

#include "trust/spf.h"

enum spf_kind { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS };

struct spf_term {
	enum spf_kind kind;
	char qualifier; /* + - ~ ? */
	slice text;     /* as it stands there, without the qualifier */
	slice domain;   /* a domain-spec; empty: the domain itself */
	struct ip ip;
	unsigned prefix4, prefix6; /* of A and MX; of IP4 and IP6 their own */
};

struct spf_record {
	struct spf_term *terms;
	size_t count;
	slice redirect, exp; /* p NULL: there is none */
};

/* Is it one of version 1 (§4.5)? */
bool spf_is_record(slice text);
/* false: *why_out says what is wrong with *term_out. */
bool spf_record_parse(
    slice text, struct arena *arena, struct spf_record *out, const char **why_out, slice *term_out);

/* Is it a macro-string (§7.1)? Of explanations c, r, t and spaces are allowed, too. */
bool spf_macro_valid(slice text, bool explanation);

#endif
