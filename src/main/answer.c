#include "main/answer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "proc/channel.h"

static bool send_piece(int fd, const struct message *m, int stall_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (send(fd, m->data.p, m->data.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EINTR)
			continue;
		if ((errno != EAGAIN && errno != ENOBUFS) || poll(&p, 1, stall_ms) != 1)
			return false;
	}
}

bool answer_send(int fd, uint64_t status, slice text, int stall_ms)
{
	bool sent, more;

	do {
		slice piece = slice_head(text, ANSWER_PIECE);
		struct message m;

		text = slice_from(text, piece.n);
		more = text.n > 0;
		message_begin(&m, MESSAGE_COMMAND);
		message_put_number(&m, status);
		message_put_number(&m, more);
		message_put_text(&m, piece);
		sent = send_piece(fd, &m, stall_ms);
		message_free(&m);
	} while (sent && more);
	return sent;
}

/* One message into buffer. false: none came. */
static bool receive_piece(int fd, int wait_ms, char *buffer, struct message_reader *in)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, wait_ms) != 1)
		return false;
	ssize_t n = recv(fd, buffer, MESSAGE_MAX, 0);
	size_t head = sizeof(struct channel_head);
	if (n < (ssize_t)head)
		return false;
	*in = (struct message_reader){ .rest = { buffer + head, (size_t)n - head } };
	return true;
}

bool answer_receive(
    int fd, int wait_ms, void (*take)(void *, uint64_t, slice), void *context, uint64_t *status_out)
{
	char *buffer = memory_new(1, MESSAGE_MAX);
	uint64_t more = 1;
	bool ok = true;

	while (ok && more) {
		struct message_reader in;

		ok = receive_piece(fd, wait_ms, buffer, &in);
		if (!ok)
			break;
		*status_out = message_get_number(&in);
		more = message_get_number(&in);
		slice text = message_get_text(&in);
		ok = message_done(&in);
		if (ok)
			take(context, *status_out, text);
	}
	free(buffer);
	return ok;
}
