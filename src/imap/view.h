/*
 * view: the selected mailbox as this session knows it, and how it hears of changes.
 *
 * The client counts messages by position, so what is gone may only be told when it expects that
 * (RFC 9051 §7.5.1). Until then the view keeps the old UIDs; store/ has moved on. view_sync_begin
 * looks what happened since the last time, view_sync_step tells it, as far as the output has room.
 */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H

#include "base/arena.h"
#include "imap/rows.h"
#include "store/store.h"

struct imap;

#define VIEW_OWN 32

struct view {
	int64_t mailbox; /* 0: none is selected */
	bool read_only;
	uint32_t uidvalidity, uidnext;
	int64_t modseq;        /* all changes up to this one are known */
	struct uid_set uids;   /* position + 1 is the message sequence number */
	struct uid_set recent; /* those, and others, of which this session was told first */
	struct uid_set saved;  /* "$" */
	/* Changes this session made and told its client itself. */
	int64_t own[VIEW_OWN];
	size_t own_count;
	/* The last change was ours, and in its transaction there was no other: no need to look. */
	bool fresh;
	size_t keyword_count; /* of which the client has been told */
};

/* Changes on their way to the client. */
struct view_sync {
	bool running;
	struct arena *arena;
	struct store_mailbox mailbox; /* as it is now */
	struct uid_set changed, vanished;
	struct rows rows; /* of those changed */
	bool counted;
	bool new_first; /* EXISTS before EXPUNGE (RFC 8508 §3.3); set before the begin */
};

enum view_found { VIEW_SAME, VIEW_CHANGED, VIEW_LOST };

void view_close(struct view *v);
/* Makes recent what no session was told of: for this session only, unless it may not, or cannot, write. */
void view_claim(struct imap *im, const struct store_mailbox *now);
/* How many messages are recent (RFC 3501 §7.3.2). */
uint32_t view_recent(const struct view *v);
/* Notes that a change of flags by us needs no telling. Where nobody else changed anything before it, the view is up to
 * date; but a new keyword must be announced. */
void view_own(
    struct view *v, const struct store_notice *notice, const struct store_flag_change *change);
/* Looks for changes; may_expunge: the client expects numbers to change. VIEW_LOST: the mailbox was
 * deleted. */
enum view_found view_sync_begin(struct imap *im, bool may_expunge);
/* Tells; true when all is told, false when the output must drain first. */
bool view_sync_step(struct imap *im);
void view_sync_end(struct view_sync *sync);
/* "* n EXPUNGE" for those of set that are in the view, highest first, taking them out of both; or, where the client
 * knows QRESYNC, VANISHED (RFC 7162 §3.2.10). False when the output must drain first. */
bool view_expunge(struct imap *im, struct uid_set *set);
/* "* VANISHED [(EARLIER)] uids", taking them out of set, and out of the view if not earlier. */
bool view_vanished(struct imap *im, struct uid_set *set, bool earlier);
/* "* n FETCH (UID n FLAGS ...)" */
void view_tell(struct imap *im, const struct store_row *row);

#endif
