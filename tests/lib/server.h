/*
 * server: one protocol on a real reactor with a store in a temporary folder, and clients that talk to
 * it over sockets.
 *
 *     server_start(&imap_protocol);
 *     int fd = server_connect();
 *     server_say(fd, "a NOOP\r\n");
 *     server_hear(fd, "a OK done\r\n");
 *     server_stop();
 *
 * Failures end the test with the text that came. Waits at most ten seconds.
 */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#include "net/session.h"
#include "store/store.h"
#include "vault/login.h"

/* Passwords are accepted without TLS; four workers. */
void server_start(const struct protocol *protocol);
/* The same with plain_login off. */
void server_start_strict(const struct protocol *protocol);
/* The same with workers of the test's own making; their memory is not a store. */
void server_start_workers(const struct protocol *protocol, void *(*worker_start)(void *context),
    void (*worker_stop)(void *worker));
void server_stop(void);
/* The temporary folder; it dies with the server. */
const char *server_root(void);
int server_connect(void);
void server_say(int fd, const char *text);
/* Reads exactly this. */
void server_hear_at(int fd, const char *want, const char *file, int line);
#define server_hear(fd, want) server_hear_at((fd), (want), __FILE__, __LINE__)
/* Reads up to and with the line that begins with `start`, which is added to *out. */
void server_hear_line(int fd, const char *start, struct buf *out);
/* The other side has closed. */
void server_hear_end(int fd);

/* What protocols are set up with: alice's password is "secret" (account 1), bob's "geheim" (2). */
struct store *server_store(void *worker);
/* Another one of the test's own, to be freed by it. */
struct store *server_store_new(void);
enum login_answer server_login(void *worker, slice name, slice password, struct deadline deadline,
    int64_t *account_out, struct error *error);
bool server_find(void *worker, slice name, struct login_account *account_out, struct error *error);
/* Wakes whoever watches this key. */
void server_notice(uint64_t key);

#endif
