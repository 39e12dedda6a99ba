/* Domains and accounts: names, answers, ids, readers beside the writer. */
#include "lib/unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "directory/directory.h"

struct fixture {
	char folder[40], path[64];
	struct directory *dir;
	struct arena *arena;
	struct error error;
	int64_t id;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/directory_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/directory.db", f->folder);
	f->arena = arena_new(1 << 20);
	*state = f;
	return directory_open(f->path, true, &f->dir, &f->error) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	directory_close(f->dir);
	arena_free(f->arena);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *local, const char *domain)
{
	if (!local)
		assert_true(directory_domain_add(f->dir, slice_of(domain), &f->id, &f->error));
	else
		assert_true(directory_account_add(
		    f->dir, slice_of(local), slice_of(domain), &f->id, &f->error));
}

static void addresses_are_found_without_regard_to_case(void **state)
{
	struct fixture *f = *state;
	struct account a;

	add(f, NULL, "Example.TEST");
	add(f, "Alice.B", "example.test");
	assert_int_equal(
	    directory_find_address(f->dir, SLICE("aLICE.b"), SLICE("EXAMPLE.test"), &a, &f->error),
	    DIRECTORY_FOUND);
	assert_int_equal(a.id, f->id);
	assert_slice(a.local, "Alice.B");
	assert_slice(a.domain, "example.test");
	assert_true(a.enabled);
	assert_true(a.created_us > 0);
	assert_int_equal(directory_find_id(f->dir, a.id, &a, &f->error), DIRECTORY_FOUND);
	assert_slice(a.local, "Alice.B");
	assert_int_equal(directory_find_id(f->dir, 99, &a, &f->error), DIRECTORY_NO_ACCOUNT);
}

static void absence_has_two_answers(void **state)
{
	struct fixture *f = *state;
	struct account a;
	struct domain d;
	static const char long_name[300] = "x";
	const slice odd[] = { SLICE(""), SLICE("\xff"), SLICE("a\0b"), { long_name, 300 } };

	add(f, NULL, "example.test");
	assert_int_equal(
	    directory_find_address(f->dir, SLICE("bob"), SLICE("example.test"), &a, &f->error),
	    DIRECTORY_NO_ACCOUNT);
	assert_int_equal(
	    directory_find_address(f->dir, SLICE("bob"), SLICE("other.test"), &a, &f->error),
	    DIRECTORY_NO_DOMAIN);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
		    directory_find_address(f->dir, odd[i], SLICE("example.test"), &a, &f->error),
		    DIRECTORY_NO_ACCOUNT);
		assert_int_equal(
		    directory_find_domain(f->dir, odd[i], &d, &f->error), DIRECTORY_NO_DOMAIN);
	}
	assert_int_equal(
	    directory_find_domain(f->dir, SLICE("EXAMPLE.test"), &d, &f->error), DIRECTORY_FOUND);
	assert_slice(d.name, "example.test");
}

static void a_bare_login_needs_exactly_one_domain(void **state)
{
	struct fixture *f = *state;
	struct account a;

	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_NO_DOMAIN);
	add(f, NULL, "example.test");
	add(f, "alice", "example.test");
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_FOUND);
	assert_int_equal(directory_find_login(f->dir, SLICE("Alice@Example.Test"), &a, &f->error),
	    DIRECTORY_FOUND);
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("bob"), &a, &f->error), DIRECTORY_NO_ACCOUNT);
	add(f, NULL, "second.test");
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_NO_DOMAIN);
	assert_int_equal(directory_find_login(f->dir, SLICE("alice@example.test"), &a, &f->error),
	    DIRECTORY_FOUND);
}

static void ids_are_never_used_again(void **state)
{
	struct fixture *f = *state;
	int64_t domain, first;

	add(f, NULL, "example.test");
	domain = f->id;
	add(f, "alice", "example.test");
	first = f->id;
	assert_true(
	    directory_account_remove(f->dir, SLICE("ALICE"), SLICE("example.test"), &f->error));
	assert_true(directory_domain_remove(f->dir, SLICE("example.test"), &f->error));
	add(f, NULL, "example.test");
	assert_true(f->id > domain);
	add(f, "alice", "example.test");
	assert_true(f->id > first);
}

static void what_exists_or_is_used_is_kept(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	add(f, NULL, "example.test");
	add(f, "alice", "example.test");
	assert_false(directory_domain_add(f->dir, SLICE("EXAMPLE.test"), &id, &f->error));
	assert_int_equal(f->error.fault, FAULT_DENIED);
	assert_false(
	    directory_account_add(f->dir, SLICE("ALICE"), SLICE("example.test"), &id, &f->error));
	assert_int_equal(f->error.fault, FAULT_DENIED);
	assert_false(
	    directory_account_add(f->dir, SLICE("bob"), SLICE("other.test"), &id, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	assert_false(directory_domain_remove(f->dir, SLICE("example.test"), &f->error));
	assert_string_equal(
	    f->error.said, "domain example.test still has 1 accounts; remove them first");
	assert_false(directory_domain_remove(f->dir, SLICE("other.test"), &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	assert_false(
	    directory_account_remove(f->dir, SLICE("bob"), SLICE("example.test"), &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
}

static void accounts_can_be_disabled(void **state)
{
	struct fixture *f = *state;
	struct account a;

	add(f, NULL, "example.test");
	add(f, "alice", "example.test");
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_FOUND);
	/* What a call returned may be given to the next. */
	assert_true(directory_account_enable(f->dir, a.local, a.domain, false, &f->error));
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_FOUND);
	assert_false(a.enabled);
	assert_true(directory_account_enable(f->dir, a.local, a.domain, true, &f->error));
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_FOUND);
	assert_true(a.enabled);
}

static void lists_are_in_order(void **state)
{
	struct fixture *f = *state;
	struct domain *domains;
	struct account *accounts;
	size_t n;

	add(f, NULL, "b.test");
	add(f, NULL, "a.test");
	add(f, "Zoe", "a.test");
	add(f, "adam", "a.test");
	add(f, "bob", "b.test");
	assert_true(directory_domain_list(f->dir, f->arena, &domains, &n, &f->error));
	assert_int_equal(n, 2);
	assert_slice(domains[0].name, "a.test");
	assert_slice(domains[1].name, "b.test");
	assert_true(
	    directory_account_list(f->dir, SLICE("A.test"), f->arena, &accounts, &n, &f->error));
	assert_int_equal(n, 2);
	assert_slice(accounts[0].local, "adam");
	assert_slice(accounts[1].local, "Zoe");
	assert_true(directory_account_list(f->dir, SLICE(""), f->arena, &accounts, &n, &f->error));
	assert_int_equal(n, 3);
	assert_slice(accounts[2].domain, "b.test");
}

static void names_are_checked_and_errors_say_where(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name, *says;
	} domains[] = {
		{ "", "empty" },
		{ "a..test", "octet 3" },
		{ "example.test.", "octet 14" },
		{ "exa_mple.test", "octet 4 ('_')" },
		{ "b\xc3\xbc.test", "octet 2 (0xc3)" },
		{ "-a.test", "hyphen" },
		{ "a.test-", "hyphen" },
		{ "10.0.0.1", "number" },
		{ "a123456789012345678901234567890123456789012345678901234567890123.test", "64" },
	};
	static const struct {
		const char *name, *says;
	} locals[] = {
		{ "", "empty" },
		{ ".a", "octet 1" },
		{ "a..b", "octet 3" },
		{ "a.", "octet 2" },
		{ "a b", "octet 2 (0x20)" },
		{ "a@b", "octet 2 ('@')" },
		{ "\xff", "UTF-8" },
		{ "a1234567890123456789012345678901234567890123456789012345678901234", "65" },
	};

	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		assert_false(
		    directory_domain_add(f->dir, slice_of(domains[i].name), &f->id, &f->error));
		assert_int_equal(f->error.fault, FAULT_INPUT);
		assert_non_null(strstr(f->error.said, domains[i].says));
	}
	add(f, NULL, "xn--bcher-kva.test");
	for (size_t i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
		assert_false(directory_account_add(f->dir, slice_of(locals[i].name),
		    SLICE("xn--bcher-kva.test"), &f->id, &f->error));
		assert_int_equal(f->error.fault, FAULT_INPUT);
		assert_non_null(strstr(f->error.said, locals[i].says));
	}
	add(f, "gr\xc3\xbc\xc3\x9f.gott+tag", "xn--bcher-kva.test");
}

static void readers_see_what_the_writer_did(void **state)
{
	struct fixture *f = *state;
	struct directory *reader;
	struct account a;

	add(f, NULL, "example.test");
	assert_true(directory_open(f->path, false, &reader, &f->error));
	assert_int_equal(
	    directory_find_login(reader, SLICE("alice"), &a, &f->error), DIRECTORY_NO_ACCOUNT);
	add(f, "alice", "example.test");
	assert_int_equal(
	    directory_find_login(reader, SLICE("alice"), &a, &f->error), DIRECTORY_FOUND);
	assert_false(directory_domain_add(reader, SLICE("x.test"), &f->id, &f->error));
	assert_int_equal(f->error.fault, FAULT_LOCAL);
	directory_close(reader);
}

/* A writer in its commit holds the file alone. */
static void a_long_lock_is_a_temporary_error(void **state)
{
	struct fixture *f = *state;
	struct db *db;
	struct account a;
	struct db_options options = { .journal = DB_ROLLBACK };

	assert_true(
	    db_open(f->path, &directory_program, &options, deadline_in_ms(1000), &db, &f->error));
	assert_true(db_begin(db, &f->error));
	directory_set_wait(f->dir, 30);
	assert_false(directory_domain_add(f->dir, SLICE("a.test"), &f->id, &f->error));
	assert_true(f->error.temporary);
	assert_non_null(strstr(f->error.why, "locked"));
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("alice"), &a, &f->error), DIRECTORY_NO_DOMAIN);
	db_close(db);
}

static void readers_wait_for_the_file_to_be_made(void **state)
{
	struct fixture *f = *state;
	struct directory *reader;
	char path[80];

	snprintf(path, sizeof(path), "%s/absent.db", f->folder);
	assert_false(directory_open(path, false, &reader, &f->error));
	assert_null(reader);
	assert_true(f->error.temporary);
	assert_non_null(strstr(f->error.why, path));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(addresses_are_found_without_regard_to_case),
		WITH_DIR(absence_has_two_answers),
		WITH_DIR(a_bare_login_needs_exactly_one_domain),
		WITH_DIR(ids_are_never_used_again),
		WITH_DIR(what_exists_or_is_used_is_kept),
		WITH_DIR(accounts_can_be_disabled),
		WITH_DIR(lists_are_in_order),
		WITH_DIR(names_are_checked_and_errors_say_where),
		WITH_DIR(readers_see_what_the_writer_did),
		WITH_DIR(a_long_lock_is_a_temporary_error),
		WITH_DIR(readers_wait_for_the_file_to_be_made),
	};

	return UNIT_RUN(tests);
}
