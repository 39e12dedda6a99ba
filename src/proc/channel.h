/*
 * channel: one end of a socket pair between two roles.
 *
 * Keeps message boundaries (SOCK_SEQPACKET) and may carry one descriptor a message. Sending never
 * blocks: what the socket does not take waits in the channel until channel_flush. A peer that lets
 * more than CHANNEL_BACKLOG octets wait is taken for dead.
 */
#ifndef PROC_CHANNEL_H
#define PROC_CHANNEL_H

#include "base/list.h"
#include "proc/message.h"
#include "proc/role.h"

#define CHANNEL_BACKLOG (64u << 20)

enum channel_flags {
	CHANNEL_ASKS = 1,   /* wants an answer with the same id */
	CHANNEL_ANSWER = 2, /* is one */
	CHANNEL_FAILED = 4, /* is one, and carries an error */
};

/* What every message begins with on the wire. */
struct channel_head {
	uint32_t type, flags;
	uint64_t id;
};

struct channel {
	int fd;
	enum role role; /* the other end */
	int instance;
	uint64_t generation; /* no two channels of a process share one */
	struct list waiting; /* struct parcel */
	size_t waiting_octets;
	bool lost;
};

/* Makes both ends of a fresh channel, close-on-exec, non-blocking. */
bool channel_pair(int *one_out, int *other_out);
/* Takes over fd. */
struct channel *channel_new(int fd, enum role role, int instance, uint64_t generation);
/* Closes and frees, with what still waited. */
void channel_free(struct channel *c);
/* Sends a whole message, head filled in, with descriptor fd (or -1; the caller still owns it). false:
 * the other end is gone. */
bool channel_send(struct channel *c, slice message, int fd);
/* Sends what waits, as far as it goes. false: the other end is gone. */
bool channel_flush(struct channel *c);

enum channel_got { CHANNEL_GOT, CHANNEL_EMPTY, CHANNEL_GONE };

/* Receives one message into buffer (MESSAGE_MAX octets); *fd_out is a descriptor that came along, or
 * -1, and is the caller's. */
enum channel_got channel_receive(struct channel *c, char *buffer, size_t *length_out, int *fd_out);

#endif
