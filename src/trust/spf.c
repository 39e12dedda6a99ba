/* check_host (RFC 7208 §4), a function a mechanism. */
#include "trust/spf.h"

#include <string.h>

#include "trust/spf_macro.h"
#include "trust/spf_record.h"

#define TERMS_MOST 10 /* that ask (§4.6.4) */
#define VOIDS_MOST 2
#define NAMES_MOST 10 /* of an MX or a PTR answer */
#define DEPTH_MOST (TERMS_MOST + 2)

/* One check, with all the records that it leads to. */
struct check {
	const struct spf_question *q;
	struct spf_answer *answer;
	struct spf_macros macros; /* of the record being read */
	slice validated;          /* what %{p} stands for; p NULL: nobody has asked yet */
	bool ipv6;
	enum spf_result
	    error; /* SPF_TEMPERROR or SPF_PERMERROR, once one is there; else SPF_NONE */
	unsigned depth;
};

/* What a mechanism says. */
enum match { NO_MATCH, MATCH, BROKEN /* check->error */ };

static const char *const result_names[] = { "none", "neutral", "pass", "fail", "softfail",
	"temperror", "permerror" };

const char *spf_result_name(enum spf_result result)
{
	return result_names[result];
}

static enum spf_result check_host(struct check *c, slice domain, bool explains);

/* ---- telling ---- */

/* Records and names are strangers' octets. */
static slice printable(const struct check *c, slice text)
{
	char *copy = arena_str(c->q->arena, text);

	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)copy[i] < ' ' || (unsigned char)copy[i] >= 0x7f)
			copy[i] = '?';
	return (slice){ copy, text.n };
}

static void trace(const struct check *c, const char *format, slice a, slice b)
{
	if (!c->q->trace)
		return;
	a = printable(c, a);
	b = printable(c, b);
	buf_addf(c->q->trace, "%*s", 2 * (int)c->depth, "");
	buf_addf(c->q->trace, format, SLICE_ARG(a), SLICE_ARG(b));
	buf_addc(c->q->trace, '\n');
}

static enum match broken(struct check *c, enum spf_result error, const char *why, slice about)
{
	if (c->error == SPF_NONE) {
		c->error = error;
		about = printable(c, slice_head(about, about.n < 300 ? about.n : 300));
		c->answer->why = arena_printf(c->q->arena, "%s: %.*s", why, SLICE_ARG(about));
		trace(c, "%.*s%.*s", slice_of(c->answer->why), (slice){ 0 });
	}
	return BROKEN;
}

/* ---- asking ---- */

/* Another term that asks. */
static bool may_ask(struct check *c, slice term)
{
	if (c->answer->terms >= TERMS_MOST) {
		broken(c, SPF_PERMERROR, "more than 10 terms ask the domain name system, at", term);
		return false;
	}
	c->answer->terms++;
	return true;
}

/* A question of a mechanism. false: it is broken, or one too many has no answer. */
static bool ask(struct check *c, slice name, enum dns_type type, struct dns_answer *out)
{
	c->q->dns->ask(c->q->dns->context, name, type, c->q->arena, out);
	if (out->result == DNS_FAILED) {
		broken(c, SPF_TEMPERROR, out->why, name);
		return false;
	}
	if (out->result == DNS_FOUND)
		return true;
	if (++c->answer->voids > VOIDS_MOST) {
		broken(c, SPF_PERMERROR, "more than 2 questions have no answer, at", name);
		return false;
	}
	return true;
}

/* Of so many leading bits the same? */
static bool in_network(const struct ip *a, const struct ip *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a->octets, b->octets, whole) == 0 &&
	    (rest == 0 || (a->octets[whole] ^ b->octets[whole]) >> (8 - rest) == 0);
}

static bool peer_in(struct check *c, const struct ip *ip, const struct spf_term *term)
{
	unsigned bits = c->ipv6 ? term->prefix6 : term->prefix4;

	if (!in_network(&c->q->peer, ip, c->ipv6 ? bits : 96 + bits))
		return false;
	c->answer->range = bits;
	return true;
}

/* Has the name an address that is the client's, or in its network? */
static enum match has_address(struct check *c, slice name, const struct spf_term *term)
{
	struct dns_answer answer;
	struct ip ip;

	if (!ask(c, name, c->ipv6 ? DNS_AAAA : DNS_A, &answer))
		return BROKEN;
	for (size_t i = 0; i < answer.count; i++)
		if (dns_read_address(answer.records[i], &ip) && peer_in(c, &ip, term))
			return MATCH;
	return NO_MATCH;
}

/* ---- mechanisms ---- */

static slice domain_of(const struct check *c, const struct spf_term *term)
{
	return term->domain.n ? spf_expand_domain(&c->macros, term->domain) : c->macros.domain;
}

/* §5.4 */
static enum match match_mx(struct check *c, const struct spf_term *term, slice domain)
{
	struct dns_answer answer;
	enum match match = NO_MATCH;

	if (!ask(c, domain, DNS_MX, &answer))
		return BROKEN;
	if (answer.count > NAMES_MOST)
		return broken(c, SPF_PERMERROR, "it has more than 10 MX records", domain);
	for (size_t i = 0; i < answer.count && match == NO_MATCH; i++) {
		unsigned preference;
		slice name;

		if (dns_read_mx(answer.records[i], c->q->arena, &preference, &name) &&
		    !slice_eq(name, SLICE(".")))
			match = has_address(c, name, term);
	}
	return match;
}

/* Is it the domain, or below it? */
static bool is_within(slice name, slice domain)
{
	return slice_eq_nocase(name, domain) ||
	    (name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
		slice_eq_nocase(slice_from(name, name.n - domain.n), domain));
}

/* Does the name lead back to the client? An error is as good as no. */
static bool leads_back(struct check *c, slice name)
{
	struct dns_answer answer;
	struct ip ip;

	c->q->dns->ask(c->q->dns->context, name, c->ipv6 ? DNS_AAAA : DNS_A, c->q->arena, &answer);
	for (size_t i = 0; i < answer.count; i++)
		if (dns_read_address(answer.records[i], &ip) && in_network(&ip, &c->q->peer, 128))
			return true;
	return false;
}

/* The client's names, as PTR records say; at most 10 are looked at (§4.6.4). */
static size_t names_of_peer(struct check *c, slice names[NAMES_MOST])
{
	struct dns_answer answer;
	size_t n = 0;

	c->q->dns->ask(c->q->dns->context, dns_reverse_name(&c->q->peer, c->q->arena), DNS_PTR,
	    c->q->arena, &answer);
	for (size_t i = 0; i < answer.count && i < NAMES_MOST; i++)
		n += dns_read_name(answer.records[i], c->q->arena, &names[n]) > 0;
	return n;
}

/* §5.5: whatever goes wrong, it does not match. */
static enum match match_ptr(struct check *c, slice domain)
{
	slice names[NAMES_MOST];
	size_t n = names_of_peer(c, names);

	for (size_t i = 0; i < n; i++)
		if (is_within(names[i], domain) && leads_back(c, names[i]))
			return MATCH;
	return NO_MATCH;
}

/* §7.3: the domain itself, something below it, or any other name that leads back. */
static slice validated(void *context)
{
	struct check *c = context;
	slice names[NAMES_MOST], best = SLICE("unknown");
	int rank = 0;

	if (c->validated.p)
		return c->validated;
	size_t n = names_of_peer(c, names);
	for (size_t i = 0; i < n; i++) {
		int mine = slice_eq_nocase(names[i], c->macros.domain) ? 3
		    : is_within(names[i], c->macros.domain)            ? 2
								       : 1;

		if (mine > rank && leads_back(c, names[i])) {
			best = names[i];
			rank = mine;
		}
	}
	return c->validated = best;
}

/* §5.2: the other record's result decides whether it matches. */
static enum match match_include(struct check *c, slice domain)
{
	struct spf_macros mine = c->macros;
	enum spf_result result;

	c->depth++;
	result = check_host(c, domain, false);
	c->depth--;
	c->macros = mine;
	switch (result) {
	case SPF_PASS:
		return MATCH;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return NO_MATCH;
	case SPF_TEMPERROR:
		return BROKEN;
	case SPF_NONE:
		return broken(c, SPF_PERMERROR, "it is included, and has no SPF record", domain);
	case SPF_PERMERROR:
		break;
	}
	return BROKEN;
}

static enum match match_exists(struct check *c, slice domain)
{
	struct dns_answer answer;

	if (!ask(c, domain, DNS_A, &answer))
		return BROKEN;
	return answer.result == DNS_FOUND ? MATCH : NO_MATCH;
}

static enum match match_term(struct check *c, const struct spf_term *term)
{
	bool asks = term->kind != SPF_ALL && term->kind != SPF_IP4 && term->kind != SPF_IP6;

	if (asks && !may_ask(c, term->text))
		return BROKEN;
	switch (term->kind) {
	case SPF_ALL:
		return MATCH;
	case SPF_INCLUDE:
		return match_include(c, domain_of(c, term));
	case SPF_A:
		return has_address(c, domain_of(c, term), term);
	case SPF_MX:
		return match_mx(c, term, domain_of(c, term));
	case SPF_PTR:
		return match_ptr(c, domain_of(c, term));
	case SPF_IP4:
		return !c->ipv6 && peer_in(c, &term->ip, term) ? MATCH : NO_MATCH;
	case SPF_IP6:
		return c->ipv6 && peer_in(c, &term->ip, term) ? MATCH : NO_MATCH;
	case SPF_EXISTS:
		break;
	}
	return match_exists(c, domain_of(c, term));
}

/* ---- records ---- */

/* §4.3: labels of 1 to 63 octets, more than one of them. */
static bool is_checkable(slice domain)
{
	size_t labels = 0;

	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	while (domain.n) {
		size_t n = slice_find(domain, '.');

		if (n == 0 || n > 63 || n + 1 == domain.n)
			return false;
		domain = slice_from(domain, n + 1);
		labels++;
	}
	return labels > 1;
}

/* §4.4, §4.5. SPF_PASS: there is one. */
static enum spf_result find_record(struct check *c, slice domain, slice *record_out)
{
	struct dns_answer answer;
	size_t found = 0;

	c->q->dns->ask(c->q->dns->context, domain, DNS_TXT, c->q->arena, &answer);
	if (answer.result == DNS_FAILED) {
		broken(c, SPF_TEMPERROR, answer.why, domain);
		return SPF_TEMPERROR;
	}
	for (size_t i = 0; i < answer.count; i++) {
		slice text;

		if (!dns_read_txt(answer.records[i], c->q->arena, &text) || !spf_is_record(text))
			continue;
		*record_out = text;
		found++;
	}
	if (found > 1) {
		broken(c, SPF_PERMERROR, "it has more than one SPF record", domain);
		return SPF_PERMERROR;
	}
	return found ? SPF_PASS : SPF_NONE;
}

static enum spf_result of_qualifier(char qualifier)
{
	return qualifier == '+' ? SPF_PASS
	    : qualifier == '-'  ? SPF_FAIL
	    : qualifier == '~'  ? SPF_SOFTFAIL
				: SPF_NEUTRAL;
}

static bool is_ascii(slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] > 0x7e || (unsigned char)text.p[i] < 0x20)
			return false;
	return true;
}

/* §6.2: whatever goes wrong, there is no explanation. */
static void explain(struct check *c, slice spec)
{
	slice name = spf_expand_domain(&c->macros, spec), text;
	struct dns_answer answer;

	c->q->dns->ask(c->q->dns->context, name, DNS_TXT, c->q->arena, &answer);
	if (answer.count == 1 && dns_read_txt(answer.records[0], c->q->arena, &text) &&
	    is_ascii(text) && spf_macro_valid(text, true)) {
		slice said = spf_expand(&c->macros, text);

		if (is_ascii(said))
			c->answer->explanation = said;
	}
}

static void decided(struct check *c, slice mechanism, enum spf_result result)
{
	c->answer->mechanism = mechanism;
	c->answer->of = c->macros.domain;
	slice of = printable(c, c->macros.domain);
	c->answer->why = arena_printf(c->q->arena, "%s: %.*s in the record of %.*s",
	    spf_result_name(result), SLICE_ARG(mechanism), SLICE_ARG(of));
}

/* The first mechanism that matches; SPF_NONE: none does. */
static enum spf_result run_mechanisms(
    struct check *c, const struct spf_record *record, bool explains)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct spf_term *term = &record->terms[i];
		enum match match = match_term(c, term);

		trace(c,
		    match == MATCH          ? "%.*s matches%.*s"
			: match == NO_MATCH ? "%.*s does not match%.*s"
					    : "%.*s is broken%.*s",
		    term->text, (slice){ 0 });
		if (match == BROKEN)
			return c->error;
		if (match == NO_MATCH)
			continue;
		enum spf_result result = of_qualifier(term->qualifier);
		decided(c, term->text, result);
		if (result == SPF_FAIL && explains && record->exp.p)
			explain(c, record->exp);
		return result;
	}
	return SPF_NONE;
}

/* §6.1 */
static enum spf_result redirect(struct check *c, slice spec, bool explains)
{
	slice target = spf_expand_domain(&c->macros, spec);

	if (!may_ask(c, spec))
		return c->error;
	trace(c, "redirect to %.*s%.*s", target, (slice){ 0 });
	enum spf_result result = check_host(c, target, explains);
	if (result != SPF_NONE)
		return result;
	broken(c, SPF_PERMERROR, "it is redirected to, and has no SPF record", target);
	return SPF_PERMERROR;
}

static enum spf_result run_record(struct check *c, slice text, bool explains)
{
	struct spf_record record;
	slice term, of = printable(c, c->macros.domain);
	const char *why;

	if (!spf_record_parse(text, c->q->arena, &record, &why, &term)) {
		broken(c, SPF_PERMERROR,
		    arena_printf(
			c->q->arena, "the record of %.*s is malformed: %s", SLICE_ARG(of), why),
		    term);
		return SPF_PERMERROR;
	}
	enum spf_result result = run_mechanisms(c, &record, explains);
	if (result != SPF_NONE)
		return result;
	if (record.redirect.p)
		return redirect(c, record.redirect, explains);
	decided(c, SLICE("default"), SPF_NEUTRAL);
	return SPF_NEUTRAL;
}

static enum spf_result check_host(struct check *c, slice domain, bool explains)
{
	slice text = { 0 };

	if (c->error != SPF_NONE)
		return c->error;
	if (c->depth > DEPTH_MOST) {
		broken(c, SPF_PERMERROR, "records lead on too far, at", domain);
		return SPF_PERMERROR;
	}
	enum spf_result found = is_checkable(domain) ? find_record(c, domain, &text) : SPF_NONE;
	if (found != SPF_PASS) {
		trace(c,
		    found == SPF_NONE ? "%.*s has no record%.*s"
				      : "%.*s: no record that counts%.*s",
		    domain, (slice){ 0 });
		return found;
	}
	trace(c, "%.*s: %.*s", domain, text);
	c->macros.domain = domain;
	c->validated = (slice){ 0 };
	return run_record(c, text, explains);
}

/* ---- the question ---- */

/* §2.4, §4.3: who it is said to be. */
static void set_identity(struct check *c)
{
	struct arena *arena = c->q->arena;
	slice sender = c->q->sender;
	size_t at = sender.n;

	while (at && sender.p[at - 1] != '@')
		at--;
	c->macros = (struct spf_macros){ .question = c->q,
		.ipv6 = c->ipv6,
		.validated = validated,
		.context = c,
		.local = SLICE("postmaster"),
		.sender_domain = sender.n == 0 ? c->q->helo : slice_from(sender, at) };
	if (at > 1)
		c->macros.local = slice_head(sender, at - 1);
	c->macros.sender = slice_of(arena_printf(
	    arena, "%.*s@%.*s", SLICE_ARG(c->macros.local), SLICE_ARG(c->macros.sender_domain)));
}

void spf_check(const struct spf_question *q, struct spf_answer *out)
{
	char text[IP_TEXT];
	struct check c = { .q = q, .answer = out, .ipv6 = ip_write(&q->peer, text) };

	*out = (struct spf_answer){ .why = "" };
	set_identity(&c);
	out->domain = c.macros.sender_domain;
	out->result = check_host(&c, out->domain, true);
	slice domain = printable(&c, out->domain);
	if (out->result == SPF_NONE)
		out->why =
		    arena_printf(q->arena, "none: %.*s has no SPF record", SLICE_ARG(domain));
}

/* ---- Received-SPF ---- */

/* A value as a dot-atom or a quoted string (§9.1), without anything that would end the field. */
static void add_value(struct buf *out, const char *key, slice value)
{
	if (!value.n)
		return;
	buf_addf(out, "; %s=\"", key);
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '"' || c == '\\')
			buf_addc(out, '\\');
		buf_addc(out, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	buf_addc(out, '"');
}

void spf_received(const struct spf_question *q, const struct spf_answer *a, struct buf *out)
{
	char text[IP_TEXT];

	ip_write(&q->peer, text);
	buf_addf(out, "Received-SPF: %s client-ip=%s", spf_result_name(a->result), text);
	add_value(out, "envelope-from", q->sender);
	add_value(out, "helo", q->helo);
	add_value(out, "receiver", q->receiver);
	buf_addf(out, "; identity=%s", q->sender.n ? "mailfrom" : "helo");
	add_value(out, "mechanism", a->mechanism);
	if (a->result == SPF_TEMPERROR || a->result == SPF_PERMERROR)
		add_value(out, "problem", slice_of(a->why));
	buf_adds(out, "\r\n");
}
