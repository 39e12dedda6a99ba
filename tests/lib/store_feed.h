/*
 * store_feed: whole conversations with a protocol that shows a store, for fuzz targets.
 *
 *     store_feed(pop3_init, &pop3_protocol, input);
 *
 * The store is in a temporary folder and lives from the first input to the end of the process. "a" logs in
 * with any password; its INBOX has two messages to begin with.
 */
#ifndef TESTS_STORE_FEED_H
#define TESTS_STORE_FEED_H

#include "net/session.h"
#include "store/host.h"

void store_feed(
    void (*init)(const struct store_host *host), const struct protocol *protocol, slice input);

#endif
