/* Base subjects and threads: what RFC 5256 says, and trees that somebody thought up. */
#include "imap/thread.h"
#include "imap/subject.h"
#include "lib/unit.h"

static void subjects_lose_what_is_around_them(void **state)
{
	static const struct {
		const char *subject, *base;
		bool reply;
	} cases[] = {
		{ "hello", "hello", false },
		{ "re: hello", "hello", true },
		{ "re : fwd: [list] re[2]: hello (fwd)  (fwd)", "hello", true },
		{ "[list] hello", "hello", false },
		{ "[list]", "[list]", false },
		{ "[a] [b] ", "[b]", false },
		{ "[fwd: re: hello]", "hello", true },
		{ "[fwd: [fwd: x]]", "x", true },
		{ "re: ", "", true },
		{ "regarding: x", "regarding: x", false },
		{ "[open re: x", "[open re: x", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool reply;
		slice base = subject_base(slice_of(cases[i].subject), &reply);

		if (!slice_eq(base, slice_of(cases[i].base)) || reply != cases[i].reply)
			fail_msg("%s: %.*s", cases[i].subject, SLICE_ARG(base));
	}
}

static uint32_t same(void *context, uint32_t uid)
{
	return uid;
}

/* A message of one line: uid, its id, its references, its base subject. */
static void add(struct thread *t, uint32_t uid, const char *id, const char *refs,
    const char *subject, bool reply)
{
	slice ids[THREAD_REFERENCES + 1];
	struct thread_message m = { .uid = uid,
		.date = uid,
		.subject = slice_of(subject),
		.reply = reply,
		.id = slice_of(id),
		.references = ids };

	m.reference_count = thread_ids(slice_of(refs), ids, THREAD_REFERENCES + 1);
	assert_true(thread_add(t, &m));
}

static void written(struct thread *t, const char *want)
{
	struct buf out;

	buf_init(&out, 10 << 20);
	thread_write(t, same, NULL, &out);
	buf_addc(&out, '\0');
	assert_string_equal(out.p, want);
	buf_free(&out);
	thread_free(t);
}

static void answers_stand_below_what_they_answer(void **state)
{
	struct arena *arena = arena_new(64 << 20);
	struct thread *t = thread_new(arena);

	add(t, 1, "<a>", "", "x", false);
	add(t, 2, "<b>", "<a>", "x", true);
	add(t, 3, "<c>", "<a>", "x", true);
	add(t, 4, "<d>", "<a> <b>", "x", true);
	add(t, 5, "<e>", "<gone> <lost>", "y", false);
	add(t, 6, "<f>", "<gone>", "y", false);
	add(t, 7, "", "", "", false);
	add(t, 8, "<a>", "", "", false);
	add(t, 9, "<g>", "", "x", true);
	add(t, 10, "<h>", "<h>", "z", false);
	thread_by_references(t);
	written(t, "(1 (2 4)(3)(9))((5)(6))(7)(8)(10)");
	arena_free(arena);
}

static void one_subject_is_one_thread(void **state)
{
	struct arena *arena = arena_new(64 << 20);
	struct thread *t = thread_new(arena);

	add(t, 1, "<a>", "", "x", false);
	add(t, 2, "<b>", "", "y", false);
	add(t, 3, "<c>", "<b>", "x", false);
	add(t, 4, "<d>", "", "x", true);
	thread_by_subject(t);
	written(t, "(1 (3)(4))(2)");
	t = thread_new(arena);
	add(t, 1, "<a>", "", "x", false);
	add(t, 2, "<b>", "", "x", false);
	add(t, 3, "<c>", "", "x", true);
	thread_by_references(t);
	written(t, "((1)(2)(3))");
	t = thread_new(arena);
	thread_by_references(t);
	written(t, "");
	arena_free(arena);
}

/* Circles, and chains in both orders: always an end, and everybody is there once. */
static void circles_and_chains_are_cut(void **state)
{
	enum { COUNT = 20000 };
	struct arena *arena = arena_new(200 << 20);

	for (int kind = 0; kind < 3; kind++) {
		struct thread *t = thread_new(arena);
		struct buf out;
		size_t numbers = 0;

		for (uint32_t i = 1; i <= COUNT; i++) {
			uint32_t other = kind == 0 ? i - 1 : kind == 1 ? i + 1 : i % 3 + 1;
			add(t, i, arena_printf(arena, "<%u>", i),
			    arena_printf(arena, "<%u>", other), "", false);
		}
		thread_by_references(t);
		buf_init(&out, 10 << 20);
		thread_write(t, same, NULL, &out);
		for (size_t i = 0; i < out.n; i++)
			numbers += out.p[i] >= '0' && out.p[i] <= '9' &&
			    (out.p[i + 1] < '0' || out.p[i + 1] > '9');
		assert_int_equal(numbers, COUNT);
		buf_free(&out);
		thread_free(t);
	}
	arena_free(arena);
}

static void ids_are_taken_from_a_field(void **state)
{
	slice ids[3];

	assert_int_equal(thread_ids(SLICE("a <1> <2>\r\n <3><4> <5"), ids, 3), 3);
	assert_true(slice_eq(ids[0], SLICE("<1>")));
	assert_true(slice_eq(ids[1], SLICE("<3>")));
	assert_true(slice_eq(ids[2], SLICE("<4>")));
	assert_int_equal(thread_ids(SLICE(">"), ids, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects_lose_what_is_around_them),
		cmocka_unit_test(answers_stand_below_what_they_answer),
		cmocka_unit_test(one_subject_is_one_thread),
		cmocka_unit_test(circles_and_chains_are_cut),
		cmocka_unit_test(ids_are_taken_from_a_field),
	};

	return UNIT_RUN(tests);
}
