/*
 * feed: a protocol's session that is fed octets, without a reactor's thread, for fuzz targets.
 *
 *     struct feed *f = feed_open(&listener, worker);
 *     feed_input(f, octets);
 *     feed_close(f);
 *
 * Every handler runs in the caller's thread; what the session answers is thrown away. Sessions that are
 * held are waited for.
 */
#ifndef TESTS_FEED_H
#define TESTS_FEED_H

#include "net/session.h"

struct feed;

struct feed *feed_open(const struct listener *listener, void *worker);
/* false: the session has ended. */
bool feed_input(struct feed *f, slice octets);
void feed_close(struct feed *f);
/* A whole conversation; a NUL parts what comes at once from what comes later. */
void feed_all(const struct listener *listener, void *worker, slice input);

#endif
