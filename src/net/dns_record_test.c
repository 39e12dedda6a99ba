/* Data of records, as RFC 1035 and its successors lay it out; malformed data is refused. */
#include "lib/unit.h"

#include "base/arena.h"
#include "net/dns.h"

static struct arena *arena;

static int start(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void names_are_read_as_text(void **state)
{
	slice name;

	(void)state;
	assert_int_equal(dns_read_name(SLICE("\4mail\7example\3org\0rest"), arena, &name), 18);
	assert_slice(name, "mail.example.org");
	assert_int_equal(dns_read_name(SLICE("\0"), arena, &name), 1);
	assert_slice(name, ".");
	assert_int_equal(dns_read_name(SLICE("\5a-b\\\n\0"), arena, &name), 7);
	assert_slice(name, "a-b\\\n");
	assert_slice(dns_name_text(name, arena), "a-b\\092\\010");
	assert_int_equal(dns_read_name(SLICE("\3a.b\0"), arena, &name), 0);
}

static void names_that_end_early_or_are_too_long_are_refused(void **state)
{
	char longest[300];
	slice name;

	(void)state;
	assert_int_equal(dns_read_name(SLICE(""), arena, &name), 0);
	assert_int_equal(dns_read_name(SLICE("\4mai"), arena, &name), 0);
	assert_int_equal(dns_read_name(SLICE("\4mail"), arena, &name), 0);
	assert_int_equal(dns_read_name(SLICE("\100aaaa"), arena, &name), 0);
	assert_int_equal(
	    dns_read_name(SLICE("\300\14"), arena, &name), 0); /* never compressed here */
	for (int i = 0; i < 300; i++)
		longest[i] = i % 2 ? 'a' : 1;
	longest[254] = 0; /* 127 labels of one letter: 255 octets */
	assert_int_equal(dns_read_name((slice){ longest, 255 }, arena, &name), 255);
	assert_int_equal(name.n, 253);
	longest[254] = 1;
	longest[256] = 0;
	assert_int_equal(dns_read_name((slice){ longest, 257 }, arena, &name), 0);
}

static void mx_and_txt(void **state)
{
	unsigned preference;
	slice text;

	(void)state;
	assert_true(dns_read_mx(SLICE("\1\2\1a\0"), arena, &preference, &text));
	assert_int_equal(preference, 258);
	assert_slice(text, "a");
	assert_true(dns_read_mx(SLICE("\0\0\0"), arena, &preference, &text));
	assert_slice(text, "."); /* RFC 7505 */
	assert_false(dns_read_mx(SLICE("\0\0"), arena, &preference, &text));
	assert_false(dns_read_mx(SLICE("\0\0\0x"), arena, &preference, &text));
	assert_true(dns_read_txt(SLICE("\5v=spf\2"
				       "1 \4-all"),
	    arena, &text));
	assert_slice(text, "v=spf1 -all");
	assert_true(dns_read_txt(SLICE("\0"), arena, &text));
	assert_int_equal(text.n, 0);
	assert_false(dns_read_txt(SLICE(""), arena, &text));
	assert_false(dns_read_txt(SLICE("\5v=s"), arena, &text));
}

static void addresses_and_their_reverse_names(void **state)
{
	static const struct {
		const char *ip, *name;
	} rows[] = {
		{ "192.0.2.53", "53.2.0.192.in-addr.arpa" },
		{ "::ffff:192.0.2.53", "53.2.0.192.in-addr.arpa" },
		{ "4321:0:1:2:3:4:567:89ab",
		    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa" },
	};
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(ip_parse(slice_of(rows[i].ip), &ip));
		assert_slice(dns_reverse_name(&ip, arena), rows[i].name);
	}
	assert_true(dns_read_address(SLICE("\300\0\2\65"), &ip));
	assert_slice(dns_reverse_name(&ip, arena), rows[0].name);
	assert_false(dns_read_address(SLICE("\300\0\2"), &ip));
	assert_false(dns_read_address(SLICE(""), &ip));
}

static void records_as_zone_files_write_them(void **state)
{
	static const struct {
		enum dns_type type;
		slice data;
		const char *text;
	} rows[] = {
		{ DNS_A, SLICE("\300\0\2\65"), "192.0.2.53" },
		{ DNS_A, SLICE("\300\0\2"), "\\# 3 c00002" },
		{ DNS_MX, SLICE("\0\12\4mail\0"), "10 mail" },
		{ DNS_SRV, SLICE("\0\1\0\2\1\275\2dc\0"), "1 2 445 dc" },
		{ DNS_TXT, SLICE("\3a\"b\2c\n"), "\"a\\\"b\" \"c\\010\"" },
		{ DNS_TLSA, SLICE("\3\1\1\253\315"), "3 1 1 abcd" },
		{ (enum dns_type)99, SLICE("\1"), "\\# 1 01" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_slice(dns_record_text(rows[i].type, rows[i].data, arena), rows[i].text);
}

static void types_have_names(void **state)
{
	(void)state;
	assert_int_equal(dns_type_find(SLICE("mx")), DNS_MX);
	assert_int_equal(dns_type_find(SLICE("TYPE99")), 99);
	assert_int_equal(dns_type_find(SLICE("type65535")), 65535);
	assert_int_equal(dns_type_find(SLICE("TYPE65536")), 0);
	assert_int_equal(dns_type_find(SLICE("TYPE")), 0);
	assert_int_equal(dns_type_find(SLICE("TYPE1x")), 0);
	assert_int_equal(dns_type_find(SLICE("")), 0);
	assert_string_equal(dns_type_name(DNS_AAAA, arena), "AAAA");
	assert_string_equal(dns_type_name((enum dns_type)99, arena), "TYPE99");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_as_text),
		cmocka_unit_test(names_that_end_early_or_are_too_long_are_refused),
		cmocka_unit_test(mx_and_txt),
		cmocka_unit_test(addresses_and_their_reverse_names),
		cmocka_unit_test(records_as_zone_files_write_them),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, start, end);
}
