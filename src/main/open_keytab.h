/*
 * open_keytab: the keytab, which only main may read, in sealed memory for the role auth.
 */
#ifndef MAIN_OPEN_KEYTAB_H
#define MAIN_OPEN_KEYTAB_H

#include <sys/stat.h>

#include "main/conf.h"

struct open_keytab {
	int fd;           /* sealed; empty where there is no keytab */
	struct stat file; /* as it was read; zero: it could not be opened */
};

/* Reads it, and says in the log what is wrong with its keys and mends it. false: it cannot be read, or is no
 * keytab with a key. */
bool open_keytab(const struct conf *conf, struct open_keytab *out, struct error *error);
/* Is the file another than that which was read? One that is not there now is not. */
bool open_keytab_changed(const struct conf *conf, const struct open_keytab *k);
void open_keytab_close(struct open_keytab *k);

#endif
