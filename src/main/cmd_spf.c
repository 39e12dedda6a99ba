/* hauberk spf check: may this address send mail for that domain, and why. */
#include <stdio.h>
#include <string.h>

#include "main/dns_options.h"
#include "trust/spf.h"

#define MEMORY (64u << 20)
#define TRACE  (1u << 20)

struct work {
	struct dns_options options;
	struct dns *dns;
	struct arena *arena;
	bool trace, json;
};

static void ask(
    void *context, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	const struct work *w = context;

	dns_ask(w->dns, name, type, deadline_in_ms(w->options.timeout_ms), arena, out);
}

/* ---- as JSON (RFC 8259) ---- */

static void print_string(const char *key, slice value, const char *end)
{
	printf("  \"%s\": \"", key);
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			printf("\\u%04x", c); /* octets of no known charset */
		else
			putchar(c);
	}
	printf("\"%s\n", end);
}

static void print_json(const struct spf_answer *a)
{
	printf("{\n");
	print_string("result", slice_of(spf_result_name(a->result)), ",");
	print_string("domain", a->domain, ",");
	print_string("mechanism", a->mechanism, ",");
	print_string("of", a->of, ",");
	print_string("explanation", a->explanation, ",");
	print_string("why", slice_of(a->why), ",");
	printf("  \"terms\": %u,\n  \"voids\": %u,\n  \"range\": %u\n}\n", a->terms, a->voids,
	    a->range);
}

/* ---- the check ---- */

static void print_answer(
    const struct work *w, const struct spf_question *q, const struct spf_answer *a)
{
	if (w->json) {
		print_json(a);
		return;
	}
	printf("%s\n%.*s\n", spf_result_name(a->result), SLICE_ARG(a->explanation));
	if (!w->trace)
		return;
	printf("%.*s%s; %u of 10 terms asked, %u questions without an answer\n", (int)q->trace->n,
	    q->trace->p ? q->trace->p : "", a->why, a->terms, a->voids);
}

static int check(struct work *w, const struct ip *ip, slice sender, slice helo)
{
	struct spf_dns host = { .context = w, .ask = ask };
	struct spf_answer answer;
	struct buf trace;

	if (!(w->dns = dns_options_start(&command_spf, &w->options.settings)))
		return 1;
	dns_options_settle(w->dns, deadline_in_ms(w->options.timeout_ms));
	buf_init(&trace, TRACE);
	struct spf_question question = { .dns = &host,
		.peer = *ip,
		.sender = sender,
		.helo = helo,
		.receiver = slice_of(w->options.hostname),
		.arena = w->arena,
		.trace = w->trace ? &trace : NULL };
	spf_check(&question, &answer);
	print_answer(w, &question, &answer);
	buf_free(&trace);
	dns_close(w->dns);
	return answer.result == SPF_PASS ? 0 : 1;
}

/* ---- the command ---- */

/* "<ann@example.org>" and "<>" as they are, without the brackets. */
static slice bare(const char *word)
{
	slice sender = slice_of(word ? word : "");

	if (sender.n > 1 && sender.p[0] == '<' && sender.p[sender.n - 1] == '>')
		sender = slice_head(slice_from(sender, 1), sender.n - 2);
	return sender;
}

static int with_words(struct work *w, int argc, char **argv)
{
	const char *address = NULL, *from = NULL, *helo = NULL;
	struct ip ip;

	int status = dns_options_take(&command_spf, &argc, argv, w->arena, &w->options);
	if (status)
		return status;
	w->trace = command_flag(&argc, argv, "--trace");
	w->json = command_flag(&argc, argv, "--json");
	if (!command_option(&argc, argv, "--ip", &address) ||
	    !command_option(&argc, argv, "--from", &from) ||
	    !command_option(&argc, argv, "--helo", &helo))
		return command_wrong(&command_spf, "this wants a value", argv[argc - 1]);
	if (argc != 2 || strcmp(argv[1], "check") != 0)
		return command_wrong(&command_spf, "say check", argc > 1 ? argv[argc - 1] : NULL);
	if (!address || !ip_parse(slice_of(address), &ip))
		return command_wrong(&command_spf, "--ip wants an address", address);
	if (!bare(from).n && !(helo && helo[0]))
		return command_wrong(&command_spf, "--from wants a sender, or --helo a name", NULL);
	if (!dns_options_read(&w->options))
		return 1;
	return check(w, &ip, bare(from), slice_of(helo ? helo : ""));
}

static int run(int argc, char **argv)
{
	struct work w = { .arena = arena_new(MEMORY) };
	int status = with_words(&w, argc, argv);

	arena_free(w.arena);
	return status;
}

const struct command command_spf = { "spf", "see whether an address may send for a domain",
	"usage: hauberk spf check --ip ADDRESS --from SENDER --helo NAME [OPTIONS] [-c FILE]\n"
	"\n"
	"Asks what SPF (RFC 7208) says of a client with that address that greets with NAME and sends mail\n"
	"from SENDER; without a sender, or with an empty one, the question is about NAME. The first line is\n"
	"the result: none, neutral, pass, fail, softfail, temperror or permerror; the second what the domain\n"
	"says to the sender of refused mail. Status 0 if it is pass.\n"
	"--trace goes on with each step and why; --json prints all of it as one object.\n"
	"--dns ADDRESS:PORT asks that server instead of those of dns.servers and /etc/resolv.conf, and\n"
	"needs no configuration; nothing is validated then, but what --anchor FILE leads to.\n",
	run };
