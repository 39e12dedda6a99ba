/*
 * The same two checks as spf_speed.c, by libspf2 with its zone in memory.
 *
 * cc -O2 -o spf_peer bench/spf_peer.c -lspf2
 */
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <spf2/spf.h>
#include <spf2/spf_dns_zone.h>

#define TURNS  20000
#define ROUNDS 15

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int check(SPF_server_t *server, const char *sender)
{
	SPF_request_t *request = SPF_request_new(server);
	SPF_response_t *response = NULL;

	SPF_request_set_ipv4_str(request, "198.18.0.5");
	SPF_request_set_helo_dom(request, "mail.one.test");
	SPF_request_set_env_from(request, sender);
	SPF_request_query_mailfrom(request, &response);
	int pass = SPF_response_result(response) == SPF_RESULT_PASS;
	SPF_response_free(response);
	SPF_request_free(request);
	return pass;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(void)
{
	static const char *const what[][2] = { { "ann@one.test", "one term" },
		{ "ann@many.test", "a, mx and two includes" } };
	static const struct {
		const char *name;
		int type;
		const char *value;
	} rows[] = {
		{ "one.test", ns_t_txt, "v=spf1 ip4:198.18.0.0/16 -all" },
		{ "many.test", ns_t_txt, "v=spf1 a mx include:inc1.test include:inc2.test -all" },
		{ "many.test", ns_t_a, "198.18.1.1" },
		{ "many.test", ns_t_mx, "mx.many.test" },
		{ "mx.many.test", ns_t_a, "198.18.1.2" },
		{ "inc1.test", ns_t_txt, "v=spf1 ip4:203.0.113.0/24 ?all" },
		{ "inc2.test", ns_t_txt, "v=spf1 ip4:198.18.0.0/16 -all" },
	};
	SPF_server_t *server = SPF_server_new(SPF_DNS_ZONE, 0);
	double rates[ROUNDS];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		SPF_dns_zone_add_str(
		    server->resolver, rows[i].name, rows[i].type, NETDB_SUCCESS, rows[i].value);
	SPF_server_set_rec_dom(server, "mx.example.org");
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < ROUNDS; i++) {
			double start = now();

			for (int turn = 0; turn < TURNS; turn++)
				if (!check(server, what[k][0]))
					return fprintf(stderr, "spf_peer: no pass\n"), 1;
			rates[i] = TURNS / (now() - start);
		}
		qsort(rates, ROUNDS, sizeof *rates, compare);
		printf("the same by libspf2,         %-24s %9.0f checks/s\n", what[k][1], rates[ROUNDS / 2]);
	}
	SPF_server_free(server);
	return 0;
}
