/* Envelopes there and back, whole and cut. */
#include "lib/unit.h"

#include "queue/envelope.h"

static struct envelope_recipient recipients[] = {
	{ { "a@x.test", 8 }, 1, NOTIFY_NEVER, { "rfc822;a@x.test", 15 }, 2 },
	{ { "b@x.test", 8 }, 2, 0, { "", 0 }, 0 },
};
static struct envelope_change changes[] = {
	{ EDIT_ADD, { "X-A", 3 }, { "one", 3 } },
	{ CHANGE_FOLDER, { "Junk", 4 }, { "", 0 } },
};
static struct envelope_copy copies[] = { { changes, 1 }, { changes, 2 } };

/* With the copies and facts said; nothing else is asked of the decoded one here than to be the same again. */
static void assert_back(size_t copy_count, slice facts)
{
	struct arena *arena = arena_new(1 << 20);
	struct envelope e = { .sender = SLICE("s@x.test"),
		.recipients = recipients,
		.recipient_count = 2,
		.copies = copies,
		.copy_count = copy_count,
		.facts = facts };
	struct envelope back;
	struct buf once, twice;

	recipients[0].copy = copy_count;
	buf_init(&once, 10000);
	buf_init(&twice, 10000);
	envelope_encode(&e, &once);
	assert_true(envelope_decode(buf_slice(&once), arena, &back));
	assert_int_equal(back.copy_count, copy_count);
	assert_int_equal(back.recipients[0].copy, copy_count);
	assert_true(slice_eq(back.facts, facts));
	if (copy_count == 2)
		assert_true(slice_eq(back.copies[1].changes[1].name, SLICE("Junk")));
	envelope_encode(&back, &twice);
	assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
	for (size_t n = 0; n < once.n; n++) /* cut anywhere but where an older one ended */
		assert_true(!envelope_decode(slice_head(buf_slice(&once), n), arena, &back) ||
		    (back.copy_count == 0 && back.facts.n == 0));
	buf_free(&once);
	buf_free(&twice);
	arena_free(arena);
}

static void copies_and_facts_come_back(void **state)
{
	assert_back(0, SLICE(""));
	assert_back(2, SLICE(""));
	assert_back(0, SLICE("facts"));
	assert_back(1, SLICE("facts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(copies_and_facts_come_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
