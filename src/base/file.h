/*
 * file: reading whole small files, writing them durably.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

/* Reads the file at `path` into out (which is cleared first); more than out->max octets is an error. */
bool file_read(const char *path, struct buf *out, struct error *error);
/* Reads an open descriptor from offset 0 to its end. */
bool file_read_fd(int fd, const char *name, struct buf *out, struct error *error);
/* All of data at the descriptor's position, EINTR and short writes seen to. */
bool file_write_all(int fd, slice data, struct error *error);
/* Replaces path by data: written beside it, synced, renamed, the folder synced. Mode as given. */
bool file_replace(const char *path, slice data, unsigned mode, struct error *error);
/* Syncs a folder, so that names made or removed in it are durable. */
bool folder_sync(const char *path, struct error *error);
/* Makes a folder with this mode; one that exists is fine. */
bool folder_make(const char *path, unsigned mode, struct error *error);

#endif
