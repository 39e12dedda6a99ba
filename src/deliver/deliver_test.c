/* The role deliver between real segments, a real store and a queue that the test plays. */
#include "lib/spool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/file.h"
#include "deliver/deliver.h"
#include "directory/directory.h"
#include "queue/schedule.h"
#include "store/store.h"

#define ACCOUNTS 5
#define MESSAGES 300
#define WAIT_MS  60000
#define MANY     4500 /* recipients, more than one answer tells of */

struct room {
	char folder[40];
	char spool_folder[60], own_folder[64], accounts[60], directory[80];
	struct peers *spool_peers, *peers, *queue, *imap;
	pthread_t peers_thread, queue_thread, imap_thread;
	struct spool *spool;
	uint64_t ids[ACCOUNTS];
	struct store *store;
	struct arena *arena;
};

static _Atomic int notices;

static void take_notice(struct call *call)
{
	notices++;
	call_end(call);
}

static const struct service imap_services[] = {
	{ MESSAGE_NOTICE, ROLE_BIT(ROLE_DELIVER), take_notice },
};

static void *run(void *peers)
{
	peers_run(peers);
	return NULL;
}

static void connect_roles(struct room *r)
{
	int one, other;

	r->peers = peers_new(ROLE_DELIVER, 0, deliver_services, deliver_service_count);
	r->queue = peers_new(ROLE_QUEUE, 0, NULL, 0);
	r->imap = peers_new(ROLE_IMAP, 0, imap_services, 1);
	assert_true(channel_pair(&one, &other));
	peers_add(r->peers, ROLE_QUEUE, 0, one);
	peers_add(r->queue, ROLE_DELIVER, 0, other);
	assert_true(channel_pair(&one, &other));
	peers_add(r->peers, ROLE_IMAP, 0, one);
	peers_add(r->imap, ROLE_DELIVER, 0, other);
}

static void make_accounts(struct room *r)
{
	struct directory *dir;
	struct error error;
	int64_t id;

	assert_true(directory_open(r->directory, true, &dir, &error));
	assert_true(directory_domain_add(dir, SLICE("example.test"), &id, &error));
	for (int i = 0; i < ACCOUNTS; i++) {
		char name[20];

		snprintf(name, sizeof name, "a%d", i);
		assert_true(
		    directory_account_add(dir, slice_of(name), SLICE("example.test"), &id, &error));
		r->ids[i] = (uint64_t)id;
	}
	directory_close(dir);
}

static void start(struct room *r)
{
	struct deliver_config config = { .spool = r->spool_folder,
		.accounts = r->accounts,
		.directory = r->directory,
		.threads = 3,
		.handles = 4,
		.peers = r->peers };
	struct error error;

	assert_true(deliver_open(&config, &error));
	deliver_start();
	pthread_create(&r->peers_thread, NULL, run, r->peers);
	pthread_create(&r->queue_thread, NULL, run, r->queue);
	pthread_create(&r->imap_thread, NULL, run, r->imap);
}

static int make_room(void **state)
{
	struct room *r = calloc(1, sizeof *r);
	struct error error;

	snprintf(r->folder, sizeof r->folder, "/tmp/deliver_test.XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	snprintf(r->spool_folder, sizeof r->spool_folder, "%s/spool", r->folder);
	snprintf(r->own_folder, sizeof r->own_folder, "%s/0", r->spool_folder);
	snprintf(r->accounts, sizeof r->accounts, "%s/accounts", r->folder);
	snprintf(r->directory, sizeof r->directory, "%s/directory.db", r->folder);
	assert_int_equal(mkdir(r->spool_folder, 0700), 0);
	assert_int_equal(mkdir(r->accounts, 0700), 0);
	make_accounts(r);
	r->spool_peers = peers_new(ROLE_SMTP, 0, NULL, 0);
	r->spool = spool_open(r->own_folder, 0, r->spool_peers, &error);
	assert_non_null(r->spool);
	spool_start(r->spool);
	r->store = store_new(r->accounts, ACCOUNTS);
	r->arena = arena_new(64 << 20);
	notices = 0;
	connect_roles(r);
	start(r);
	*state = r;
	return 0;
}

static int end_room(void **state)
{
	struct room *r = *state;
	struct peers *all[] = { r->peers, r->queue, r->imap };
	pthread_t threads[] = { r->peers_thread, r->queue_thread, r->imap_thread };

	for (int i = 0; i < 3; i++) {
		peers_stop(all[i], 0);
		pthread_join(threads[i], NULL);
	}
	deliver_drain();
	for (int i = 0; i < 3; i++)
		peers_free(all[i]);
	spool_stop(r->spool);
	peers_free(r->spool_peers);
	spool_free(r->spool);
	store_free(r->store);
	arena_free(r->arena);
	folder_remove(r->folder);
	free(r);
	return 0;
}

/* ---- asking ---- */

struct asked {
	sem_t there;
	bool ok;
	size_t count;
	struct {
		uint64_t recipient;
		enum outcome outcome;
		char why[400];
	} said[16];                      /* the first */
	size_t totals[OUTCOME_HOLD + 1]; /* of all, by outcome */
	char done[MANY + 1];             /* as the queue would keep it */
};

static void answered(void *context, bool ok, struct message_reader *in)
{
	struct asked *a = context;

	a->ok = ok && in;
	a->count = a->ok ? message_get_number(in) : 0;
	for (size_t i = 0; i < a->count && !in->failed; i++) {
		uint64_t recipient = message_get_number(in), outcome = message_get_number(in);
		slice why = message_get_text(in);

		if (outcome == OUTCOME_DONE && recipient < MANY)
			a->done[recipient] = '1';
		a->totals[outcome % 3]++;
		if (i >= 16)
			continue;
		a->said[i].recipient = recipient;
		a->said[i].outcome = (enum outcome)outcome;
		snprintf(a->said[i].why, sizeof a->said[i].why, "%.*s", SLICE_ARG(why));
	}
	a->ok = a->ok && message_done(in);
	sem_post(&a->there);
}

static void ask(struct room *r, const struct put *put, const char *done, struct asked *a)
{
	struct message m;

	sem_init(&a->there, 0, 0);
	message_begin(&m, MESSAGE_DELIVER);
	message_put_number(&m, put->result.segment);
	message_put_number(&m, put->result.place);
	message_put_number(&m, put->length);
	message_put_number(&m, put->result.segment);
	message_put_text(&m, slice_of(done));
	assert_true(peers_request(r->queue, ROLE_DELIVER, 0, &m, -1, answered, a));
	message_free(&m);
}

static void wait_answer(struct asked *a)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	while (sem_timedwait(&a->there, &until) < 0)
		assert_int_equal(errno, EINTR);
}

static void ask_and_wait(struct room *r, const struct put *put, const char *done, struct asked *a)
{
	ask(r, put, done, a);
	wait_answer(a);
	assert_true(a->ok);
}

static struct put put_text(struct room *r, const uint64_t *accounts, size_t n, const char *text)
{
	struct put put = put_message(r->spool, accounts, n, slice_of(text));

	assert_true(put.result.ok);
	return put;
}

static int64_t inbox(struct room *r, uint64_t account, struct store_mailbox *m)
{
	struct error error;

	if (store_mailbox_find(r->store, (int64_t)account, SLICE("INBOX"), r->arena, m, &error) !=
	    STORE_FOUND)
		fail_msg("%s", error.why);
	return m->messages;
}

static int64_t mail_of(struct room *r, uint64_t account)
{
	struct store_mailbox m;

	return inbox(r, account, &m);
}

static void read_body(struct room *r, uint64_t account, struct store_row *row, struct buf *out)
{
	struct error error;

	if (!store_body(r->store, (int64_t)account, row->body, out, &error))
		fail_msg("%s", error.why);
}

/* ---- what holds ---- */

#define TEXT "From: a@example.test\r\nSubject: hello\r\n\r\nbody\r\n"

static void a_message_is_delivered_once(void **state)
{
	struct room *r = *state;
	struct put put = put_text(r, r->ids, 1, TEXT);
	struct store_mailbox m;
	struct store_row *rows;
	struct asked a = { 0 };
	struct error error;
	struct buf body;
	size_t n;

	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.said[0].outcome, OUTCOME_DONE);
	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.said[0].outcome, OUTCOME_DONE);
	ask_and_wait(r, &put, "1", &a);
	assert_int_equal(a.count, 0);
	assert_int_equal(inbox(r, r->ids[0], &m), 1);
	assert_true(store_rows(r->store, (int64_t)r->ids[0], m.id, 1, UINT32_MAX, 10, true,
	    r->arena, &rows, &n, &error));
	assert_int_equal(n, 1);
	assert_non_null(memmem(rows[0].head.envelope.p, rows[0].head.envelope.n, "hello", 5));
	buf_init(&body, 1000);
	read_body(r, r->ids[0], &rows[0], &body);
	assert_slice(buf_slice(&body), "Return-Path: <sender@elsewhere.test>\r\n" TEXT);
	buf_free(&body);
	for (int i = 0; i < 500 && notices < 1; i++)
		usleep(10000);
	assert_int_equal(notices, 1);
}

static void each_recipient_gets_its_copy(void **state)
{
	struct room *r = *state;
	uint64_t twice[] = { r->ids[0], r->ids[1], r->ids[0] };
	struct put put = put_text(r, twice, 3, TEXT);
	struct asked a = { 0 };

	ask_and_wait(r, &put, "01", &a);
	assert_int_equal(a.count, 2);
	assert_int_equal(mail_of(r, r->ids[0]), 2);
	assert_int_equal(mail_of(r, r->ids[1]), 0);
	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.count, 3);
	assert_int_equal(mail_of(r, r->ids[0]), 2);
	assert_int_equal(mail_of(r, r->ids[1]), 1);
}

static void mail_for_a_removed_account_is_held(void **state)
{
	struct room *r = *state;
	uint64_t accounts[] = { 999999, r->ids[2] };
	struct put put = put_text(r, accounts, 2, TEXT);
	struct asked a = { 0 };

	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.count, 2);
	for (size_t i = 0; i < 2; i++) {
		bool there = a.said[i].recipient == 1;

		assert_int_equal(a.said[i].outcome, there ? OUTCOME_DONE : OUTCOME_HOLD);
		if (!there)
			assert_non_null(strstr(a.said[i].why, "999999"));
	}
	assert_int_equal(mail_of(r, r->ids[2]), 1);
}

static void damage(struct room *r, const struct put *put, uint64_t at)
{
	int fd = open(segment_file(r->spool_folder, put->result.segment, "seg"), O_RDWR);
	char octet;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &octet, 1, (off_t)at), 1);
	octet = (char)(octet ^ 1);
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
	close(fd);
}

static void a_damaged_record_is_held(void **state)
{
	struct room *r = *state;
	struct put message = put_text(r, r->ids, 1, TEXT), head = put_text(r, r->ids, 1, TEXT);
	struct put gone = message;
	struct asked a = { 0 };

	damage(r, &message, message.result.place + message.length - 3);
	damage(r, &head, head.result.place + 20);
	ask_and_wait(r, &message, "", &a);
	assert_int_equal(a.said[0].outcome, OUTCOME_HOLD);
	assert_non_null(strstr(a.said[0].why, "damaged"));
	ask_and_wait(r, &head, "", &a);
	assert_int_equal(a.said[0].outcome, OUTCOME_HOLD);
	gone.result.segment += 256;
	ask_and_wait(r, &gone, "", &a);
	assert_int_equal(a.said[0].outcome, OUTCOME_HOLD);
	assert_non_null(strstr(a.said[0].why, "not in the spool"));
	assert_int_equal(mail_of(r, r->ids[0]), 0);
}

static void what_a_disk_refuses_comes_later(void **state)
{
	struct room *r = *state;
	struct put put = put_text(r, r->ids, 2, TEXT);
	char away[80];
	struct asked a = { 0 };

	snprintf(away, sizeof away, "%s.away", r->accounts);
	assert_int_equal(rename(r->accounts, away), 0);
	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a.said[i].outcome, OUTCOME_LATER);
		assert_true(a.said[i].why[0]);
	}
	assert_int_equal(rename(away, r->accounts), 0);
	ask_and_wait(r, &put, "00", &a);
	for (int i = 0; i < 2; i++)
		assert_int_equal(a.said[i].outcome, OUTCOME_DONE);
	assert_int_equal(mail_of(r, r->ids[0]), 1);

	snprintf(away, sizeof away, "%s.away", r->directory);
	put = put_text(r, &r->ids[3], 1, TEXT);
	/* Threads that have it open go on; a fresh role does not find it. */
	deliver_drain();
	assert_int_equal(rename(r->directory, away), 0);
	struct deliver_config config = { r->spool_folder, r->accounts, r->directory, 3, 4,
		r->peers };
	struct error error;
	assert_true(deliver_open(&config, &error));
	deliver_start();
	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.said[0].outcome, OUTCOME_LATER);
	assert_int_equal(rename(away, r->directory), 0);
	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.said[0].outcome, OUTCOME_DONE);
}

/* ---- the ledger ---- */

struct ledger {
	struct put puts[MESSAGES];
	unsigned wanted[ACCOUNTS][MESSAGES], found[ACCOUNTS][MESSAGES];
	struct asked asked[2 * MESSAGES];
};

static void put_all(struct room *r, struct ledger *l)
{
	for (int i = 0; i < MESSAGES; i++) {
		uint64_t accounts[3];
		size_t n = 1 + (size_t)rand() % 3;
		char text[80];

		for (size_t k = 0; k < n; k++) {
			int a = rand() % ACCOUNTS;

			accounts[k] = r->ids[a];
			l->wanted[a][i]++;
		}
		snprintf(text, sizeof text, "Subject: one of many\r\n\r\nnumber %d\r\n", i);
		l->puts[i] = put_text(r, accounts, n, text);
	}
}

static void ask_all(struct room *r, struct ledger *l)
{
	int order[2 * MESSAGES], n = 0;

	for (int i = 0; i < MESSAGES; i++)
		order[n++] = i;
	for (int i = 0; i < MESSAGES; i++)
		if (rand() % 3 == 0)
			order[n++] = i;
	for (int i = n - 1; i > 0; i--) {
		int k = rand() % (i + 1), other = order[k];

		order[k] = order[i];
		order[i] = other;
	}
	for (int i = 0; i < n; i++)
		ask(r, &l->puts[order[i]], "", &l->asked[i]);
	for (int i = 0; i < n; i++) {
		wait_answer(&l->asked[i]);
		assert_true(l->asked[i].ok);
		for (size_t k = 0; k < l->asked[i].count; k++)
			assert_int_equal(l->asked[i].said[k].outcome, OUTCOME_DONE);
	}
}

static void count_mail(struct room *r, struct ledger *l, int account)
{
	int64_t id = (int64_t)r->ids[account];
	struct store_mailbox m;
	struct store_row *rows;
	struct error error;
	struct buf body;
	size_t n;

	buf_init(&body, 1000);
	inbox(r, r->ids[account], &m);
	assert_true(store_rows(
	    r->store, id, m.id, 1, UINT32_MAX, 10000, false, r->arena, &rows, &n, &error));
	for (size_t i = 0; i < n; i++) {
		read_body(r, r->ids[account], &rows[i], &body);
		const char *number = strstr(body.p, "number ");
		assert_non_null(number);
		l->found[account][strtoul(number + 7, NULL, 10) % MESSAGES]++;
	}
	buf_free(&body);
	if (!store_verify(r->store, id, &error))
		fail_msg("%s", error.why);
}

static void three_hundred_messages_arrive_exactly_once(void **state)
{
	struct room *r = *state;
	struct ledger *l = calloc(1, sizeof *l);

	srand(unit_seed());
	put_all(r, l);
	ask_all(r, l);
	for (int a = 0; a < ACCOUNTS; a++)
		count_mail(r, l, a);
	assert_memory_equal(l->wanted, l->found, sizeof l->wanted);
	free(l);
}

static void a_large_message_is_delivered(void **state)
{
	struct room *r = *state;
	struct buf text;
	struct asked a = { 0 };

	buf_init(&text, 8 << 20);
	buf_adds(&text, TEXT);
	while (text.n < 3 << 20)
		buf_adds(&text, "a line of a large message .................................\r\n");
	struct put put = put_text(r, r->ids, 2, text.p);
	assert_int_equal(put.result.place, RECORD_FIRST);
	buf_free(&text);
	ask_and_wait(r, &put, "", &a);
	assert_int_equal(a.said[0].outcome, OUTCOME_DONE);
	assert_int_equal(a.said[1].outcome, OUTCOME_DONE);
}

static void an_answer_for_thousands_comes_in_parts(void **state)
{
	struct room *r = *state;
	struct asked *a = calloc(1, sizeof *a);
	static uint64_t accounts[MANY];
	char done[MANY + 1] = { 0 };
	int64_t sum = 0;

	for (int i = 0; i < MANY; i++)
		accounts[i] = i < 3 ? 999999 : r->ids[i % ACCOUNTS];
	struct put put = put_text(r, accounts, MANY, TEXT);
	memset(a->done, '0', MANY);
	ask_and_wait(r, &put, "", a);
	assert_int_equal(a->totals[OUTCOME_LATER], 1);
	assert_true(a->totals[OUTCOME_DONE] < MANY - 3);
	memcpy(done, a->done, MANY);
	memset(a->totals, 0, sizeof a->totals);
	ask_and_wait(r, &put, done, a);
	assert_int_equal(a->totals[OUTCOME_LATER], 0);
	assert_int_equal(a->totals[OUTCOME_HOLD], 3);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(a->done[i], i < 3 ? '0' : '1');
	for (int i = 0; i < ACCOUNTS; i++)
		sum += mail_of(r, r->ids[i]);
	assert_int_equal(sum, MANY - 3);
	free(a);
}

#define WITH_ROOM(test) cmocka_unit_test_setup_teardown(test, make_room, end_room)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOM(a_message_is_delivered_once),
		WITH_ROOM(each_recipient_gets_its_copy),
		WITH_ROOM(mail_for_a_removed_account_is_held),
		WITH_ROOM(a_damaged_record_is_held),
		WITH_ROOM(what_a_disk_refuses_comes_later),
		WITH_ROOM(a_large_message_is_delivered),
		WITH_ROOM(an_answer_for_thousands_comes_in_parts),
		WITH_ROOM(three_hundred_messages_arrive_exactly_once),
	};

	return UNIT_RUN(tests);
}
