/* The end of a connection whose client may still be sending. A close with unread input makes the kernel
 * send a reset, and a reset destroys what the client has not read yet: the very answer that says why it
 * is being left. So the sending side is closed first, and what comes is read and thrown away. */
#include "net/internal.h"

#include <errno.h>
#include <sys/socket.h>

#define DISCARD_MOST (1u << 20)

/* At once, so that a flood does not keep the reactor. */
#define DISCARD_ROUNDS 8

bool linger_wanted(const struct session_private *p)
{
	char c;

	if (p->broken || p->input_ended || !p->closing)
		return false;
	return p->midway || p->in.n || session_pending(p) ||
	    recv(p->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void linger_begin(struct session_private *p)
{
	p->lingering = true;
	if (p->secured)
		tls_end(p->tls);
	shutdown(p->fd, SHUT_WR);
	session_input_free(p);
	p->compressing = false;
	compress_free(p->compress);
	p->compress = NULL;
	session_forget(p);
}

bool linger_over(struct session_private *p)
{
	char rubbish[16384];

	for (int i = 0; i < DISCARD_ROUNDS && p->discarded < DISCARD_MOST; i++) {
		ssize_t n = recv(p->fd, rubbish, sizeof rubbish, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
		p->discarded += (size_t)n;
	}
	return p->discarded >= DISCARD_MOST;
}
