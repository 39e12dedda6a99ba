/* SPF with a table for the domain name system: records as terms, macros, limits, what is told. The suite of others is
 * in tests/conformance. */
#include "lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "trust/spf.h"
#include "trust/spf_macro.h"
#include "trust/spf_record.h"

static struct arena *arena;

static int start(void **state)
{
	(void)state;
	arena = arena_new(64 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* ---- a small world ---- */

struct row {
	const char *name;
	enum dns_type type;
	const char *value; /* TXT: the text; A: four octets; NULL: no answer in time */
};

static const struct row *world;
static unsigned asked;

static void answer(
    void *context, slice name, enum dns_type type, struct arena *a, struct dns_answer *out)
{
	(void)context;
	asked++;
	*out = (struct dns_answer){ .result = DNS_NO_NAME, .name = name, .why = "" };
	out->records = ARENA_ARRAY(a, slice, 20);
	for (const struct row *row = world; row->name; row++) {
		if (!slice_eq_nocase(name, slice_of(row->name)))
			continue;
		if (out->result == DNS_NO_NAME)
			out->result = DNS_NO_DATA;
		if (row->type != type)
			continue;
		if (!row->value) {
			out->result = DNS_FAILED;
			out->why = "nobody answers";
			return;
		}
		slice text = slice_of(row->value);
		char *p = arena_alloc(a, text.n + 2);
		p[0] = (char)text.n;
		memcpy(p + 1, text.p, text.n);
		out->records[out->count++] =
		    type == DNS_TXT ? (slice){ p, text.n + 1 } : (slice){ p + 1, 4 };
		out->result = DNS_FOUND;
	}
}

static struct spf_answer ask(
    const struct row *rows, const char *peer, const char *sender, struct buf *trace)
{
	static const struct spf_dns dns = { .ask = answer };
	struct spf_question q = { .dns = &dns,
		.sender = slice_of(sender),
		.helo = SLICE("mail.example.com"),
		.receiver = SLICE("mx.example.org"),
		.arena = arena,
		.trace = trace };
	struct spf_answer a;

	assert_true(ip_parse(slice_of(peer), &q.peer));
	world = rows;
	asked = 0;
	spf_check(&q, &a);
	return a;
}

/* ---- records ---- */

static void records_are_read_whole_or_refused_with_the_term(void **state)
{
	static const struct {
		const char *text, *term; /* NULL: it is right */
	} rows[] = {
		{ "v=spf1", NULL },
		{ "v=spf1  a  -all ", NULL },
		{ "v=SPF1 A/24 mx:x.example//64 a:x.example/0//0 ?ptr ~exists:%{i}.x.example",
		    NULL },
		{ "v=spf1 ip4:192.0.2.1/32 ip6:2001:db8::/32 x-y=%{s}%% redirect=_spf.example.com exp=e.example.",
		    NULL },
		{ "v=spf1 a:%{d}", NULL },
		{ "v=spf1 a/33", "a/33" },
		{ "v=spf1 a/024", "a/024" },
		{ "v=spf1 a//129", "a//129" },
		{ "v=spf1 a:localhost", "a:localhost" },
		{ "v=spf1 a:x.123", "a:x.123" },
		{ "v=spf1 a:", "a:" },
		{ "v=spf1 all:x", "all:x" },
		{ "v=spf1 include", "include" },
		{ "v=spf1 ip4:192.0.2.01", "ip4:192.0.2.01" },
		{ "v=spf1 ip4:2001:db8::1", "ip4:2001:db8::1" },
		{ "v=spf1 ip6:192.0.2.1", "ip6:192.0.2.1" },
		{ "v=spf1 foo", "foo" },
		{ "v=spf1 +redirect=a.b", "+redirect=a.b" },
		{ "v=spf1 redirect=a.b redirect=a.b", "redirect=a.b" },
		{ "v=spf1 exists:%{c}.x.example", "exists:%{c}.x.example" },
		{ "v=spf1 exists:%{d0}.x.example", "exists:%{d0}.x.example" },
		{ "v=spf1 a:%{", "a:%{" },
		{ "v=spf1 a:%", "a:%" },
		{ "v=spf1 a:%{d", "a:%{d" },
	};
	struct spf_record record;
	const char *why;
	slice term;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool ok = spf_record_parse(slice_of(rows[i].text), arena, &record, &why, &term);

		assert_true(ok == !rows[i].term);
		if (!ok)
			assert_slice(term, rows[i].term);
	}
	assert_true(spf_is_record(SLICE("V=spf1")));
	assert_false(spf_is_record(SLICE("v=spf10")));
	assert_false(spf_is_record(SLICE("v=spf")));
}

/* ---- macros: the examples of RFC 7208 §7.4 ---- */

static slice no_name(void *context)
{
	(void)context;
	return SLICE("unknown");
}

static void macros_expand_as_the_rfc_says(void **state)
{
	static const struct {
		const char *text, *ipv4, *ipv6;
	} rows[] = {
		{ "%{s}", "strong-bad@email.example.com", NULL },
		{ "%{o}", "email.example.com", NULL },
		{ "%{d4}", "email.example.com", NULL },
		{ "%{d2}", "example.com", NULL },
		{ "%{d1}", "com", NULL },
		{ "%{dr}", "com.example.email", NULL },
		{ "%{d2r}", "example.email", NULL },
		{ "%{l}", "strong-bad", NULL },
		{ "%{l-}", "strong.bad", NULL },
		{ "%{lr}", "strong-bad", NULL },
		{ "%{lr-}", "bad.strong", NULL },
		{ "%{l1r-}", "strong", NULL },
		{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com",
		    "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com" },
		{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", NULL },
		{ "%{S}", "strong-bad%40email.example.com", NULL },
		{ "%%%_%-", "% %20", NULL },
		{ "%{c}", "192.0.2.3", "2001:db8::cb01" },
	};
	struct spf_question q = { .arena = arena };
	struct spf_macros m = { .question = &q,
		.sender = SLICE("strong-bad@email.example.com"),
		.local = SLICE("strong-bad"),
		.sender_domain = SLICE("email.example.com"),
		.domain = SLICE("email.example.com"),
		.validated = no_name };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		m.ipv6 = false;
		assert_true(ip_parse(SLICE("192.0.2.3"), &q.peer));
		assert_slice(spf_expand(&m, slice_of(rows[i].text)), rows[i].ipv4);
		m.ipv6 = true;
		assert_true(ip_parse(SLICE("2001:db8::cb01"), &q.peer));
		if (rows[i].ipv6)
			assert_slice(spf_expand(&m, slice_of(rows[i].text)), rows[i].ipv6);
	}
	char longest[401];
	for (size_t i = 0; i < 400; i++)
		longest[i] = i % 10 == 9 ? '.' : 'a';
	slice name = spf_expand_domain(&m, (slice){ longest, 400 });
	assert_true(name.n <= 253 && name.p[0] == 'a');
}

/* ---- whole checks ---- */

static void what_decided_is_told(void **state)
{
	static const struct row rows[] = {
		{ "example.com", DNS_TXT,
		    "v=spf1 ip4:198.51.100.0/24 include:part.example -all exp=why.example.com" },
		{ "part.example", DNS_TXT, "v=spf1 a:host.part.example ~all" },
		{ "host.part.example", DNS_A, "\300\1\2\3" },
		{ "why.example.com", DNS_TXT, "%{i} is not %{d}'s, says %{r}" },
		{ NULL, 0, NULL },
	};
	struct buf trace;

	(void)state;
	struct spf_answer a = ask(rows, "198.51.100.7", "ann@example.com", NULL);
	assert_int_equal(a.result, SPF_PASS);
	assert_slice(a.mechanism, "ip4:198.51.100.0/24");
	assert_int_equal(a.range, 24);
	buf_init(&trace, 10000);
	a = ask(rows, "192.0.2.1", "ann@example.com", &trace);
	assert_int_equal(a.result, SPF_FAIL);
	assert_slice(a.mechanism, "all");
	assert_slice(a.of, "example.com");
	assert_slice(a.explanation, "192.0.2.1 is not example.com's, says mx.example.org");
	assert_int_equal(a.terms, 2);
	assert_string_equal(a.why, "fail: all in the record of example.com");
	assert_true(slice_search_nocase(
			buf_slice(&trace), SLICE("a:host.part.example does not match")) < trace.n);
	buf_free(&trace);
}

static void errors_are_of_the_right_kind(void **state)
{
	static const struct row rows[] = {
		{ "silent.test", DNS_TXT, NULL },
		{ "broken.test", DNS_TXT, "v=spf1 foo:bar" },
		{ "two.test", DNS_TXT, "v=spf1 -all" },
		{ "two.test", DNS_TXT, "v=spf1 +all" },
		{ "void.test", DNS_TXT, "v=spf1 a:a.x.test a:b.x.test a:c.x.test -all" },
		{ "loop.test", DNS_TXT, "v=spf1 include:loop.test -all" },
		{ "chase.test", DNS_TXT, "v=spf1 redirect=chase.test" },
		{ "half.test", DNS_TXT, "v=spf1 a:silent2.test -all" },
		{ "silent2.test", DNS_A, NULL },
		{ "empty.test", DNS_TXT, "something else" },
		{ NULL, 0, NULL },
	};
	static const struct {
		const char *domain;
		enum spf_result result;
		const char *why;
	} cases[] = {
		{ "silent.test", SPF_TEMPERROR, "nobody answers: silent.test" },
		{ "broken.test", SPF_PERMERROR,
		    "the record of broken.test is malformed: there is no such mechanism: foo:bar" },
		{ "two.test", SPF_PERMERROR, "it has more than one SPF record: two.test" },
		{ "void.test", SPF_PERMERROR,
		    "more than 2 questions have no answer, at: c.x.test" },
		{ "loop.test", SPF_PERMERROR,
		    "more than 10 terms ask the domain name system, at: include:loop.test" },
		{ "chase.test", SPF_PERMERROR,
		    "more than 10 terms ask the domain name system, at: chase.test" },
		{ "half.test", SPF_TEMPERROR, "nobody answers: silent2.test" },
		{ "empty.test", SPF_NONE, "none: empty.test has no SPF record" },
		{ "nowhere.test", SPF_NONE, "none: nowhere.test has no SPF record" },
		{ "localhost", SPF_NONE, "none: localhost has no SPF record" },
		{ "a..test", SPF_NONE, "none: a..test has no SPF record" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char sender[100];

		snprintf(sender, sizeof sender, "ann@%s", cases[i].domain);
		struct spf_answer a = ask(rows, "192.0.2.1", sender, NULL);
		assert_int_equal(a.result, cases[i].result);
		assert_string_equal(a.why, cases[i].why);
		assert_true(asked <= 12);
	}
}

static void the_field_says_all_and_nothing_ends_it_early(void **state)
{
	static const struct row rows[] = {
		{ "mail.example.com", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all" }, { NULL, 0, NULL }
	};
	struct spf_question q = { .sender = SLICE(""),
		.helo = SLICE("mail.example.com"),
		.receiver = SLICE("mx.example.org") };
	struct buf out;

	(void)state;
	struct spf_answer a = ask(rows, "192.0.2.1", "", NULL);
	assert_int_equal(a.result, SPF_PASS);
	assert_true(ip_parse(SLICE("192.0.2.1"), &q.peer));
	buf_init(&out, 1000);
	spf_received(&q, &a, &out);
	assert_slice(buf_slice(&out),
	    "Received-SPF: pass client-ip=192.0.2.1; helo=\"mail.example.com\"; receiver=\"mx.example.org\"; "
	    "identity=helo; mechanism=\"ip4:192.0.2.1\"\r\n");
	buf_clear(&out);
	q.sender = SLICE("a\"b\r\nX: y@example.com");
	spf_received(&q, &a, &out);
	assert_int_equal(slice_find(buf_slice(&out), '\n'), out.n - 1);
	assert_true(
	    slice_search_nocase(buf_slice(&out), SLICE("\"a\\\"b??X: y@example.com\"")) < out.n);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read_whole_or_refused_with_the_term),
		cmocka_unit_test(macros_expand_as_the_rfc_says),
		cmocka_unit_test(what_decided_is_told),
		cmocka_unit_test(errors_are_of_the_right_kind),
		cmocka_unit_test(the_field_says_all_and_nothing_ends_it_early),
	};

	return cmocka_run_group_tests(tests, start, end);
}
