/* The accepting side on a disk that fails, at each call that changes it, one after another. */
#include "lib/faults.h"

#include "lib/spool_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PUTS 4 /* two small ones, a large one, a small one */

/* What a process that met the fault says of it. */
struct story {
	struct spool_result results[PUTS], after;
	bool answered[PUTS], recovered, hit;
};

struct place {
	char folder[40], own[48];
	struct story *story;
};

static const uint64_t account = 7;

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	p->story =
	    mmap(NULL, sizeof *p->story, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p->story != MAP_FAILED);
	*state = p;
	return 0;
}

static int end_place(void **state)
{
	struct place *p = *state;

	munmap(p->story, sizeof *p->story);
	free(p);
	return 0;
}

static slice content_of(int i)
{
	static char large[2 << 20];

	memset(large, 'x', sizeof large);
	return i == 2 ? (slice){ large, sizeof large } : SLICE("a small message\r\n");
}

struct disk_fault {
	const char *name;
	unsigned kinds;
	int code;
	bool lasting;
};

/* In a process of its own: a sync that fails ends it. */
static void meet_fault(struct place *p, const struct disk_fault *fault, int at)
{
	struct peers *peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	struct error error;

	alarm(60);
	faults_arm(p->own, fault->kinds, fault->code, at, fault->lasting);
	struct spool *spool = spool_open(p->own, 0, peers, &error);
	if (!spool) {
		/* The role says why and is started again. */
		p->story->hit = faults_end();
		spool = spool_open(p->own, 0, peers, &error);
	}
	spool_start(spool);
	for (int i = 0; i < PUTS; i++) {
		p->story->results[i] = put_message(spool, &account, 1, content_of(i)).result;
		p->story->answered[i] = true;
	}
	p->story->hit |= faults_end();
	p->story->after = put_message(spool, &account, 1, content_of(0)).result;
	p->story->recovered = true;
	_exit(0);
}

/* What the queue would find in a file: every record whole, the rest unfinished. */
static size_t read_file(struct place *p, const char *name)
{
	struct segment_file file;
	struct record_head head;
	struct buf envelope, message;
	struct error error;
	uint64_t at = RECORD_FIRST;
	struct stat st;
	size_t n = 0;
	int fd = open(path_in(p->own, name), O_RDONLY);

	assert_int_equal(fstat(fd, &st), 0);
	uint64_t size = (uint64_t)st.st_size;
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	if (segment_file_open(fd, strtoull(name, NULL, 16), &file, &error)) {
		while (record_next(&file, size, &at, &head, &envelope)) {
			buf_init(&message, 8 << 20);
			assert_true(record_read_message(&file, &head, &message, &error));
			buf_free(&message);
			at += record_length(&head);
			n++;
		}
		assert_true(at <= size && record_is_unfinished(&file, size, at));
	} else {
		assert_true(size <= RECORD_FIRST + sizeof head);
	}
	buf_free(&envelope);
	close(fd);
	return n;
}

static size_t read_all(struct place *p)
{
	DIR *folder = opendir(p->own);
	struct dirent *entry;
	size_t n = 0;

	while (folder && (entry = readdir(folder)))
		if (slice_ends(slice_of(entry->d_name), SLICE(".seg")) ||
		    slice_ends(slice_of(entry->d_name), SLICE(".one")))
			n += read_file(p, entry->d_name);
	if (folder)
		closedir(folder);
	return n;
}

static void assert_there(struct place *p, const struct spool_result *r)
{
	struct segment_file file;
	struct record_head head;
	struct buf envelope;
	struct error error;
	int fd = open(segment_file(p->folder, r->segment, "seg"), O_RDONLY);

	if (fd < 0)
		fd = open(segment_file(p->folder, r->segment, "one"), O_RDONLY);
	buf_init(&envelope, RECORD_ENVELOPE_MAX);
	assert_true(segment_file_open(fd, r->segment, &file, &error));
	assert_true(record_read_head(&file, r->place, &head, &envelope, &error));
	buf_free(&envelope);
	close(fd);
}

/* Everything said is true; what was not said may be there once. */
static void check_story(struct place *p, bool died)
{
	const struct story *s = p->story;
	size_t said = 0, unsaid = 0;

	for (int i = 0; i < PUTS; i++) {
		said += s->answered[i] && s->results[i].ok;
		unsaid += !s->answered[i];
		if (s->answered[i] && s->results[i].ok)
			assert_there(p, &s->results[i]);
		/* RFC 3463: X.3.1, mail system full: it may be tried again. */
		if (s->answered[i] && !s->results[i].ok) {
			assert_true(s->results[i].error.temporary);
			assert_int_equal(s->results[i].error.fault, FAULT_LOCAL);
			assert_true(s->results[i].error.said[0] != 0);
		}
	}
	said += s->recovered;
	size_t found = read_all(p);
	assert_true(found >= said && found <= said + (died ? unsaid : 0));
	if (!died) {
		assert_true(s->recovered && s->after.ok);
		assert_there(p, &s->after);
	}
}

/* A successor, as the supervisor starts it. */
static void accept_again(struct place *p)
{
	struct peers *peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	struct error error;
	struct spool *spool = spool_open(p->own, 0, peers, &error);

	assert_non_null(spool);
	spool_start(spool);
	struct put put = put_message(spool, &account, 1, SLICE("after it"));
	assert_true(put.result.ok);
	assert_there(p, &put.result);
	spool_stop(spool);
	peers_free(peers);
	spool_free(spool);
}

/* One run with the call number `at` failing; false when it never came. *died_out: the process ended. */
static bool try_fault(struct place *p, const struct disk_fault *fault, int at, bool *died_out)
{
	int status;

	snprintf(p->folder, sizeof p->folder, "/tmp/fault_test.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->own, sizeof p->own, "%s/0", p->folder);
	memset(p->story, 0, sizeof *p->story);
	pid_t pid = fork();
	if (pid == 0)
		meet_fault(p, fault, at);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*died_out = WIFSIGNALED(status);
	assert_true(*died_out ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
	check_story(p, *died_out);
	accept_again(p);
	folder_remove(p->folder);
	return p->story->hit || *died_out;
}

static int try_all(struct place *p, const struct disk_fault *fault, int *deaths_out)
{
	bool died;
	int at = 0;

	for (*deaths_out = 0; try_fault(p, fault, at, &died); at++)
		*deaths_out += died;
	print_message(
	    "# %s: %d calls failed, %d ended the process\n", fault->name, at, *deaths_out);
	return at;
}

static void a_disk_that_refuses_is_a_temporary_error(void **state)
{
	static const struct disk_fault all[] = {
		{ "full for a moment", FAULT_WRITES | FAULT_NAMES, ENOSPC, false },
		{ "full", FAULT_WRITES | FAULT_NAMES, ENOSPC, true },
		{ "over quota", FAULT_WRITES | FAULT_NAMES, EDQUOT, true },
		{ "read-only", FAULT_WRITES | FAULT_NAMES | FAULT_CUTS | FAULT_GONE, EROFS, true },
		{ "cannot be written", FAULT_WRITES | FAULT_NAMES, EIO, true },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		int deaths;

		/* The folder, a segment, three groups; the large one: its file, 4 writes, its name. */
		assert_true(try_all(*state, &all[i], &deaths) >= (all[i].lasting ? 10 : 8));
		assert_int_equal(deaths, 0);
	}
}

static void a_half_that_cannot_be_cut_off_ends_the_process(void **state)
{
	static const struct disk_fault fault = { "full, and cannot be cut",
		FAULT_WRITES | FAULT_NAMES | FAULT_CUTS, ENOSPC, true };
	int deaths;

	try_all(*state, &fault, &deaths);
	/* Where the first write that fails is that of a group: each of three, and the last one also when
	 * the large message's file, or its name, could not be made before. */
	assert_int_equal(deaths, 5);
}

static void a_failed_sync_ends_the_process(void **state)
{
	static const int codes[] = { EIO, ENOSPC, EDQUOT, EROFS };

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		struct disk_fault fault = { "sync", FAULT_SYNCS, codes[i], false };
		int deaths, calls = try_all(*state, &fault, &deaths);

		/* The new segment's folder, 3 groups; the large one's file and its folder. */
		assert_int_equal(calls, 6);
		assert_int_equal(deaths, calls);
	}
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, end_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(a_disk_that_refuses_is_a_temporary_error),
		WITH_PLACE(a_half_that_cannot_be_cut_off_ends_the_process),
		WITH_PLACE(a_failed_sync_ends_the_process),
	};

	return UNIT_RUN(tests);
}
