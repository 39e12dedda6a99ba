/*
 * Measures SPF checks whose records are in memory: one term, and a + mx + two includes.
 *
 * usage: spf_speed [ROUNDS, default 15]
 *
 * A round checks some ten thousand times on one core; the median of the rounds is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "trust/spf.h"

#define TURNS  20000
#define ROUNDS 15

struct row {
	const char *name;
	enum dns_type type;
	const char *data; /* as on the wire */
	size_t n;
};

#define ROW(name, type, data) { name, type, data, sizeof(data) - 1 }

static const struct row rows[] = {
	ROW("one.test", DNS_TXT, "\035v=spf1 ip4:198.18.0.0/16 -all"),
	ROW("many.test", DNS_TXT, "\064v=spf1 a mx include:inc1.test include:inc2.test -all"),
	ROW("many.test", DNS_A, "\306\022\001\001"),
	ROW("many.test", DNS_MX, "\0\012\2mx\4many\4test\0"),
	ROW("mx.many.test", DNS_A, "\306\022\001\002"),
	ROW("inc1.test", DNS_TXT, "\036v=spf1 ip4:203.0.113.0/24 ?all"),
	ROW("inc2.test", DNS_TXT, "\035v=spf1 ip4:198.18.0.0/16 -all"),
};

static void answer(
    void *context, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	(void)context;
	*out = (struct dns_answer){ .result = DNS_NO_NAME, .name = name, .why = "" };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].type != type || !slice_eq_nocase(name, slice_of(rows[i].name)))
			continue;
		out->records = ARENA_NEW(arena, slice);
		out->records[out->count++] = (slice){ rows[i].data, rows[i].n };
		out->result = DNS_FOUND;
		return;
	}
}

static double round_of(const char *sender, struct arena *arena)
{
	static const struct spf_dns dns = { .ask = answer };
	struct spf_question q = { .dns = &dns,
		.sender = slice_of(sender),
		.helo = SLICE("mail.one.test"),
		.receiver = SLICE("mx.example.org"),
		.arena = arena };
	int64_t start = clock_us();

	ip_parse(SLICE("198.18.0.5"), &q.peer);
	for (int i = 0; i < TURNS; i++) {
		struct spf_answer a;

		spf_check(&q, &a);
		if (a.result != SPF_PASS) {
			fprintf(stderr, "spf_speed: %s\n", a.why);
			exit(1);
		}
		arena_reset(arena);
	}
	return TURNS * 1e6 / (double)(clock_us() - start);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static const char *const what[][2] = { { "ann@one.test", "one term" },
		{ "ann@many.test", "a, mx and two includes" } };
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
	struct arena *arena = arena_new(1 << 20);
	double *rates = calloc((size_t)rounds, sizeof *rates);

	for (int k = 0; k < 2 && rounds > 0; k++) {
		for (int i = 0; i < rounds; i++)
			rates[i] = round_of(what[k][0], arena);
		qsort(rates, (size_t)rounds, sizeof *rates, compare);
		printf("SPF with records in memory, %-24s %9.0f checks/s\n", what[k][1],
		    rates[rounds / 2]);
	}
	free(rates);
	arena_free(arena);
	return 0;
}
