/* Notes, files, finding and forgetting. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/unit.h"
#include "trace/print.h"
#include "trace/read.h"
#include "trace/record.h"

static char folder[] = "/tmp/hauberk-trace-XXXXXX";

static void write_one(const char *session, unsigned number, uint64_t segment, const char *sender)
{
	struct trace_id id = {
		.session = slice_of(session), .number = number, .segment = segment, .place = 24
	};
	struct trace t;

	trace_begin(&t);
	TRACE(&t, TRACE_MAIL, 0, slice_of(sender));
	TRACE(
	    &t, TRACE_REPLY, 550, SLICE("RCPT TO:<refused@x.test>"), SLICE("no such\x1b[2J user"));
	assert_true(t.refused && !t.cut);
	trace_write(&id, &t);
	trace_free(&t);
}

static size_t find(struct trace_query q, struct buf *out)
{
	struct error error;
	size_t count = 99;

	buf_init(out, 1 << 20);
	q.days = q.days ? q.days : 1;
	q.most = q.most ? q.most : 10;
	assert_true(trace_find(folder, &q, out, &count, &error));
	return count;
}

static size_t count_of(struct trace_query q)
{
	struct buf out;
	size_t n = find(q, &out);

	buf_free(&out);
	return n;
}

static void traces_are_found_by_all_their_names(void **state)
{
	struct buf out;

	write_one("5a.1", 1, 0x1000, "ann@x.test");
	write_one("5a.1", 2, 0, "bob@x.test");
	write_one("5a.11", 1, 0x2000, "ann@x.test");
	assert_int_equal(
	    count_of((struct trace_query){ .segment = 0x1000, .place = 24, .days = 3650 }), 1);
	assert_int_equal(
	    count_of((struct trace_query){ .segment = 0x1000, .place = 25, .days = 3650 }), 0);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("5a.1") }), 2);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("5a.1.2") }), 1);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("5a.11.1") }), 1);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("5a") }), 0);
	assert_int_equal(count_of((struct trace_query){ .address = SLICE("ANN@x.test") }), 2);
	assert_int_equal(count_of((struct trace_query){ .address = SLICE("refused@X.test") }), 3);
	assert_int_equal(count_of((struct trace_query){ .address = SLICE("nn@x.test") }), 0);
	assert_int_equal(
	    find((struct trace_query){ .address = SLICE("ann@x.test"), .most = 1 }, &out), 1);
	buf_addc(&out, '\0');
	assert_non_null(strstr(out.p, "2000-18 s=5a.11.1 "));
	assert_non_null(strstr(out.p, "refused RCPT TO:<refused@x.test> → 550 no such?[2J user\n"));
	buf_free(&out);
}

static void forgetting_leaves_the_others(void **state)
{
	struct error error;
	size_t count;

	write_one("6.1", 1, 0, "gone@x.test");
	write_one("6.2", 1, 0, "stays@x.test");
	assert_true(trace_forget(folder, SLICE("Gone@X.test"), &count, &error));
	assert_int_equal(count, 1);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("6.1") }), 0);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("6.2") }), 1);
	assert_true(trace_forget(folder, SLICE("gone@x.test"), &count, &error));
	assert_int_equal(count, 0);
}

static void what_does_not_fit_is_told(void **state)
{
	static char text[3000];
	struct trace_head head = { .magic = TRACE_MAGIC };
	struct trace_noted note;
	struct trace t;
	struct buf out;
	size_t n = 0;

	memset(text, 'x', sizeof text);
	trace_begin(&t);
	for (int i = 0; i < 100; i++)
		TRACE(&t, TRACE_CHECK, i, (slice){ text, sizeof text }, SLICE("b"));
	assert_true(t.cut && t.data.n <= TRACE_MAX);
	for (slice rest = buf_slice(&t.data); trace_next(&rest, t.began_us, &note); n++) {
		assert_int_equal(note.number, n);
		assert_int_equal(note.texts[0].n, TRACE_TEXT);
		assert_int_equal(note.texts[1].n, 1);
	}
	assert_in_range(n, 10, 16);
	buf_init(&out, 1 << 20);
	head.cut = t.cut;
	trace_print(&head, buf_slice(&t.data), &out);
	buf_addc(&out, '\0');
	assert_non_null(strstr(out.p, "(more happened than was kept)"));
	buf_free(&out);
	trace_free(&t);
}

/* Any octet of a record that is changed makes the record nothing, and leaves the one behind it. */
static void every_octet_counts(void **state)
{
	char path[400] = "";
	struct dirent *entry;
	DIR *dir = opendir(folder);
	struct stat before, after;

	while ((entry = readdir(dir)))
		if (entry->d_name[0] == '2')
			snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
	closedir(dir);
	stat(path, &before);
	write_one("7.1", 1, 0, "flip@x.test");
	stat(path, &after);
	write_one("7.2", 1, 0, "behind@x.test");
	int fd = open(path, O_RDWR);
	for (off_t at = before.st_size; at < after.st_size; at++) {
		char c;

		assert_int_equal(pread(fd, &c, 1, at), 1);
		c ^= 0x41;
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
		assert_int_equal(count_of((struct trace_query){ .session = SLICE("7.1") }), 0);
		assert_int_equal(count_of((struct trace_query){ .session = SLICE("7.2") }), 1);
		c ^= 0x41;
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
	}
	close(fd);
	assert_int_equal(count_of((struct trace_query){ .session = SLICE("7.1") }), 1);
}

static int set_up(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	trace_open(folder, "smtp.0", 30);
	return 0;
}

static int tear_down(void **state)
{
	char command[100];

	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traces_are_found_by_all_their_names),
		cmocka_unit_test(forgetting_leaves_the_others),
		cmocka_unit_test(what_does_not_fit_is_told),
		cmocka_unit_test(every_octet_counts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
