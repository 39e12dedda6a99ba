#include "mail/idna.h"

#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>

#include "base/encode.h"
#include "base/octet.h"

#define LONGEST 1024 /* octets of a domain that is looked at; 255 are allowed in the end */

bool idna_needed(slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if (octet_is(text.p[i], OCTET_UTF8))
			return true;
	return false;
}

/* Is all of it that is ASCII what a host name may hold? */
static bool is_host(slice domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (!octet_is(domain.p[i], OCTET_ALPHA | OCTET_DIGIT | OCTET_UTF8) &&
		    domain.p[i] != '-' && domain.p[i] != '.')
			return false;
	return true;
}

static slice lower_copy(slice text, struct arena *arena)
{
	char *copy = arena_str(arena, text);

	for (size_t i = 0; i < text.n; i++)
		copy[i] = octet_lower(copy[i]);
	return (slice){ copy, text.n };
}

bool idna_ascii(slice domain, struct arena *arena, slice *out)
{
	uint8_t *ascii = NULL;

	*out = lower_copy(domain, arena);
	if (!idna_needed(domain))
		return true;
	/* The library would drop some of the rest, and take the name for another. */
	if (domain.n > LONGEST || !is_host(domain) || !utf8_valid(domain))
		return false;
	/* A copy, because it ends in NUL. */
	int code = idn2_lookup_u8((const uint8_t *)out->p, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES);
	if (code != IDN2_OK)
		return false;
	*out = lower_copy(slice_of((const char *)ascii), arena);
	idn2_free(ascii);
	return true;
}

slice idna_fold_local(slice local, struct arena *arena)
{
	size_t n = 0;

	if (!idna_needed(local) || !utf8_valid(local))
		return lower_copy(local, arena);
	uint8_t *folded =
	    u8_casefold((const uint8_t *)local.p, local.n, NULL, UNINORM_NFC, NULL, &n);
	if (!folded)
		return lower_copy(local, arena);
	slice copy = arena_copy(arena, (slice){ (const char *)folded, n });
	free(folded);
	return copy;
}
