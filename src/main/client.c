/* The commands' way to the running server: its control role's local socket. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "main/answer.h"
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

static void print(void *any, uint64_t status, slice text)
{
	FILE *out = status ? stderr : stdout;

	*(bool *)any = true;
	fwrite(text.p, 1, text.n, out);
	fflush(out);
}

/* with: a descriptor that goes along; -1: none. */
static bool send_command(int fd, const struct message *m, int with)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { m->data.p, m->data.n };
	struct msghdr head = { .msg_iov = &part, .msg_iovlen = 1 };

	if (with >= 0) {
		head.msg_control = control.room;
		head.msg_controllen = sizeof control.room;
		struct cmsghdr *c = CMSG_FIRSTHDR(&head);
		*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof with) };
		memcpy(CMSG_DATA(c), &with, sizeof with);
	}
	return sendmsg(fd, &head, MSG_NOSIGNAL) >= 0;
}

static int command(const char *conf_path, int argc, char **argv, slice secret, int with)
{
	struct conf_origin origin;
	struct conf conf;
	struct message m;
	uint64_t status = 1;
	bool any = false;

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
	bool answered = send_command(fd, &m, with);
	explicit_bzero(m.data.p, m.data.n);
	message_free(&m);
	answered = answered && answer_receive(fd, ANSWER_MS, print, &any, &status);
	close(fd);
	if (!answered) {
		fprintf(stderr, "hauberk: the server %s\n",
		    any ? "did not answer to the end: this is not all" : "did not answer");
		return 1;
	}
	return (int)status;
}

int client_command(const char *conf_path, int argc, char **argv, slice secret)
{
	return command(conf_path, argc, argv, secret, -1);
}

int client_command_file(const char *conf_path, int argc, char **argv, int fd)
{
	return command(conf_path, argc, argv, (slice){ 0 }, fd);
}
