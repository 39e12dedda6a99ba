/*
 * account_mbox: the messages of an mbox file, one after another, whatever is in it.
 *
 *     struct mbox mbox;
 *     mbox_open(&mbox, fd);
 *     while (mbox_next(&mbox, &message, &error))
 *             ... message.text, with LF line ends as they are in the file
 *     mbox_close(&mbox);
 *
 * A message begins with a line "From " at the beginning of the file or behind an empty line; "mboxrd" quoting is taken
 * off. Status, X-Status and X-Keywords are read and taken out. Memory: a message of FILES_MESSAGE_MAX, however long the file
 * or its lines are.
 */
#ifndef MAIN_ACCOUNT_MBOX_H
#define MAIN_ACCOUNT_MBOX_H

#include "base/buf.h"
#include "base/error.h"

#define MBOX_PIECE 65536

struct mbox {
	int fd;
	char *piece;
	size_t at, n;    /* of the piece */
	uint64_t offset; /* in the file, of what is taken next */
	bool line_start, ended, in_message;
	char from[128]; /* the line that began the message */
	uint64_t from_offset;
};

struct mbox_message {
	struct buf text;     /* the caller's, with its maximum */
	struct buf keywords; /* with blanks between */
	int64_t received_us; /* 0: the file does not say */
	int64_t flags;
	uint64_t offset; /* where in the file it begins */
	bool too_large;  /* text is not it */
};

void mbox_open(struct mbox *m, int fd);
void mbox_close(struct mbox *m);
/* false: the end, or error->fault is set: it does not read, or is no mbox. */
bool mbox_next(struct mbox *m, struct mbox_message *out, struct error *error);

#endif
