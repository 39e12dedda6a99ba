/*
 * smtp_fixture: SMTP on a real reactor: a directory with a few people, a spool whose queue is absent, a role
 * auth of one function; and clients that talk to it.
 */
#ifndef TESTS_SMTP_FIXTURE_H
#define TESTS_SMTP_FIXTURE_H

#include "lib/server.h"
#include "lib/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "directory/directory.h"
#include "net/ask.h"
#include "lib/smtp_settings.h"

/* ---- the role auth ---- */

static inline void answer_password(struct call *call)
{
	uint64_t account = message_get_number(&call->in);
	bool right = slice_eq(message_get_text(&call->in), SLICE("secret"));
	struct message m;

	message_begin(&m, MESSAGE_VERIFY_PASSWORD);
	message_put_number(&m, account && right);
	call_reply(call, &m);
	message_free(&m);
}

/* ---- the server ---- */

static struct smtp_conf conf = { SMTP_SETTINGS, .max_message = 100000, .max_recipients = 5,
	.command_timeout_ms = 5000, .data_timeout_ms = 5000 };
static struct peers *asking, *authority;
static pthread_t loops[2];
static char directory_path[200], spool_path[200], log_path[200];

static inline void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

static inline void start_peers(void)
{
	static const struct service services[] = { { MESSAGE_VERIFY_PASSWORD, ROLE_BIT(ROLE_SMTP),
	    answer_password } };
	int one, two;

	asking = peers_new(ROLE_SMTP, 0, NULL, 0);
	authority = peers_new(ROLE_AUTH, 0, services, 1);
	assert_true(channel_pair(&one, &two));
	peers_add(asking, ROLE_AUTH, 0, one);
	peers_add(authority, ROLE_SMTP, 0, two);
	pthread_create(&loops[0], NULL, run, asking);
	pthread_create(&loops[1], NULL, run, authority);
	ask_init(asking);
}

static inline void fill_directory(void)
{
	static const struct directory_address all = { SLICE("all"), SLICE("our.test") },
					      staff = { SLICE("staff"), SLICE("our.test") },
					      members[] = { { SLICE("alice"), SLICE("our.test") },
						      { SLICE("bob"), SLICE("our.test") } };
	struct directory *dir;
	struct error error;
	int64_t id;

	assert_true(directory_open(directory_path, true, &dir, &error));
	assert_true(directory_domain_add(dir, SLICE("our.test"), &id, &error));
	assert_true(directory_domain_add(dir, SLICE("mx.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("alice"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("bob"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("carol"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("dave"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_add(dir, SLICE("gone"), SLICE("our.test"), &id, &error));
	assert_true(directory_account_enable(dir, SLICE("gone"), SLICE("our.test"), false, &error));
	assert_true(directory_account_add(dir, SLICE("postmaster"), SLICE("mx.test"), &id, &error));
	assert_true(directory_alias_add(dir, all, members, 2, &error));
	assert_true(directory_alias_senders(dir, all, SENDERS_MEMBERS, &error));
	assert_true(directory_alias_add(dir, staff, members + 1, 1, &error));
	assert_true(directory_alias_senders(dir, staff, SENDERS_USERS, &error));
	directory_close(dir);
}

static inline int set_up(void **state)
{
	struct error error;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	start_peers();
	smtp_init(&conf);
	server_start_workers(&smtp_protocol, smtp_worker_start, smtp_worker_stop);
	snprintf(directory_path, sizeof directory_path, "%s/directory.db", server_root());
	snprintf(spool_path, sizeof spool_path, "%s/spool", server_root());
	snprintf(log_path, sizeof log_path, "%s/log", server_root());
	conf.directory = directory_path;
	fill_directory();
	conf.spool = spool_open(spool_path, 0, asking, &error);
	assert_non_null(conf.spool);
	spool_start(conf.spool);
	log_open("test", open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600), LOG_DEBUG);
	return 0;
}

static inline int tear_down(void **state)
{
	server_stop();
	spool_stop(conf.spool);
	spool_free(conf.spool);
	peers_stop(asking, 0);
	peers_stop(authority, 0);
	pthread_join(loops[0], NULL);
	pthread_join(loops[1], NULL);
	peers_free(asking);
	peers_free(authority);
	return 0;
}

/* ---- clients ---- */

/* The next reply, all of its lines, within `ms`; empty at the end or when time is up. */
static inline slice reply_within(int fd, int ms)
{
	static char text[4096];
	size_t n = 0, line = 0;

	while (n < sizeof text - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, ms) != 1 || read(fd, text + n, 1) != 1)
			return (slice){ text, 0 };
		if (text[n++] != '\n')
			continue;
		if (n - line > 3 && text[line + 3] == ' ')
			break;
		line = n;
	}
	return (slice){ text, n };
}

static inline void expect_at(int fd, const char *say, const char *want, int line)
{
	server_say(fd, say);
	slice got = reply_within(fd, 5000);
	if (slice_starts(got, slice_of(want)))
		return;
	print_error("to   \"%s\"\ngot  \"%.*s\"\nwant \"%s\"\n", say, SLICE_ARG(got), want);
	_fail(__FILE__, line);
}
#define expect(fd, say, want) expect_at((fd), (say), (want), __LINE__)

static inline int client(void)
{
	int fd = server_connect();

	expect(fd, "", "220 mx.test ESMTP");
	return fd;
}

static inline int greeted(void)
{
	int fd = client();

	expect(fd, "EHLO client.test\r\n", "250-mx.test greets client.test");
	return fd;
}

/* A client that has sent all of a message but its end. */
static inline int in_message(void)
{
	int fd = greeted();

	expect(fd, "MAIL FROM:<s@x.test>\r\n", "250");
	expect(fd, "RCPT TO:<alice@our.test>\r\n", "250");
	expect(fd, "DATA\r\n", "354");
	server_say(fd, "Subject: x\r\n\r\nhello\r\n");
	return fd;
}

static inline void quit(int fd)
{
	expect(fd, "QUIT\r\n", "221 2.0.0");
	server_hear_end(fd);
}

/* All replies' codes, to the end of the connection. */
static inline void talk_in_pieces(void *want, const slice *pieces, size_t n)
{
	char codes[200] = "";
	int fd = server_connect();

	for (size_t i = 0; i < n; i++)
		assert_int_equal(send(fd, pieces[i].p, pieces[i].n, MSG_NOSIGNAL), pieces[i].n);
	for (;;) {
		slice reply = reply_within(fd, 5000);

		if (reply.n == 0)
			break;
		snprintf(codes + strlen(codes), sizeof codes - strlen(codes), "%.3s ", reply.p);
	}
	close(fd);
	assert_string_equal(codes, want);
}

#endif
