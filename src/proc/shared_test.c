/* Counts that processes share: limits over all of them, and what is left of one that died. */
#include "lib/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "proc/shared.h"

static int fd;

static int start(void **state)
{
	(void)state;
	fd = shared_create();
	return fd < 0 || !shared_open(fd, ROLE_SMTP, 0);
}

static void the_hash_is_siphash(void **state)
{
	/* The example of the paper's appendix A: key 00 01 .. 0f, text 00 01 .. 0e. */
	struct hash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	char text[15];

	(void)state;
	for (int i = 0; i < 15; i++)
		text[i] = (char)i;
	assert_true(hash_keyed(&key, (slice){ text, 15 }) == 0xa129ca6149be45e5);
}

static void what_is_open_is_limited(void **state)
{
	uint64_t key = shared_key("t", SLICE("192.0.2.1")),
		 other = shared_key("u", SLICE("192.0.2.1"));

	(void)state;
	assert_true(key != other);
	assert_true(shared_begin(key, 2));
	assert_true(shared_begin(key, 2));
	assert_false(shared_begin(key, 2));
	assert_true(shared_begin(other, 2));
	assert_true(shared_begin(key, 0));
	assert_int_equal(shared_open_count(key), 3);
	for (int i = 0; i < 3; i++)
		shared_end(key);
	shared_end(key); /* once too often is harmless */
	assert_int_equal(shared_open_count(key), 0);
	assert_true(shared_begin(key, 2));
	shared_end(key);
	shared_end(other);
}

/* As smtp.INSTANCE it opens `n`, as imap.INSTANCE it watches the key if n is not 0; it says so, and waits for its end. */
static pid_t child(enum role role, uint64_t key, int instance, int n)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		shared_open(fd, role, instance);
		if (role == ROLE_IMAP && n)
			shared_watch(key, true);
		while (role == ROLE_SMTP && n-- > 0)
			shared_begin(key, 0);
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static void a_limit_holds_over_all_processes_and_the_dead_do_not_count(void **state)
{
	uint64_t key = shared_key("t", SLICE("2001:db8::"));

	(void)state;
	pid_t one = child(ROLE_SMTP, key, 1, 3);
	assert_int_equal(shared_open_count(key), 3);
	assert_true(shared_begin(key, 4));
	assert_false(shared_begin(key, 4));
	end(one);
	pid_t successor = child(ROLE_SMTP, key, 1, 1);
	assert_int_equal(shared_open_count(key), 2);
	end(successor);
	shared_end(key);
}

static void events_are_counted_for_a_while(void **state)
{
	uint64_t key = shared_key("t", SLICE("198.51.100.7"));

	(void)state;
	assert_int_equal(shared_noted(key, 1000), 0);
	for (int i = 0; i < 10; i++)
		shared_note(key, 1000000000);
	assert_in_range(shared_noted(key, 1000000000), 10, 10);
	uint64_t brief = shared_key("t", SLICE("198.51.100.8"));
	shared_note(brief, 1);
	assert_in_range(shared_noted(brief, 1), 1, 1);
	sleep(2);
	assert_int_equal(shared_noted(brief, 1), 0);
}

static void a_full_table_limits_nobody_and_breaks_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		char text[20];

		snprintf(text, sizeof text, "%d", i);
		shared_note(shared_key("t", slice_of(text)), 1000);
	}
	uint64_t key = shared_key("t", SLICE("one more"));
	for (int i = 0; i < 5; i++)
		assert_true(shared_begin(key, 0));
	for (int i = 0; i < 5; i++)
		shared_end(key);
}

static void whoever_waits_is_known_to_all_until_its_process_has_a_successor(void **state)
{
	(void)state;
	assert_false(shared_watched(4711));
	pid_t first = child(ROLE_IMAP, 4711, 0, 1), second = child(ROLE_IMAP, 4711, 3, 1);
	assert_true(shared_watched(4711));
	assert_false(shared_watched(4712));
	end(first);
	first = child(ROLE_IMAP, 0, 0, 0);
	assert_true(shared_watched(4711)); /* the second one is there */
	end(second);
	second = child(ROLE_IMAP, 4712, 3, 1);
	assert_false(shared_watched(4711));
	assert_true(shared_watched(4712));
	end(first);
	end(second);
}

static void of_ipv6_the_network_counts(void **state)
{
	char out[64];

	(void)state;
	assert_slice(shared_address(SLICE("2001:db8:0:1:9::7"), out), "2001:db8:0:1");
	assert_slice(shared_address(SLICE("192.0.2.1"), out), "192.0.2.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_siphash),
		cmocka_unit_test(what_is_open_is_limited),
		cmocka_unit_test(a_limit_holds_over_all_processes_and_the_dead_do_not_count),
		cmocka_unit_test(events_are_counted_for_a_while),
		cmocka_unit_test(whoever_waits_is_known_to_all_until_its_process_has_a_successor),
		cmocka_unit_test(of_ipv6_the_network_counts),
		cmocka_unit_test(a_full_table_limits_nobody_and_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
