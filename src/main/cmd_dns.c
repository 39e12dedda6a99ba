/* hauberk dns: what the resolvers say, and what that is worth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "main/command.h"
#include "net/dns.h"

#define MEMORY (16u << 20)

/* What the command works with. */
struct work {
	struct dns_settings settings;
	const char *hostname; /* "": not known */
	int64_t timeout_ms;
	bool of_resolv_conf;
	struct arena *arena;
	int problems;
};

/* ---- words ---- */

/* Takes an option and its value out of the words; NULL: it is not there, "": it has no value. */
static const char *take_option(int *argc, char **argv, const char *name)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], name) != 0)
			continue;
		const char *value = i + 1 < *argc ? argv[i + 1] : "";
		int taken = i + 1 < *argc ? 2 : 1;

		memmove(&argv[i], &argv[i + taken], sizeof *argv * (size_t)(*argc - i - taken));
		*argc -= taken;
		return value;
	}
	return NULL;
}

/* "ADDRESS:PORT", an IPv6 address in brackets, as the setting dns.servers writes it; NULL: it is neither. */
static const char *read_server(slice word, struct arena *arena)
{
	size_t colon = word.n;
	uint64_t port = 0;
	struct ip ip;

	while (colon && word.p[colon - 1] != ':')
		colon--;
	slice host = slice_head(word, colon ? colon - 1 : 0);
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_head(slice_from(host, 1), host.n - 2);
	if (!ip_parse(host, &ip) || !slice_number(slice_from(word, colon), 65535, &port) || !port)
		return NULL;
	return arena_printf(arena, "%.*s@%u", SLICE_ARG(host), (unsigned)port);
}

/* A server named by --dns works without a configuration, too; and it is no way to the root's keys, so that
 * only an anchor that was named with it validates. */
static bool read_settings(struct work *w, const char *path, const char *server, const char *anchor)
{
	static struct conf conf; /* the settings point into it */
	struct conf_origin origin;

	*w = (struct work){ .arena = w->arena,
		.timeout_ms = 5000,
		.hostname = "",
		.settings = { .trust_anchor = "" } };
	if (!server || access(path, F_OK) == 0) {
		if (!command_conf(path, &conf, &origin))
			return false;
		w->settings = (struct dns_settings){ .servers = slice_of(conf.dns_servers),
			.stub_zones = slice_of(conf.dns_stub_zones),
			.insecure_zones = slice_of(conf.dns_insecure_zones),
			.trust_anchor = conf.dns_trust_anchor };
		w->hostname = conf.hostname;
		w->timeout_ms = conf.dns_timeout_ms;
	}
	if (server)
		w->settings.servers = slice_of(server);
	if (server || anchor)
		w->settings.trust_anchor = anchor ? anchor : "";
	w->of_resolv_conf = !slice_trim(w->settings.servers).n;
	return true;
}

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

static struct dns *start(struct work *w, slice servers)
{
	struct dns_settings settings = w->settings;
	struct error error;

	settings.servers = servers;
	struct dns *dns = dns_open(&settings, &error);
	if (dns)
		dns_start(dns);
	else
		fprintf(stderr, "hauberk dns: %s\n", error.why);
	return dns;
}

/* The first question of all tells what answers are worth. */
static enum dns_validation settled(const struct dns *dns, struct deadline deadline)
{
	while (dns_validates(dns) == DNS_UNKNOWN && !deadline_passed(deadline))
		usleep(2000);
	return dns_validates(dns);
}

static int query(struct work *w, slice name, enum dns_type type)
{
	struct deadline deadline = deadline_in_ms(w->timeout_ms);
	struct dns *dns = start(w, w->settings.servers);
	struct dns_answer answer;
	struct ip ip;

	if (!dns)
		return 1;
	if (ip_parse(name, &ip))
		name = dns_reverse_name(&ip, w->arena);
	settled(dns, deadline);
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
	struct deadline deadline = deadline_in_ms(w->timeout_ms);
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
	enum dns_validation validation = settled(dns, deadline);
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

	printf("validation    %s", words[settled(dns, deadline_in_ms(w->timeout_ms))]);
	if (w->settings.trust_anchor[0])
		printf("; anchor %s", w->settings.trust_anchor);
	printf("\n");
	slice zones = slice_trim(w->settings.insecure_zones);
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
	dns_ask(dns, dns_reverse_name(ip, w->arena), DNS_PTR, deadline_in_ms(w->timeout_ms),
	    w->arena, &answer);
	printf("  address     %s:", text);
	for (size_t i = 0; i < answer.count; i++) {
		slice name;

		dns_read_name(answer.records[i], w->arena, &name);
		printf(" %.*s", SLICE_ARG(name));
		ours |= slice_eq_nocase(name, slice_of(w->hostname));
	}
	printf("%s\n", answer.count ? "" : " no name");
	if (!ours)
		problem(w,
		    arena_printf(w->arena,
			"its PTR record does not name %s: many servers refuse such mail; whoever gave "
			"you the address must set it",
			w->hostname));
}

static void check_host(struct work *w, struct dns *dns)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	struct dns_answer answer;
	size_t found = 0;

	printf("host          %s\n", w->hostname);
	for (int t = 0; t < 2; t++) {
		struct ip ip;

		dns_ask(dns, slice_of(w->hostname), types[t], deadline_in_ms(w->timeout_ms),
		    w->arena, &answer);
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
	struct dns *dns = start(w, w->settings.servers);

	if (!dns)
		return 1;
	printf(
	    "resolvers     %s\n", w->of_resolv_conf ? "/etc/resolv.conf" : "dns.servers or --dns");
	dns_each_server(&w->settings, check_server, w);
	check_validation(w, dns);
	if (w->hostname[0])
		check_host(w, dns);
	dns_close(dns);
	if (w->problems)
		printf("%d problem%s\n", w->problems, w->problems == 1 ? "" : "s");
	else
		printf("no problems\n");
	return w->problems > 0;
}

/* ---- the command ---- */

static int with_settings(struct work *w, int argc, char **argv)
{
	const char *path, *word, *server = NULL, *anchor;
	enum dns_type type = DNS_A;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_dns, "-c wants a file", NULL);
	if ((word = take_option(&argc, argv, "--dns")) &&
	    !(server = read_server(slice_of(word), w->arena)))
		return command_wrong(&command_dns, "--dns wants ADDRESS:PORT", word);
	if ((anchor = take_option(&argc, argv, "--anchor")) && !anchor[0])
		return command_wrong(&command_dns, "--anchor wants a file", NULL);
	bool asks = argc > 2 && strcmp(argv[1], "query") == 0;
	if (asks && argc > 3 && !(type = dns_type_find(slice_of(argv[3]))))
		return command_wrong(&command_dns, "no such type of record", argv[3]);
	if (!(asks && argc <= 4) && !(argc == 2 && strcmp(argv[1], "check") == 0))
		return command_wrong(&command_dns, "say query NAME, or check", argv[1]);
	if (!read_settings(w, path, server, anchor))
		return 1;
	struct ip ip;
	if (asks && argc == 3 && ip_parse(slice_of(argv[2]), &ip))
		type = DNS_PTR;
	return asks ? query(w, slice_of(argv[2]), type) : check(w);
}

static int run(int argc, char **argv)
{
	struct work w = { .arena = arena_new(MEMORY) };
	int status = with_settings(&w, argc, argv);

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
