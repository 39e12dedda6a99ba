/*
 * summary: the ENVELOPE and BODYSTRUCTURE of a message as IMAP text (RFC 9051 §7.5.2).
 *
 *     struct buf envelope, structure;
 *     buf_init(&envelope, SUMMARY_MAX); ...
 *     mime_parse(message, arena, &mime);
 *     summary_write(&mime, &envelope, &structure);      (at delivery; both are stored)
 *     structure_strip(stored, out);                     (at FETCH BODY)
 *
 * Written once, at delivery, and sent unchanged ever after, so a FETCH of 10,000 envelopes parses
 * nothing. Strings are quoted, or literals where they hold octets above 127; NUL and bare CR become
 * blanks, blanks in a Subject are one. Types, encodings and parameter names keep their case. Encoded words
 * stay as they are; sections of RFC 2231 are put together (its §6).
 */
#ifndef MAIL_SUMMARY_H
#define MAIL_SUMMARY_H

#include "base/buf.h"
#include "mail/mime.h"

#define SUMMARY_MAX        (256 * 1024) /* of an envelope, or a structure: what bufs are made with */
#define SUMMARY_STRING     8192         /* octets of one header value that are kept */
#define SUMMARY_PARAMETERS 64           /* of one Content-Type or Content-Disposition */
#define SUMMARY_JOINED     8            /* names of them whose RFC 2231 sections are put together */

/* Fills both. What grows beyond out->max is replaced by a short form: an envelope of NILs, a
 * structure that calls the message one application/octet-stream. */
void summary_write(const struct mime *mime, struct buf *envelope, struct buf *structure);
/* Adds the ENVELOPE of a message's header, parentheses included. */
void envelope_write(slice header, struct buf *out);
/* Adds the BODYSTRUCTURE of a part and all that is in it. */
void structure_write(const struct part *part, struct buf *out);
/* Adds the BODY of a BODYSTRUCTURE that structure_write made: without extension data. */
void structure_strip(slice structure, struct buf *out);

/* Adds a string of IMAP: quoted, or a literal (RFC 9051 §4.3). */
void imap_string_write(slice text, struct buf *out);
/* NIL when text.p is NULL, else a string. */
void imap_nstring_write(slice text, struct buf *out);

#endif
