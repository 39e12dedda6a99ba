/*
 * sort: the order that SORT asks for (RFC 5256 §3, RFC 5957).
 *
 *     sort_parse(&c, &order);
 *     sort_add(&order, charsets, row, arena, scratch);      for each message
 *     sort_finish(&order);
 *     order.rows[0 .. order.n - 1].uid
 */
#ifndef IMAP_SORT_H
#define IMAP_SORT_H

#include "base/arena.h"
#include "base/cursor.h"
#include "mail/charset.h"
#include "store/store.h"

#define SORT_CRITERIA 20     /* in one command */
#define SORT_ROWS     300000 /* messages: bounds what a command keeps */
#define SORT_KEY      200    /* octets of a text that are compared */
#define SORT_MEMORY   (160u << 20)

enum sort_kind {
	SORT_ARRIVAL,
	SORT_DATE,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_FROM,
	SORT_TO,
	SORT_CC,
	SORT_DISPLAY_FROM,
	SORT_DISPLAY_TO,
};

struct sort_value {
	int64_t number;
	slice text;
};

struct sort_row {
	uint32_t uid;
	struct sort_value *values; /* one for each criterion */
};

struct sort_order {
	struct {
		enum sort_kind kind;
		bool reverse;
	} criteria[SORT_CRITERIA];
	size_t criteria_count;
	struct sort_row *rows;
	size_t n, room;
	size_t kept; /* octets in the arena */
};

/* "(" sort-criterion *(SP sort-criterion) ")" */
void sort_parse(struct cursor *c, struct sort_order *out);
/* Notes a message, whose row has its head; keeps what it needs in arena, scratch is only used now. False: there are
 * too many. */
bool sort_add(struct sort_order *order, struct charsets *charsets, const struct store_row *row,
    struct arena *arena, struct arena *scratch);
/* Equal ones stand in the order in which they were added. */
void sort_finish(struct sort_order *order);

/* What of a message's envelope SORT and THREAD compare: the Date, or the arrival (RFC 5256 §2.2), in seconds; the
 * base subject in arena. */
int64_t sort_date(slice date, const struct store_row *row);
slice sort_subject(struct charsets *charsets, slice subject, struct arena *arena, bool *reply_out);

#endif
