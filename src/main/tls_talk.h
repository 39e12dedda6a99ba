/*
 * tls_talk: lines to and from a listener of ours, for a command that is its client.
 *
 * Blocking; all of a talk has one deadline. The certificate is not looked at: that is `hauberk tls check`'s.
 */
#ifndef MAIN_TLS_TALK_H
#define MAIN_TLS_TALK_H

#include "base/clock.h"
#include "base/slice.h"
#include "main/tls_probe.h"

struct tls_talk {
	int fd;
	SSL_CTX *context;
	SSL *ssl; /* NULL: without TLS */
	struct deadline deadline;
};

/* Connects, with TLS unless it is not wanted, and hears the greeting. After false there is nothing to close. */
bool tls_talk_open(
    const struct tls_target *target, bool tls, struct tls_talk *out, struct error *error);
bool tls_talk_say(struct tls_talk *t, slice octets);
/* One line, without its end; false: it is too long, or none came. */
bool tls_talk_line(struct tls_talk *t, char *line, size_t room);
void tls_talk_close(struct tls_talk *t);

#endif
