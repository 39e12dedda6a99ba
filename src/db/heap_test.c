/* SQLite's memory: what is there stays as it was written, whatever is taken and given beside it. */
#include "db/heap.h"

#include "lib/unit.h"

#include <pthread.h>

#include "db/db.h"

#define THINGS 400
#define STEPS  40000

struct thing {
	unsigned char *p;
	int n;
	unsigned char fill;
};

static void check(const struct thing *t)
{
	assert_true(db_heap_methods.xSize(t->p) >= t->n);
	assert_int_equal((uintptr_t)t->p % 8, 0);
	for (int i = 0; i < t->n; i++)
		if (t->p[i] != t->fill)
			fail_msg("octet %d of %d is not what was written", i, t->n);
}

static void change(struct thing *t, unsigned *seed)
{
	unsigned dice = (unsigned)rand_r(seed);
	int n = dice % 10 == 0 ? rand_r(seed) % 100000 + 1 : rand_r(seed) % 5000 + 1;

	if (t->p)
		check(t);
	if (!t->p) {
		t->p = db_heap_methods.xMalloc(n);
	} else if (dice & 16) {
		int kept = n < t->n ? n : t->n;

		t->p = db_heap_methods.xRealloc(t->p, n);
		t->n = kept;
		check(t);
	} else {
		db_heap_methods.xFree(t->p);
		t->p = NULL;
		return;
	}
	t->n = n;
	t->fill = (unsigned char)dice;
	memset(t->p, t->fill, (size_t)n);
}

static void *work(void *context)
{
	unsigned seed = *(unsigned *)context;
	struct thing *things = calloc(THINGS, sizeof *things);

	for (int i = 0; i < STEPS; i++) {
		change(&things[rand_r(&seed) % THINGS], &seed);
		if (i % 1000 == 0)
			db_heap_trim();
	}
	for (int i = 0; i < THINGS; i++)
		if (things[i].p) {
			check(&things[i]);
			db_heap_methods.xFree(things[i].p);
		}
	db_heap_trim();
	free(things);
	return NULL;
}

static void what_is_written_stays(void **state)
{
	pthread_t threads[4];
	unsigned seeds[4];

	(void)state;
	db_heap_init();
	unsigned seed = unit_seed();
	for (unsigned i = 0; i < 4; i++) {
		seeds[i] = seed + i;
		pthread_create(&threads[i], NULL, work, &seeds[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
