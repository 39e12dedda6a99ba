/*
 * smtp: receiving mail (RFC 5321), from anybody and from our own users (RFC 6409).
 *
 *     struct smtp_conf conf = { .hostname = "mail.example.test", ..., .spool = spool };
 *     smtp_init(&conf);
 *     listener.protocol = &smtp_protocol;
 *     reactor_config.worker_start = smtp_worker_start; ...
 *
 * A message is answered with 250 when it is in the spool for good, and only addresses of our own are
 * accepted: sending to other servers is not there yet, and says so.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include "base/ip.h"
#include "net/session.h"
#include "queue/spool.h"

/* Whom VRFY and EXPN tell something. */
enum smtp_policy { SMTP_NOBODY, SMTP_USERS, SMTP_ANYBODY };

struct smtp_conf {
	const char *hostname;
	uint64_t max_message; /* octets */
	size_t max_recipients;
	struct ip_set *relay_from;   /* who may send as our users do, without a login */
	struct ip_set *xclient_from; /* who may say for whom it speaks */
	bool check_sender;           /* a login may only send as its own addresses */
	enum smtp_policy vrfy, expn;
	int max_errors, max_login_failures; /* of a session; then goodbye */
	size_t max_line;                    /* octets of a line of a message; 0: any */
	size_t max_header;                  /* octets of a message's header */
	unsigned max_hops;                  /* Received fields of a message that comes in */
	int command_timeout_ms, data_timeout_ms;
	unsigned data_rate;    /* octets a second, at least */
	const char *directory; /* path of directory.db */
	struct spool *spool;
};

/* Once, before the first session; conf must live as long as the process. */
void smtp_init(const struct smtp_conf *conf);
extern const struct protocol smtp_protocol;

/* For reactor_config: what each worker thread owns (its handle of the directory). */
void *smtp_worker_start(void *context);
void smtp_worker_stop(void *worker);

#endif
