/*
 * crlf: line ends as messages are kept.
 *
 *     struct buf room = { 0 };
 *     slice kept = crlf_of(text, &room);
 *     ... buf_free(&room);
 */
#ifndef MAIL_CRLF_H
#define MAIL_CRLF_H

#include "base/buf.h"

/* The text with CRLF line ends, and with no CR or LF alone, which another program could take for one (RFC 5321 §2.3.8):
 * text itself where it is so already, else a copy in room. */
slice crlf_of(slice text, struct buf *room);

#endif
