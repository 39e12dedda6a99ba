/* hauberk dns: what the resolvers say, and what that is worth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main/dns_options.h"

#define MEMORY (16u << 20)

/* What the command works with. */
struct work {
	struct dns_options options;
	struct arena *arena;
	int problems;
};

/* ---- query ---- */

static void print_answer(struct work *w, enum dns_type type, const struct dns_answer *answer)
{
	static const char *const words[] = { [DNS_FOUND] = "found",
		[DNS_NO_DATA] = "no such record",
		[DNS_NO_NAME] = "no such name",
		[DNS_FAILED] = "failed" };

	printf("%s, %s", words[answer->result],
	    answer->bogus        ? "bogus"
		: answer->secure ? "secure"
				 : "not proved");
	if (answer->result == DNS_FOUND)
		printf(", ttl %u, of %.*s", answer->ttl, SLICE_ARG(answer->name));
	printf("\n");
	for (size_t i = 0; i < answer->count; i++) {
		slice text = dns_record_text(type, answer->records[i], w->arena);

		printf("%s %.*s\n", dns_type_name(type, w->arena), SLICE_ARG(text));
	}
	fflush(stdout);
	if (answer->result == DNS_FAILED)
		fprintf(stderr,
		    "hauberk dns query: %s; try again later, or see hauberk dns check\n",
		    answer->why);
}

static struct dns *start(const struct work *w, slice servers)
{
	struct dns_settings settings = w->options.settings;

	settings.servers = servers;
	return dns_options_start(&command_dns, &settings);
}

static int query(struct work *w, slice name, enum dns_type type)
{
	struct deadline deadline = deadline_in_ms(w->options.timeout_ms);
	struct dns *dns = start(w, w->options.settings.servers);
	struct dns_answer answer;
	struct ip ip;

	if (!dns)
		return 1;
	if (ip_parse(name, &ip))
		name = dns_reverse_name(&ip, w->arena);
	dns_options_settle(dns, deadline);
	dns_ask(dns, name, type, deadline, w->arena, &answer);
	print_answer(w, type, &answer);
	dns_close(dns);
	return answer.result != DNS_FOUND;
}

/* ---- check ---- */

static void problem(struct work *w, const char *text)
{
	printf("  problem     %s\n", text);
	w->problems++;
}

/* One resolver, asked alone. */
static void check_server(void *context, slice server)
{
	struct work *w = context;
	struct deadline deadline = deadline_in_ms(w->options.timeout_ms);
	struct dns *dns = start(w, server);
	struct dns_answer answer;

	printf("  resolver    %.*s: ", SLICE_ARG(server));
	if (!dns) {
		printf("\n");
		problem(w, "it cannot be asked; see above");
		return;
	}
	int64_t before = clock_us();
	dns_ask(dns, SLICE("."), DNS_NS, deadline, w->arena, &answer);
	bool answers = answer.result != DNS_FAILED || answer.bogus;
	enum dns_validation validation = dns_options_settle(dns, deadline);
	answers |= validation == DNS_VALIDATES || validation == DNS_NO_SIGNATURES;
	if (!answers) {
		printf("no answer\n");
		problem(w,
		    arena_printf(w->arena,
			"%s; is it the right address, and does its firewall let us in (UDP and TCP 53)?",
			answer.why));
	} else {
		printf("answers in %lld ms\n", (long long)((clock_us() - before) / 1000));
	}
	if (validation == DNS_NO_SIGNATURES)
		problem(w,
		    "it answers without signatures: switch DNSSEC on there (Windows: Enable-"
		    "DnsServer..., BIND: dnssec-validation), or ask another one; until then "
		    "nothing is validated and DANE is off");
	dns_close(dns);
}

static void check_validation(struct work *w, const struct dns *dns)
{
	static const char *const words[] = { [DNS_VALIDATES] = "on",
		[DNS_NO_ANCHOR] = "off, dns.trustAnchor is empty",
		[DNS_NO_SIGNATURES] = "off, the resolvers answer without signatures",
		[DNS_UNKNOWN] = "on, but nobody has answered yet" };

	printf("validation    %s",
	    words[dns_options_settle(dns, deadline_in_ms(w->options.timeout_ms))]);
	if (w->options.settings.trust_anchor[0])
		printf("; anchor %s", w->options.settings.trust_anchor);
	printf("\n");
	slice zones = slice_trim(w->options.settings.insecure_zones);
	if (zones.n)
		printf("  not for     %.*s\n", SLICE_ARG(zones));
}

/* Does the address lead back to the name (RFC 1912 §2.1)? */
static void check_reverse(struct work *w, struct dns *dns, const struct ip *ip)
{
	char text[IP_TEXT];
	struct dns_answer answer;
	bool ours = false;

	ip_write(ip, text);
	dns_ask(dns, dns_reverse_name(ip, w->arena), DNS_PTR, deadline_in_ms(w->options.timeout_ms),
	    w->arena, &answer);
	printf("  address     %s:", text);
	for (size_t i = 0; i < answer.count; i++) {
		slice name;

		dns_read_name(answer.records[i], w->arena, &name);
		slice shown = dns_name_text(name, w->arena);
		printf(" %.*s", SLICE_ARG(shown));
		ours |= slice_eq_nocase(name, slice_of(w->options.hostname));
	}
	printf("%s\n", answer.count ? "" : " no name");
	if (!ours)
		problem(w,
		    arena_printf(w->arena,
			"its PTR record does not name %s: many servers refuse such mail; whoever gave "
			"you the address must set it",
			w->options.hostname));
}

static void check_host(struct work *w, struct dns *dns)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	struct dns_answer answer;
	size_t found = 0;

	printf("host          %s\n", w->options.hostname);
	for (int t = 0; t < 2; t++) {
		struct ip ip;

		dns_ask(dns, slice_of(w->options.hostname), types[t],
		    deadline_in_ms(w->options.timeout_ms), w->arena, &answer);
		if (answer.result == DNS_FAILED)
			problem(w, answer.why);
		for (size_t i = 0; i < answer.count; i++)
			if (dns_read_address(answer.records[i], &ip))
				check_reverse(w, dns, &ip);
		found += answer.count;
	}
	if (!found)
		problem(
		    w, "it has no address: set an A or AAAA record, or mend the setting hostname");
}

static int check(struct work *w)
{
	struct dns *dns = start(w, w->options.settings.servers);

	if (!dns)
		return 1;
	printf("resolvers     %s\n",
	    slice_trim(w->options.settings.servers).n ? "dns.servers or --dns"
						      : "/etc/resolv.conf");
	dns_each_server(&w->options.settings, check_server, w);
	check_validation(w, dns);
	if (w->options.hostname[0])
		check_host(w, dns);
	dns_close(dns);
	if (w->problems)
		printf("%d problem%s\n", w->problems, w->problems == 1 ? "" : "s");
	else
		printf("no problems\n");
	return w->problems > 0;
}

/* ---- the command ---- */

static int with_options(struct work *w, int argc, char **argv)
{
	enum dns_type type = DNS_A;
	struct ip ip;

	int status = dns_options_take(&command_dns, &argc, argv, w->arena, &w->options);
	if (status)
		return status;
	bool asks = argc > 2 && strcmp(argv[1], "query") == 0;
	if (asks && argc > 3 && !(type = dns_type_find(slice_of(argv[3]))))
		return command_wrong(&command_dns, "no such type of record", argv[3]);
	if (!(asks && argc <= 4) && !(argc == 2 && strcmp(argv[1], "check") == 0))
		return command_wrong(&command_dns, "say query NAME, or check", argv[1]);
	if (!dns_options_read(&w->options))
		return 1;
	if (asks && argc == 3 && ip_parse(slice_of(argv[2]), &ip))
		type = DNS_PTR;
	return asks ? query(w, slice_of(argv[2]), type) : check(w);
}

static int run(int argc, char **argv)
{
	struct work w = { .arena = arena_new(MEMORY) };
	int status = with_options(&w, argc, argv);

	arena_free(w.arena);
	return status;
}

const struct command command_dns = { "dns", "ask the domain name system as the server does",
	"usage: hauberk dns query NAME [TYPE] [OPTIONS] [-c FILE]\n"
	"       hauberk dns check [OPTIONS] [-c FILE]\n"
	"\n"
	"query asks for the records of a type (A unless said otherwise; PTR of an address). The first\n"
	"line says what became of it and whether signatures prove it (DNSSEC): found, no such record, no\n"
	"such name or failed; secure, not proved or bogus. Status 1 unless something was found.\n"
	"check asks each resolver by itself, says whether answers are validated, and whether this host's\n"
	"name leads to an address and back. Status 1 if there is a problem.\n"
	"--dns ADDRESS:PORT asks that server instead of those of dns.servers and /etc/resolv.conf, and\n"
	"needs no configuration; nothing is validated then, but what --anchor FILE leads to.\n",
	run };
