/*
 * subject: what a Subject is about, without "Re:" and the like (RFC 5256 §2.1).
 *
 *     bool reply;
 *     slice base = subject_base(text, &reply);       "re: [list] Fwd: hello (fwd)" gives "hello"
 *
 * One pass, whatever the subject.
 */
#ifndef IMAP_SUBJECT_H
#define IMAP_SUBJECT_H

#include "base/slice.h"

/* A part of subject, which must be decoded and folded (fold.h), its blanks single spaces. *reply_out: it said
 * that it answers or forwards. */
slice subject_base(slice subject, bool *reply_out);

#endif
