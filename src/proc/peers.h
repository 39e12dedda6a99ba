/*
 * peers: the other roles that this process talks to.
 *
 * One thread of a process runs peers_run; it reads every channel and calls the handler that the
 * process has for a message. Any other thread asks a role with peers_ask, an ordinary blocking
 * function with a deadline: a role that died meanwhile is asked again once main has started the
 * next one, so every request must be harmless when it is done twice.
 *
 *     static const struct service services[] = {
 *             { MESSAGE_SIGN, ROLE_BIT(ROLE_SMTP) | ROLE_BIT(ROLE_IMAP), answer_sign },
 *     };
 *     struct peers *peers = peers_new(ROLE_KEYS, 0, services, 1);
 *     peers_add(peers, ROLE_MAIN, 0, 3);
 *     return peers_run(peers);
 *
 * The trusted side decides who may ask: a message that the table does not allow from that role is
 * dropped and logged. A handler owns its call and ends it with call_reply, call_fail or call_end,
 * from any thread.
 */
#ifndef PROC_PEERS_H
#define PROC_PEERS_H

#include "base/clock.h"
#include "base/error.h"
#include "proc/channel.h"

struct peers;

/* One received message. */
struct call {
	struct peers *peers;
	enum role from;
	int instance;
	enum message_type type;
	struct message_reader in; /* its fields; borrowed from the call */
	int fd;                   /* a descriptor that came along (the handler's), or -1 */
	uint64_t id, generation;
	bool asked;
	char *data;
	size_t length; /* of data */
};

struct service {
	enum message_type type;
	unsigned from; /* ROLE_BIT()s */
	void (*handle)(struct call *call);
};

/* Events of the loop's thread; each may be NULL. */
struct peers_events {
	void *context;
	void (*lost)(void *context, enum role role, int instance);  /* a channel ended */
	void (*added)(void *context, enum role role, int instance); /* one came (again) */
	void (*signal)(void *context, int signal);                  /* a signal of the given set */
	void (*tick)(void *context);                                /* about every 100 ms */
};

struct peers *peers_new(enum role me, int instance, const struct service *services, size_t n);
/* Closes all channels. Nobody may run or ask any more. */
void peers_free(struct peers *p);
void peers_set_events(struct peers *p, const struct peers_events *events);
/* Takes over fd as the channel to that process, in place of an older one. Before peers_run, or from
 * its handlers. */
void peers_add(struct peers *p, enum role role, int instance, int fd);
/* Forgets a channel (its process is known to be dead). */
void peers_remove(struct peers *p, enum role role, int instance);
/* Watches a signalfd made by the caller. */
void peers_watch_signals(struct peers *p, int signal_fd);
/* Serves until peers_stop; the value given there is returned. */
int peers_run(struct peers *p);
/* From any thread or handler. */
void peers_stop(struct peers *p, int result);

/* Asks any process of that role and waits for the answer, at most until the deadline. true: *reply_out
 * holds it, read with message_get_…, freed with peers_reply_free. Not from the thread of peers_run. */
struct peers_reply {
	struct message_reader in;
	char *data;
	int fd;
};
bool peers_ask(struct peers *p, enum role role, const struct message *request,
    struct deadline deadline, struct peers_reply *reply_out, struct error *error);
void peers_reply_free(struct peers_reply *reply);

/* Says something to one process, without an answer, with a descriptor or -1 (still the caller's).
 * false: it is not there. */
bool peers_tell(struct peers *p, enum role role, int instance, const struct message *m, int fd);
/* To every process of that role that is there. */
void peers_tell_all(struct peers *p, enum role role, const struct message *m);
/* Asks one process, with a descriptor or -1 (still the caller's); the answer comes to answered(context, ok, reader) in the loop's thread; ok is
 * false when the process ended first. false: it is not there, nothing will come. */
bool peers_request(struct peers *p, enum role role, int instance, const struct message *m, int fd,
    void (*answered)(void *context, bool ok, struct message_reader *in), void *context);

/* Answers and ends the call; the message is still the caller's. */
void call_reply(struct call *call, const struct message *reply);
/* Answers with nothing but "done". */
void call_reply_done(struct call *call);
/* Answers with an error, which peers_ask gives its caller. */
void call_fail(struct call *call, const struct error *error);
/* Ends the call without an answer. */
void call_end(struct call *call);

#endif
