/* The checks of SMTP receiving: SPF, the client's name, block lists, rates. */
#include "policy/internal.h"

#include "base/log.h"
#include "proc/shared.h"
#include "trust/spf.h"

#define PTR_NAMES 10 /* names of an address that are looked at, as RFC 7208 §4.6.4 bounds it */
#define RATE_MOST (7 * 24 * 3600)

static struct policy_state *state_of(const struct vm *vm)
{
	return ((const struct policy_run *)vm->host)->state;
}

static const struct host_method *method_of(const struct vm *vm, const struct vm_builtin *self)
{
	return &state_of(vm)->version->policy->host->methods[self->id];
}

/* The value that a check stands for: its first output. */
static bool answer(struct vm *vm, const struct vm_builtin *self, struct value *out)
{
	*out = vm->vars[method_of(vm, self)->outputs[0]];
	return true;
}

void check_failed(struct vm *vm, const struct host_method *method)
{
	for (unsigned i = 0; i < method->output_count; i++) {
		const char *type =
		    state_of(vm)->version->policy->host->variables[method->outputs[i]].spec->type;
		struct value unknown = { 0 };

		vm_set(vm, method->outputs[i],
		    strstr(type, "temperror") ? VALUE_TEXT_OF(SLICE("temperror")) : unknown);
	}
}

static void say(const struct vm *vm, const char *check, slice of, const char *result, slice why,
    int64_t began_us)
{
	const struct policy_run *run = vm->host;
	int64_t took = clock_us() - began_us;

	TRACE(run->trace, TRACE_CHECK, took, slice_of(check), of, slice_of(result), why);
	log_debug("policy.check", kv_str("s", run->session), kv_str("check", check),
	    kv_text("of", of), kv_str("result", result), kv_text("why", why), kv_num("us", took));
}

static const struct value *fact(const struct vm *vm, enum fact f)
{
	return &vm->vars[fact_ids[f]];
}

static slice fact_text(const struct vm *vm, enum fact f)
{
	return fact(vm, f)->kind == VALUE_TEXT ? fact(vm, f)->text : (slice){ 0 };
}

static void set_text(struct vm *vm, enum fact f, slice text)
{
	vm_set(vm, fact_ids[f], VALUE_TEXT_OF(text));
}

static void ask(const struct vm *vm, slice name, enum dns_type type, struct arena *arena,
    struct dns_answer *out)
{
	*out = (struct dns_answer){ .result = DNS_FAILED, .why = "no resolver is configured" };
	if (policy_settings.dns)
		dns_ask(policy_settings.dns, name, type, vm_check_deadline(vm), arena, out);
}

/* What was found out for a message, of the connection: the next one need not ask again. */
static struct policy_state *connection_of(const struct vm *vm)
{
	struct policy_state *state = state_of(vm);

	return state->connection ? state->connection : state;
}

static void remember(const struct vm *vm, enum fact f)
{
	struct policy_state *to = connection_of(vm);
	struct value v = *fact(vm, f);

	if (to != state_of(vm) && state_keep(to, &v))
		to->vars[fact_ids[f]] = v;
}

/* ---- SPF (RFC 7208) ---- */

static void ask_for_spf(
    void *context, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	ask(context, name, type, arena, out);
}

static slice without_null(slice address)
{
	return slice_eq(address, SLICE("<>")) ? SLICE("") : address;
}

static bool check_spf(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	const struct policy_run *run = vm->host;
	struct spf_dns dns = { .context = vm, .ask = ask_for_spf };
	struct spf_question q = { .dns = &dns,
		.sender = without_null(fact_text(vm, FACT_mailFrom)),
		.helo = fact_text(vm, FACT_ehloHost),
		.receiver = slice_of(policy_settings.hostname),
		.arena = run->turn };
	struct spf_answer a, helo;

	(void)args;
	(void)count;
	if (fact(vm, FACT_SPFResult)->kind != VALUE_UNKNOWN ||
	    fact(vm, FACT_remoteSmtpIp)->kind != VALUE_IP)
		return answer(vm, self, out);
	q.peer = fact(vm, FACT_remoteSmtpIp)->ip;
	int64_t began = clock_us();
	spf_check(&q, &a);
	say(vm, "checkSPF", a.domain, spf_result_name(a.result), slice_of(a.why), began);
	q.sender = SLICE("");
	spf_check(&q, &helo);
	set_text(vm, FACT_SPFResult, slice_of(spf_result_name(a.result)));
	set_text(vm, FACT_SPFHeloResult, slice_of(spf_result_name(helo.result)));
	set_text(vm, FACT_SPFExplanation, a.explanation);
	if (a.result == SPF_PASS)
		vm_set(vm, fact_ids[FACT_SPFPrefix], VALUE_NUMBER_OF((int64_t)a.range * 1000));
	return answer(vm, self, out);
}

/* ---- the client's name ---- */

/* Does the name lead back to the address? DNS_FAILED: nobody can say now. */
static enum dns_result leads_back(
    const struct vm *vm, slice name, const struct ip *ip, struct arena *arena)
{
	char text[IP_TEXT];
	struct dns_answer a;
	struct ip found;

	ask(vm, name, ip_write(ip, text) ? DNS_AAAA : DNS_A, arena, &a);
	for (size_t i = 0; i < a.count; i++)
		if (dns_read_address(a.records[i], &found) && ip_compare(&found, ip) == 0)
			return DNS_FOUND;
	return a.result == DNS_FAILED ? DNS_FAILED : DNS_NO_DATA;
}

static const char *reverse(
    const struct vm *vm, const struct ip *ip, struct arena *arena, slice *name_out)
{
	struct dns_answer a;
	bool failed = false;

	ask(vm, dns_reverse_name(ip, arena), DNS_PTR, arena, &a);
	if (a.result == DNS_FAILED)
		return "temperror";
	for (size_t i = 0; i < a.count && i < PTR_NAMES; i++) {
		slice name;

		if (!dns_read_name(a.records[i], arena, &name))
			continue;
		switch (leads_back(vm, name, ip, arena)) {
		case DNS_FOUND:
			*name_out = name;
			return "pass";
		case DNS_FAILED:
			failed = true;
			break;
		case DNS_NO_DATA:
		case DNS_NO_NAME:
			break;
		}
	}
	return a.count == 0 ? "noPTR" : failed ? "temperror" : "mismatch";
}

static bool check_reverse(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	const struct policy_run *run = vm->host;
	const struct value *ip = fact(vm, FACT_remoteSmtpIp);
	slice name = { 0 };

	(void)args;
	(void)count;
	if (fact(vm, FACT_reverseDNSResult)->kind == VALUE_UNKNOWN && ip->kind == VALUE_IP) {
		int64_t began = clock_us();
		const char *result = reverse(vm, &ip->ip, run->turn, &name);

		say(vm, "checkReverseDNS", name, result, SLICE(""), began);
		set_text(vm, FACT_reverseDNSResult, slice_of(result));
		if (name.n)
			set_text(vm, FACT_remoteSmtpHost, name);
		remember(vm, FACT_reverseDNSResult);
		remember(vm, FACT_remoteSmtpHost);
	}
	return answer(vm, self, out);
}

/* ---- block lists (RFC 5782) ---- */

/* "4.3.2.1.zone": the address' labels without in-addr.arpa or ip6.arpa (§2.1, §2.4). */
static slice listed_name(const struct ip *ip, slice zone, struct arena *arena)
{
	slice name = dns_reverse_name(ip, arena);
	slice suffix =
	    slice_ends(name, SLICE(".in-addr.arpa")) ? SLICE(".in-addr.arpa") : SLICE(".ip6.arpa");

	if (slice_ends(zone, SLICE(".")))
		zone.n--;
	return slice_of(arena_printf(
	    arena, "%.*s.%.*s", SLICE_ARG(slice_head(name, name.n - suffix.n)), SLICE_ARG(zone)));
}

/* Only answers of 127.0.0.0/8 are lists' (§2.3); others are a resolver's or a dead list's. */
static bool is_list_answer(const struct ip *ip)
{
	char text[IP_TEXT];

	return !ip_write(ip, text) && strncmp(text, "127.", 4) == 0;
}

static void ask_list(struct vm *vm, slice zone, struct value *result, struct value *explanation)
{
	const struct policy_run *run = vm->host;
	slice name = listed_name(&fact(vm, FACT_remoteSmtpIp)->ip, zone, run->turn), text;
	struct dns_answer a, txt;
	char said[IP_TEXT] = "not listed";
	int64_t began = clock_us();

	ask(vm, name, DNS_A, run->turn, &a);
	for (size_t i = 0; i < a.count && result->kind == VALUE_UNKNOWN; i++) {
		struct value v = { .kind = VALUE_IP };

		if (dns_read_address(a.records[i], &v.ip) && is_list_answer(&v.ip))
			*result = v;
	}
	if (result->kind == VALUE_IP) {
		ip_write(&result->ip, said);
		ask(vm, name, DNS_TXT, run->turn, &txt);
		if (txt.count && dns_read_txt(txt.records[0], run->turn, &text))
			*explanation = VALUE_TEXT_OF(text);
	}
	say(vm, "checkDNSBL", zone, a.result == DNS_FAILED ? "no answer" : said,
	    a.result == DNS_FAILED ? slice_of(a.why) : SLICE(""), began);
}

static bool find_zone(struct vm *vm, const struct policy_state *state, slice zone)
{
	for (unsigned i = 0; i < state->zone_count; i++)
		if (slice_eq_nocase(state->zones[i].zone, zone)) {
			vm_set(vm, fact_ids[FACT_DNSBLResult], state->zones[i].result);
			vm_set(vm, fact_ids[FACT_DNSBLExplanation], state->zones[i].explanation);
			return true;
		}
	return false;
}

static bool check_dnsbl(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	struct policy_state *state = connection_of(vm);
	struct value unknown = { 0 }, zone = count ? args[0] : unknown, result = { 0 },
		     explanation = { 0 };

	if (zone.kind != VALUE_TEXT || !zone.text.n ||
	    fact(vm, FACT_remoteSmtpIp)->kind != VALUE_IP) {
		check_failed(vm, method_of(vm, self));
		return answer(vm, self, out);
	}
	if (find_zone(vm, state, zone.text))
		return answer(vm, self, out);
	ask_list(vm, zone.text, &result, &explanation);
	vm_set(vm, fact_ids[FACT_DNSBLResult], result);
	vm_set(vm, fact_ids[FACT_DNSBLExplanation], explanation);
	if (state->zone_count < POLICY_ZONES && state_keep(state, &zone) &&
	    state_keep(state, &explanation)) {
		state->zones[state->zone_count].zone = zone.text;
		state->zones[state->zone_count].result = result;
		state->zones[state->zone_count++].explanation = explanation;
	}
	return answer(vm, self, out);
}

/* ---- rates ---- */

/* Counted over all processes; a key that nobody has asked about for an hour may be forgotten. */
static bool check_rate(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	int64_t seconds = count > 1 && args[1].kind == VALUE_NUMBER ? args[1].number / 1000 : 0;
	struct value unknown = { 0 };

	if (count < 2 || args[0].kind != VALUE_TEXT || seconds < 1) {
		vm_set(vm, fact_ids[FACT_rateCount], unknown);
		return answer(vm, self, out);
	}
	if (seconds > RATE_MOST)
		seconds = RATE_MOST;
	uint64_t key = shared_key(arena_printf(((const struct policy_run *)vm->host)->turn,
				      "rate %lld", (long long)seconds),
	    args[0].text);
	shared_note(key, (int)seconds);
	vm_set(vm, fact_ids[FACT_rateCount],
	    VALUE_NUMBER_OF((int64_t)shared_noted(key, (int)seconds) * 1000));
	TRACE(((const struct policy_run *)vm->host)->trace, TRACE_CHECK, 0, SLICE("checkRate"),
	    args[0].text,
	    slice_of(arena_printf(((const struct policy_run *)vm->host)->turn, "%d",
		shared_noted(key, (int)seconds))));
	return answer(vm, self, out);
}

vm_builtin_fn *check_find(const char *name)
{
	static const struct {
		const char *name;
		vm_builtin_fn *run;
	} checks[] = { { "checkSPF", check_spf }, { "checkReverseDNS", check_reverse },
		{ "checkDNSBL", check_dnsbl }, { "checkRate", check_rate } };

	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
		if (strcmp(checks[i].name, name) == 0)
			return checks[i].run;
	return NULL;
}
