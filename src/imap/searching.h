/*
 * searching: walks the messages of the view and finds those that a search asks for, a step at a time.
 *
 *     struct searching *s = searching_new(im);
 *     if (!searching_parse(s, args, &reply)) return reply;
 *     searching_begin(s, heads);
 *     ...
 *     switch (searching_step(s)) { case SEARCHING_DONE: ... s->found }
 *
 * What SEARCH, SORT and THREAD have in common. All of it dies with the command.
 */
#ifndef IMAP_SEARCHING_H
#define IMAP_SEARCHING_H

#include "imap/internal.h"
#include "imap/rows.h"
#include "imap/search.h"

/* search-return-opt, RFC 9051 §6.4.4 */
enum search_return {
	SEARCH_RETURN_MIN = 1,
	SEARCH_RETURN_MAX = 2,
	SEARCH_RETURN_ALL = 4,
	SEARCH_RETURN_COUNT = 8,
	SEARCH_RETURN_SAVE = 16,
};

struct searching {
	struct imap *im;
	struct search *tree;
	bool modseq;                                /* a key asked for one: the answer tells it */
	struct uid_set *found;                      /* the answer */
	int64_t highest, first_modseq, last_modseq; /* of those found */
	/* Called for each message that is found, NULL for nothing; false: s->error says why not. */
	bool (*hit)(struct searching *s, void *context);
	void *context;
	struct rows rows;    /* rows.row is the message under the eye */
	struct arena *arena; /* of this message */

	struct error error;
	/* private */
	bool heads, failed, header_read, text_read;
	struct uid_set *chosen;   /* to look at */
	struct buf message, text; /* its beginning or all of it; as search_text_write() gives it */
	size_t body_at;
};

enum searching_state { SEARCHING_MORE, SEARCHING_DONE, SEARCHING_FAILED };

/* ["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP]; false: it does not stand there. None of
 * them means ALL. */
bool search_returns_parse(struct cursor *args, unsigned *returns_out);
struct searching *searching_new(struct imap *im);
/* [("CHARSET" SP charset SP)] search-key *(SP search-key); bare: the charset has no word before it and must be
 * there (SORT, THREAD). False: *reply_out says why. */
bool searching_parse(
    struct searching *s, struct cursor *args, bool bare, struct imap_reply *reply_out);
/* heads: hit needs rows.row->head. False: *reply_out says why. */
bool searching_begin(struct searching *s, bool heads, struct imap_reply *reply_out);
/* Looks for some milliseconds. FAILED: s->error. */
enum searching_state searching_step(struct searching *s);
/* The beginning of the message under the eye, with its header as far as mail/mime.h looks at it; false: it is gone,
 * or s->failed. */
bool searching_header(struct searching *s, slice *out);

#endif
