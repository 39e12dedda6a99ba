/*
 * inspect: everything in a parsed message that two readers may read in two ways.
 *
 *     mime_parse(message, arena, &mime);
 *     mime_inspect(&mime, set);
 *     ... mime.ambiguities (ambiguity.h)
 *
 * mime_parse notes what bears on the tree: boundaries, delimiters, limits. mime_inspect adds fields that are
 * there twice, parameters, file names, encodings and octets. It decodes every encoded body once to see its
 * faults, so it is for whoever judges a message (policies, scanners), not for whoever shows it.
 */
#ifndef MAIL_INSPECT_H
#define MAIL_INSPECT_H

#include "mail/charset.h"
#include "mail/mime.h"

#define INSPECT_PARAMETERS 64 /* of one field; more are noted as too many, and not compared */
#define INSPECT_SECTIONED  8  /* names of them that have RFC 2231 sections; the same */

/* Adds to mime->ambiguities; to be called once for a tree. set may be NULL: then charsets that need a
 * converter are unknown. Time grows with the message's length. */
void mime_inspect(struct mime *mime, struct charsets *set);

#endif
