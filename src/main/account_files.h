/*
 * account_files: how mailboxes and flags are written into names and header lines of files.
 *
 * A mailbox "Work/Entwürfe" is the file or folder "Work.Entw&APw-rfe" (Maildir++: a dot between levels; modified UTF-7,
 * RFC 3501 §5.1.3); a dot in a name is "&AC4-". Flags are the letters of Maildir (D draft, F flagged, R answered, S seen,
 * T deleted), keywords a to z, whose names stand in the file `dovecot-keywords` beside them.
 */
#ifndef MAIN_ACCOUNT_FILES_H
#define MAIN_ACCOUNT_FILES_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"

#define FILES_MESSAGE_MAX  ((size_t)256 << 20) /* octets of a message that is imported */
#define FILES_KEYWORDS     26
#define FILES_NAME_MAX     200 /* octets of a file name that a mailbox becomes */
#define FILES_KEYWORD_FILE "dovecot-keywords"

enum files_format { FILES_UNKNOWN, FILES_MAILDIR, FILES_MBOX, FILES_EML };

enum files_format files_format_of(const char *word);
/* Adds the name of a file; false: it would be too long. */
bool files_name_write(slice mailbox, struct buf *out);
/* Adds the mailbox's name, of one that another program wrote too; false: there is none for it. */
bool files_name_read(slice file, struct buf *out);

/* Adds the letters, in the order of their octets. keywords: bit of the keyword of each letter, -1 for none. */
void files_letters_write(int64_t flags, const int *keywords, struct buf *out);
int64_t files_letters_read(slice letters, const int *keywords);

#endif
