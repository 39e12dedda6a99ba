/* Addresses in header fields, the good ones of RFC 5322 appendix A and the bad ones of the world. */
#include "lib/unit.h"

#include "base/clock.h"
#include "mail/address_list.h"

/* All entries as name|route|local|domain, groups as name{ ... }. */
static void list_is(const char *value, const char *want)
{
	struct address_list list;
	struct list_entry e;
	struct buf got;

	buf_init(&got, 10000);
	address_list_open(&list, slice_of(value));
	while (address_list_next(&list, &e)) {
		if (e.kind == ENTRY_GROUP)
			buf_addf(&got, "%.*s{", SLICE_ARG(e.name));
		else if (e.kind == ENTRY_GROUP_END)
			buf_adds(&got, "}");
		else
			buf_addf(&got, "%.*s|%.*s|%.*s|%.*s;", SLICE_ARG(e.name),
			    SLICE_ARG(e.route), SLICE_ARG(e.local), SLICE_ARG(e.domain));
	}
	address_list_close(&list);
	assert_slice(buf_slice(&got), want);
	buf_free(&got);
}

static void list_of_the_standard_is_read(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "John Doe <jdoe@machine.test>", "John Doe||jdoe|machine.test;" },
		{ "\"Joe Q. Public\" <john.q.public@x.test>",
		    "Joe Q. Public||john.q.public|x.test;" },
		{ "Mary <mary@x.test>, jdoe@y.test , Who? <one@z.test>",
		    "Mary||mary|x.test;||jdoe|y.test;Who?||one|z.test;" },
		{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <s@x.test>",
		    "||boss|nil.test;Giant; \"Big\" Box||s|x.test;" },
		{ "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
		    "A Group{Ed Jones||c|a.test;||joe|where.test;John||jdoe|one.test;}" },
		{ "Undisclosed recipients:;", "Undisclosed recipients{}" },
		{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
		    "Pete||pete|silly.test;" },
		{ "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.test>,\r\n"
		  "\t\tjoe@example.test,\r\n John <jdoe@one.test> (my dear friend); (the end)",
		    "A Group{Chris Jones||c|public.test;||joe|example.test;John||jdoe|one.test;}" },
		{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
		    "Hidden recipients{}" },
		{ "Joe Q. Public <john.q.public@example.test>",
		    "Joe Q. Public||john.q.public|example.test;" },
		{ "Mary Smith <@node.test:mary@example.test>, , jdoe@test  . example",
		    "Mary Smith|@node.test|mary|example.test;||jdoe|test.example;" },
		{ "john . doe @ x.test (John Doe)", "John Doe||john.doe|x.test;" },
		{ "a@[IPv6:2001:db8::1], b@c", "||a|[IPv6:2001:db8::1];||b|c;" },
		{ "=?utf-8?q?J=C3=BCrgen?= <j@x.test>", "=?utf-8?q?J=C3=BCrgen?=||j|x.test;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		list_is(cases[i].value, cases[i].want);
}

static void broken_list_gives_something(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "", "" },
		{ " ,,; ,", "" },
		{ "alice", "||alice|;" },
		{ "alice, bob", "||alice|;||bob|;" },
		{ "Alice <alice@x.test", "Alice||alice|x.test;" },
		{ "Alice <alice@x.test, Bob <bob@x.test>", "Alice||alice|x.test;Bob||bob|x.test;" },
		{ "a@x.test <a@x.test>", "a@x.test||a|x.test;" },
		{ "\"open <a@b>", "||open <a@b>|;" },
		{ "(open a@b", "" },
		{ "a@b c@d", "||a|bc;|||d;" },
		{ "g: h: a@b;", "g{||a|b;}" },
		{ "g: a@b", "g{||a|b;}" },
		{ "<>", "|||;" },
		{ "<a@b>>, c@d", "||a|b;||c|d;" },
		{ "J\xc3\xbcrgen <j@x.test>", "J\xc3\xbcrgen||j|x.test;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		list_is(cases[i].value, cases[i].want);
}

static void hostile_list_ends_soon(void **state)
{
	static const char *const bits[] = { "<@", "<@,", "(", "\"", "\\", ",", "g:", ";", "a@",
		"<a", "(\\", "[:", "@@", "<@(" };
	char *text = malloc(ADDRESS_LIST_OCTETS);
	int64_t start = clock_us();

	(void)state;
	for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
		struct address_list list;
		struct list_entry entry;
		size_t n = strlen(bits[i]), count = 0;

		for (size_t at = 0; at + n <= ADDRESS_LIST_OCTETS; at += n)
			memcpy(text + at, bits[i], n);
		address_list_open(&list, (slice){ text, ADDRESS_LIST_OCTETS / n * n });
		while (address_list_next(&list, &entry))
			count++;
		address_list_close(&list);
		assert_true(count <= ADDRESS_LIST_ENTRIES + 1);
	}
	free(text);
	assert_true(clock_us() - start < 10 * 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_of_the_standard_is_read),
		cmocka_unit_test(broken_list_gives_something),
		cmocka_unit_test(hostile_list_ends_soon),
	};

	return UNIT_RUN(tests);
}
