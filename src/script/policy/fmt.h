/* fmt: lays a policy's text out in one way. Words and comments stay as they are, in their order. */
#ifndef SCRIPT_POLICY_FMT_H
#define SCRIPT_POLICY_FMT_H

#include "script/policy/parse.h"

/* Adds the text laid out anew: four blanks a level, a statement a line, at most one empty line between. false:
 * the text cannot be read; messages say why. Laying out what was laid out changes nothing. */
bool policy_fmt(struct sources *src, uint32_t file, struct buf *out);

#endif
