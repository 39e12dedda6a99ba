/* Sets of UIDs: by hand at the edges, and against an array of bits. */
#include "lib/unit.h"

#include "store/uid_set.h"

#define MODEL 300

static void assert_set(const struct uid_set *set, const char *want)
{
	struct buf out;

	buf_init(&out, 10000);
	uid_set_print(set, &out);
	assert_slice(buf_slice(&out), want);
	buf_free(&out);
}

static void ranges_join_and_split(void **state)
{
	struct uid_set set = { 0 };

	(void)state;
	assert_set(&set, "");
	uid_set_add(&set, 1, 10);
	uid_set_add(&set, 11, 11);
	uid_set_add(&set, 20, 30);
	assert_set(&set, "1:11,20:30");
	uid_set_add(&set, 12, 19);
	assert_set(&set, "1:30");
	uid_set_remove(&set, 5, 6);
	uid_set_remove(&set, 30, 99);
	uid_set_remove(&set, 1, 1);
	assert_set(&set, "2:4,7:29");
	uid_set_remove(&set, 3, 8);
	assert_set(&set, "2,9:29");
	uid_set_remove(&set, 9, 5);
	uid_set_remove(&set, 1, UINT32_MAX);
	assert_set(&set, "");
	uid_set_free(&set);
}

static void the_highest_uid_is_a_uid(void **state)
{
	struct uid_set set = { 0 };

	(void)state;
	uid_set_add(&set, UINT32_MAX, UINT32_MAX);
	uid_set_add(&set, 5, 6);
	assert_set(&set, "5:6,4294967295");
	assert_true(uid_set_contains(&set, UINT32_MAX));
	assert_int_equal(uid_set_position(&set, UINT32_MAX), 3);
	assert_true(uid_set_last(&set) == UINT32_MAX);
	uid_set_add(&set, 7, UINT32_MAX - 1);
	assert_set(&set, "5:4294967295");
	uid_set_remove(&set, 6, UINT32_MAX);
	assert_set(&set, "5");
	uid_set_free(&set);
}

static void a_position_is_a_sequence_number(void **state)
{
	struct uid_set set = { 0 };

	(void)state;
	assert_int_equal(uid_set_at(&set, 1), 0);
	assert_int_equal(uid_set_position(&set, 1), 0);
	uid_set_add(&set, 1, 10);
	uid_set_remove(&set, 3, 4);
	assert_int_equal(uid_set_position(&set, 5), 3);
	assert_int_equal(uid_set_position(&set, 4), 0);
	assert_int_equal(uid_set_at(&set, 3), 5);
	assert_int_equal(uid_set_at(&set, 8), 10);
	assert_int_equal(uid_set_at(&set, 9), 0);
	assert_int_equal(uid_set_at(&set, 0), 0);
	assert_int_equal(uid_set_count_to(&set, 4), 2);
	assert_int_equal(uid_set_count_to(&set, 99), 8);
	uid_set_free(&set);
}

static void check_against(const struct uid_set *set, const bool *model)
{
	uint32_t position = 0;

	for (uint32_t uid = 1; uid < MODEL; uid++) {
		position += model[uid];
		assert_int_equal(uid_set_contains(set, uid), model[uid]);
		assert_int_equal(uid_set_position(set, uid), model[uid] ? position : 0);
		assert_int_equal(uid_set_count_to(set, uid), position);
		if (model[uid])
			assert_int_equal(uid_set_at(set, position), uid);
	}
	assert_int_equal(uid_set_count(set), position);
	for (size_t i = 1; i < set->n; i++)
		assert_true(set->ranges[i].lo > set->ranges[i - 1].hi + 1);
}

static void random_range(uint32_t *lo, uint32_t *hi)
{
	*lo = 1 + (uint32_t)rand() % (MODEL - 1);
	*hi = *lo + (uint32_t)rand() % (rand() % 10 ? 4 : 100);
	if (*hi >= MODEL)
		*hi = MODEL - 1;
}

static void random_changes_agree_with_the_model(void **state)
{
	struct uid_set set = { 0 };
	bool model[MODEL] = { false };

	(void)state;
	srand(unit_seed());
	for (int i = 0; i < 2000; i++) {
		bool add = rand() % 2;
		uint32_t lo, hi;

		random_range(&lo, &hi);
		if (add)
			uid_set_add(&set, lo, hi);
		else
			uid_set_remove(&set, lo, hi);
		for (uint32_t uid = lo; uid <= hi; uid++)
			model[uid] = add;
		check_against(&set, model);
	}
	uid_set_free(&set);
}

static void the_last_uid_is_removed_too(void **state)
{
	struct uid_set set = { 0 }, other = { 0 };

	(void)state;
	uid_set_add(&set, 1, UINT32_MAX);
	uid_set_add(&other, 5, 6);
	uid_set_add(&other, 9, UINT32_MAX);
	uid_set_remove_all(&set, &other);
	assert_int_equal(uid_set_count(&set), 6);
	assert_int_equal(uid_set_last(&set), 8);
	uid_set_add(&other, 1, UINT32_MAX);
	uid_set_remove_all(&set, &other);
	assert_int_equal(set.n, 0);
	uid_set_free(&set);
	uid_set_free(&other);
}

static void whole_sets_are_combined(void **state)
{
	(void)state;
	srand(unit_seed());
	for (int round = 0; round < 100; round++) {
		struct uid_set sets[4] = { 0 };
		bool model[4][MODEL] = { { false } };

		for (int i = 0; i < 40; i++) {
			uint32_t lo, hi;
			bool other = rand() % 2;

			random_range(&lo, &hi);
			for (int s = other ? 3 : 0; s < (other ? 4 : 3); s++) {
				uid_set_add(&sets[s], lo, hi);
				for (uint32_t uid = lo; uid <= hi; uid++)
					model[s][uid] = true;
			}
		}
		for (uint32_t uid = 1; uid < MODEL; uid++) {
			model[0][uid] |= model[3][uid];
			model[1][uid] &= !model[3][uid];
			model[2][uid] &= model[3][uid];
		}
		uid_set_add_all(&sets[0], &sets[3]);
		uid_set_remove_all(&sets[1], &sets[3]);
		uid_set_intersect(&sets[2], &sets[3]);
		for (int s = 0; s < 4; s++) {
			check_against(&sets[s], model[s]);
			uid_set_free(&sets[s]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_join_and_split),
		cmocka_unit_test(the_highest_uid_is_a_uid),
		cmocka_unit_test(a_position_is_a_sequence_number),
		cmocka_unit_test(random_changes_agree_with_the_model),
		cmocka_unit_test(the_last_uid_is_removed_too),
		cmocka_unit_test(whole_sets_are_combined),
	};

	return UNIT_RUN(tests);
}
