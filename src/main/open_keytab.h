/*
 * open_keytab: the keytab, which only main may read, in sealed memory for the role auth.
 */
#ifndef MAIN_OPEN_KEYTAB_H
#define MAIN_OPEN_KEYTAB_H

#include <sys/stat.h>

#include "main/conf.h"

#define KEYTAB_FILES 16

struct open_keytab {
	int fd;                          /* sealed, all files as one; empty where there is none */
	struct stat files[KEYTAB_FILES]; /* as they were read; zero: it could not be opened */
};

/* The file at this place among those of kerberos.keytab, in the arena; NULL: there are no more. */
const char *open_keytab_path(const struct conf *conf, int i, struct arena *arena);
/* Reads them, and says in the log what is wrong with their keys and mends it. false: one cannot be read, or is no
 * keytab with a key. */
bool open_keytab(const struct conf *conf, struct open_keytab *out, struct error *error);
/* After a failure: the files count as looked at, as `failed` has read them. */
void open_keytab_seen(
    const struct conf *conf, struct open_keytab *k, const struct open_keytab *failed);
/* Is a file another than that which was read? One that is not there now is not. */
bool open_keytab_changed(const struct conf *conf, const struct open_keytab *k);
void open_keytab_close(struct open_keytab *k);

#endif
