/*
 * append_binary: messages with binary parts, as IMAP without BINARY can show them (RFC 3516 §4.4).
 *
 *     if (!append_binary(octets, &room)) ... NUL where no part says binary
 *
 * A leaf whose Content-Transfer-Encoding is binary becomes base64, the same of a multipart or a message becomes
 * 8bit; all else stays, with CRLF line ends.
 */
#ifndef IMAP_APPEND_BINARY_H
#define IMAP_APPEND_BINARY_H

#include "base/buf.h"

/* Initialises room, which the caller frees. */
bool append_binary(slice message, struct buf *room);

#endif
