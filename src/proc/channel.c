#include "proc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* A message that waits for room in the socket. */
struct parcel {
	struct link link;
	int fd;
	size_t n;
	char data[];
};

bool channel_pair(int *one_out, int *other_out)
{
	int pair[2], size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	*one_out = pair[0];
	*other_out = pair[1];
	return true;
}

struct channel *channel_new(int fd, enum role role, int instance, uint64_t generation)
{
	struct channel *c = NEW(struct channel);

	*c = (struct channel){
		.fd = fd, .role = role, .instance = instance, .generation = generation
	};
	list_init(&c->waiting);
	return c;
}

static void parcel_free(struct parcel *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

void channel_free(struct channel *c)
{
	struct link *node;

	while ((node = list_pop(&c->waiting)))
		parcel_free(LIST_OF(node, struct parcel, link));
	close(c->fd);
	free(c);
}

/* 1: sent, 0: no room now, -1: gone. */
static int try_send(struct channel *c, slice message, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)message.p, message.n };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	}
	for (;;) {
		if (sendmsg(c->fd, &m, MSG_NOSIGNAL) >= 0)
			return 1;
		if (errno != EINTR)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
	}
}

bool channel_send(struct channel *c, slice message, int fd)
{
	int sent = c->lost ? -1 : list_empty(&c->waiting) ? try_send(c, message, fd) : 0;

	if (sent == 0 && c->waiting_octets + message.n > CHANNEL_BACKLOG)
		sent = -1;
	if (sent < 0)
		c->lost = true;
	if (sent != 0)
		return sent > 0;
	struct parcel *p = memory_new(1, sizeof *p + message.n);
	p->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	p->n = message.n;
	memcpy(p->data, message.p, message.n);
	list_push(&c->waiting, &p->link);
	c->waiting_octets += p->n;
	return true;
}

bool channel_flush(struct channel *c)
{
	while (!c->lost && !list_empty(&c->waiting)) {
		struct parcel *p = LIST_OF(list_first(&c->waiting), struct parcel, link);
		int sent = try_send(c, (slice){ p->data, p->n }, p->fd);

		if (sent == 0)
			return true;
		if (sent < 0)
			c->lost = true;
		list_remove(&p->link);
		c->waiting_octets -= p->n;
		parcel_free(p);
	}
	return !c->lost;
}

enum channel_got channel_receive(struct channel *c, char *buffer, size_t *length_out, int *fd_out)
{
	struct iovec iov = { buffer, MESSAGE_MAX };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		/* Not the room: its padding would hold a second descriptor, which nobody would close. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;

	*fd_out = -1;
	do
		n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return CHANNEL_EMPTY;
	struct cmsghdr *head = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd_out, CMSG_DATA(head), sizeof *fd_out);
	if (n < (ssize_t)sizeof(struct channel_head) || (m.msg_flags & MSG_TRUNC)) {
		if (*fd_out >= 0)
			close(*fd_out);
		*fd_out = -1;
		return CHANNEL_GONE;
	}
	*length_out = (size_t)n;
	return CHANNEL_GOT;
}
