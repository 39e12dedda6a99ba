/* The role queue in a process of its own, between an smtp process and a deliver that the test plays. */
#include "lib/spool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/list.h"
#include "base/memory.h"
#include "queue/schedule.h"

#define PAUSE_US 300000
#define WAIT_MS  20000

/* A question that deliver got. */
struct item {
	struct link link;
	struct call *call;
	uint64_t segment, place, length, low;
	char done[20];
};

struct stage {
	char folder[40], own[48];
	struct peers *main, *smtp, *deliver;
	pthread_t smtp_thread, deliver_thread;
	struct spool *spool;
	pid_t queue;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t there = PTHREAD_COND_INITIALIZER;
static struct list items; /* that deliver got and nobody took yet */

/* ---- the roles ---- */

static void take_item(struct call *call)
{
	struct item *item = NEW(struct item);

	item->call = call;
	item->segment = message_get_number(&call->in);
	item->place = message_get_number(&call->in);
	item->length = message_get_number(&call->in);
	item->low = message_get_number(&call->in);
	slice done = message_get_text(&call->in);
	snprintf(item->done, sizeof item->done, "%.*s", SLICE_ARG(done));
	pthread_mutex_lock(&lock);
	list_push(&items, &item->link);
	pthread_cond_signal(&there);
	pthread_mutex_unlock(&lock);
}

static void take_peer(struct call *call)
{
	enum role role = (enum role)message_get_number(&call->in);

	peers_add(call->peers, role, (int)message_get_number(&call->in), call->fd);
	call->fd = -1;
	call_end(call);
}

static const struct service deliver_services[] = {
	{ MESSAGE_DELIVER, ROLE_BIT(ROLE_QUEUE), take_item },
	{ MESSAGE_PEER, ROLE_BIT(ROLE_MAIN), take_peer },
};

static void reconnect(void *context, enum role role, int instance)
{
	struct stage *s = context;

	(void)instance;
	if (role == ROLE_QUEUE && s->spool)
		spool_reconnect(s->spool);
}

static void queue_added(void *context, enum role role, int instance)
{
	(void)context;
	schedule_added(role, instance);
}

static void queue_tick(void *context)
{
	(void)context;
	schedule_tick();
}

static int run_queue(struct stage *s, int main_fd)
{
	struct peers_events events = { .added = queue_added, .tick = queue_tick };
	struct service services[8];
	struct error error;
	size_t n = schedule_service_count;

	memcpy(services, schedule_services, n * sizeof services[0]);
	services[n++] = (struct service){ MESSAGE_PEER, ROLE_BIT(ROLE_MAIN), take_peer };
	struct peers *peers = peers_new(ROLE_QUEUE, 0, services, n);
	schedule_set_pauses(PAUSE_US, 4 * PAUSE_US);
	peers_set_events(peers, &events);
	peers_add(peers, ROLE_MAIN, 0, main_fd);
	if (!schedule_open(s->folder, peers, &error))
		return 1;
	return peers_run(peers);
}

static void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

/* Gives one role a fresh channel to another, whose end is returned. */
static int give_channel(struct stage *s, enum role to, enum role other)
{
	struct message m;
	int one, two;

	assert_true(channel_pair(&one, &two));
	message_begin(&m, MESSAGE_PEER);
	message_put_number(&m, other);
	message_put_number(&m, 0);
	assert_true(peers_tell(s->main, to, 0, &m, one));
	message_free(&m);
	close(one);
	return two;
}

static void give_end(struct stage *s, enum role to, enum role other, int fd)
{
	struct message m;

	message_begin(&m, MESSAGE_PEER);
	message_put_number(&m, other);
	message_put_number(&m, 0);
	assert_true(peers_tell(s->main, to, 0, &m, fd));
	message_free(&m);
	close(fd);
}

static void connect_deliver(struct stage *s)
{
	int end = give_channel(s, ROLE_DELIVER, ROLE_QUEUE);

	/* The old channel is gone before the new one comes. */
	usleep(100000);
	give_end(s, ROLE_QUEUE, ROLE_DELIVER, end);
}

static void start_queue(struct stage *s)
{
	int ours, theirs;

	assert_true(channel_pair(&ours, &theirs));
	s->queue = fork();
	if (s->queue == 0) {
		alarm(60);
		_exit(run_queue(s, theirs));
	}
	close(theirs);
	peers_add(s->main, ROLE_QUEUE, 0, ours);
	give_end(s, ROLE_QUEUE, ROLE_SMTP, give_channel(s, ROLE_SMTP, ROLE_QUEUE));
	connect_deliver(s);
}

static void kill_queue(struct stage *s)
{
	kill(s->queue, SIGKILL);
	waitpid(s->queue, NULL, 0);
}

static void start_role(struct stage *s, enum role role, struct peers *p, pthread_t *thread)
{
	int one, other;

	assert_true(channel_pair(&one, &other));
	peers_add(s->main, role, 0, one);
	peers_add(p, ROLE_MAIN, 0, other);
	pthread_create(thread, NULL, run, p);
}

static int make_stage(void **state)
{
	struct stage *s = calloc(1, sizeof *s);
	struct peers_events events = { .context = s, .added = reconnect };
	struct error error;

	list_init(&items);
	snprintf(s->folder, sizeof s->folder, "/tmp/schedule_test.XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->own, sizeof s->own, "%s/0", s->folder);
	s->main = peers_new(ROLE_MAIN, 0, NULL, 0);
	s->smtp = peers_new(ROLE_SMTP, 0, &deliver_services[1], 1);
	s->deliver = peers_new(ROLE_DELIVER, 0, deliver_services, 2);
	s->spool = spool_open(s->own, 0, s->smtp, &error);
	assert_non_null(s->spool);
	peers_set_events(s->smtp, &events);
	start_role(s, ROLE_SMTP, s->smtp, &s->smtp_thread);
	start_role(s, ROLE_DELIVER, s->deliver, &s->deliver_thread);
	spool_start(s->spool);
	start_queue(s);
	*state = s;
	return 0;
}

static void drop_items(void)
{
	struct link *node;

	while ((node = list_pop(&items))) {
		struct item *item = LIST_OF(node, struct item, link);

		call_end(item->call);
		free(item);
	}
}

static int end_stage(void **state)
{
	struct stage *s = *state;

	kill_queue(s);
	peers_stop(s->smtp, 0);
	peers_stop(s->deliver, 0);
	pthread_join(s->smtp_thread, NULL);
	pthread_join(s->deliver_thread, NULL);
	drop_items();
	spool_stop(s->spool);
	peers_free(s->smtp);
	peers_free(s->deliver);
	peers_free(s->main);
	spool_free(s->spool);
	folder_remove(s->folder);
	free(s);
	return 0;
}

/* ---- what deliver does ---- */

/* The next question, NULL when none comes in time. */
static struct item *wait_item(int ms)
{
	struct timespec until;
	struct link *node;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&lock);
	while (!(node = list_pop(&items)))
		if (pthread_cond_timedwait(&there, &lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&lock);
	return node ? LIST_OF(node, struct item, link) : NULL;
}

static struct item *next_item(void)
{
	struct item *item = wait_item(WAIT_MS);

	assert_non_null(item);
	return item;
}

static void assert_nothing_comes(int ms)
{
	assert_null(wait_item(ms));
}

/* One letter for each recipient: d, l, h. */
static void answer(struct item *item, const char *outcomes)
{
	struct message m;
	size_t n = strlen(outcomes);

	message_begin(&m, MESSAGE_DELIVER);
	message_put_number(&m, n);
	for (size_t i = 0; i < n; i++) {
		message_put_number(&m, i);
		message_put_number(&m,
		    outcomes[i] == 'd'       ? OUTCOME_DONE
			: outcomes[i] == 'l' ? OUTCOME_LATER
					     : OUTCOME_HOLD);
		message_put_text(&m, SLICE("why"));
	}
	call_reply(item->call, &m);
	message_free(&m);
	free(item);
}

static void ignore(struct item *item)
{
	call_end(item->call);
	free(item);
}

static const uint64_t accounts[2] = { 7, 8 };

static struct put put_text(struct stage *s, const char *text)
{
	struct put put = put_message(s->spool, accounts, 2, slice_of(text));

	assert_true(put.result.ok);
	return put;
}

static void say_open_after(struct stage *s, uint64_t segment, uint64_t last_of_others)
{
	struct message m;

	message_begin(&m, MESSAGE_SEGMENT_OPEN);
	message_put_number(&m, segment);
	message_put_number(&m, last_of_others);
	assert_true(peers_tell(s->smtp, ROLE_QUEUE, 0, &m, -1));
	message_free(&m);
}

static void say_open(struct stage *s, uint64_t segment)
{
	say_open_after(s, segment, 0);
}

static bool is_there(struct stage *s, uint64_t segment)
{
	return access(segment_file(s->folder, segment, "seg"), F_OK) == 0 ||
	    access(segment_file(s->folder, segment, "one"), F_OK) == 0;
}

static void wait_removed(struct stage *s, uint64_t segment)
{
	for (int i = 0; i < WAIT_MS / 10 && is_there(s, segment); i++)
		usleep(10000);
	assert_false(is_there(s, segment));
}

/* ---- what holds ---- */

static void an_item_is_handed_over_and_its_segment_removed(void **state)
{
	struct stage *s = *state;
	struct put one = put_text(s, "one"), two = put_text(s, "two");
	uint64_t segment = one.result.segment;
	struct item *first = next_item(), *second = next_item();

	assert_int_equal(first->segment, segment);
	assert_int_equal(first->place, one.result.place);
	assert_int_equal(first->length, one.length);
	assert_int_equal(first->low, segment);
	assert_int_equal(second->place, two.result.place);
	answer(first, "dd");
	say_open(s, segment + 256);
	usleep(200000);
	assert_true(is_there(s, segment)); /* the second is not done */
	answer(second, "dd");
	wait_removed(s, segment);
	assert_nothing_comes(300);
}

static void the_open_segment_stays(void **state)
{
	struct stage *s = *state;
	struct put put = put_text(s, "one");

	answer(next_item(), "dd");
	usleep(300000);
	assert_true(is_there(s, put.result.segment));
	say_open(s, put.result.segment + 256);
	wait_removed(s, put.result.segment);
}

static void a_large_message_is_removed_when_it_is_done(void **state)
{
	struct stage *s = *state;
	char *text = memory_new(1, (2 << 20) + 1);

	memset(text, 'x', 2 << 20);
	struct put put = put_text(s, text);
	answer(next_item(), "dd");
	wait_removed(s, put.result.segment);
	free(text);
}

static void a_lost_deliver_is_asked_again(void **state)
{
	struct stage *s = *state;
	struct put put = put_text(s, "one");
	struct item *lost = next_item();

	connect_deliver(s);
	struct item *again = next_item();
	assert_int_equal(again->segment, put.result.segment);
	ignore(lost);
	answer(again, "dd");
	say_open(s, put.result.segment + 256);
	wait_removed(s, put.result.segment);
}

static void what_may_come_later_is_tried_after_a_pause(void **state)
{
	struct stage *s = *state;
	struct put put = put_text(s, "one");
	int64_t before;

	answer(next_item(), "dl");
	before = clock_us();
	struct item *again = next_item();
	assert_true(clock_us() - before >= PAUSE_US / 2);
	assert_string_equal(again->done, "10");
	before = clock_us();
	answer(again, "dl");
	again = next_item();
	assert_true(clock_us() - before >= PAUSE_US);
	answer(again, "dd");
	say_open(s, put.result.segment + 256);
	wait_removed(s, put.result.segment);
}

static void what_is_held_waits_for_a_restart(void **state)
{
	struct stage *s = *state;
	struct put put = put_text(s, "one");

	answer(next_item(), "dh");
	say_open(s, put.result.segment + 256);
	assert_nothing_comes(1000);
	assert_true(is_there(s, put.result.segment));
	kill_queue(s);
	start_queue(s);
	answer(next_item(), "dd");
	say_open(s, put.result.segment + 256);
	wait_removed(s, put.result.segment);
}

static void a_restarted_queue_hands_everything_over_again(void **state)
{
	struct stage *s = *state;
	char *large = memory_new(1, (2 << 20) + 1);
	struct put puts[6];

	memset(large, 'x', 2 << 20);
	for (int i = 0; i < 4; i++)
		puts[i] = put_text(s, i ? "small" : large);
	for (int i = 0; i < 4; i++)
		ignore(next_item());
	kill_queue(s);
	for (int i = 4; i < 6; i++)
		puts[i] = put_text(s, "while nobody listens");
	start_queue(s);
	for (int i = 0; i < 6; i++) {
		struct item *item = next_item();
		bool known = false;

		for (int k = 0; k < 6; k++)
			known |= puts[k].result.segment == item->segment &&
			    puts[k].result.place == item->place && puts[k].length == item->length;
		assert_true(known);
		answer(item, "dd");
	}
	assert_nothing_comes(500);
	wait_removed(s, puts[0].result.segment);
	assert_true(is_there(s, puts[5].result.segment)); /* still open */
	free(large);
}

static void a_record_said_again_after_its_removal_is_no_item(void **state)
{
	struct stage *s = *state;
	struct put put = put_text(s, "one");
	struct message m;

	answer(next_item(), "dd");
	say_open(s, put.result.segment + 256);
	wait_removed(s, put.result.segment);
	message_begin(&m, MESSAGE_ACCEPTED);
	message_put_number(&m, put.result.segment);
	message_put_number(&m, put.result.place);
	message_put_number(&m, put.length);
	message_put_number(&m, 0);
	assert_true(peers_tell(s->smtp, ROLE_QUEUE, 0, &m, -1));
	message_free(&m);
	assert_nothing_comes(500);
}

/* ---- a damaged segment ---- */

/* Begins a segment where there is none; true with what a reader knows of it. */
static void know_segment(int fd, uint64_t segment, struct segment_file *out)
{
	struct segment_head head;
	struct error error;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (st.st_size == 0) {
		segment_head_make(segment, &head);
		assert_int_equal(pwrite(fd, &head, sizeof head, 0), sizeof head);
		*out = (struct segment_file){ fd, segment, head.mark };
		return;
	}
	assert_true(segment_file_open(fd, segment, out, &error));
}

static uint64_t write_record(int fd, uint64_t segment, uint64_t place, slice content)
{
	struct record_head head = { .segment = segment, .place = place };
	struct segment_file file;
	struct buf envelope;

	know_segment(fd, segment, &file);
	head.mark = file.mark;

	buf_init(&envelope, 1000);
	envelope_for(accounts, 2, &envelope);
	head.message_crc = crc32c(0, content);
	head.envelope_octets = envelope.n;
	head.message_octets = content.n;
	record_seal(&head, buf_slice(&envelope));
	assert_int_equal(pwrite(fd, &head, sizeof head, (off_t)place), sizeof head);
	assert_int_equal(
	    pwrite(fd, envelope.p, envelope.n, (off_t)(place + sizeof head)), (ssize_t)envelope.n);
	assert_int_equal(
	    pwrite(fd, content.p, content.n, (off_t)(place + sizeof head + envelope.n)),
	    (ssize_t)content.n);
	buf_free(&envelope);
	return place + record_length(&head);
}

/* Of what write_record writes. */
static size_t envelope_octets(void)
{
	struct buf envelope;

	buf_init(&envelope, 1000);
	envelope_for(accounts, 2, &envelope);
	size_t n = envelope.n;
	buf_free(&envelope);
	return n;
}

static void good_records_around_garbage_are_found(void **state)
{
	struct stage *s = *state;
	uint64_t segment = (uint64_t)clock_wall_us() << 8;
	static char garbage[200000];
	struct segment_file file;

	kill_queue(s);
	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (char)(i * 31);
	int fd = open(segment_file(s->folder, segment, "seg"), O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	uint64_t end = write_record(fd, segment, RECORD_FIRST, SLICE("first"));
	/* The mark where no record is, also across the seam of two windows. */
	know_segment(fd, segment, &file);
	memcpy(garbage + 1000, &file.mark, sizeof file.mark);
	memcpy(garbage + 65533, &file.mark, sizeof file.mark);
	assert_int_equal(pwrite(fd, garbage, sizeof garbage, (off_t)end), (ssize_t)sizeof garbage);
	uint64_t second = end + sizeof garbage;
	end = write_record(fd, segment, second, SLICE("second"));
	uint64_t tail = write_record(fd, segment, end, SLICE("this one is torn"));
	assert_int_equal(ftruncate(fd, (off_t)(tail - 3)), 0);
	close(fd);
	start_queue(s);
	struct item *a = next_item(), *b = next_item();
	assert_int_equal(a->place, RECORD_FIRST);
	assert_int_equal(b->place, second);
	assert_nothing_comes(500);
	answer(a, "dd");
	answer(b, "dd");
	/* The garbage may have been a message: a person must look. */
	assert_nothing_comes(500);
	assert_true(is_there(s, segment));
}

/* A segment with a message that has a record in it, then another message; the first one's envelope is
 * damaged, so the reader looks for the next record. The planted one has this mark. Returns where the
 * record behind it stands; *planted_out: where the planted one does. */
static uint64_t plant(
    struct stage *s, uint64_t segment, const uint64_t *mark, slice copied, uint64_t *planted_out)
{
	struct segment_file file;
	struct record_head head = { .segment = segment };
	struct buf body;
	char octet = 0;
	int fd = open(segment_file(s->folder, segment, "seg"), O_RDWR | O_CREAT, 0600);

	know_segment(fd, segment, &file);
	buf_init(&body, 100000);
	buf_adds(&body, "Subject: see what is in me\r\n\r\n");
	uint64_t content = RECORD_FIRST +
	    record_length(&(struct record_head){ .envelope_octets = envelope_octets() });
	*planted_out = head.place = content + body.n;
	head.mark = mark ? *mark : file.mark;
	head.message_crc = crc32c(0, SLICE("planted"));
	head.message_octets = 7;
	record_seal(&head, SLICE(""));
	if (copied.n)
		buf_add(&body, copied);
	else
		buf_add(&body, (slice){ (const char *)&head, sizeof head });
	buf_adds(&body, "planted");
	uint64_t next = write_record(fd, segment, RECORD_FIRST, buf_slice(&body));
	assert_int_equal(pwrite(fd, &octet, 1, RECORD_FIRST + sizeof head + 8), 1);
	write_record(fd, segment, next, SLICE("the next one"));
	buf_free(&body);
	close(fd);
	return next;
}

/* The places handed over of a segment are these. */
static void assert_handed(uint64_t segment, const uint64_t *places, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct item *item = next_item();

		assert_int_equal(item->segment, segment);
		assert_int_equal(item->place, places[i]);
		answer(item, "dd");
	}
	assert_nothing_comes(300);
}

static void a_record_planted_in_a_message_is_none(void **state)
{
	struct stage *s = *state;
	const uint64_t guesses[] = { 0, UINT64_MAX, SEGMENT_MAGIC };
	uint64_t segment = (uint64_t)clock_wall_us() << 8, planted, next;
	char copy[sizeof(struct record_head) + 7];

	kill_queue(s);
	/* Whoever knows the mark could do it: so the reader does look there. */
	next = plant(s, segment, NULL, SLICE(""), &planted);
	start_queue(s);
	assert_handed(segment, (uint64_t[]){ planted, next }, 2);
	int fd = open(segment_file(s->folder, segment, "seg"), O_RDONLY);
	assert_int_equal(pread(fd, copy, sizeof copy, (off_t)planted), sizeof copy);
	close(fd);
	assert_int_equal(unlink(segment_file(s->folder, segment, "seg")), 0);
	for (size_t i = 0; i <= sizeof guesses / sizeof guesses[0]; i++) {
		kill_queue(s);
		segment += 256;
		if (i < sizeof guesses / sizeof guesses[0])
			next = plant(s, segment, &guesses[i], SLICE(""), &planted);
		else
			next = plant(s, segment, NULL, (slice){ copy, sizeof copy }, &planted);
		start_queue(s);
		assert_handed(segment, &next, 1);
		assert_true(is_there(s, segment));
		assert_int_equal(unlink(segment_file(s->folder, segment, "seg")), 0);
	}
}

static void flip(struct stage *s, uint64_t segment, uint64_t at)
{
	int fd = open(segment_file(s->folder, segment, "seg"), O_RDWR);
	char octet;

	assert_int_equal(pread(fd, &octet, 1, (off_t)at), 1);
	octet = (char)(octet ^ 0x20);
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
	close(fd);
}

/* Two messages in a segment of its own, closed. Fills both places; returns its end. */
static uint64_t two_messages(struct stage *s, uint64_t segment, uint64_t *places)
{
	int fd = open(segment_file(s->folder, segment, "seg"), O_RDWR | O_CREAT, 0600);

	places[0] = RECORD_FIRST;
	places[1] = write_record(fd, segment, places[0], SLICE("first"));
	uint64_t end = write_record(fd, segment, places[1], SLICE("second"));
	close(fd);
	return end;
}

static void a_damaged_last_record_is_kept_and_a_torn_one_is_not(void **state)
{
	struct stage *s = *state;
	uint64_t segment = (uint64_t)clock_wall_us() << 8, places[2];

	/* Each octet of a head matters: its own fields, the lengths among them, and the envelope. */
	for (uint64_t at = 0; at < sizeof(struct record_head) + 8; at += 7) {
		kill_queue(s);
		segment += 256;
		two_messages(s, segment, places);
		flip(s, segment, places[1] + at);
		start_queue(s);
		assert_handed(segment, places, 1);
		assert_true(is_there(s, segment));
		assert_int_equal(unlink(segment_file(s->folder, segment, "seg")), 0);
	}
	for (int torn = 1; torn < 3; torn++) {
		kill_queue(s);
		segment += 256;
		uint64_t end = two_messages(s, segment, places);
		off_t left = torn == 1 ? (off_t)places[1] + 20 : (off_t)end - 1;
		assert_int_equal(truncate(segment_file(s->folder, segment, "seg"), left), 0);
		start_queue(s);
		assert_handed(segment, places, 1);
		wait_removed(s, segment);
	}
}

static void a_damaged_segment_head_loses_nothing(void **state)
{
	struct stage *s = *state;
	uint64_t segment = (uint64_t)clock_wall_us() << 8, places[2];

	for (uint64_t at = 0; at < RECORD_FIRST; at += 5) {
		kill_queue(s);
		segment += 256;
		two_messages(s, segment, places);
		flip(s, segment, at);
		start_queue(s);
		assert_handed(segment, places, 2);
		wait_removed(s, segment);
	}
	kill_queue(s);
	segment += 256;
	two_messages(s, segment, places);
	flip(s, segment, 17);
	flip(s, segment, places[0] + 1);
	start_queue(s);
	assert_nothing_comes(300);
	assert_true(is_there(s, segment));
}

static void what_a_dead_process_left_unsaid_is_handed_over(void **state)
{
	struct stage *s = *state;
	struct put put = put_text(s, "said");
	uint64_t unsaid = put.result.segment - 512, end = put.result.place + put.length;
	int said = open(segment_file(s->folder, put.result.segment, "seg"), O_RDWR);
	int file = open(segment_file(s->folder, unsaid, "seg"), O_RDWR | O_CREAT, 0600);

	answer(next_item(), "dd");
	write_record(said, put.result.segment, end, SLICE("the last in a known one"));
	write_record(file, unsaid, RECORD_FIRST, SLICE("the first in an unknown one"));
	close(said);
	close(file);
	say_open_after(s, 0, put.result.segment);
	struct item *a = next_item(), *b = next_item();
	assert_int_equal(a->segment, unsaid);
	assert_int_equal(b->segment, put.result.segment);
	assert_int_equal(b->place, end);
	assert_nothing_comes(300);
	answer(a, "dd");
	answer(b, "dd");
	wait_removed(s, put.result.segment);
	wait_removed(s, unsaid);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, make_stage, end_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(an_item_is_handed_over_and_its_segment_removed),
		ON_STAGE(the_open_segment_stays),
		ON_STAGE(a_large_message_is_removed_when_it_is_done),
		ON_STAGE(a_lost_deliver_is_asked_again),
		ON_STAGE(what_may_come_later_is_tried_after_a_pause),
		ON_STAGE(what_is_held_waits_for_a_restart),
		ON_STAGE(a_restarted_queue_hands_everything_over_again),
		ON_STAGE(a_record_said_again_after_its_removal_is_no_item),
		ON_STAGE(good_records_around_garbage_are_found),
		ON_STAGE(a_record_planted_in_a_message_is_none),
		ON_STAGE(a_damaged_last_record_is_kept_and_a_torn_one_is_not),
		ON_STAGE(a_damaged_segment_head_loses_nothing),
		ON_STAGE(what_a_dead_process_left_unsaid_is_handed_over),
	};

	return UNIT_RUN(tests);
}
