/*
 * store_fixture: a store in a temporary folder, and short words for what its tests do.
 *
 * Account 7 with its INBOX, one message at a time.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "lib/unit.h"

#include <ftw.h>
#include <unistd.h>

#include "store/store.h"

#define ACCOUNT 7

struct fixture {
	char folder[40];
	struct store *store;
	struct arena *arena;
	struct error error;
	int64_t inbox;
	int64_t place; /* of the next message */
};

static inline int64_t mailbox_named(struct fixture *f, const char *name)
{
	struct store_mailbox m;

	return store_mailbox_find(f->store, ACCOUNT, slice_of(name), f->arena, &m, &f->error) ==
		STORE_FOUND
	    ? m.id
	    : 0;
}

static inline int fixture_make(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->store = store_new(f->folder, 2);
	f->arena = arena_new(64 << 20);
	f->inbox = mailbox_named(f, "inbox");
	assert_true(f->inbox > 0);
	*state = f;
	return 0;
}

static inline int fixture_remove_one(
    const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline int fixture_end(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	arena_free(f->arena);
	nftw(f->folder, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static inline struct store_message message_of(const char *mailbox, int64_t place, slice content)
{
	return (struct store_message){ .segment = 5,
		.place = place,
		.recipient = 1,
		.mailbox = slice_of(mailbox),
		.content = content,
		.received_us = 1700000000000000 + place,
		.envelope = SLICE("(envelope)"),
		.structure = SLICE("(structure)"),
		.bodystructure = SLICE("(bodystructure)") };
}

/* Delivers one message; its UID, or 0 when it was there already. */
static inline uint32_t deliver(struct fixture *f, const char *mailbox, slice content, int64_t flags)
{
	struct store_message m = message_of(mailbox, ++f->place, content);
	struct store_result result;
	struct store_notice notice;
	size_t n;

	m.flags = flags;
	assert_true(store_deliver(f->store, ACCOUNT, &m, 1, 0, &result, &notice, &n, &f->error));
	assert_int_equal(n, result.outcome == STORE_STORED);
	return result.uid;
}

static inline struct store_mailbox status(struct fixture *f, int64_t mailbox)
{
	struct store_mailbox m;

	assert_int_equal(
	    store_mailbox_status(f->store, ACCOUNT, mailbox, f->arena, &m, &f->error), STORE_FOUND);
	return m;
}

static inline void verify(struct fixture *f)
{
	if (!store_verify(f->store, ACCOUNT, &f->error))
		fail_msg("%s", f->error.why);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_end)

#endif
