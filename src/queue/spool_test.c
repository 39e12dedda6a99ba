/* The accepting side: what was reported as committed is there, whole, whatever happens. */
#include "lib/spool_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

#define THREADS    8
#define PER_THREAD 40
#define KILLS      15

struct place {
	char folder[40], own[48];
	struct peers *peers;
	struct spool *spool;
};

static const uint64_t account = 7;

static struct spool *open_spool(struct place *p)
{
	struct error error;
	struct spool *spool;

	p->peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	spool = spool_open(p->own, 0, p->peers, &error);
	assert_non_null(spool);
	spool_start(spool);
	return spool;
}

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->folder, sizeof p->folder, "/tmp/spool_test.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->own, sizeof p->own, "%s/0", p->folder);
	p->spool = open_spool(p);
	*state = p;
	return 0;
}

static int end_place(void **state)
{
	struct place *p = *state;

	spool_stop(p->spool);
	peers_free(p->peers);
	spool_free(p->spool);
	folder_remove(p->folder);
	free(p);
	return 0;
}

/* ---- reading back ---- */

static int open_any(struct place *p, uint64_t segment)
{
	int fd = open(segment_file(p->folder, segment, "seg"), O_RDONLY);

	return fd >= 0 ? fd : open(segment_file(p->folder, segment, "one"), O_RDONLY);
}

/* The record is there, with its envelope and this message (NULL: any). */
static void assert_whole(struct place *p, uint64_t segment, uint64_t place, const slice *content)
{
	struct arena *arena = arena_new(1 << 20);
	struct segment_file file;
	struct record_head head;
	struct buf envelope, message;
	struct envelope e;
	struct error error;
	int fd = open_any(p, segment);

	assert_true(fd >= 0);
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	buf_init(&message, 100 << 20);
	if (!segment_file_open(fd, segment, &file, &error) ||
	    !record_read_head(&file, place, &head, &envelope, &error) ||
	    !record_read_message(&file, &head, &message, &error))
		fail_msg("%s", error.why);
	assert_true(envelope_decode(buf_slice(&envelope), arena, &e));
	assert_slice(e.sender, "sender@elsewhere.test");
	assert_int_equal(e.recipients[0].account, account);
	if (content)
		assert_true(slice_eq(buf_slice(&message), *content));
	buf_free(&envelope);
	buf_free(&message);
	arena_free(arena);
	close(fd);
}

/* Walks a segment from its beginning. Every head that is valid must have its message; how many there
 * are. *end_out: where the last one ends. */
static size_t walk(const char *path, uint64_t segment, uint64_t *end_out)
{
	struct segment_file file;
	struct record_head head;
	struct buf envelope, message;
	struct error error;
	size_t n = 0;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	buf_init(&message, 100 << 20);
	bool open = segment_file_open(fd, segment, &file, &error);
	*end_out = open ? RECORD_FIRST : 0;
	while (open && record_read_head(&file, *end_out, &head, &envelope, &error)) {
		buf_clear(&message);
		if (!record_read_message(&file, &head, &message, &error))
			break;
		*end_out += record_length(&head);
		n++;
	}
	buf_free(&envelope);
	buf_free(&message);
	close(fd);
	return n;
}

static size_t count_files(struct place *p, const char *ending)
{
	DIR *folder = opendir(p->own);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)))
		n += slice_ends(slice_of(entry->d_name), slice_of(ending));
	closedir(folder);
	return n;
}

/* ---- what holds ---- */

static void messages_are_read_back_as_they_were(void **state)
{
	struct place *p = *state;
	char octets[] = "line\r\n\0bin\xff";
	slice contents[] = { SLICE(""), SLICE("short\r\n"), { octets, sizeof octets } };

	for (int i = 0; i < 3; i++) {
		struct put put = put_message(p->spool, &account, 1, contents[i]);

		assert_true(put.result.ok);
		assert_whole(p, put.result.segment, put.result.place, &contents[i]);
	}
}

struct committer {
	pthread_t thread;
	struct spool *spool;
	int number;
	struct put puts[PER_THREAD];
};

static void text_of(int thread, int i, char *text, size_t size)
{
	snprintf(text, size, "thread %d message %d %0*d\r\n", thread, i, i * 50 + 1, 0);
}

static void *commit_many(void *argument)
{
	struct committer *c = argument;
	char text[PER_THREAD * 50 + 100];

	for (int i = 0; i < PER_THREAD; i++) {
		text_of(c->number, i, text, sizeof text);
		c->puts[i] = put_message(c->spool, &account, 1, slice_of(text));
	}
	return NULL;
}

static void note(void *context, const struct spool_result *result)
{
	*(bool *)context = result->ok;
}

static void whoever_is_alone_commits_for_himself(void **state)
{
	struct place *p = *state;
	struct error error;
	bool done = false;

	/* A spool of its own, whose thread is never started. */
	char own[60];
	snprintf(own, sizeof own, "%s/alone", p->folder);
	struct spool *spool = spool_open(own, 7, p->peers, &error);
	assert_non_null(spool);
	struct spool_message *m = spool_begin(spool, 100);
	assert_true(spool_write(m, SLICE("text\r\n"), &error));
	spool_commit(m, SLICE(""), note, &done);
	assert_true(done);
	spool_free(spool);
}

static void eight_threads_commit_together(void **state)
{
	struct place *p = *state;
	struct committer *all = calloc(THREADS, sizeof *all);
	char text[PER_THREAD * 50 + 100];
	uint64_t end;

	for (int i = 0; i < THREADS; i++) {
		all[i].spool = p->spool;
		all[i].number = i;
		pthread_create(&all[i].thread, NULL, commit_many, &all[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		for (int k = 0; k < PER_THREAD; k++) {
			const struct spool_result *r = &all[i].puts[k].result;

			text_of(i, k, text, sizeof text);
			slice content = slice_of(text);
			assert_true(r->ok);
			assert_whole(p, r->segment, r->place, &content);
		}
	uint64_t segment = all[0].puts[0].result.segment;
	assert_int_equal(
	    walk(segment_file(p->folder, segment, "seg"), segment, &end), THREADS * PER_THREAD);
	free(all);
}

static slice large_content(struct buf *b, size_t n)
{
	buf_init(b, n + 100);
	while (b->n < n)
		buf_adds(b, "a line of a large message .................................\r\n");
	return buf_slice(b);
}

static void a_large_message_has_a_file_of_its_own(void **state)
{
	struct place *p = *state;
	struct buf large;
	slice content = large_content(&large, 3 << 20);
	struct put put = put_message(p->spool, &account, 1, content);

	assert_true(put.result.ok);
	assert_int_equal(put.result.place, RECORD_FIRST);
	assert_int_equal(access(segment_file(p->folder, put.result.segment, "one"), F_OK), 0);
	assert_whole(p, put.result.segment, put.result.place, &content);
	assert_int_equal(count_files(p, ".part"), 0);
	buf_free(&large);
}

static void the_limit_is_kept(void **state)
{
	struct place *p = *state;
	struct spool_message *m = spool_begin(p->spool, 10);
	struct error error;

	assert_true(spool_write(m, SLICE("12345"), &error));
	assert_true(spool_write(m, SLICE("67890"), &error));
	assert_int_equal(spool_octets(m), 10);
	assert_false(spool_write(m, SLICE("1"), &error));
	assert_int_equal(error.fault, FAULT_LIMIT);
	assert_false(error.temporary);
	spool_abort(m);
	spool_abort(NULL);
}

static void limit_files(rlim_t octets)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_no_half_record(void **state)
{
	struct place *p = *state;
	char text[10000];
	slice content = { text, sizeof text };
	struct stat st;
	struct put put;
	struct buf large;
	uint64_t end, segment = 0;
	size_t good = 0;

	memset(text, 'x', sizeof text);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(64 << 10);
	while ((put = put_message(p->spool, &account, 1, content)).result.ok) {
		segment = put.result.segment;
		good++;
	}
	assert_true(put.result.error.temporary);
	assert_true(good > 3);
	put = put_message(p->spool, &account, 1, large_content(&large, 2 << 20));
	limit_files(RLIM_INFINITY);
	assert_false(put.result.ok);
	assert_true(put.result.error.temporary);
	assert_int_equal(count_files(p, ".part") + count_files(p, ".one"), 0);
	assert_int_equal(walk(segment_file(p->folder, segment, "seg"), segment, &end), good);
	assert_int_equal(stat(segment_file(p->folder, segment, "seg"), &st), 0);
	assert_int_equal(st.st_size, end);

	put = put_message(p->spool, &account, 1, content);
	assert_true(put.result.ok);
	assert_whole(p, put.result.segment, put.result.place, &content);
	assert_int_equal(walk(segment_file(p->folder, segment, "seg"), segment, &end), good + 1);
	buf_free(&large);
}

static void a_successor_removes_halves_and_uses_new_ids(void **state)
{
	struct place *p = *state;
	struct put before = put_message(p->spool, &account, 1, SLICE("before"));
	struct error error;
	struct buf large;

	struct spool_message *m = spool_begin(p->spool, 100 << 20);
	assert_true(spool_write(m, large_content(&large, 2 << 20), &error));
	buf_free(&large);
	assert_int_equal(count_files(p, ".part"), 1);
	struct peers *peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	struct spool *successor = spool_open(p->own, 0, peers, &error);
	assert_non_null(successor);
	assert_int_equal(count_files(p, ".part"), 0);
	spool_start(successor);
	struct put after = put_message(successor, &account, 1, SLICE("after"));
	assert_true(after.result.ok);
	assert_true(after.result.segment > before.result.segment);
	spool_stop(successor);
	peers_free(peers);
	spool_free(successor);
	spool_abort(m);
}

/* ---- killed ---- */

static int report_fd;

static void report(void *context, const struct spool_result *result)
{
	uint64_t id[2] = { result->segment, result->place };
	ssize_t n = 0;

	(void)context;
	if (result->ok)
		n = write(report_fd, id, sizeof id);
	(void)n;
}

/* Commits without end, some of it large, and says what is done. */
static void accept_for_ever(struct spool *spool, unsigned seed)
{
	struct buf envelope, text;
	struct error error;

	buf_init(&envelope, 1000);
	envelope_for(&account, 1, &envelope);
	slice all = large_content(&text, 2 << 20);
	srand(seed);
	for (;;) {
		size_t n =
		    rand() % 50 ? (size_t)rand() % 20000 : (1u << 20) + (size_t)rand() % 100000;
		struct spool_message *m = spool_begin(spool, 100 << 20);

		if (!spool_write(m, slice_head(all, n), &error))
			_exit(1);
		spool_commit(m, buf_slice(&envelope), report, NULL);
		if (rand() % 8 == 0)
			usleep((unsigned)rand() % 2000);
	}
}

static pid_t start_victim(struct place *p, int said, unsigned seed)
{
	pid_t pid = fork();

	if (pid == 0) {
		report_fd = said;
		alarm(20);
		accept_for_ever(open_spool(p), seed);
	}
	return pid;
}

/* Everything that stands in the folder is whole or a tail that is no record. */
static void assert_no_half(struct place *p)
{
	DIR *folder = opendir(p->own);
	struct dirent *entry;

	while ((entry = readdir(folder))) {
		char *ending;
		uint64_t end, id = strtoull(entry->d_name, &ending, 16);
		bool one = strcmp(ending, ".one") == 0;
		struct segment_file file;
		struct error error;

		if (!one && strcmp(ending, ".seg") != 0)
			continue;
		size_t n = walk(path_in(p->own, entry->d_name), id, &end);
		assert_true(!one || n == 1);
		/* What stands behind is no record, and is known not to be one that was damaged. */
		int fd = open(path_in(p->own, entry->d_name), O_RDONLY);
		struct stat st;
		fstat(fd, &st);
		if (segment_file_open(fd, id, &file, &error))
			assert_true(record_is_unfinished(&file, (uint64_t)st.st_size, end));
		close(fd);
	}
	closedir(folder);
}

static void a_killed_process_keeps_what_it_reported(void **state)
{
	struct place *p = *state;
	unsigned seed = unit_seed();
	size_t reported = 0;

	for (int i = 0; i < KILLS; i++) {
		uint64_t id[2];
		int said[2], status;

		assert_int_equal(pipe(said), 0);
		pid_t pid = start_victim(p, said[1], seed + (unsigned)i);
		close(said[1]);
		usleep(20000 + (seed + (unsigned)i * 7919) % 60000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (read(said[0], id, sizeof id) == sizeof id) {
			assert_whole(p, id[0], id[1], NULL);
			reported++;
		}
		close(said[0]);
		assert_no_half(p);
		folder_remove(p->own);
	}
	assert_true(reported > 0);
}

/* ---- envelopes ---- */

static void an_envelope_reads_as_it_was_written(void **state)
{
	struct envelope_recipient recipients[2] = { { SLICE("a@example.test"), 1 },
		{ SLICE("b@example.test"), UINT64_MAX } };
	struct envelope e = { .login = SLICE("login"), .arrived_us = -5, .recipients = recipients },
			got;
	struct arena *arena = arena_new(1 << 20);
	struct buf out;

	(void)state;
	e.recipient_count = 2;
	buf_init(&out, 10000);
	envelope_encode(&e, &out);
	assert_true(envelope_decode(buf_slice(&out), arena, &got));
	assert_slice(got.sender, "");
	assert_slice(got.login, "login");
	assert_int_equal(got.arrived_us, -5);
	assert_int_equal(got.recipient_count, 2);
	assert_slice(got.recipients[1].address, "b@example.test");
	assert_true(got.recipients[1].account == UINT64_MAX);
	for (size_t n = 0; n < out.n; n++)
		assert_false(envelope_decode(slice_head(buf_slice(&out), n), arena, &got));
	buf_addc(&out, 'x');
	assert_false(envelope_decode(buf_slice(&out), arena, &got));
	buf_free(&out);
	arena_free(arena);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, end_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_reads_as_it_was_written),
		WITH_PLACE(messages_are_read_back_as_they_were),
		WITH_PLACE(whoever_is_alone_commits_for_himself),
		WITH_PLACE(eight_threads_commit_together),
		WITH_PLACE(a_large_message_has_a_file_of_its_own),
		WITH_PLACE(the_limit_is_kept),
		WITH_PLACE(a_full_disk_leaves_no_half_record),
		WITH_PLACE(a_successor_removes_halves_and_uses_new_ids),
		WITH_PLACE(a_killed_process_keeps_what_it_reported),
	};

	return UNIT_RUN(tests);
}
