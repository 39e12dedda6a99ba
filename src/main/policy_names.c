/* Checks that ask names: SPF, reverse names, lists, answered by the lines `given dns` of the session. */
#include "main/policy_play.h"
#include "trust/spf.h"

static const struct step *record_of(const struct play *p, slice name, enum dns_type type)
{
	const struct step *found = NULL;

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	for (const struct step *s = p->given; s && s != p->step; s = s->next)
		if (s->kind == STEP_GIVEN_DNS && dns_type_find(s->text) == type &&
		    slice_eq_nocase(s->text2, name))
			found = s;
	return found;
}

static bool gives_names(const struct play *p)
{
	for (const struct step *s = p->given; s && s != p->step; s = s->next)
		if (s->kind == STEP_GIVEN_DNS)
			return true;
	return false;
}

/* ---- data as on the wire ---- */

static bool add_name(struct buf *out, slice name)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n) {
		slice label = slice_head(name, slice_find(name, '.'));

		name = slice_from(name, label.n + 1);
		if (!label.n || label.n > 63)
			return false;
		buf_addc(out, (char)label.n);
		buf_add(out, label);
	}
	buf_addc(out, '\0');
	return true;
}

static bool add_data(struct buf *out, enum dns_type type, slice text)
{
	size_t blank = slice_find(text, ' ');
	uint64_t preference;
	struct ip ip;

	switch ((int)type) {
	case DNS_A:
		if (!ip_parse(text, &ip) ||
		    memcmp(ip.octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0)
			return false;
		buf_add(out, (slice){ (const char *)ip.octets + 12, 4 });
		return true;
	case DNS_AAAA:
		if (!ip_parse(text, &ip))
			return false;
		buf_add(out, (slice){ (const char *)ip.octets, 16 });
		return true;
	case DNS_MX:
		if (!slice_number(slice_head(text, blank), 65535, &preference))
			return false;
		buf_addc(out, (char)(preference >> 8));
		buf_addc(out, (char)preference);
		return add_name(out, slice_trim(slice_from(text, blank)));
	case DNS_PTR:
	case DNS_CNAME:
		return add_name(out, text);
	case DNS_TXT:
		do {
			slice piece = slice_head(text, 255);

			text = slice_from(text, piece.n);
			buf_addc(out, (char)piece.n);
			buf_add(out, piece);
		} while (text.n);
		return true;
	default:
		return false;
	}
}

static void add_records(struct play *p, const struct step *s, enum dns_type type,
    struct arena *arena, struct dns_answer *out)
{
	size_t room = 0;

	for (const struct node *n = s->expr; n; n = n->next)
		room++;
	out->records = ARENA_ARRAY(arena, slice, room + 1);
	for (const struct node *n = s->expr; n; n = n->next) {
		struct buf data;

		buf_init(&data, 70000);
		bool good = add_data(&data, type, n->text) && !data.full;
		if (good)
			out->records[out->count++] = arena_copy(arena, buf_slice(&data));
		else
			p->missing = arena_printf(p->arena,
			    "'%.*s' is no %.*s record (A AAAA MX PTR CNAME TXT)",
			    SLICE_ARG(slice_head(n->text, 60)), SLICE_ARG(s->text));
		buf_free(&data);
	}
	out->result = out->count ? DNS_FOUND : DNS_NO_DATA;
}

static void answer(
    void *context, slice name, enum dns_type type, struct arena *arena, struct dns_answer *out)
{
	struct play *p = context;
	const struct step *s = record_of(p, name, type);

	*out = (struct dns_answer){ .result = DNS_FAILED, .name = name, .why = "" };
	if (!s && !p->missing)
		p->missing = arena_printf(p->arena,
		    "nothing answers this question of a name here; add: given dns %s \"%.*s\" = \"...\";",
		    dns_type_name(type, arena), SLICE_ARG(slice_head(name, 255)));
	if (!s)
		return;
	if (s->text3.n)
		out->result = slice_eq(s->text3, SLICE("nxdomain")) ? DNS_NO_NAME : DNS_FAILED;
	else
		add_records(p, s, type, arena, out);
	if (s->text3.n && out->result == DNS_FAILED && !slice_eq(s->text3, SLICE("servfail")) &&
	    !slice_eq(s->text3, SLICE("timeout")))
		p->missing = "an answer is a text, nxdomain, servfail or timeout";
}

/* ---- checks ---- */

static void set(struct vm *vm, struct play *p, const char *name, struct value value)
{
	uint32_t id = policy_variable_id(name);

	vm_set(vm, id, play_fit(p, &p->policy->host->variables[id], value));
}

static slice text_of(const struct play *p, const char *name)
{
	const struct value *v = &p->vars[policy_variable_id(name)];

	return v->kind == VALUE_TEXT ? v->text : SLICE("");
}

static void check_spf(struct vm *vm, struct play *p, const struct ip *client)
{
	const struct spf_dns dns = { p, answer };
	slice helo = text_of(p, "ehloHost"), from = text_of(p, "mailFrom");
	struct spf_question q = { .dns = &dns,
		.peer = *client,
		.sender = slice_eq(from, SLICE("<>")) ? SLICE("") : from,
		.helo = helo,
		.receiver = SLICE("mx.example.org"),
		.arena = p->arena };
	struct spf_answer a;

	spf_check(&q, &a);
	set(vm, p, "SPFResult", VALUE_TEXT_OF(slice_of(spf_result_name(a.result))));
	set(vm, p, "SPFExplanation", VALUE_TEXT_OF(a.explanation));
	if (a.range)
		set(vm, p, "SPFPrefix", VALUE_NUMBER_OF((int64_t)a.range * 1000));
	/* Of the name in EHLO only what is given is asked. */
	q.sender = SLICE("");
	if (!record_of(p, helo, DNS_TXT))
		return;
	spf_check(&q, &a);
	set(vm, p, "SPFHeloResult", VALUE_TEXT_OF(slice_of(spf_result_name(a.result))));
}

/* Does one of these names lead to the address? */
static bool leads_back(
    struct play *p, const struct dns_answer *names, const struct ip *client, bool *failed)
{
	bool four = memcmp(client->octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
	enum dns_type type = four ? DNS_A : DNS_AAAA;
	slice want = four ? (slice){ (const char *)client->octets + 12, 4 }
			  : (slice){ (const char *)client->octets, 16 };

	for (size_t i = 0; i < names->count && i < 10; i++) {
		struct dns_answer addresses;

		answer(p, dns_record_text(DNS_PTR, names->records[i], p->arena), type, p->arena,
		    &addresses);
		*failed |= addresses.result == DNS_FAILED;
		for (size_t k = 0; k < addresses.count; k++)
			if (slice_eq(addresses.records[k], want))
				return true;
	}
	return false;
}

static void check_reverse(struct vm *vm, struct play *p, const struct ip *client)
{
	struct dns_answer names;
	bool failed = false;

	answer(p, dns_reverse_name(client, p->arena), DNS_PTR, p->arena, &names);
	bool back = leads_back(p, &names, client, &failed);
	set(vm, p, "reverseDNSResult",
	    VALUE_TEXT_OF(names.result == DNS_FAILED || (failed && !back) ? SLICE("temperror")
		    : !names.count                                        ? SLICE("noPTR")
		    : back                                                ? SLICE("pass")
									  : SLICE("mismatch")));
}

static void check_list(struct vm *vm, struct play *p, const struct ip *client, slice zone)
{
	slice reverse = dns_reverse_name(client, p->arena);
	size_t end = slice_search_nocase(reverse, SLICE(".in-addr.arpa"));
	struct value listed = { 0 };
	struct dns_answer found, text;

	if (end == SIZE_MAX)
		end = slice_search_nocase(reverse, SLICE(".ip6.arpa"));
	slice name = slice_of(arena_printf(
	    p->arena, "%.*s.%.*s", SLICE_ARG(slice_head(reverse, end)), SLICE_ARG(zone)));
	answer(p, name, DNS_A, p->arena, &found);
	if (found.count) {
		listed.kind = VALUE_IP;
		memcpy(listed.ip.octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		memcpy(listed.ip.octets + 12, found.records[0].p, 4);
	}
	set(vm, p, "DNSBLResult", listed);
	set(vm, p, "DNSBLExplanation", (struct value){ 0 });
	if (!found.count || !record_of(p, name, DNS_TXT))
		return;
	answer(p, name, DNS_TXT, p->arena, &text);
	if (text.count)
		set(vm, p, "DNSBLExplanation", VALUE_TEXT_OF(slice_from(text.records[0], 1)));
}

bool play_dns_check(struct vm *vm, struct play *p, const char *name, const struct value *args)
{
	const struct value *client = &p->vars[policy_variable_id("remoteSmtpIp")];

	if (!gives_names(p) || client->kind != VALUE_IP)
		return false;
	p->missing = NULL;
	if (strcmp(name, "checkSPF") == 0)
		check_spf(vm, p, &client->ip);
	else if (strcmp(name, "checkReverseDNS") == 0)
		check_reverse(vm, p, &client->ip);
	else if (strcmp(name, "checkDNSBL") == 0 && args[0].kind == VALUE_TEXT)
		check_list(vm, p, &client->ip, args[0].text);
	else
		return false;
	if (p->missing)
		vm_fault(vm, p->missing);
	return true;
}
