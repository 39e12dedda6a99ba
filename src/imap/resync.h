/*
 * resync: what SELECT tells a client that knew the mailbox before (RFC 7162 §3.2.5).
 *
 *     resync_parse(&c, arena, &resync);                  "(uidvalidity modseq [uids] [(numbers uids)])"
 *     ... the mailbox is open
 *     if (!resync_begin(im, &resync, &error)) ...
 *     while (!resync_step(im, &resync)) ... the output must drain first
 *
 * UIDs that are gone, then the flags of what changed.
 */
#ifndef IMAP_RESYNC_H
#define IMAP_RESYNC_H

#include "imap/internal.h"
#include "imap/rows.h"

struct resync {
	bool wanted, running;
	uint32_t uidvalidity;
	int64_t since;
	struct sequence known, match_numbers, match_uids;
	bool has_known, has_match;
	struct uid_set *changed, *vanished; /* still to tell */
	struct rows rows;
};

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
void resync_parse(struct cursor *c, struct arena *arena, struct resync *out);
/* Looks what happened; nothing where the client knew another UIDVALIDITY. The command's arena frees it. */
bool resync_begin(struct imap *im, struct resync *r, struct error *error);
/* True: all is told. A failure on the way is logged, and what it hides is asked for by no one (the client's
 * modseq then is lower than the mailbox's, and it comes again). */
bool resync_step(struct imap *im, struct resync *r);

#endif
