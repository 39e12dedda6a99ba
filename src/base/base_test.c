/* The ground: slices, buffers, arenas, cursors, encodings, maps, lists, files. */
#include "lib/unit.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"

static void numbers_stop_at_their_maximum(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(slice_number(SLICE("18446744073709551615"), UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_false(slice_number(SLICE("18446744073709551616"), UINT64_MAX, &n));
	assert_true(slice_number(SLICE("25"), 25, &n));
	assert_false(slice_number(SLICE("26"), 25, &n));
	assert_false(slice_number(SLICE("9"), 5, &n));
	assert_false(slice_number(SLICE(""), 25, &n));
	assert_false(slice_number(SLICE("-1"), 25, &n));
	assert_false(slice_number(SLICE("1 "), 25, &n));
}

static void buffer_refuses_what_does_not_fit_and_remembers(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_adds(&b, "1234567");
	buf_adds(&b, "89");
	assert_true(b.full);
	assert_slice(buf_slice(&b), "1234567");
	buf_addc(&b, 'x');
	assert_slice(buf_slice(&b), "1234567");
	buf_clear(&b);
	buf_addf(&b, "%d-%s", 42, "abcde");
	assert_false(b.full);
	assert_string_equal(b.p, "42-abcde");
	buf_drop(&b, 3);
	assert_slice(buf_slice(&b), "abcde");
	buf_free(&b);
}

static void count_call(void *thing)
{
	++*(int *)thing;
}

static void arena_runs_what_was_deferred(void **state)
{
	struct arena *a = arena_new(1 << 20);
	int calls = 0;

	(void)state;
	arena_defer(a, count_call, &calls);
	assert_string_equal(arena_str(a, SLICE("alice")), "alice");
	memset(arena_alloc(a, 100000), 1, 100000);
	arena_reset(a);
	assert_int_equal(calls, 1);
	const char *fresh = arena_alloc(a, 64);
	for (int i = 0; i < 64; i++)
		assert_int_equal(fresh[i], 0);
	arena_defer(a, count_call, &calls);
	arena_free(a);
	assert_int_equal(calls, 2);
}

static void cursor_keeps_its_first_error(void **state)
{
	struct cursor c = cursor_of(SLICE("<alice@example.test> SIZE=12"));

	(void)state;
	cursor_char(&c, '<', "'<'");
	assert_slice(cursor_span(&c, OCTET_ATEXT, "local part"), "alice");
	cursor_char(&c, ':', "':'");
	assert_string_equal(c.expected, "':'");
	assert_int_equal(c.at, 6);
	cursor_char(&c, '@', "'@'");
	assert_string_equal(c.expected, "':'");
	assert_false(cursor_done(&c));
}

static void cursor_reads_numbers_words_and_the_rest(void **state)
{
	struct cursor c = cursor_of(SLICE("size=1234 x"));

	(void)state;
	assert_true(cursor_try(&c, SLICE("SIZE=")));
	assert_int_equal(cursor_number(&c, 2000, "size"), 1234);
	assert_true(cursor_try_char(&c, ' '));
	assert_slice(cursor_take(&c, 1, "one"), "x");
	assert_true(cursor_done(&c));
	c = cursor_of(SLICE("99999"));
	cursor_number(&c, 100, "a number up to 100");
	assert_string_equal(c.expected, "a number up to 100");
}

static void base64_round_trips_and_is_strict(void **state)
{
	static const char *const bad[] = { "A", "AB", "ABC", "AB=C", "A===", "=AAA",
		"AAAA=", "AB==AAAA", "AAA\n", "AA A", "AB==", "AAB=" };
	struct buf coded, plain;

	(void)state;
	buf_init(&coded, 1000);
	buf_init(&plain, 1000);
	for (size_t n = 0; n < 50; n++) {
		char raw[50];

		for (size_t i = 0; i < n; i++)
			raw[i] = (char)(i * 37 + n);
		buf_clear(&coded);
		buf_clear(&plain);
		base64_encode((slice){ raw, n }, &coded);
		assert_true(base64_decode(buf_slice(&coded), &plain));
		assert_true(slice_eq(buf_slice(&plain), (slice){ raw, n }));
	}
	buf_clear(&plain);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(base64_decode(slice_of(bad[i]), &plain));
		assert_int_equal(plain.n, 0);
	}
	buf_free(&coded);
	buf_free(&plain);
}

static void utf8_refuses_overlong_surrogate_and_cut(void **state)
{
	(void)state;
	assert_true(utf8_valid(SLICE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa7")));
	assert_false(utf8_valid(SLICE("\xc0\xaf")));
	assert_false(utf8_valid(SLICE("\xed\xa0\x80")));
	assert_false(utf8_valid(SLICE("\xf4\x90\x80\x80")));
	assert_false(utf8_valid(SLICE("\xe2\x82")));
	assert_false(utf8_valid(SLICE("\x80")));
	assert_false(utf8_valid(SLICE("\xff")));
}

static void crc_is_castagnoli(void **state)
{
	(void)state;
	/* RFC 3720 §B.4: 32 octets of zeros, and the check value of "123456789". */
	char zeros[32] = { 0 };
	assert_int_equal(crc32c(0, (slice){ zeros, 32 }), 0x8a9136aau);
	assert_int_equal(crc32c(0, SLICE("123456789")), 0xe3069283u);
	assert_int_equal(crc32c(crc32c(0, SLICE("1234")), SLICE("56789")), 0xe3069283u);
	/* In every split, whatever computes it. */
	for (size_t i = 0; i <= sizeof zeros; i++)
		assert_int_equal(
		    crc32c(crc32c(0, (slice){ zeros, i }), (slice){ zeros, sizeof zeros - i }),
		    crc32c(0, (slice){ zeros, sizeof zeros }));
}

static void map_agrees_with_an_array(void **state)
{
	struct map m = { 0 };
	static char *model[512];
	size_t count = 0, at = 0, walked = 0;
	unsigned seed = unit_seed();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t key = (uint64_t)rand_r(&seed) % 512;

		if (rand_r(&seed) % 3) {
			char *value = (char *)model + rand_r(&seed) % 4096 + 1;

			count += !model[key];
			model[key] = value;
			map_set(&m, key << 40 | key, value);
		} else {
			assert_ptr_equal(map_remove(&m, key << 40 | key), model[key]);
			count -= model[key] != NULL;
			model[key] = NULL;
		}
		key = (uint64_t)rand_r(&seed) % 512;
		assert_ptr_equal(map_get(&m, key << 40 | key), model[key]);
		assert_int_equal(m.count, count);
	}
	while (map_next(&m, &at))
		walked++;
	assert_int_equal(walked, count);
	map_free(&m);
}

static void list_keeps_order(void **state)
{
	struct item {
		int n;
		struct link link;
	} items[3] = { { .n = 1 }, { .n = 2 }, { .n = 3 } };
	struct list list;

	(void)state;
	list_init(&list);
	for (int i = 0; i < 3; i++)
		list_push(&list, &items[i].link);
	list_remove(&items[1].link);
	list_remove(&items[1].link);
	assert_int_equal(LIST_OF(list_pop(&list), struct item, link)->n, 1);
	assert_int_equal(LIST_OF(list_pop(&list), struct item, link)->n, 3);
	assert_null(list_pop(&list));
}

static void file_replaces_whole_or_not_at_all(void **state)
{
	char path[] = "/tmp/hauberk-file-XXXXXX";
	struct error error;
	struct buf content;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	buf_init(&content, 10);
	assert_true(file_replace(path, SLICE("0123456789"), 0600, &error));
	assert_true(file_read(path, &content, &error));
	assert_slice(buf_slice(&content), "0123456789");
	assert_true(file_replace(path, SLICE("0123456789x"), 0600, &error));
	assert_false(file_read(path, &content, &error));
	assert_non_null(strstr(error.why, "larger than 10 octets"));
	assert_false(file_read("/nowhere/at/all", &content, &error));
	assert_non_null(strstr(error.why, "/nowhere/at/all"));
	buf_free(&content);
	unlink(path);
}

static void octet_table_agrees_with_the_grammars(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		bool alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		assert_int_equal(octet_is(c, OCTET_ALPHA | OCTET_DIGIT), alnum);
		assert_int_equal(
		    octet_is(c, OCTET_ATEXT), alnum || (i && strchr("!#$%&'*+-/=?^_`{|}~", c)));
		assert_int_equal(octet_is(c, OCTET_FIELD), i > 32 && i < 127 && c != ':');
		assert_int_equal(octet_is(c, OCTET_HEX), octet_hex(c) >= 0);
		assert_int_equal(
		    octet_is(c, OCTET_IMAP_ATOM), i > 32 && i < 127 && !strchr("(){%*\"\\]", c));
	}
}

static void a_log_line_is_stamped_in_utc_and_cannot_be_forged(void **state)
{
	char want[40], got[400];
	int pipe_fds[2];
	time_t before = time(NULL);
	struct tm tm;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	log_open("test.0", pipe_fds[1], LOG_INFO);
	log_info("event", kv_text("from", SLICE("a\r\n2026 info \"x\"")), kv_num("n", -5));
	log_open("test.0", STDERR_FILENO, LOG_INFO);
	ssize_t n = read(pipe_fds[0], got, sizeof got - 1);
	assert_true(n > 30);
	got[n] = '\0';
	strftime(want, sizeof want, "%Y-%m-%dT%H:%M", gmtime_r(&before, &tm));
	assert_memory_equal(got, want, 14); /* up to the hour: the minute may have turned */
	assert_string_equal(
	    got + 27, " info test.0 event from=\"a\\x0d\\x0a2026 info \\\"x\\\"\" n=-5\n");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static slice hear(int fd, char *room, size_t size)
{
	ssize_t n = recv(fd, room, size, MSG_DONTWAIT);

	assert_true(n > 0);
	return (slice){ room, (size_t)n };
}

/* What a peer sends is one field, whatever is in it. */
static void the_journal_gets_each_key_as_a_field(void **state)
{
	static const char want[] = "PRIORITY=4\nSYSLOG_IDENTIFIER=hauberk\n"
				   "MESSAGE=test.1 odd.event s=1 from=\"a\\x0aMESSAGE=b\" n=-5\n"
				   "HAUBERK_PROCESS=test.1\nHAUBERK_EVENT=odd.event\nHAUBERK_S=1\n"
				   "HAUBERK_FROM\n\x0b\0\0\0\0\0\0\0"
				   "a\nMESSAGE=b\nHAUBERK_N=-5\n";
	static char big[9000], got[40000];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	log_open("test.1", STDERR_FILENO, LOG_INFO);
	assert_true(log_set_target(LOG_JOURNAL, ends[0]));
	log_debug("unheard");
	log_warn(
	    "odd.event", kv_str("s", "1"), kv_text("from", SLICE("a\nMESSAGE=b")), kv_num("n", -5));
	slice one = hear(ends[1], got, sizeof got);
	assert_int_equal(one.n, sizeof want - 1);
	assert_memory_equal(one.p, want, one.n);
	/* What has no room is left out whole: what follows can be read. */
	memset(big, 'x', sizeof big);
	slice x = { big, sizeof big };
	log_info(
	    "big", kv_text("one", x), kv_text("two", x), kv_text("three", x), kv_num("last", 1));
	one = hear(ends[1], got, sizeof got);
	assert_true(slice_starts(one, SLICE("PRIORITY=6\n")));
	assert_true(one.n > 15 && memcmp(one.p + one.n - 15, "HAUBERK_LAST=1\n", 15) == 0);
	assert_true(slice_search_nocase(one, SLICE("HAUBERK_ONE=xxx")) != SIZE_MAX);
	assert_true(slice_search_nocase(one, SLICE("HAUBERK_THREE")) == SIZE_MAX);
	log_set_target(LOG_STDERR, -1);
	close(ends[0]);
	close(ends[1]);
}

/* Here the full disk is a socket that nobody reads. */
static void lines_that_were_lost_are_counted_when_there_is_room_again(void **state)
{
	static char got[40000];
	struct timeval none = { .tv_usec = 1000 };
	int ends[2], lines = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
	log_open("test.1", STDERR_FILENO, LOG_INFO);
	assert_true(log_set_target(LOG_JOURNAL, ends[0]));
	for (int i = 0; i < 2000; i++)
		log_info("event", kv_num("i", i));
	while (recv(ends[1], got, sizeof got, MSG_DONTWAIT) > 0)
		lines++;
	assert_true(lines > 0 && lines < 2000);
	log_info("event");
	assert_true(hear(ends[1], got, sizeof got).n > 0);
	slice one = hear(ends[1], got, sizeof got);
	snprintf(got + 20000, 100, "HAUBERK_LINES=%d\n", 2000 - lines);
	bool told = slice_search_nocase(one, slice_of(got + 20000)) != SIZE_MAX &&
	    slice_search_nocase(one, SLICE("EVENT=log.lost")) != SIZE_MAX;
	assert_true(told);
	log_set_target(LOG_STDERR, -1);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_stop_at_their_maximum),
		cmocka_unit_test(buffer_refuses_what_does_not_fit_and_remembers),
		cmocka_unit_test(arena_runs_what_was_deferred),
		cmocka_unit_test(cursor_keeps_its_first_error),
		cmocka_unit_test(cursor_reads_numbers_words_and_the_rest),
		cmocka_unit_test(base64_round_trips_and_is_strict),
		cmocka_unit_test(utf8_refuses_overlong_surrogate_and_cut),
		cmocka_unit_test(crc_is_castagnoli),
		cmocka_unit_test(map_agrees_with_an_array),
		cmocka_unit_test(list_keeps_order),
		cmocka_unit_test(file_replaces_whole_or_not_at_all),
		cmocka_unit_test(a_log_line_is_stamped_in_utc_and_cannot_be_forged),
		cmocka_unit_test(the_journal_gets_each_key_as_a_field),
		cmocka_unit_test(lines_that_were_lost_are_counted_when_there_is_room_again),
		cmocka_unit_test(octet_table_agrees_with_the_grammars),
	};

	return UNIT_RUN(tests);
}
