/*
 * names: what a domain and a local part may look like here.
 *
 * Errors are the input's and say what is wrong, at which octet, and what to write instead.
 */
#ifndef DIRECTORY_NAMES_H
#define DIRECTORY_NAMES_H

#include "base/error.h"
#include "base/slice.h"

/* Labels of letters, digits and hyphens (RFC 5321 §4.1.2 Domain), or U-labels in UTF-8 whose A-labels (RFC 5890)
 * are so. */
bool names_check_domain(slice name, struct error *error);
/* A dot-atom (RFC 5322 §3.2.3, with UTF-8 as in RFC 6532), at most 64 octets. RFC 6532 would allow the
 * controls U+0080 to U+009F; terminals obey them. */
bool names_check_local(slice local, struct error *error);
/* Where the first control character stands, of ASCII or of those above; the length when there is none. */
size_t names_find_control(slice text);

#endif
