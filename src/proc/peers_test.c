/* Channels, questions and answers between processes, and a peer that dies. */
#include "lib/unit.h"

#include <pthread.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/peers.h"

static void fields_come_back_in_order_and_reading_is_sticky(void **state)
{
	struct message m;

	(void)state;
	message_begin(&m, MESSAGE_SIGN);
	message_put_number(&m, 42);
	message_put_text(&m, SLICE("key"));
	struct message_reader r = { .rest = slice_from(
					buf_slice(&m.data), sizeof(struct channel_head)) };
	assert_int_equal(message_get_number(&r), 42);
	assert_slice(message_get_text(&r), "key");
	assert_true(message_done(&r));
	assert_int_equal(message_get_number(&r), 0);
	assert_int_equal(message_get_text(&r).n, 0);
	assert_false(message_done(&r));
	message_free(&m);
}

/* A server that answers a number with its double, and dies at 13. */
static void answer_double(struct call *call)
{
	uint64_t n = message_get_number(&call->in);
	struct error error;
	struct message m;

	if (n == 13)
		_exit(0);
	if (!message_done(&call->in) || n == 7) {
		error_plain(&error, FAULT_DENIED, "seven is not allowed");
		call_fail(call, &error);
		return;
	}
	message_begin(&m, MESSAGE_SIGN);
	message_put_number(&m, 2 * n);
	call_reply(call, &m);
	message_free(&m);
}

static pid_t start_server(int fd, enum role allowed)
{
	struct service services[] = { { MESSAGE_SIGN, 0, answer_double } };
	pid_t pid = fork();

	if (pid)
		return pid;
	services[0].from = ROLE_BIT(allowed);
	struct peers *peers = peers_new(ROLE_KEYS, 0, services, 1);
	peers_add(peers, ROLE_SMTP, 0, fd);
	alarm(20);
	_exit(peers_run(peers));
}

static void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

static bool ask(struct peers *peers, uint64_t n, int ms, uint64_t *out, struct error *error)
{
	struct peers_reply reply;
	struct message m;

	message_begin(&m, MESSAGE_SIGN);
	message_put_number(&m, n);
	bool ok = peers_ask(peers, ROLE_KEYS, &m, deadline_in_ms(ms), &reply, error);
	message_free(&m);
	if (ok) {
		*out = message_get_number(&reply.in);
		assert_true(message_done(&reply.in));
		peers_reply_free(&reply);
	}
	return ok;
}

struct asker {
	struct peers *peers;
	uint64_t base;
	bool right;
};

static void *ask_many(void *argument)
{
	struct asker *a = argument;
	struct error error;
	uint64_t out = 0;

	a->right = true;
	for (uint64_t i = 0; i < 300; i++)
		a->right &=
		    ask(a->peers, a->base + i, 5000, &out, &error) && out == 2 * (a->base + i);
	return NULL;
}

static void threads_ask_at_once_and_get_their_own_answers(void **state)
{
	struct peers *peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	struct asker askers[4];
	pthread_t loop, threads[4];
	struct error error;
	uint64_t out;
	int ours, theirs;

	(void)state;
	assert_true(channel_pair(&ours, &theirs));
	pid_t server = start_server(theirs, ROLE_SMTP);
	close(theirs);
	peers_add(peers, ROLE_KEYS, 0, ours);
	pthread_create(&loop, NULL, run, peers);
	for (int i = 0; i < 4; i++) {
		askers[i] = (struct asker){ .peers = peers, .base = 1000u * (i + 1) };
		pthread_create(&threads[i], NULL, ask_many, &askers[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(askers[i].right);
	}
	assert_false(ask(peers, 7, 5000, &out, &error));
	assert_string_equal(error.why, "seven is not allowed");
	assert_false(error.temporary);

	/* It dies at the question: the asker hears "temporary", after its own deadline. */
	assert_false(ask(peers, 13, 200, &out, &error));
	assert_true(error.temporary);
	waitpid(server, NULL, 0);
	peers_stop(peers, 0);
	pthread_join(loop, NULL);
	peers_free(peers);
}

/* Stands in for main: brings the successor's channel when the first one is lost. */
static struct peers *restarted;
static pid_t successor;

static void start_successor(void *context, enum role role, int instance)
{
	int ours, theirs;

	(void)context;
	assert_true(channel_pair(&ours, &theirs));
	successor = start_server(theirs, ROLE_SMTP);
	close(theirs);
	peers_add(restarted, role, instance, ours);
}

static void a_successor_answers_what_its_predecessor_was_asked(void **state)
{
	struct peers_events events = { .lost = start_successor };
	struct error error;
	pthread_t loop;
	uint64_t out = 0;
	int ours, theirs;

	(void)state;
	restarted = peers_new(ROLE_SMTP, 0, NULL, 0);
	peers_set_events(restarted, &events);
	assert_true(channel_pair(&ours, &theirs));
	close(theirs); /* the first process is dead before it answers */
	peers_add(restarted, ROLE_KEYS, 0, ours);
	pthread_create(&loop, NULL, run, restarted);
	assert_true(ask(restarted, 21, 5000, &out, &error));
	assert_int_equal(out, 42);
	peers_stop(restarted, 0);
	pthread_join(loop, NULL);
	peers_free(restarted);
	kill(successor, SIGKILL);
	waitpid(successor, NULL, 0);
}

static void a_role_that_may_not_ask_gets_no_answer(void **state)
{
	struct peers *peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	struct error error;
	pthread_t loop;
	uint64_t out;
	int ours, theirs;

	(void)state;
	assert_true(channel_pair(&ours, &theirs));
	pid_t server = start_server(theirs, ROLE_IMAP);
	close(theirs);
	peers_add(peers, ROLE_KEYS, 0, ours);
	pthread_create(&loop, NULL, run, peers);
	assert_false(ask(peers, 1, 300, &out, &error));
	assert_non_null(strstr(error.why, "keys did not answer in time"));
	peers_stop(peers, 0);
	pthread_join(loop, NULL);
	peers_free(peers);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void a_full_socket_keeps_messages_in_order(void **state)
{
	int one, other;
	static char buffer[MESSAGE_MAX];
	struct message m;

	(void)state;
	assert_true(channel_pair(&one, &other));
	struct channel *from = channel_new(one, ROLE_QUEUE, 0, 1);
	struct channel *to = channel_new(other, ROLE_DELIVER, 0, 1);
	for (uint64_t i = 0; i < 3000; i++) {
		message_begin(&m, MESSAGE_DELIVER);
		message_put_number(&m, i);
		message_put_text(&m, (slice){ buffer, 2000 });
		assert_true(channel_send(from, buf_slice(&m.data), -1));
		message_free(&m);
	}
	assert_false(list_empty(&from->waiting));
	for (uint64_t i = 0; i < 3000;) {
		size_t n;
		int fd;

		assert_true(channel_flush(from));
		while (channel_receive(to, buffer, &n, &fd) == CHANNEL_GOT) {
			struct message_reader r = { .rest = { buffer + sizeof(struct channel_head),
							n - sizeof(struct channel_head) } };

			assert_int_equal(message_get_number(&r), i);
			i++;
		}
	}
	channel_free(from);
	size_t n;
	int fd;
	assert_int_equal(channel_receive(to, buffer, &n, &fd), CHANNEL_GONE);
	channel_free(to);
}

static size_t open_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Says something that arrives as the answer to a question. */
static void say_answer(int fd, uint64_t id, uint64_t n)
{
	struct channel_head head = { MESSAGE_SIGN, CHANNEL_ANSWER, id };
	struct message m;

	message_begin(&m, MESSAGE_SIGN);
	message_put_number(&m, n);
	memcpy(m.data.p, &head, sizeof head);
	assert_int_equal(send(fd, m.data.p, m.data.n, 0), m.data.n);
	message_free(&m);
}

static void *ask_three(void *peers)
{
	struct error error;
	uint64_t out = 0;

	if (!ask(peers, 3, 5000, &out, &error))
		out = 0;
	return (void *)(uintptr_t)out;
}

static void only_who_was_asked_answers_and_once(void **state)
{
	struct peers *peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	struct channel_head head;
	char question[200];
	int keys, queue, theirs[2];
	pthread_t loop, asker;
	void *got;

	(void)state;
	assert_true(channel_pair(&keys, &theirs[0]) && channel_pair(&queue, &theirs[1]));
	peers_add(peers, ROLE_KEYS, 0, theirs[0]);
	peers_add(peers, ROLE_QUEUE, 0, theirs[1]);
	pthread_create(&loop, NULL, run, peers);
	pthread_create(&asker, NULL, ask_three, peers);
	while (recv(keys, question, sizeof question, 0) < (ssize_t)sizeof head)
		usleep(1000);
	memcpy(&head, question, sizeof head);
	say_answer(queue, head.id, 666);
	usleep(50000);
	for (int i = 0; i < 20; i++)
		say_answer(keys, head.id, 6);
	pthread_join(asker, &got);
	assert_int_equal((uintptr_t)got, 6);
	peers_stop(peers, 0);
	pthread_join(loop, NULL);
	peers_free(peers);
	close(keys);
	close(queue);
}

static void descriptors_beyond_the_first_are_not_taken(void **state)
{
	char buffer[MESSAGE_MAX];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct channel_head head = { .type = MESSAGE_PEER };
	struct iovec iov = { &head, sizeof head };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room };
	int one, two, fds[2] = { 0, 1 }, fd;
	size_t n;

	(void)state;
	assert_true(channel_pair(&one, &two));
	struct channel *c = channel_new(two, ROLE_SMTP, 0, 1);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
	size_t before = open_descriptors();
	assert_true(sendmsg(one, &m, 0) > 0);
	assert_int_equal(channel_receive(c, buffer, &n, &fd), CHANNEL_GOT);
	if (fd >= 0)
		close(fd);
	assert_int_equal(open_descriptors(), before);
	/* Nor is one that comes with too little. */
	iov.iov_len = 1;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	m.msg_controllen = CMSG_LEN(sizeof(int));
	assert_true(sendmsg(one, &m, 0) > 0);
	assert_int_equal(channel_receive(c, buffer, &n, &fd), CHANNEL_GONE);
	assert_int_equal(open_descriptors(), before);
	channel_free(c);
	close(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_back_in_order_and_reading_is_sticky),
		cmocka_unit_test(a_full_socket_keeps_messages_in_order),
		cmocka_unit_test(threads_ask_at_once_and_get_their_own_answers),
		cmocka_unit_test(only_who_was_asked_answers_and_once),
		cmocka_unit_test(descriptors_beyond_the_first_are_not_taken),
		cmocka_unit_test(a_successor_answers_what_its_predecessor_was_asked),
		cmocka_unit_test(a_role_that_may_not_ask_gets_no_answer),
	};

	return UNIT_RUN(tests);
}
