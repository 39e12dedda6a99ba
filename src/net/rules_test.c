/* The seven rules that keep one client's trouble from being another's, a test each. They assert orders
 * and amounts, never times. */
#include "lib/talk.h"
#include "lib/unit.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/internal.h"

#define IDLE   400
#define SLOW   200
#define LAZY   50
#define HUNG   60
#define COUNT  (IDLE + SLOW + LAZY + HUNG)
#define MINUTE 60000

static const struct gate_config four = {
	.name = "backend", .most = 4, .queue = 1000, .wait_ms = MINUTE
};

static void connect_all(int *fds, int n)
{
	for (int i = 0; i < n; i++) {
		fds[i] = talk_connect();
		talk_hear(fds[i], "hello\r\n");
	}
}

static void close_all(const int *fds, int n)
{
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

static bool silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static void until(bool (*condition)(void))
{
	for (int i = 0; i < 20000 && !condition(); i++)
		usleep(1000);
	assert_true(condition());
}

static int gate_inside(void)
{
	int inside, waiting;

	gate_counts(talk_gate, &inside, &waiting);
	return inside;
}

static int gate_waiting(void)
{
	int inside, waiting;

	gate_counts(talk_gate, &inside, &waiting);
	return waiting;
}

static bool all_at_the_gate(void)
{
	return talk_blocked == four.most && gate_inside() + gate_waiting() == HUNG;
}

static bool lazy_at_the_mark(void)
{
	return talk_most_out > SESSION_MARK / 2;
}

/* ---- all at once ---- */

static void everybody_stalls(int *fds)
{
	connect_all(fds, COUNT);
	for (int i = 0; i < SLOW; i++)
		talk_say(fds[IDLE + i], SLICE("echo half a li"));
	for (int i = 0; i < LAZY; i++)
		talk_say(fds[IDLE + SLOW + i], SLICE("many 200000\r\n"));
	for (int i = 0; i < HUNG; i++)
		talk_say(fds[IDLE + SLOW + LAZY + i], SLICE("ask\r\n"));
	until(all_at_the_gate);
	until(lazy_at_the_mark);
}

static void a_client_ends_a_thousand_noops_while_all_others_are_stalled(void **state)
{
	static int fds[COUNT];
	int good;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 8, .timeout_ms = MINUTE, .gate = four });
	pthread_mutex_lock(&talk_backend);
	everybody_stalls(fds);
	good = talk_connect();
	talk_hear(good, "hello\r\n");
	for (int i = 0; i < 1000; i++) {
		/* "where" is answered by a worker: some are free. */
		talk_say(good, i % 2 ? SLICE("echo noop\r\n") : SLICE("where\r\n"));
		talk_hear(good, i % 2 ? "noop\r\n" : "worker\r\n");
	}
	/* Still stalled, all of them. */
	assert_true(all_at_the_gate());
	for (int i = 0; i < COUNT; i++)
		assert_true(silent(fds[i]) == (i < IDLE + SLOW || i >= IDLE + SLOW + LAZY));
	pthread_mutex_unlock(&talk_backend);
	for (int i = 0; i < HUNG; i++)
		talk_hear(fds[IDLE + SLOW + LAZY + i], "asked\r\n");
	for (int i = 0; i < SLOW; i++) {
		talk_say(fds[IDLE + i], SLICE("ne\r\n"));
		talk_hear(fds[IDLE + i], "half a line\r\n");
	}
	close_all(fds, COUNT);
	close(good);
	talk_stop();
}

/* ---- 1: one owner ---- */

static void *notices(void *on)
{
	while (*(_Atomic bool *)on) {
		reactor_notice(talk_reactor, 77);
		usleep(200);
	}
	return NULL;
}

static void a_session_has_one_owner(void **state)
{
	static int fds[50];
	_Atomic bool on = true;
	pthread_t thread;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 4, .timeout_ms = MINUTE, .gate = four });
	connect_all(fds, 50);
	pthread_create(&thread, NULL, notices, (void *)&on);
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < 50; i++)
			talk_say(
			    fds[i], SLICE("watch\r\nhold\r\nask\r\nwhere\r\necho x\r\nhold\r\n"));
	for (int i = 0; i < 50; i++)
		talk_say(fds[i], SLICE("quit\r\n"));
	for (int i = 0; i < 50; i++) {
		char got[4096], last[6] = "";
		ssize_t n;

		while ((n = read(fds[i], got, sizeof got)) > 0)
			for (ssize_t k = 0; k < n; k++) {
				memmove(last, last + 1, 4);
				last[4] = got[k];
			}
		assert_string_equal(last, "bye\r\n");
	}
	on = false;
	pthread_join(thread, NULL);
	assert_int_equal(talk_doubled, 0);
	close_all(fds, 50);
	talk_stop();
}

/* ---- 2: input complete before, output never waited for ---- */

static void half_a_line_and_an_unread_answer_hold_no_worker(void **state)
{
	int slow[20], lazy[20], good;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 1, .timeout_ms = MINUTE });
	connect_all(slow, 20);
	connect_all(lazy, 20);
	int before = talk_frames;
	for (int i = 0; i < 20; i++)
		talk_say(slow[i], SLICE("take 1000\r\nonly a part"));
	for (int i = 0; i < 20; i++)
		talk_say(lazy[i], SLICE("many 200000\r\n"));
	good = talk_connect();
	talk_hear(good, "hello\r\n");
	for (int i = 0; i < 100; i++) {
		talk_say(good, SLICE("where\r\n"));
		talk_hear(good, "worker\r\n");
	}
	/* The lines were handled, the parts of literals were not. */
	assert_int_equal(talk_frames, before + 20 + 20 + 100);
	close_all(slow, 20);
	close_all(lazy, 20);
	close(good);
	talk_stop();
}

/* ---- 3: output has a mark ---- */

static void a_producer_stops_at_the_mark(void **state)
{
	int lazy[LAZY], good;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 2, .timeout_ms = MINUTE });
	connect_all(lazy, LAZY);
	for (int i = 0; i < LAZY; i++)
		talk_say(lazy[i], SLICE("many 900000\r\n"));
	until(lazy_at_the_mark);
	good = talk_connect();
	talk_hear(good, "hello\r\n");
	talk_say(good, SLICE("where\r\n"));
	talk_hear(good, "worker\r\n");
	assert_in_range(talk_most_out, 1, SESSION_MARK + 100);
	close_all(lazy, LAZY);
	close(good);
	talk_stop();
}

static void a_flood_of_commands_gets_sixteen_a_turn(void **state)
{
	struct buf flood;
	int flooder, good;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 1, .timeout_ms = MINUTE });
	flooder = talk_connect();
	good = talk_connect();
	talk_hear(flooder, "hello\r\n");
	talk_hear(good, "hello\r\n");
	buf_init(&flood, 1 << 20);
	for (int i = 0; i < 4000; i++)
		buf_adds(&flood, "where\r\n");
	talk_say(flooder, buf_slice(&flood));
	buf_free(&flood);
	talk_say(good, SLICE("where\r\n"));
	talk_hear(good, "worker\r\n");
	/* With one worker the others' turn comes before the flood is through. */
	assert_true(talk_frames < 4000);
	close(flooder);
	close(good);
	talk_stop();
}

/* ---- 4: no wait without an end ---- */

static void who_waits_at_a_gate_is_refused_in_the_end(void **state)
{
	struct gate_config hasty = { .name = "backend", .most = 1, .queue = 10, .wait_ms = 100 };
	int first, second;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 4, .timeout_ms = MINUTE, .gate = hasty });
	pthread_mutex_lock(&talk_backend);
	first = talk_connect();
	second = talk_connect();
	talk_hear(first, "hello\r\n");
	talk_hear(second, "hello\r\n");
	talk_say(first, SLICE("ask\r\n"));
	while (talk_blocked != 1)
		usleep(1000);
	talk_say(second, SLICE("where\r\nask\r\necho next\r\n"));
	talk_hear(second, "worker\r\n"); /* not kept back while it waits */
	talk_hear(second, "refused: the service that is needed is too busy\r\nnext\r\n");
	assert_int_equal(gate_waiting(), 0);
	pthread_mutex_unlock(&talk_backend);
	talk_hear(first, "asked\r\n");
	close(first);
	close(second);
	talk_stop();
}

static void a_drain_does_not_wait_for_a_queue_at_a_gate(void **state)
{
	struct gate_config one = { .name = "backend", .most = 1, .queue = 10, .wait_ms = MINUTE };
	int fds[3];

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 4, .timeout_ms = MINUTE, .gate = one });
	pthread_mutex_lock(&talk_backend);
	connect_all(fds, 3);
	talk_say(fds[0], SLICE("ask\r\n"));
	while (talk_blocked != 1)
		usleep(1000);
	talk_say(fds[1], SLICE("ask\r\n"));
	talk_say(fds[2], SLICE("ask\r\n"));
	while (gate_waiting() != 2)
		usleep(1000);
	reactor_drain(talk_reactor, 50);
	talk_hear(fds[1], "refused: the server is going down\r\n");
	talk_hear(fds[2], "refused: the server is going down\r\n");
	pthread_mutex_unlock(&talk_backend);
	talk_join();
	talk_free();
	close_all(fds, 3);
}

/* ---- 5: gates ---- */

static void a_full_gate_is_entered_in_order_and_its_queue_has_an_end(void **state)
{
	struct gate_config narrow = { .name = "backend", .most = 1, .queue = 2, .wait_ms = MINUTE };
	int fds[4];

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 4, .timeout_ms = MINUTE, .gate = narrow });
	pthread_mutex_lock(&talk_backend);
	connect_all(fds, 4);
	for (int i = 0; i < 3; i++) {
		talk_say(fds[i], SLICE("ask\r\n"));
		while (gate_inside() + gate_waiting() != i + 1)
			usleep(1000);
	}
	talk_say(fds[3], SLICE("ask\r\n"));
	talk_hear(fds[3], "refused: too many are waiting for the service that is needed\r\n");
	pthread_mutex_unlock(&talk_backend);
	for (int i = 0; i < 3; i++)
		talk_hear(fds[i], "asked\r\n");
	close_all(fds, 4);
	talk_stop();
}

static void gates_leave_a_quarter_of_the_workers_free(void **state)
{
	struct gate_config wide = {
		.name = "backend", .most = 100, .queue = 100, .wait_ms = MINUTE
	};
	int fds[20];

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 8, .timeout_ms = MINUTE, .gate = wide });
	pthread_mutex_lock(&talk_backend);
	connect_all(fds, 20);
	for (int i = 0; i < 20; i++)
		talk_say(fds[i], SLICE("ask\r\n"));
	while (gate_inside() + gate_waiting() != 20)
		usleep(1000);
	assert_int_equal(gate_inside(), 6);
	pthread_mutex_unlock(&talk_backend);
	for (int i = 0; i < 20; i++)
		talk_hear(fds[i], "asked\r\n");
	close_all(fds, 20);
	talk_stop();
}

static void a_gate_that_fails_is_shut_and_tried_again(void **state)
{
	struct gate_config shy = { .name = "backend",
		.most = 2,
		.queue = 10,
		.wait_ms = MINUTE,
		.shut_after = 3,
		.shut_ms = 300 };
	int fd;

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 4, .timeout_ms = MINUTE, .gate = shy });
	fd = talk_connect();
	talk_hear(fd, "hello\r\n");
	talk_say(fd, SLICE("fail\r\nfail\r\nask\r\nfail\r\nfail\r\nfail\r\n"));
	talk_hear(fd, "failed\r\nfailed\r\nasked\r\nfailed\r\nfailed\r\nfailed\r\n");
	talk_say(fd, SLICE("ask\r\n"));
	talk_hear(fd, "refused: the service that is needed does not answer\r\n");
	usleep(350000);
	talk_say(fd, SLICE("fail\r\nask\r\n"));
	talk_hear(fd, "failed\r\nrefused: the service that is needed does not answer\r\n");
	usleep(350000);
	talk_say(fd, SLICE("ask\r\nask\r\n"));
	talk_hear(fd, "asked\r\nasked\r\n");
	close(fd);
	talk_stop();
}

/* ---- 6: small when parked ---- */

static void a_parked_session_keeps_no_buffers(void **state)
{
	int fds[20];

	(void)state;
	talk_start(&(struct talk_setup){ .workers = 2, .timeout_ms = MINUTE });
	connect_all(fds, 20);
	for (int i = 0; i < 20; i++) {
		talk_say(fds[i], SLICE("many 1000\r\ntake 50000\r\n"));
		for (int k = 999; k >= 0; k--) {
			char want[100];

			snprintf(want, sizeof want,
			    "line %08d of a long answer ........................\r\n", k);
			talk_hear(fds[i], want);
		}
		static char octets[50000];
		talk_say(fds[i], (slice){ octets, sizeof octets });
		talk_hear(fds[i], "took 50000\r\n");
		talk_say(fds[i], SLICE("echo end\r\n"));
		talk_hear(fds[i], "end\r\n");
	}
	reactor_drain(talk_reactor, 5000);
	for (int i = 0; i < 20; i++) {
		talk_hear(fds[i], "drained\r\n");
		talk_hear_end(fds[i]);
	}
	talk_join();
	assert_int_equal(talk_most_kept, 0);
	talk_free();
}

/* ---- 7: timers as tails ---- */

static int expired[8], expired_count;

static void note_expired(struct reactor *r, struct session_private *p)
{
	(void)r;
	expired[expired_count++] = p->timeout_ms;
}

static void timers_of_one_length_end_in_the_order_they_began(void **state)
{
	static struct reactor r;
	struct session_private p[6] = { 0 };

	(void)state;
	for (int i = 0; i < 6; i++) {
		p[i].timeout_ms = i;
		timer_set(&r, &p[i], i % 2 ? 10 : MINUTE);
	}
	timer_set(&r, &p[1], 10); /* it said something: to the tail */
	timer_clear(&p[3]);
	assert_int_equal(r.timers[2].ms, 0);
	usleep(15000);
	int next = timer_run(&r, note_expired);
	assert_in_range(next, 1, 1000);
	assert_int_equal(expired_count, 2);
	assert_int_equal(expired[0], 5);
	assert_int_equal(expired[1], 1);
	assert_true(p[0].due_us && p[2].due_us && p[4].due_us && !p[1].due_us);
}

int main(void)
{
	struct rlimit files;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_ends_a_thousand_noops_while_all_others_are_stalled),
		cmocka_unit_test(a_session_has_one_owner),
		cmocka_unit_test(half_a_line_and_an_unread_answer_hold_no_worker),
		cmocka_unit_test(a_producer_stops_at_the_mark),
		cmocka_unit_test(a_flood_of_commands_gets_sixteen_a_turn),
		cmocka_unit_test(who_waits_at_a_gate_is_refused_in_the_end),
		cmocka_unit_test(a_drain_does_not_wait_for_a_queue_at_a_gate),
		cmocka_unit_test(a_full_gate_is_entered_in_order_and_its_queue_has_an_end),
		cmocka_unit_test(gates_leave_a_quarter_of_the_workers_free),
		cmocka_unit_test(a_gate_that_fails_is_shut_and_tried_again),
		cmocka_unit_test(a_parked_session_keeps_no_buffers),
		cmocka_unit_test(timers_of_one_length_end_in_the_order_they_began),
	};

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &files);
	return UNIT_RUN(tests);
}
