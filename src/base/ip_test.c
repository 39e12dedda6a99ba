#include "base/ip.h"

#include "lib/unit.h"

static bool has(const char *set_text, const char *address)
{
	struct error error;
	struct ip ip;
	struct ip_set *set = ip_set_new(slice_of(set_text), &error);

	assert_non_null(set);
	assert_true(ip_parse(slice_of(address), &ip));
	bool found = ip_set_has(set, &ip);
	ip_set_free(set);
	return found;
}

static void sets_have_networks_ranges_and_addresses(void **state)
{
	static const char set[] = "10.0.0.0/8, 192.0.2.7 192.0.2.16-192.0.2.20\t2001:db8::/32 ::1";
	static const char *const in[] = { "10.0.0.0", "10.255.255.255", "192.0.2.7", "192.0.2.16",
		"192.0.2.20", "::ffff:10.1.2.3",
		"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "::1" };
	static const char *const out[] = { "9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.8",
		"192.0.2.15", "192.0.2.21", "2001:db7:ffff::", "2001:db9::", "::2", "0.0.0.1" };

	(void)state;
	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
		assert_true(has(set, in[i]));
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
		assert_false(has(set, out[i]));
	assert_false(has("", "10.0.0.1"));
	assert_true(has("0.0.0.0/0", "255.1.1.1"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "10.0.0.1"));
	/* Overlapping parts are one. */
	assert_true(has("10.0.0.5-10.0.0.9 10.0.0.0/24 10.0.0.7", "10.0.0.200"));
	assert_true(has("::ffff:10.0.0.0/104", "10.9.9.9"));
}

static void a_wrong_part_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "10.0.0.1 10.0.0.300", "\"10.0.0.300\" is no IP address" },
		{ "10.0.0.1/8", "\"10.0.0.1/8\" has bits behind" },
		{ "10.0.0.0/33", "0 to 32" },
		{ "2001:db8::/129", "0 to 128" },
		{ "10.0.0.0/", "0 to 32" },
		{ "mail.test/8", "no IP address before" },
		{ "10.0.0.9-10.0.0.1", "ends before it begins" },
		{ "10.0.0.1-::1", "no range" },
		{ "10.0.0.1-", "no range" },
		{ "fe80::1%eth0", "no IP address" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error error;

		assert_null(ip_set_new(slice_of(cases[i].text), &error));
		assert_int_equal(error.fault, FAULT_INPUT);
		if (!strstr(error.said, cases[i].says))
			fail_msg("%s: %s", cases[i].text, error.said);
	}
}

/* Against the plain way, on random sets. */
static void a_set_has_what_its_parts_have(void **state)
{
	unsigned seed = unit_seed();

	(void)state;
	for (int round = 0; round < 300; round++) {
		char text[2000] = "";
		bool in[256] = { false };
		struct error error;

		for (int i = rand_r(&seed) % 12; i >= 0; i--) {
			int a = rand_r(&seed) % 256, b = a + rand_r(&seed) % (256 - a);

			snprintf(text + strlen(text), sizeof text - strlen(text),
			    "10.0.0.%d-10.0.0.%d ", a, b);
			memset(in + a, true, (size_t)(b - a + 1));
		}
		struct ip_set *set = ip_set_new(slice_of(text), &error);
		assert_non_null(set);
		for (int i = 0; i < 256; i++) {
			char address[20];
			struct ip ip;

			snprintf(address, sizeof address, "10.0.0.%d", i);
			assert_true(ip_parse(slice_of(address), &ip));
			if (ip_set_has(set, &ip) != in[i])
				fail_msg("%s in %s", address, text);
		}
		ip_set_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_have_networks_ranges_and_addresses),
		cmocka_unit_test(a_wrong_part_is_named),
		cmocka_unit_test(a_set_has_what_its_parts_have),
	};

	return UNIT_RUN(tests);
}
