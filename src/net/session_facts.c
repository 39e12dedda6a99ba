/* What a session's connection is: its layer of TLS, and its two ends. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "net/internal.h"

bool session_secure(const struct session *s)
{
	return s->own->secured;
}

const char *session_tls_text(const struct session *s)
{
	return s->own->secured ? tls_text(s->own->tls) : "";
}

static unsigned read_end(
    int (*find)(int, struct sockaddr *, socklen_t *), int fd, struct ip *ip_out)
{
	struct sockaddr_storage address = { 0 };
	socklen_t n = sizeof address;
	char text[IP_TEXT] = "";
	unsigned port;

	*ip_out = (struct ip){ 0 };
	if (find(fd, (struct sockaddr *)&address, &n) < 0)
		return 0;
	if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&address;

		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
		port = ntohs(in6->sin6_port);
	} else {
		const struct sockaddr_in *in4 = (const void *)&address;

		inet_ntop(AF_INET, &in4->sin_addr, text, sizeof text);
		port = ntohs(in4->sin_port);
	}
	return ip_parse(slice_of(text), ip_out) ? port : 0;
}

void session_find_ends(const struct session *s, struct session_ends *out)
{
	*out = (struct session_ends){ 0 };
	out->local_port = read_end(getsockname, s->own->fd, &out->local);
	out->peer_port = read_end(getpeername, s->own->fd, &out->peer);
}

void session_client_names(const struct session *s, enum tls_client_name kind, struct buf *out)
{
	if (s->own->secured)
		tls_client_names(s->own->tls, kind, out);
}

bool session_tls_binding(const struct session *s, slice type, struct buf *out)
{
	return s->own->secured && tls_binding(s->own->tls, type, out);
}
