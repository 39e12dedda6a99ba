/* The commands' way to the running server: its control role's local socket. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "main/command.h"
#include "proc/channel.h"

#define ANSWER_MS 60000

static int connect_control(const struct conf *conf)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", conf->run_dir);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		fprintf(stderr, "hauberk: no server answers at %s: %s; %s\n", address.sun_path,
		    strerror(errno),
		    errno == EACCES ? "you may not use it" : "start it with: hauberk serve");
		close(fd);
		return -1;
	}
	return fd;
}

static bool exchange(int fd, const struct message *request, char *answer, size_t *n_out)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (send(fd, request->data.p, request->data.n, MSG_NOSIGNAL) < 0)
		return false;
	if (poll(&p, 1, ANSWER_MS) != 1)
		return false;
	ssize_t n = recv(fd, answer, MESSAGE_MAX, 0);
	*n_out = n > 0 ? (size_t)n : 0;
	return n > (ssize_t)sizeof(struct channel_head);
}

int client_command(const char *conf_path, int argc, char **argv, slice secret)
{
	static char answer[MESSAGE_MAX];
	struct conf_origin origin;
	struct conf conf;
	struct message m;
	size_t n;

	if (!command_conf(conf_path, &conf, &origin))
		return 1;
	int fd = connect_control(&conf);
	if (fd < 0)
		return 1;
	message_begin(&m, MESSAGE_COMMAND);
	message_put_number(&m, (uint64_t)argc);
	for (int i = 0; i < argc; i++)
		message_put_text(&m, slice_of(argv[i]));
	message_put_text(&m, secret);
	bool answered = exchange(fd, &m, answer, &n);
	explicit_bzero(m.data.p, m.data.n);
	message_free(&m);
	close(fd);
	if (!answered) {
		fprintf(stderr, "hauberk: the server did not answer\n");
		return 1;
	}
	struct message_reader in = { .rest = { answer + sizeof(struct channel_head),
					 n - sizeof(struct channel_head) } };
	uint64_t status = message_get_number(&in);
	slice text = message_get_text(&in);
	fprintf(status ? stderr : stdout, "%.*s", SLICE_ARG(text));
	return message_done(&in) ? (int)status : 1;
}
