/* Domains and accounts: names, answers, ids, readers beside the writer. */
#include "lib/directory_fixture.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "base/buf.h"

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
	assert_true(directory_account_remove(
	    f->dir, SLICE("ALICE"), SLICE("example.test"), false, &f->error));
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
	assert_false(directory_account_remove(
	    f->dir, SLICE("bob"), SLICE("example.test"), false, &f->error));
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
		{ "b\xc3.test", "international" },
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
		{ "a\xc2\x85", "control character at octet 2" },
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

/* ---- aliases ---- */

/* "info@example.test" */
static struct directory_address address(const char *text)
{
	slice all = slice_of(text);
	size_t at = slice_find(all, '@');

	return (struct directory_address){ slice_head(all, at), slice_from(all, at + 1) };
}

static bool alias(struct fixture *f, const char *name, const char *target)
{
	struct directory_address to = address(target);

	return directory_alias_add(f->dir, address(name), &to, 1, &f->error);
}

static bool unalias(struct fixture *f, const char *name, const char *target, bool force, bool *gone)
{
	struct directory_address to = target ? address(target) : (struct directory_address){ 0 };

	return directory_alias_remove(
	    f->dir, address(name), target ? &to : NULL, force, gone, &f->error);
}

/* The local parts that an address leads to, with blanks between; "-" for nobody. */
static void expect_leads(struct fixture *f, const char *name, const char *locals)
{
	struct directory_recipients r;
	struct directory_address a = address(name);
	struct buf got;

	buf_init(&got, 100000);
	switch (directory_resolve(f->dir, a.local, a.domain, f->arena, &r, &f->error)) {
	case DIRECTORY_FOUND:
		for (size_t i = 0; i < r.count; i++)
			buf_addf(&got, "%s%.*s", i ? " " : "", SLICE_ARG(r.accounts[i].local));
		break;
	case DIRECTORY_NO_ACCOUNT:
		buf_adds(&got, "-");
		break;
	case DIRECTORY_NO_DOMAIN:
		buf_adds(&got, "not ours");
		break;
	case DIRECTORY_FAILED:
		buf_adds(&got, f->error.why);
		break;
	}
	assert_string_equal(got.p, locals);
	buf_free(&got);
}

static void add_people(struct fixture *f)
{
	add(f, NULL, "a.test");
	add(f, NULL, "b.test");
	add(f, "ann", "a.test");
	add(f, "bob", "a.test");
	add(f, "cy", "b.test");
}

static void aliases_lead_to_each_account_once(void **state)
{
	struct fixture *f = *state;
	struct directory_address several[] = { address("BOB@A.test"), address("staff@a.test"),
		address("Cy@b.test") };

	add_people(f);
	assert_true(alias(f, "Staff@A.test", "ann@a.test"));
	assert_true(alias(f, "staff@a.test", "bob@a.test"));
	expect_leads(f, "STAFF@a.test", "ann bob");
	assert_true(directory_alias_add(f->dir, address("all@b.test"), several, 3, &f->error));
	expect_leads(f, "all@b.test", "bob cy ann");
	expect_leads(f, "ann@a.test", "ann");
	expect_leads(f, "nobody@a.test", "-");
	expect_leads(f, "staff@c.test", "not ours");
	/* An account stays what only accounts are. */
	struct account a;
	assert_int_equal(
	    directory_find_address(f->dir, SLICE("staff"), SLICE("a.test"), &a, &f->error),
	    DIRECTORY_NO_ACCOUNT);
}

static void aliases_and_accounts_cannot_hide_one_another(void **state)
{
	struct fixture *f = *state;

	add_people(f);
	assert_false(alias(f, "ANN@a.test", "bob@a.test"));
	assert_non_null(strstr(f->error.said, "ANN@a.test is an account"));
	assert_true(alias(f, "info@a.test", "bob@a.test"));
	assert_false(
	    directory_account_add(f->dir, SLICE("INFO"), SLICE("a.test"), &f->id, &f->error));
	assert_non_null(strstr(f->error.said, "is an alias"));
	assert_false(alias(f, "info@a.test", "BOB@a.test"));
	assert_non_null(strstr(f->error.said, "leads to BOB@a.test already"));
	assert_false(alias(f, "info@c.test", "bob@a.test"));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	assert_false(alias(f, "x@a.test", "nobody@a.test"));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	expect_leads(f, "x@a.test", "-");
	assert_false(alias(f, "x y@a.test", "bob@a.test"));
	assert_false(alias(f, "x@a.test", "bob\n@a.test"));
	assert_int_equal(f->error.fault, FAULT_INPUT);
}

static void of_several_targets_all_or_none_are_added(void **state)
{
	struct fixture *f = *state;
	struct directory_address several[] = { address("ann@a.test"), address("nobody@a.test") };

	add_people(f);
	assert_false(directory_alias_add(f->dir, address("all@a.test"), several, 2, &f->error));
	expect_leads(f, "all@a.test", "-");
	add(f, "all", "a.test");
}

static void loops_are_named_when_they_would_be_made(void **state)
{
	struct fixture *f = *state;

	add_people(f);
	assert_true(alias(f, "one@a.test", "ann@a.test"));
	assert_false(alias(f, "one@a.test", "ONE@a.test"));
	assert_string_equal(f->error.said, "that would be a loop: one@a.test -> one@a.test");
	assert_true(alias(f, "two@b.test", "one@a.test"));
	assert_true(alias(f, "three@a.test", "two@b.test"));
	assert_false(alias(f, "one@a.test", "three@a.test"));
	assert_string_equal(f->error.said,
	    "that would be a loop: one@a.test -> three@a.test -> two@b.test -> one@a.test");
	assert_false(alias(f, "one@a.test", "two@b.test"));
	expect_leads(f, "three@a.test", "ann");
}

static void run_sql(struct fixture *f, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_loop_that_is_there_anyway_harms_nobody(void **state)
{
	struct fixture *f = *state;
	bool gone;

	add_people(f);
	assert_true(alias(f, "one@a.test", "ann@a.test"));
	assert_true(alias(f, "two@a.test", "one@a.test"));
	run_sql(f,
	    "INSERT INTO alias_target SELECT o.id, 0, t.id FROM alias o, alias t "
	    "WHERE o.folded = 'one' AND t.folded = 'two'");
	expect_leads(f, "one@a.test", "ann");
	expect_leads(f, "two@a.test", "ann");
	assert_true(alias(f, "two@a.test", "bob@a.test"));
	assert_true(unalias(f, "one@a.test", "two@a.test", false, &gone));
	assert_true(unalias(f, "two@a.test", NULL, true, &gone));
	assert_true(gone);
	expect_leads(f, "one@a.test", "ann");
}

static void ten_aliases_one_behind_another_and_no_more(void **state)
{
	struct fixture *f = *state;
	char from[40], to[40] = "ann@a.test";

	add_people(f);
	for (int i = 1; i <= 10; i++) {
		snprintf(from, sizeof from, "n%d@a.test", i);
		assert_true(alias(f, from, to));
		snprintf(to, sizeof to, "%s", from);
	}
	expect_leads(f, "n10@a.test", "ann");
	assert_false(alias(f, "n11@a.test", "n10@a.test"));
	assert_int_equal(f->error.fault, FAULT_LIMIT);
	/* Neither in the middle, where those above it grow. */
	assert_true(alias(f, "low@a.test", "bob@a.test"));
	assert_false(alias(f, "n1@a.test", "low@a.test"));
	assert_int_equal(f->error.fault, FAULT_LIMIT);
	expect_leads(f, "n10@a.test", "ann");
}

static void a_thousand_accounts_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct directory_recipients r;

	add_people(f);
	assert_true(alias(f, "all@a.test", "ann@a.test"));
	run_sql(f,
	    "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 1099) "
	    "INSERT INTO account SELECT i, 1, 'u' || i, 'u' || i, 1, 0, 0 FROM n; "
	    "INSERT INTO alias_target SELECT 1, id, 0 FROM account "
	    "WHERE id BETWEEN 100 AND 1098");
	assert_int_equal(
	    directory_resolve(f->dir, SLICE("all"), SLICE("a.test"), f->arena, &r, &f->error),
	    DIRECTORY_FOUND);
	assert_int_equal(r.count, 1000);
	assert_false(alias(f, "all@a.test", "u1099@a.test"));
	assert_int_equal(f->error.fault, FAULT_LIMIT);
	run_sql(f, "INSERT INTO alias_target VALUES (1, 1099, 0)");
	expect_leads(f, "all@a.test", "the alias leads to more than 1000 accounts");
}

static void what_aliases_lead_to_is_removed_only_by_force(void **state)
{
	struct fixture *f = *state;
	bool gone;

	add_people(f);
	assert_true(alias(f, "one@a.test", "ann@a.test"));
	assert_true(alias(f, "two@a.test", "one@a.test"));
	assert_true(alias(f, "both@a.test", "ann@a.test"));
	assert_true(alias(f, "both@a.test", "bob@a.test"));
	assert_false(
	    directory_account_remove(f->dir, SLICE("ann"), SLICE("a.test"), false, &f->error));
	assert_string_equal(f->error.said,
	    "aliases lead to ann@a.test: one@a.test, both@a.test; --force takes it out of them");
	assert_false(unalias(f, "one@a.test", NULL, false, &gone));
	assert_false(unalias(f, "one@a.test", "ann@a.test", false, &gone));
	expect_leads(f, "two@a.test", "ann");
	assert_true(
	    directory_account_remove(f->dir, SLICE("ann"), SLICE("a.test"), true, &f->error));
	expect_leads(f, "two@a.test", "-");
	expect_leads(f, "both@a.test", "bob");
	/* Those left without a target are gone, so their names are free. */
	add(f, "one", "a.test");
	add(f, "two", "a.test");
	assert_false(unalias(f, "both@a.test", "cy@b.test", false, &gone));
	assert_true(unalias(f, "both@a.test", "bob@a.test", false, &gone));
	assert_true(gone);
	assert_false(unalias(f, "both@a.test", NULL, false, &gone));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	assert_false(unalias(f, "one@a.test", NULL, true, &gone));
	assert_non_null(strstr(f->error.said, "is an account"));
}

static void a_domain_with_aliases_is_kept(void **state)
{
	struct fixture *f = *state;
	bool gone;

	add_people(f);
	add(f, NULL, "c.test");
	assert_true(alias(f, "x@c.test", "ann@a.test"));
	assert_false(directory_domain_remove(f->dir, SLICE("c.test"), &f->error));
	assert_string_equal(f->error.said, "domain c.test still has 1 aliases; remove them first");
	assert_true(unalias(f, "x@c.test", NULL, false, &gone));
	assert_true(directory_domain_remove(f->dir, SLICE("c.test"), &f->error));
}

static void an_alias_is_a_login_when_it_leads_to_one_account(void **state)
{
	struct fixture *f = *state;
	struct account a;

	add_people(f);
	assert_true(alias(f, "one@a.test", "ann@a.test"));
	assert_true(alias(f, "two@b.test", "one@a.test"));
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("TWO@b.test"), &a, &f->error), DIRECTORY_FOUND);
	assert_slice(a.local, "ann");
	assert_slice(a.domain, "a.test");
	assert_true(alias(f, "one@a.test", "bob@a.test"));
	assert_int_equal(
	    directory_find_login(f->dir, SLICE("two@b.test"), &a, &f->error), DIRECTORY_NO_ACCOUNT);
}

static void aliases_are_listed_in_order(void **state)
{
	struct fixture *f = *state;
	struct directory_alias *rows;
	size_t n;

	add_people(f);
	assert_true(alias(f, "Zed@a.test", "cy@b.test"));
	assert_true(alias(f, "zed@a.test", "bob@a.test"));
	assert_true(alias(f, "Ask@b.test", "zed@a.test"));
	assert_true(
	    directory_alias_list(f->dir, SLICE(""), SLICE(""), f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 3);
	assert_slice(rows[0].alias.local, "Zed");
	assert_slice(rows[0].target.local, "bob");
	assert_slice(rows[1].target.domain, "b.test");
	assert_slice(rows[2].alias.local, "Ask");
	assert_slice(rows[2].target.local, "Zed");
	assert_true(directory_alias_list(
	    f->dir, SLICE("ASK"), SLICE("B.test"), f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 1);
	assert_true(directory_alias_list(
	    f->dir, SLICE(""), SLICE("b.test"), f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 1);
}

/* What version 1 was made of; its accounts are kept. */
static void a_directory_of_version_1_is_brought_up(void **state)
{
	struct fixture *f = *state;

	directory_close(f->dir);
	unlink(f->path);
	run_sql(f,
	    "CREATE TABLE domain(id INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (name), "
	    "PRIMARY KEY (id)) STRICT, WITHOUT ROWID;"
	    "CREATE TABLE account(id INTEGER NOT NULL, domain INTEGER NOT NULL, local TEXT NOT NULL, "
	    "folded TEXT NOT NULL, enabled INTEGER NOT NULL, created INTEGER NOT NULL, "
	    "UNIQUE (domain, folded), PRIMARY KEY (id)) STRICT, WITHOUT ROWID;"
	    "CREATE TABLE serial(name TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (name)) "
	    "STRICT, WITHOUT ROWID;"
	    "INSERT INTO domain VALUES (1, 'a.test'); INSERT INTO serial VALUES ('domain', 1);"
	    "INSERT INTO account VALUES (4, 1, 'Ann', 'ann', 1, 1); "
	    "INSERT INTO serial VALUES ('account', 4); PRAGMA user_version=1");
	/* Readers wait for the writer. */
	assert_false(directory_open(f->path, false, &f->dir, &f->error));
	assert_true(directory_open(f->path, true, &f->dir, &f->error));
	expect_leads(f, "ann@a.test", "Ann");
	assert_true(alias(f, "info@a.test", "ann@a.test"));
	expect_leads(f, "info@a.test", "Ann");
	assert_true(directory_alias_senders(f->dir,
	    (struct directory_address){ SLICE("info"), SLICE("a.test") }, SENDERS_USERS,
	    &f->error));
	assert_true(directory_domain_quota(f->dir, SLICE("a.test"), 5000, &f->error));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void a_detail_behind_a_plus_leads_to_the_address_without_it(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	add_people(f);
	expect_leads(f, "ann+lists@a.test", "ann");
	expect_leads(f, "ANN+a+b@a.test", "ann");
	expect_leads(f, "nobody+ann@a.test", "-");
	expect_leads(f, "+ann@a.test", "-");
	assert_true(
	    directory_account_add(f->dir, SLICE("ann+own"), SLICE("a.test"), &id, &f->error));
	expect_leads(f, "ann+own@a.test", "ann+own");
}

static void the_oldest_account_reads_what_nobody_is_named_for(void **state)
{
	struct fixture *f = *state;
	struct account account;

	assert_int_equal(
	    directory_find_oldest(f->dir, SLICE(""), &account, &f->error), DIRECTORY_NO_ACCOUNT);
	add_people(f);
	assert_int_equal(
	    directory_find_oldest(f->dir, SLICE("A.test"), &account, &f->error), DIRECTORY_FOUND);
	assert_slice(account.local, "ann");
	assert_int_equal(
	    directory_find_oldest(f->dir, SLICE("b.test"), &account, &f->error), DIRECTORY_FOUND);
	assert_slice(account.local, "cy");
	assert_true(
	    directory_account_enable(f->dir, SLICE("ann"), SLICE("a.test"), false, &f->error));
	assert_int_equal(
	    directory_find_oldest(f->dir, SLICE(""), &account, &f->error), DIRECTORY_FOUND);
	assert_slice(account.local, "bob");
	assert_int_equal(directory_find_oldest(f->dir, SLICE("c.test"), &account, &f->error),
	    DIRECTORY_NO_ACCOUNT);
}

static void what_nobody_has_goes_to_the_catch_all(void **state)
{
	struct fixture *f = *state;
	struct account account;

	add_people(f);
	expect_leads(f, "nobody@a.test", "-");
	struct directory_address all = { DIRECTORY_CATCH_ALL, SLICE("a.test") },
				 ann = { SLICE("ann"), SLICE("a.test") };
	assert_true(directory_alias_add(f->dir, all, &ann, 1, &f->error));
	expect_leads(f, "nobody@a.test", "ann");
	expect_leads(f, "nobody+x@a.test", "ann");
	expect_leads(f, "bob@a.test", "bob");
	expect_leads(f, "nobody@b.test", "-");
	/* Mail is sent there; nobody's login. */
	assert_int_equal(directory_find_login(f->dir, SLICE("nobody@a.test"), &account, &f->error),
	    DIRECTORY_NO_ACCOUNT);
	/* It stands for addresses, not for a target. */
	struct directory_address other = { SLICE("other"), SLICE("a.test") };
	assert_false(directory_alias_add(f->dir, other, &all, 1, &f->error));
	assert_int_equal(f->error.fault, FAULT_INPUT);
	bool gone;
	assert_true(directory_alias_remove(f->dir, all, NULL, false, &gone, &f->error));
	assert_true(gone);
	expect_leads(f, "nobody@a.test", "-");
}

static void a_domain_has_one_name_in_both_its_forms(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	assert_true(directory_domain_add(f->dir,
	    SLICE("B\xc3\xbc"
		  "cher.test"),
	    &id, &f->error));
	assert_false(directory_domain_add(f->dir, SLICE("xn--bcher-kva.TEST"), &id, &f->error));
	assert_true(directory_account_add(
	    f->dir, SLICE("J\xc3\xb6rg"), SLICE("xn--bcher-kva.test"), &id, &f->error));
	expect_leads(f,
	    "j\xc3\x96rg@b\xc3\xbc"
	    "cher.test",
	    "J\xc3\xb6rg");
	expect_leads(f, "jo\xcc\x88rg@XN--bcher-kva.test", "J\xc3\xb6rg");
	assert_false(directory_domain_add(f->dir, SLICE("b\xc3\xbc cher.test"), &id, &f->error));
	assert_int_equal(f->error.fault, FAULT_INPUT);
}

static int64_t quota_of(struct fixture *f, const char *local)
{
	struct account account;

	assert_int_equal(
	    directory_find_address(f->dir, slice_of(local), SLICE("a.test"), &account, &f->error),
	    DIRECTORY_FOUND);
	return account.quota;
}

static void a_quota_is_the_accounts_or_its_domains(void **state)
{
	struct fixture *f = *state;
	slice ann = SLICE("ann"), domain = SLICE("a.test");

	add_people(f);
	assert_int_equal(quota_of(f, "ann"), 0);
	assert_true(directory_domain_quota(f->dir, SLICE("A.test"), 5000, &f->error));
	assert_int_equal(quota_of(f, "ann"), 5000);
	assert_true(directory_account_quota(f->dir, ann, domain, 7000, &f->error));
	assert_int_equal(quota_of(f, "ann"), 7000);
	assert_int_equal(quota_of(f, "bob"), 5000);
	assert_true(directory_account_quota(f->dir, ann, domain, DIRECTORY_NO_QUOTA, &f->error));
	assert_int_equal(quota_of(f, "ann"), 0);
	assert_true(directory_account_quota(f->dir, ann, domain, 0, &f->error));
	assert_int_equal(quota_of(f, "ann"), 5000);
	assert_false(directory_domain_quota(f->dir, SLICE("c.test"), 5000, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
}

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
		WITH_DIR(aliases_lead_to_each_account_once),
		WITH_DIR(aliases_and_accounts_cannot_hide_one_another),
		WITH_DIR(of_several_targets_all_or_none_are_added),
		WITH_DIR(loops_are_named_when_they_would_be_made),
		WITH_DIR(a_loop_that_is_there_anyway_harms_nobody),
		WITH_DIR(ten_aliases_one_behind_another_and_no_more),
		WITH_DIR(a_thousand_accounts_and_no_more),
		WITH_DIR(what_aliases_lead_to_is_removed_only_by_force),
		WITH_DIR(a_domain_with_aliases_is_kept),
		WITH_DIR(an_alias_is_a_login_when_it_leads_to_one_account),
		WITH_DIR(aliases_are_listed_in_order),
		WITH_DIR(a_directory_of_version_1_is_brought_up),
		WITH_DIR(a_detail_behind_a_plus_leads_to_the_address_without_it),
		WITH_DIR(what_nobody_has_goes_to_the_catch_all),
		WITH_DIR(a_domain_has_one_name_in_both_its_forms),
		WITH_DIR(a_quota_is_the_accounts_or_its_domains),
		WITH_DIR(the_oldest_account_reads_what_nobody_is_named_for),
	};

	return UNIT_RUN(tests);
}
