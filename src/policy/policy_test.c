/* Versions, events and verdicts, over a directory of the test's own. */
#include "lib/directory_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "policy/files.h"
#include "policy/policy.h"

static struct {
	struct envelope_change changes[8];
	size_t count;
} done;

static bool change(void *host, const struct envelope_change *c, struct error *error)
{
	(void)host;
	if (done.count == 8)
		return error_plain(error, FAULT_LIMIT, "the test has room for 8 changes");
	done.changes[done.count++] = *c;
	return true;
}

static bool recipient(void *host, enum policy_recipient what, slice address, struct error *error)
{
	(void)host;
	(void)what;
	return error_plain(error, FAULT_ABSENT, "nobody is %.*s", SLICE_ARG(address));
}

static slice header(void *host)
{
	(void)host;
	return SLICE("Subject: =?utf-8?q?gr=C3=BCn?=\r\nX: 1\r\nX: 2\r\n\r\n");
}

static const struct policy_deeds deeds = { change, recipient, header };

/* A version of this text, which is active afterwards. */
static void activate(struct fixture *f, const char *text)
{
	struct directory_policy row = {
		.who = SLICE("a test"), .why = SLICE("because"), .name = SLICE("t.policy")
	};
	struct policy_files files;

	files_begin(&files);
	assert_true(files_add(&files, row.name, slice_of(text), &f->error));
	row.bundle = buf_slice(&files.text);
	assert_true(directory_policy_add(f->dir, &row, &f->error));
	files_free(&files);
	assert_true(policy_reload());
}

static struct policy_verdict fire(
    struct fixture *f, struct policy_state *state, enum policy_event_id event)
{
	struct policy_run run = { .state = state,
		.event = event,
		.turn = arena_new(16 << 20),
		.session = "t.1",
		.deeds = &deeds };

	done.count = 0;
	policy_fire(&run);
	struct policy_verdict v = run.verdict;
	/* What it points to dies with the turn. */
	v.text = arena_str(f->arena, slice_of(v.text));
	v.rule = arena_str(f->arena, slice_of(v.rule));
	v.enhanced = v.enhanced ? arena_str(f->arena, slice_of(v.enhanced)) : NULL;
	for (size_t i = 0; i < done.count; i++) {
		done.changes[i].name = arena_copy(f->arena, done.changes[i].name);
		done.changes[i].value = arena_copy(f->arena, done.changes[i].value);
	}
	arena_free(run.turn);
	return v;
}

static void start(struct fixture *f, enum policy_action on_error)
{
	policy_start(&(struct policy_settings){ .directory = f->path,
	    .trusted = "127.0.0.0/8, 192.0.2.1",
	    .hostname = "mx.example.org",
	    .on_error = on_error,
	    .deadline_ms = 5000,
	    .check_ms = 1000 });
}

static void without_a_policy_nothing_is_decided(void **state)
{
	struct fixture *f = *state;

	start(f, POLICY_TMPREJECT);
	assert_null(policy_open(f->arena));
	assert_int_equal(fire(f, NULL, ON_CONNECT).action, POLICY_NONE);
	assert_int_equal(policy_number_of(NULL, FACT_maxErrors, 7), 7);
	policy_text(NULL, FACT_ehloHost, SLICE("x"));
	assert_true(policy_quick(ON_CONNECT));
	policy_close(NULL);
}

static void each_verdict_has_its_codes(void **state)
{
	static const struct {
		const char *verdict;
		enum policy_event_id event;
		enum policy_action action;
		int code;
		const char *enhanced;
	} rows[] = {
		{ "reject(\"t\");", ON_MAIL_FROM, POLICY_REJECT, 550, "5.7.1" },
		{ "reject(554, 5.1.2, \"t\");", ON_MAIL_FROM, POLICY_REJECT, 554, "5.1.2" },
		{ "tmpreject(\"t\");", ON_MAIL_FROM, POLICY_TMPREJECT, 451, "4.7.1" },
		{ "tmpreject(421, \"t\");", ON_MAIL_FROM, POLICY_TMPREJECT, 421, "4.7.1" },
		{ "disconnect(\"t\");", ON_MAIL_FROM, POLICY_DISCONNECT, 421, "4.7.0" },
		{ "reject(\"t\");", ON_AUTH, POLICY_REJECT, 535, "5.7.8" },
		{ "tmpreject(\"t\");", ON_AUTH, POLICY_TMPREJECT, 454, "4.7.0" },
		{ "accept();", ON_MAIL_FROM, POLICY_ACCEPT, 250, NULL },
		{ "discard();", ON_MAIL_FROM, POLICY_DISCARD, 250, NULL },
		{ "quarantine(\"t\");", ON_MAIL_FROM, POLICY_QUARANTINE, 250, NULL },
		{ "set(smtpAction, \"reject\"); set(smtpCode, 250);", ON_MAIL_FROM, POLICY_REJECT,
		    550, "5.7.1" },
		{ "", ON_MAIL_FROM, POLICY_NONE, 0, NULL },
	};
	struct fixture *f = *state;

	start(f, POLICY_TMPREJECT);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *event = rows[i].event == ON_AUTH ? "onAuth" : "onMailFrom";

		activate(f, arena_printf(f->arena, "event %s { %s }", event, rows[i].verdict));
		struct policy_state *s = policy_open(f->arena);
		struct policy_verdict v = fire(f, s, rows[i].event);
		assert_int_equal(v.action, rows[i].action);
		assert_int_equal(v.code, rows[i].code);
		if (rows[i].enhanced)
			assert_string_equal(v.enhanced, rows[i].enhanced);
		else
			assert_null(v.enhanced);
		/* The next event begins undecided. */
		assert_int_equal(fire(f, s, ON_RCPT_TO).action, POLICY_NONE);
		policy_close(s);
	}
}

static void rules_and_changes_and_fields_are_told(void **state)
{
	struct fixture *f = *state;

	start(f, POLICY_TMPREJECT);
	activate(f,
	    "rule \"Green\" { when all { header(\"Subject\") == \"grün\"; count(headers(\"X\")) == 2; }\n"
	    "then { call(addHeader, \"X-Y\", \"%mailFrom%\"); call(addHeader, \"Received\", \"no\");\n"
	    "call(fileInto, \"Junk\"); reject(\"it is green\"); } }");
	struct policy_state *s = policy_open(f->arena);
	policy_peer_text(s, FACT_mailFrom, SLICE("a\r\nX: y\xff@b.test"), f->arena);
	struct policy_verdict v = fire(f, s, ON_DATA_RECEIVED);
	assert_string_equal(v.rule, "t.policy:1 \"Green\"");
	assert_string_equal(v.text, "it is green");
	assert_int_equal(done.count, 2);
	assert_int_equal(done.changes[0].kind, EDIT_ADD);
	assert_true(slice_eq(done.changes[0].value, SLICE("a??X: y\xef\xbf\xbd@b.test")));
	assert_int_equal(done.changes[1].kind, CHANGE_FOLDER);
	policy_close(s);
}

static void a_fault_ends_as_configured(void **state)
{
	static const enum policy_action on_error[] = { POLICY_TMPREJECT, POLICY_REJECT,
		POLICY_NONE };
	static const int codes[] = { 451, 550, 0 };
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		start(f, on_error[i]);
		activate(f, "event onMailFrom { call(archiveTo, \"a@far.test\"); accept(); }");
		struct policy_state *s = policy_open(f->arena);
		struct policy_verdict v = fire(f, s, ON_MAIL_FROM);
		assert_int_equal(v.action, on_error[i]);
		assert_int_equal(v.code, codes[i]);
		policy_close(s);
	}
}

static void a_version_that_cannot_be_read_is_not_skipped(void **state)
{
	struct fixture *f = *state;

	start(f, POLICY_TMPREJECT);
	activate(f, "event onMailFrom { this is no policy }");
	struct policy_state *s = policy_open(f->arena);
	assert_true(policy_has(s, ON_CONNECT));
	assert_int_equal(fire(f, s, ON_CONNECT).action, POLICY_TMPREJECT);
	policy_text(s, FACT_ehloHost, SLICE("x"));
	assert_int_equal(policy_number_of(s, FACT_maxErrors, 7), 7);
	policy_close(s);
	activate(f, "event onMailFrom { reject(\"t\"); }");
	s = policy_open(f->arena);
	assert_int_equal(fire(f, s, ON_CONNECT).action, POLICY_NONE);
	policy_close(s);
}

static void what_is_kept_has_a_bound(void **state)
{
	struct fixture *f = *state;
	struct policy_verdict v = { 0 };
	char text[1000];
	int n = 0;

	start(f, POLICY_TMPREJECT);
	activate(f, "event onRcptTo { set(last, \"%rcptToUser% and more\"); export(last); }");
	struct arena *arena = arena_new(16 << 20);
	struct policy_state *s = policy_open(arena);
	memset(text, 'x', sizeof text);
	for (; n < 3000 && v.action == POLICY_NONE; n++) {
		text[n % 900] = (char)('a' + n % 26);
		policy_text(s, FACT_rcptToUser, (slice){ text, sizeof text });
		v = fire(f, s, ON_RCPT_TO);
	}
	assert_int_equal(v.action, POLICY_TMPREJECT);
	assert_in_range(n, 900, 1200);
	policy_close(s);
	arena_free(arena);
}

static void a_message_takes_over_what_was_exported(void **state)
{
	struct fixture *f = *state;

	start(f, POLICY_TMPREJECT);
	activate(f,
	    "event onConnect { set(a, \"one\"); export(a); set(n, 3); export(n); set(gone, \"x\"); }\n"
	    "event onMailFrom { reject(\"%a% %n%\"); }");
	struct policy_state *s = policy_open(f->arena);
	fire(f, s, ON_CONNECT);
	struct policy_state *m = policy_message(s, f->arena);
	assert_string_equal(fire(f, m, ON_MAIL_FROM).text, "one 3");
	policy_close(m);
	/* n is text now, and does not fit any more; b is new. */
	activate(f,
	    "event onConnect { set(b, \"two\"); export(b); set(a, \"\"); export(a); set(n, \"x\"); export(n); }\n"
	    "event onMailFrom { reject(\"%a% %n% %b%.\"); }");
	m = policy_message(s, f->arena);
	assert_string_equal(fire(f, m, ON_MAIL_FROM).text, "one  .");
	policy_close(m);
	policy_close(s);
}

static void bundles_hold_files_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct policy_files files;
	slice name, text, rest;

	files_begin(&files);
	assert_true(files_add(&files, SLICE("a"), SLICE("one\n2 3\nx"), &f->error));
	assert_true(files_add(&files, SLICE("b/c"), SLICE(""), &f->error));
	rest = buf_slice(&files.text);
	assert_true(files_find(rest, SLICE("b/c"), &text) && text.n == 0);
	assert_true(files_find(rest, SLICE("a"), &text) && slice_eq(text, SLICE("one\n2 3\nx")));
	assert_false(files_find(rest, SLICE("c"), &text));
	for (size_t n = 0; n < rest.n; n++) { /* cut anywhere, nothing is read beyond */
		slice cut = slice_from(slice_head(rest, n), 0);

		while (files_next(&cut, &name, &text))
			assert_true(text.p + text.n <= rest.p + n);
	}
	files_free(&files);
	assert_false(files_first(SLICE("99999999999999999999 1\nx"), &name, &text));
}

/* ---- versions change while events run ---- */

static atomic_bool over;

static void *judge(void *fixture)
{
	struct fixture *f = fixture;
	struct arena *arena = arena_new(16 << 20);
	unsigned long events = 0;

	(void)f;
	while (!over) {
		struct policy_state *s = policy_open(arena);
		struct policy_run run = { .state = s,
			.event = ON_MAIL_FROM,
			.turn = arena,
			.session = "t.2",
			.deeds = &deeds };

		policy_fire(&run);
		if (s && run.verdict.action != POLICY_ACCEPT)
			return (void *)1;
		policy_close(s);
		arena_reset(arena);
		events++;
	}
	arena_free(arena);
	return events ? NULL : (void *)2;
}

static void versions_change_under_running_events(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[3];
	void *result;

	start(f, POLICY_TMPREJECT);
	over = false;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, judge, f);
	for (int i = 0; i < 20; i++)
		activate(f,
		    i % 2 ? "event onMailFrom { accept(); }"
			  : "event onConnect { reject(\"t\"); } event onMailFrom { accept(); }");
	over = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
}

static int stop(void **state)
{
	policy_stop();
	return tear_down(state);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, stop)
	const struct CMUnitTest tests[] = {
		ROW(without_a_policy_nothing_is_decided),
		ROW(each_verdict_has_its_codes),
		ROW(rules_and_changes_and_fields_are_told),
		ROW(a_fault_ends_as_configured),
		ROW(a_version_that_cannot_be_read_is_not_skipped),
		ROW(what_is_kept_has_a_bound),
		ROW(a_message_takes_over_what_was_exported),
		ROW(bundles_hold_files_and_nothing_else),
		ROW(versions_change_under_running_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
