/* The role control: commands come in by the local socket, one at a time; only it writes directory.db. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "directory/directory.h"
#include "main/answer.h"
#include "main/control.h"
#include "main/role.h"
#include "net/ask.h"

#define REQUEST_MS      2000
#define STALL_MS        60000
#define ANSWER_MOST     (256u << 20)
#define LEAVING_MOST    8
#define ACCEPT_PAUSE_MS 100
#define HEAL_MS         1000

static struct directory *directory;
static int control_fd;

static gid_t admin_group; /* 0: there is none */

/* Is the peer in the group of administrators? Its groups are as they were when it connected. */
static bool is_admin(int fd)
{
	gid_t groups[1024];
	socklen_t length = sizeof groups;

	if (!admin_group || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0)
		return false;
	for (size_t i = 0; i < length / sizeof groups[0]; i++)
		if (groups[i] == admin_group)
			return true;
	return false;
}

/* Root, who the server runs as, and its administrators. */
static bool permitted(int fd)
{
	struct ucred who;
	socklen_t length = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0)
		return false;
	if (who.uid == 0 || who.uid == geteuid() || is_admin(fd))
		return true;
	log_warn("command.refused", kv_num("uid", who.uid), kv_num("pid", who.pid));
	return false;
}

static unsigned uid_of(int fd)
{
	struct ucred who = { 0 };
	socklen_t length = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0 ? (unsigned)-1 : who.uid;
}

/* At most one descriptor may come along. */
static ssize_t receive(int fd, char *buffer, int *file_out)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { buffer, MESSAGE_MAX };
	struct msghdr head = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room };
	ssize_t n = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&head) : NULL;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(file_out, CMSG_DATA(c), sizeof *file_out);
	return n;
}

static bool read_request(int fd, char *buffer, struct command_request *request)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct channel_head head;

	request->file = -1;
	request->uid = uid_of(fd);
	if (poll(&p, 1, REQUEST_MS) != 1)
		return false;
	ssize_t n = receive(fd, buffer, &request->file);
	if (n < (ssize_t)sizeof head)
		return false;
	memcpy(&head, buffer, sizeof head);
	struct message_reader in = { .rest = { buffer + sizeof head, (size_t)n - sizeof head } };
	uint64_t words = message_get_number(&in);
	if (head.type != MESSAGE_COMMAND || words == 0 || words > COMMAND_WORDS)
		return false;
	request->count = (int)words;
	for (int i = 0; i < request->count; i++)
		request->words[i] = message_get_text(&in);
	request->secret = message_get_text(&in);
	return message_done(&in);
}

/* A socket that is closed with a request unread loses its answer. */
static void discard_request(int fd, char *buffer)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, REQUEST_MS) == 1)
		recv(fd, buffer, MESSAGE_MAX, MSG_DONTWAIT);
}

/* An answer on its way to a client that reads slowly. */
struct leaving {
	int fd;
	uint64_t status;
	struct buf text;
};

static _Atomic int leaving_count;

static void leave(struct leaving *l)
{
	if (!answer_send(l->fd, l->status, buf_slice(&l->text), STALL_MS))
		log_warn("answer.cut", kv_str("why", "the client does not take it"));
	close(l->fd);
	buf_free(&l->text);
	free(l);
}

static void *leave_slowly(void *leaving)
{
	leave(leaving);
	leaving_count--;
	return NULL;
}

/* A short answer fits the socket. A long one gets a thread, so that whoever pages through it keeps nobody
 * else waiting. */
static void send_away(struct leaving *l)
{
	pthread_t thread;

	if (l->text.n <= ANSWER_PIECE || leaving_count >= LEAVING_MOST) {
		leave(l);
		return;
	}
	leaving_count++;
	if (pthread_create(&thread, NULL, leave_slowly, l)) {
		leaving_count--;
		leave(l);
		return;
	}
	pthread_detach(thread);
}

static void serve_command(int fd, char *buffer)
{
	struct command_request request = { 0 };
	struct leaving *l = NEW(struct leaving);

	*l = (struct leaving){ .fd = fd, .status = 1 };
	buf_init(&l->text, ANSWER_MOST);
	if (!permitted(fd)) {
		discard_request(fd, buffer);
		buf_adds(&l->text, "hauberk: you may not command this server\n");
	} else if (!read_request(fd, buffer, &request)) {
		buf_adds(&l->text, "hauberk: malformed command\n");
	} else {
		l->status = (uint64_t)control_command(directory, &request, &l->text);
	}
	if (request.file > 0)
		close(request.file);
	explicit_bzero(buffer, MESSAGE_MAX);
	if (l->text.full) {
		buf_clear(&l->text);
		buf_adds(&l->text, "hauberk: the answer is too long\n");
		l->status = 1;
	}
	send_away(l);
}

static void *serve(void *nothing)
{
	char *buffer = memory_new(1, MESSAGE_MAX);

	(void)nothing;
	for (;;) {
		struct pollfd p = { .fd = control_fd, .events = POLLIN };
		struct error later; /* the change that failed has told it; this goes on trying */

		if (poll(&p, 1, HEAL_MS) == 0) {
			(void)directory_heal(directory, &later);
			control_expire();
			continue;
		}
		int fd = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_command(fd, buffer);
		else
			poll(NULL, 0,
			    ACCEPT_PAUSE_MS); /* no descriptors: it would fail at once again */
	}
	return NULL;
}

static bool start_control(struct role_start *start, struct error *error)
{
	struct sandbox sandbox = { 0 };
	pthread_t thread;

	control_fd = role_descriptor(start, "control");
	if (!directory_open(role_path(start, "directory/directory.db"), true, &directory, error))
		return false;
	const struct group *group = getgrnam("hauberk-admin");
	admin_group = group ? group->gr_gid : 0;
	ask_init(start->peers);
	control_init(start->peers);
	control_trace(role_path(start, "trace"), (int)start->conf.trace_days);
	sandbox_control(&sandbox, role_path(start, "directory"), start->conf.run_dir,
	    role_path(start, "trace"));
	if (!sandbox_lock(&sandbox, error))
		return false;
	if (pthread_create(&thread, NULL, serve, NULL))
		return error_local(error, "no thread: %s", strerror(errno));
	return true;
}

/* It may have started before there was a directory to read. */
static void tell(struct role_start *start, enum role role, int instance, enum message_type what)
{
	struct message m;

	message_begin(&m, what);
	peers_tell(start->peers, role, instance, &m, -1);
	message_free(&m);
}

static void added(void *context, enum role role, int instance)
{
	if (role == ROLE_SMTP || role == ROLE_IMAP)
		tell(context, role, instance, MESSAGE_ACCESS);
	if (role == ROLE_SMTP || role == ROLE_DELIVER)
		tell(context, role, instance, MESSAGE_POLICY);
}

const struct role_program role_control = {
	.role = ROLE_CONTROL, .start = start_control, .added = added
};
