/* What the store promises, one promise a test. */
#include "lib/store_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/internal.h"

static void assert_uids(const struct uid_set *set, const char *want)
{
	struct buf out;

	buf_init(&out, 10000);
	uid_set_print(set, &out);
	assert_slice(buf_slice(&out), want);
	buf_free(&out);
}

static struct uid_set uids(uint32_t lo, uint32_t hi)
{
	struct uid_set set = { 0 };

	uid_set_add(&set, lo, hi);
	return set;
}

static void what_is_delivered_is_read(void **state)
{
	struct fixture *f = *state;
	struct store_row *rows;
	struct store_head head;
	struct buf body;
	size_t n;

	assert_int_equal(deliver(f, "inbox", SLICE("one\r\n"), STORE_SEEN), 1);
	assert_int_equal(deliver(f, "INBOX", SLICE("two \0 octets\r\n"), 0), 2);
	assert_true(store_rows(
	    f->store, ACCOUNT, f->inbox, 1, UINT32_MAX, 10, true, f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].flags, STORE_SEEN);
	assert_int_equal(rows[1].uid, 2);
	assert_int_equal(rows[1].size, 14);
	assert_true(rows[1].received_us == 1700000000000002);
	assert_slice(rows[1].head.envelope, "(envelope)");
	assert_true(store_head(f->store, ACCOUNT, rows[1].body, f->arena, &head, &f->error));
	assert_slice(head.structure, "(structure)");
	assert_slice(head.bodystructure, "(bodystructure)");
	buf_init(&body, 14);
	assert_true(store_body(f->store, ACCOUNT, rows[1].body, &body, &f->error));
	assert_memory_equal(body.p, "two \0 octets\r\n", 14);
	buf_free(&body);
	buf_init(&body, 13);
	assert_false(store_body(f->store, ACCOUNT, rows[1].body, &body, &f->error));
	assert_int_equal(f->error.fault, FAULT_LIMIT);
	assert_false(store_body(f->store, ACCOUNT, 99, &body, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	buf_free(&body);
	verify(f);
}

static void the_beginning_of_a_message_is_read_alone(void **state)
{
	static char text[300000];
	struct fixture *f = *state;
	struct store_row *rows;
	struct buf body;
	size_t n;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)('a' + i % 23);
	deliver(f, "INBOX", (slice){ text, sizeof text }, 0);
	assert_true(store_rows(
	    f->store, ACCOUNT, f->inbox, 1, 1, 1, false, f->arena, &rows, &n, &f->error));
	buf_init(&body, sizeof text);
	for (size_t most = 0; most < 400000; most = 2 * most + 777) {
		size_t want = most < sizeof text ? most : sizeof text;

		assert_true(
		    store_body_head(f->store, ACCOUNT, rows[0].body, most, &body, &f->error));
		assert_int_equal(body.n, want);
		assert_memory_equal(body.p ? body.p : "", text, want);
	}
	assert_false(store_body_head(f->store, ACCOUNT, 99, 10, &body, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	buf_free(&body);
	buf_init(&body, 10);
	assert_false(store_body_head(f->store, ACCOUNT, rows[0].body, 11, &body, &f->error));
	assert_int_equal(f->error.fault, FAULT_LIMIT);
	buf_free(&body);
}

static void redelivery_is_recognised(void **state)
{
	struct fixture *f = *state;
	struct store_message m[4];
	struct store_result results[4];
	struct store_notice notices[4];
	size_t n;

	m[0] = message_of("INBOX", 100, SLICE("a"));
	m[1] = message_of("inbox", 200, SLICE("b"));
	m[2] = message_of("INBOX", 100, SLICE("a"));
	m[3] = message_of("Nowhere", 300, SLICE("c"));
	assert_true(store_deliver(f->store, ACCOUNT, m, 4, 0, results, notices, &n, &f->error));
	assert_int_equal(n, 1);
	assert_int_equal(results[0].outcome, STORE_STORED);
	assert_int_equal(results[1].uid, 2);
	assert_int_equal(results[2].outcome, STORE_ALREADY);
	assert_int_equal(results[3].outcome, STORE_NO_MAILBOX);
	assert_true(notices[0].modseq == status(f, f->inbox).modseq);
	assert_true(store_deliver(f->store, ACCOUNT, m, 4, 0, results, notices, &n, &f->error));
	assert_int_equal(n, 0);
	assert_int_equal(results[1].outcome, STORE_ALREADY);
	/* Another recipient of the item is another delivery. */
	m[0].recipient = 2;
	assert_true(store_deliver(f->store, ACCOUNT, m, 1, 0, results, notices, &n, &f->error));
	assert_int_equal(results[0].outcome, STORE_STORED);
	assert_int_equal(status(f, f->inbox).messages, 3);
	verify(f);
}

static void marks_of_gone_segments_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct store_message m = message_of("INBOX", 1, SLICE("a"));
	struct store_result result;
	struct store_notice notice;
	size_t n;

	for (int round = 0; round < 2; round++) {
		assert_true(
		    store_deliver(f->store, ACCOUNT, &m, 1, 5, &result, &notice, &n, &f->error));
		assert_int_equal(result.outcome, round ? STORE_ALREADY : STORE_STORED);
	}
	assert_true(store_deliver(f->store, ACCOUNT, &m, 1, 6, &result, &notice, &n, &f->error));
	assert_int_equal(result.outcome, STORE_STORED);
	m.segment = STORE_NO_SEGMENT;
	for (int round = 0; round < 2; round++) {
		assert_true(
		    store_deliver(f->store, ACCOUNT, &m, 1, 0, &result, &notice, &n, &f->error));
		assert_int_equal(result.outcome, STORE_STORED);
	}
	assert_int_equal(result.uid, 4);
}

static void mailboxes_are_made_renamed_and_removed(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox *list;
	struct uid_set set = { 0 };
	int64_t sent, id;
	uint32_t validity;
	size_t n;

	assert_true(store_mailbox_create(
	    f->store, ACCOUNT, SLICE("Sent"), SLICE("\\Sent"), &sent, &f->error));
	assert_false(
	    store_mailbox_create(f->store, ACCOUNT, SLICE("Sent"), SLICE(""), &id, &f->error));
	assert_int_equal(f->error.fault, FAULT_DENIED);
	assert_false(
	    store_mailbox_create(f->store, ACCOUNT, SLICE("iNBOX"), SLICE(""), &id, &f->error));
	validity = status(f, sent).uidvalidity;
	deliver(f, "Sent", SLICE("x"), 0);
	assert_true(store_mailbox_subscribe(f->store, ACCOUNT, sent, true, &f->error));
	assert_true(store_mailbox_rename(f->store, ACCOUNT, sent, SLICE("Old/Sent"), &f->error));
	assert_true(store_mailbox_list(f->store, ACCOUNT, f->arena, &list, &n, &f->error));
	assert_int_equal(n, 2);
	assert_slice(list[0].name, "INBOX");
	assert_slice(list[1].name, "Old/Sent");
	assert_slice(list[1].special, "\\Sent");
	assert_true(list[1].subscribed);
	assert_int_equal(list[1].messages, 1);
	assert_true(store_mailbox_delete(f->store, ACCOUNT, sent, &f->error));
	assert_false(store_select(f->store, ACCOUNT, sent, f->arena, list, &set, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	verify(f);
	assert_true(
	    store_mailbox_create(f->store, ACCOUNT, SLICE("Sent"), SLICE(""), &id, &f->error));
	assert_true(status(f, id).uidvalidity > validity);
	assert_true(id > sent);
	assert_false(store_mailbox_delete(f->store, ACCOUNT, f->inbox, &f->error));
	assert_int_equal(f->error.fault, FAULT_DENIED);
}

static void mailbox_names_are_checked(void **state)
{
	struct fixture *f = *state;
	const char *bad[] = { "", "/a", "a/", "a//b", "a\nb", "\xff" };
	int64_t id;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(store_mailbox_create(
		    f->store, ACCOUNT, slice_of(bad[i]), SLICE(""), &id, &f->error));
		assert_int_equal(f->error.fault, FAULT_INPUT);
		assert_int_equal(mailbox_named(f, bad[i]), 0);
	}
}

static void select_gives_one_moment(void **state)
{
	struct fixture *f = *state;
	struct uid_set set = { 0 }, gone = { 0 };
	struct store_notice notice;
	struct store_mailbox m;
	uint32_t unseen;

	for (int i = 0; i < 5; i++)
		deliver(f, "INBOX", SLICE("abc"), i == 2 ? STORE_DELETED : i < 2 ? STORE_SEEN : 0);
	m = status(f, f->inbox);
	assert_true(store_first_unseen(f->store, ACCOUNT, &m, &unseen, &f->error));
	assert_int_equal(unseen, 3);
	assert_true(store_expunge(f->store, ACCOUNT, f->inbox, NULL, &gone, &notice, &f->error));
	assert_uids(&gone, "3");
	assert_true(store_select(f->store, ACCOUNT, f->inbox, f->arena, &m, &set, &f->error));
	assert_uids(&set, "1:2,4:5");
	assert_int_equal(m.messages, 4);
	assert_int_equal(m.unseen, 2);
	assert_int_equal(m.deleted, 0);
	assert_int_equal(m.bytes, 12);
	assert_int_equal(m.uidnext, 6);
	assert_true(m.modseq == notice.modseq);
	uid_set_free(&set);
	uid_set_free(&gone);
}

static void flags_are_changed_only_where_they_differ(void **state)
{
	struct fixture *f = *state;
	struct uid_set all = uids(1, UINT32_MAX), changed = { 0 }, refused = { 0 };
	struct store_flag_change add = { STORE_FLAGS_ADD, STORE_SEEN | 1LL << 62,
		STORE_ANY_MODSEQ };
	struct store_notice notice;
	struct store_row *rows;
	size_t n;

	deliver(f, "INBOX", SLICE("a"), STORE_SEEN | 1LL << 62);
	deliver(f, "INBOX", SLICE("b"), STORE_FLAGGED);
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &all, &add, &changed, &refused, &notice, &f->error));
	assert_uids(&changed, "2");
	assert_int_equal(status(f, f->inbox).unseen, 0);
	assert_true(store_rows(
	    f->store, ACCOUNT, f->inbox, 1, 9, 9, false, f->arena, &rows, &n, &f->error));
	assert_true(rows[1].flags == (STORE_SEEN | STORE_FLAGGED | 1LL << 62));
	assert_true(rows[1].modseq == notice.modseq);
	assert_true(rows[0].modseq < notice.modseq);
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &all, &add, &changed, &refused, &notice, &f->error));
	assert_uids(&changed, "");
	assert_int_equal(notice.modseq, 0);
	/* RFC 7162 §3.1.3: UNCHANGEDSINCE. */
	add = (struct store_flag_change){ STORE_FLAGS_SET, 0xff, rows[0].modseq };
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &all, &add, &changed, &refused, &notice, &f->error));
	assert_uids(&changed, "1");
	assert_uids(&refused, "2");
	assert_true(store_rows(
	    f->store, ACCOUNT, f->inbox, 1, 1, 9, false, f->arena, &rows, &n, &f->error));
	assert_int_equal(rows[0].flags, 0x1f);
	uid_set_free(&all);
	uid_set_free(&changed);
	uid_set_free(&refused);
	verify(f);
}

static void copies_share_bodies_until_the_last_is_gone(void **state)
{
	struct fixture *f = *state;
	struct uid_set all = uids(1, 9), from = { 0 }, to = { 0 };
	struct store_notice notices[2];
	struct store_row *rows;
	struct buf body;
	int64_t archive;
	size_t n;
	bool more;

	buf_init(&body, 100);
	assert_true(store_mailbox_create(
	    f->store, ACCOUNT, SLICE("Archive"), SLICE(""), &archive, &f->error));
	deliver(f, "INBOX", SLICE("kept"), STORE_DELETED);
	assert_true(store_copy(
	    f->store, ACCOUNT, f->inbox, &all, archive, false, &from, &to, notices, &n, &f->error));
	assert_int_equal(n, 1);
	assert_true(store_copy(f->store, ACCOUNT, f->inbox, &all, f->inbox, false, &from, &to,
	    notices, &n, &f->error));
	assert_uids(&from, "1");
	assert_uids(&to, "2");
	verify(f);
	assert_true(store_copy(
	    f->store, ACCOUNT, f->inbox, &all, archive, true, &from, &to, notices, &n, &f->error));
	assert_int_equal(n, 2);
	assert_true(notices[0].mailbox == archive && notices[1].mailbox == f->inbox);
	assert_uids(&from, "1:2");
	assert_uids(&to, "2:3");
	verify(f);
	assert_true(
	    store_rows(f->store, ACCOUNT, archive, 1, 9, 9, false, f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 3);
	for (uint32_t uid = 1; uid <= 3; uid++) {
		struct uid_set one = uids(uid, uid);

		assert_true(store_body(f->store, ACCOUNT, rows[0].body, &body, &f->error));
		assert_true(
		    store_expunge(f->store, ACCOUNT, archive, &one, &from, notices, &f->error));
		assert_true(store_collect(f->store, ACCOUNT, &more, &f->error));
		uid_set_free(&one);
		verify(f);
	}
	assert_false(store_body(f->store, ACCOUNT, rows[0].body, &body, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	assert_false(store_copy(
	    f->store, ACCOUNT, f->inbox, &all, 99, false, &from, &to, notices, &n, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	buf_free(&body);
	uid_set_free(&all);
	uid_set_free(&from);
	uid_set_free(&to);
}

static void garbage_is_freed_in_portions(void **state)
{
	struct fixture *f = *state;
	struct store_message m[600];
	struct store_result results[600];
	struct store_notice notices[600];
	struct uid_set gone = { 0 };
	size_t n;
	bool more;

	for (int i = 0; i < 600; i++) {
		m[i] = message_of("INBOX", i, SLICE("x"));
		m[i].flags = STORE_DELETED;
	}
	assert_true(store_deliver(f->store, ACCOUNT, m, 600, 0, results, notices, &n, &f->error));
	assert_true(store_expunge(f->store, ACCOUNT, f->inbox, NULL, &gone, notices, &f->error));
	assert_uids(&gone, "1:600");
	assert_true(store_collect(f->store, ACCOUNT, &more, &f->error));
	assert_true(more);
	assert_true(store_collect(f->store, ACCOUNT, &more, &f->error));
	assert_false(more);
	uid_set_free(&gone);
	verify(f);
}

static void keywords_get_bits(void **state)
{
	struct fixture *f = *state;
	char name[20];
	slice *names;
	int bit;

	assert_int_equal(
	    store_find_keyword(f->store, ACCOUNT, SLICE("$Junk"), false, &bit, &f->error),
	    STORE_ABSENT);
	assert_int_equal(
	    store_find_keyword(f->store, ACCOUNT, SLICE("$Junk"), true, &bit, &f->error),
	    STORE_FOUND);
	assert_int_equal(bit, STORE_KEYWORD_FIRST);
	assert_int_equal(
	    store_find_keyword(f->store, ACCOUNT, SLICE("$JUNK"), true, &bit, &f->error),
	    STORE_FOUND);
	assert_int_equal(bit, STORE_KEYWORD_FIRST);
	for (int i = STORE_KEYWORD_FIRST + 1; i <= STORE_KEYWORD_LAST + 1; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(
		    store_find_keyword(f->store, ACCOUNT, slice_of(name), true, &bit, &f->error),
		    i <= STORE_KEYWORD_LAST ? STORE_FOUND : STORE_FAILED);
	}
	assert_int_equal(f->error.fault, FAULT_LIMIT);
	assert_true(store_keywords(f->store, ACCOUNT, f->arena, &names, &f->error));
	assert_slice(names[8], "$Junk");
	assert_slice(names[62], "k62");
	assert_slice(names[0], "");
}

static void only_so_many_accounts_are_open(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox m;

	for (int round = 0; round < 2; round++)
		for (int64_t account = 1; account <= 5; account++)
			assert_int_equal(store_mailbox_find(f->store, account, SLICE("INBOX"),
					     f->arena, &m, &f->error),
			    STORE_FOUND);
	store_forget(f->store, 5);
	store_forget(f->store, 1);
	assert_true(store_checkpoint(f->store, 5, &f->error));
}

static void an_unknown_root_is_a_temporary_error(void **state)
{
	struct store *store = store_new("/nowhere/at/all", 2);
	struct store_message m = message_of("INBOX", 1, SLICE("a"));
	struct store_result result;
	struct store_notice notice;
	struct error error;
	size_t n;

	(void)state;
	assert_false(store_deliver(store, 1, &m, 1, 0, &result, &notice, &n, &error));
	assert_true(error.temporary);
	assert_int_equal(error.fault, FAULT_LOCAL);
	assert_non_null(strstr(error.why, "/nowhere/at/all"));
	store_free(store);
}

static void a_full_disk_stores_nothing_and_is_temporary(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small;
	size_t size = 1 << 20, n;
	char *big = calloc(1, size);
	struct store_message m[2];
	struct store_result results[2];
	struct store_notice notices[2];

	m[0] = message_of("INBOX", 1, SLICE("small"));
	m[1] = message_of("INBOX", 2, (slice){ big, size });
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ 300000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_false(store_deliver(f->store, ACCOUNT, m, 2, 0, results, notices, &n, &f->error));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(f->error.temporary);
	assert_int_equal(f->error.fault, FAULT_LOCAL);
	assert_int_equal(n, 0);
	verify(f);
	assert_int_equal(status(f, f->inbox).messages, 0);
	assert_true(store_deliver(f->store, ACCOUNT, m, 2, 0, results, notices, &n, &f->error));
	assert_int_equal(results[1].uid, 2);
	free(big);
}

static void a_damaged_file_is_a_temporary_error(void **state)
{
	struct fixture *f = *state;
	char path[80];
	FILE *file;

	store_forget(f->store, ACCOUNT);
	snprintf(path, sizeof(path), "%s/%d/mail.db", f->folder, ACCOUNT);
	file = fopen(path, "r+");
	assert_non_null(file);
	fputs("this is not a database, whatever its name says", file);
	fclose(file);
	snprintf(path, sizeof(path), "%s/%d/mail.db-wal", f->folder, ACCOUNT);
	unlink(path);
	assert_int_equal(mailbox_named(f, "INBOX"), 0);
	assert_true(f->error.temporary);
	assert_non_null(strstr(f->error.why, "damaged"));
}

static void verify_sees_what_is_wrong(void **state)
{
	struct fixture *f = *state;
	struct db_options options = { .journal = DB_WAL };
	static const struct db_query queries[] = {
		{ "counter", "UPDATE mailbox SET unseen = unseen + 1" },
		{ "refs", "UPDATE body SET refs = 2" },
		{ "data", "DELETE FROM body_data" },
	};
	struct db_program breaker = { "mail", store_program.version, .queries = queries,
		.query_count = 3 };
	char path[80];

	deliver(f, "INBOX", SLICE("x"), 0);
	snprintf(path, sizeof(path), "%s/%d/mail.db", f->folder, ACCOUNT);
	for (size_t i = 0; i < 3; i++) {
		struct db *db;

		assert_true(
		    db_open(path, &breaker, &options, deadline_in_ms(1000), &db, &f->error));
		assert_true(db_run(db_use(db, i), &f->error));
		db_close(db);
		assert_false(store_verify(f->store, ACCOUNT, &f->error));
		assert_false(f->error.temporary);
	}
}

/* The changes of one with `since`, as "uids gone/uids changed". */
static void assert_changed(struct fixture *f, int64_t since, const char *changed, const char *gone)
{
	struct uid_set a = { 0 }, b = { 0 };
	struct store_mailbox m;

	assert_true(
	    store_changed(f->store, ACCOUNT, f->inbox, since, 1, f->arena, &m, &a, &b, &f->error));
	assert_uids(&a, changed);
	assert_uids(&b, gone);
	uid_set_free(&a);
	uid_set_free(&b);
}

/* Removes the UIDs lo, lo + 2 ... hi, which makes a note of each. */
static void expunge_every_second(struct fixture *f, uint32_t lo, uint32_t hi)
{
	struct store_flag_change change = { STORE_FLAGS_ADD, STORE_DELETED, STORE_ANY_MODSEQ };
	struct uid_set set = { 0 }, changed = { 0 }, refused = { 0 };
	struct store_notice notice;

	for (uint32_t uid = lo; uid <= hi; uid += 2)
		uid_set_add(&set, uid, uid);
	assert_true(store_flags(
	    f->store, ACCOUNT, f->inbox, &set, &change, &changed, &refused, &notice, &f->error));
	assert_true(store_expunge(f->store, ACCOUNT, f->inbox, &set, &changed, &notice, &f->error));
	assert_int_equal(uid_set_count(&changed), uid_set_count(&set));
	uid_set_free(&set);
	uid_set_free(&changed);
	uid_set_free(&refused);
}

static void removals_are_known_until_they_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct db *db;

	for (int i = 0; i < 9; i++)
		deliver(f, "INBOX", SLICE("x"), 0);
	int64_t before = status(f, f->inbox).modseq;
	expunge_every_second(f, 2, 4);
	int64_t between = status(f, f->inbox).modseq;
	expunge_every_second(f, 6, 8);
	assert_changed(f, before, "", "2,4,6,8");
	assert_changed(f, between, "", "6,8");
	/* The two of the last removal stay. */
	assert_true(store_begin(f->store, ACCOUNT, DB_SYNC_FULL, &db, &f->error) &&
	    store_finish(db, changes_prune(db, ACCOUNT, f->inbox, 2, &f->error), &f->error));
	assert_true(status(f, f->inbox).horizon > between);
	assert_changed(f, status(f, f->inbox).horizon, "", "6,8");
	assert_changed(f, between, "", "2,4,6,8");
	assert_changed(f, before - 1, "9", "2,4,6,8");
	assert_changed(f, 0, "1,3,5,7,9", "2,4,6,8");
	verify(f);
	/* What is noted is of one change: nothing of it can stay. */
	assert_true(store_begin(f->store, ACCOUNT, DB_SYNC_FULL, &db, &f->error) &&
	    store_finish(db, changes_prune(db, ACCOUNT, f->inbox, 1, &f->error), &f->error));
	assert_true(status(f, f->inbox).horizon == status(f, f->inbox).modseq);
	assert_changed(f, between, "", "2,4,6,8");
	verify(f);
}

static void a_mailbox_notes_only_so_many_changes(void **state)
{
	enum { AT_ONCE = 1000, TIMES = 2 * STORE_CHANGES / AT_ONCE + 2 };
	struct fixture *f = *state;
	struct store_message *m = calloc(AT_ONCE, sizeof *m);
	struct store_result *results = calloc(AT_ONCE, sizeof *results);
	struct store_notice notices[AT_ONCE];
	size_t n;

	for (int i = 0; i < AT_ONCE; i++) {
		m[i] = message_of("INBOX", i, SLICE("x"));
		m[i].segment = STORE_NO_SEGMENT;
	}
	for (uint32_t i = 0; i < TIMES; i++) {
		assert_true(store_deliver(
		    f->store, ACCOUNT, m, AT_ONCE, 0, results, notices, &n, &f->error));
		assert_int_equal(n, 1);
		expunge_every_second(f, i * AT_ONCE + 1, (i + 1) * AT_ONCE - 1);
	}
	assert_true(status(f, f->inbox).horizon > 0);
	assert_true(status(f, f->inbox).horizon < status(f, f->inbox).modseq);
	verify(f);
	free(m);
	free(results);
}

/* Tables as the versions before 4 had them; only those that changed since are written here. */
static void old_program(
    int version, struct db_table *tables, const struct db_query *queries, struct db_program *out)
{
	size_t n = 0;

	for (size_t i = 0; i < store_program.table_count; i++) {
		struct db_table *t = &tables[n];

		*t = store_program.tables[i];
		for (size_t k = 0; k < DB_COLUMNS_MAX && t->columns[k].name; k++)
			if (strcmp(t->columns[k].name, "ceiling") == 0 ||
			    (version < 3 && strcmp(t->columns[k].name, "horizon") == 0) ||
			    (version < 3 && strcmp(t->columns[k].name, "saved") == 0) ||
			    (version < 2 && strcmp(t->columns[k].name, "recent") == 0))
				memset(
				    &t->columns[k], 0, (DB_COLUMNS_MAX - k) * sizeof t->columns[k]);
		n += strcmp(t->name, "flag_span") != 0 &&
		    (version >= 2 || strcmp(t->name, "subscription") != 0);
	}
	*out = (struct db_program){ .name = "mail",
		.version = version,
		.tables = tables,
		.table_count = n,
		.queries = queries,
		.query_count = 5 };
}

/* An account as an older program left it: message 1 is there, 2 was removed at modseq 4. */
static void make_old_account(struct fixture *f, int version)
{
	static const struct db_query queries[][5] = {
		{ { "account", "INSERT INTO account VALUES (7, 4, 99, 1, 2, 1, 3)" },
		    { "mailbox",
			"INSERT INTO mailbox VALUES (7, 1, 'INBOX', '', 1, 99, 3, 4, 1, 1, 0, 3)" },
		    { "message", "INSERT INTO message VALUES (7, 1, 1, 0, 2, 3, 1700, 1)" },
		    { "body", "INSERT INTO body VALUES (7, 1, 1, 3)" },
		    { "change", "INSERT INTO change VALUES (7, 1, 4, 2, 2, 2)" } },
		{ { "mailbox",
		      "INSERT INTO mailbox VALUES (7, 1, 'INBOX', '', 1, 99, 3, 4, 1, 1, 0, 3, 3)" },
		    { "data", "INSERT INTO body_data VALUES (7, 1, x'414243')" },
		    { "head", "INSERT INTO head VALUES (7, 1, x'41', x'42', x'43')" },
		    { "account", "INSERT INTO account VALUES (7, 4, 99, 1, 2, 1, 3)" },
		    { "change", "INSERT INTO change VALUES (7, 1, 4, 2, 2, 2)" } },
		{ { "mailbox",
		      "INSERT INTO mailbox VALUES (7, 1, 'INBOX', '', 1, 99, 3, 4, 1, 1, 0, 3, 3, 0, 1)" },
		    { "message", "INSERT INTO message VALUES (7, 1, 1, 0, 2, 3, 1700, 1, 0)" },
		    { "body", "INSERT INTO body VALUES (7, 1, 1, 3)" },
		    { "account", "INSERT INTO account VALUES (7, 4, 99, 1, 2, 1, 3)" },
		    { "change", "INSERT INTO change VALUES (7, 1, 4, 2, 2, 2)" } },
	};
	struct db_options options = { .journal = DB_WAL };
	struct db_table tables[16];
	struct db_program old;
	char path[80];
	struct db *db;

	store_forget(f->store, ACCOUNT);
	snprintf(path, sizeof path, "%s/%d/mail.db", f->folder, ACCOUNT);
	assert_int_equal(remove(path), 0);
	old_program(version, tables, queries[version - 1], &old);
	assert_true(db_open(path, &old, &options, deadline_in_ms(1000), &db, &f->error));
	for (size_t i = 0; i < 5; i++)
		assert_true(db_run(db_use(db, i), &f->error));
	db_close(db);
}

static void files_of_older_versions_are_taken_over(void **state)
{
	struct fixture *f = *state;
	struct store_row *rows;
	size_t n;

	for (int version = 1; version <= 3; version++) {
		make_old_account(f, version);
		struct store_mailbox m = status(f, 1);
		assert_int_equal(m.recent, 3);
		assert_int_equal(m.horizon, 0);
		assert_int_equal(m.modseq, 4);
		assert_true(store_rows(
		    f->store, ACCOUNT, 1, 1, 9, 9, false, f->arena, &rows, &n, &f->error));
		assert_int_equal(n, version != 2);
		if (n)
			assert_true(rows[0].saved_us == 0 && rows[0].received_us == 1700);
		assert_changed(f, 3, "", "2");
		uint32_t uid = deliver(f, "INBOX", SLICE("new"), STORE_DELETED);
		assert_int_equal(uid, 3);
		expunge_every_second(f, 3, 3);
		assert_changed(f, 3, "", "2:3");
	}
}

static void what_is_recent_is_taken_once(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox m = status(f, f->inbox);
	uint32_t from, to;
	int64_t count;

	assert_int_equal(m.recent, m.uidnext);
	deliver(f, "INBOX", SLICE("one"), 0);
	deliver(f, "INBOX", SLICE("two"), 0);
	m = status(f, f->inbox);
	assert_true(store_count_recent(f->store, ACCOUNT, &m, &count, &f->error));
	assert_int_equal(count, 2);
	assert_true(store_claim_recent(f->store, ACCOUNT, f->inbox, &from, &to, &f->error));
	assert_int_equal(to - from, 2);
	assert_true(store_claim_recent(f->store, ACCOUNT, f->inbox, &from, &to, &f->error));
	assert_int_equal(from, to);
	m = status(f, f->inbox);
	assert_int_equal(m.recent, m.uidnext);
	assert_false(store_claim_recent(f->store, ACCOUNT, 999, &from, &to, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	verify(f);
}

static void a_subscription_outlives_its_mailbox(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox m;
	int64_t id;
	slice *names;
	size_t n;

	assert_true(store_mailbox_create(f->store, ACCOUNT, SLICE("a"), SLICE(""), &id, &f->error));
	assert_true(store_mailbox_subscribe(f->store, ACCOUNT, id, true, &f->error));
	assert_true(store_mailbox_delete(f->store, ACCOUNT, id, &f->error));
	assert_true(store_subscriptions(f->store, ACCOUNT, f->arena, &names, &n, &f->error));
	assert_int_equal(n, 1);
	assert_true(slice_eq(names[0], SLICE("a")));
	assert_true(store_mailbox_create(f->store, ACCOUNT, SLICE("a"), SLICE(""), &id, &f->error));
	m = status(f, id);
	assert_true(m.subscribed);
	assert_true(store_subscriptions(f->store, ACCOUNT, f->arena, &names, &n, &f->error));
	assert_int_equal(n, 0);
	assert_true(store_mailbox_delete(f->store, ACCOUNT, id, &f->error));
	assert_int_equal(store_unsubscribe(f->store, ACCOUNT, SLICE("a"), &f->error), STORE_FOUND);
	assert_int_equal(store_unsubscribe(f->store, ACCOUNT, SLICE("a"), &f->error), STORE_ABSENT);
	verify(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(what_is_delivered_is_read),
		WITH_STORE(the_beginning_of_a_message_is_read_alone),
		WITH_STORE(redelivery_is_recognised),
		WITH_STORE(marks_of_gone_segments_are_forgotten),
		WITH_STORE(mailboxes_are_made_renamed_and_removed),
		WITH_STORE(mailbox_names_are_checked),
		WITH_STORE(select_gives_one_moment),
		WITH_STORE(flags_are_changed_only_where_they_differ),
		WITH_STORE(copies_share_bodies_until_the_last_is_gone),
		WITH_STORE(garbage_is_freed_in_portions),
		WITH_STORE(keywords_get_bits),
		WITH_STORE(only_so_many_accounts_are_open),
		cmocka_unit_test(an_unknown_root_is_a_temporary_error),
		WITH_STORE(a_full_disk_stores_nothing_and_is_temporary),
		WITH_STORE(a_damaged_file_is_a_temporary_error),
		WITH_STORE(verify_sees_what_is_wrong),
		WITH_STORE(removals_are_known_until_they_are_forgotten),
		WITH_STORE(a_mailbox_notes_only_so_many_changes),
		WITH_STORE(files_of_older_versions_are_taken_over),
		WITH_STORE(what_is_recent_is_taken_once),
		WITH_STORE(a_subscription_outlives_its_mailbox),
	};

	return UNIT_RUN(tests);
}
