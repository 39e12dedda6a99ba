/* spf_macro: what macros stand for (RFC 7208 §7). */
#ifndef TRUST_SPF_MACRO_H
#define TRUST_SPF_MACRO_H

#include "trust/spf.h"

struct spf_macros {
	const struct spf_question *question;
	slice sender, local, sender_domain; /* with "postmaster" where there is no local part */
	slice domain;                       /* whose record it is */
	bool ipv6;
	/* The name of the client's address that %{p} stands for; called when it is wanted. */
	slice (*validated)(void *context);
	void *context;
};

/* Expands a string that spf_macro_valid takes. */
slice spf_expand(const struct spf_macros *m, slice text);
/* The same to a domain name: of more than 253 octets labels at the left go (§7.3), a dot at the end too. */
slice spf_expand_domain(const struct spf_macros *m, slice text);

#endif
