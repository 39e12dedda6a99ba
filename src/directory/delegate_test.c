/* Who may act for somebody else. */
#include "lib/directory_fixture.h"

static int64_t add(struct fixture *f, const char *local)
{
	assert_true(directory_account_add(
	    f->dir, slice_of(local), SLICE("example.test"), &f->id, &f->error));
	return f->id;
}

static void a_delegate_acts_for_who_granted_it_only(void **state)
{
	struct fixture *f = *state;
	struct directory_delegate *rows;
	int64_t alice, bob, id;
	size_t n;
	bool may;

	assert_true(directory_domain_add(f->dir, SLICE("example.test"), &id, &f->error));
	alice = add(f, "alice");
	bob = add(f, "bob");
	assert_false(directory_delegate_grant(f->dir, alice, alice, &f->error));
	assert_true(directory_delegate_grant(f->dir, alice, bob, &f->error));
	assert_true(directory_delegate_grant(f->dir, alice, bob, &f->error));
	assert_true(directory_may_act(f->dir, bob, alice, &may, &f->error) && may);
	assert_true(directory_may_act(f->dir, alice, bob, &may, &f->error) && !may);
	assert_true(directory_delegate_list(f->dir, 0, f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 1);
	assert_slice(rows[0].owner.local, "alice");
	assert_slice(rows[0].delegate.local, "bob");
	assert_true(directory_delegate_list(f->dir, bob, f->arena, &rows, &n, &f->error));
	assert_int_equal(n, 0);
	assert_true(directory_delegate_revoke(f->dir, alice, bob, &f->error));
	assert_false(directory_delegate_revoke(f->dir, alice, bob, &f->error));
	assert_int_equal(f->error.fault, FAULT_ABSENT);
	assert_true(directory_may_act(f->dir, bob, alice, &may, &f->error) && !may);
	/* whoever goes takes his grants along */
	assert_true(directory_delegate_grant(f->dir, alice, bob, &f->error));
	assert_true(directory_account_remove(
	    f->dir, SLICE("bob"), SLICE("example.test"), false, &f->error));
	assert_true(directory_may_act(f->dir, bob, alice, &may, &f->error) && !may);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_delegate_acts_for_who_granted_it_only, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
