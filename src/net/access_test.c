#include "net/access.h"

#include <unistd.h>

#include "lib/unit.h"
#include "proc/shared.h"

static struct ip_set *set(const char *text)
{
	struct error error;
	struct ip_set *made = ip_set_new(slice_of(text), &error);

	assert_non_null(made);
	return made;
}

static int64_t decides(const struct access *access, const char *listener, const char *address)
{
	struct ip ip;

	assert_true(ip_parse(slice_of(address), &ip));
	const struct access_rule *rule =
	    access_find(access, slice_of(listener), SLICE("smtp"), &ip);
	return rule ? rule->id : 0;
}

static void the_nearest_scope_and_the_lowest_priority_decide(void **state)
{
	struct access_rule rules[] = {
		{ .id = 1, .priority = 1, .scope = SLICE("all"), .from = set("10.0.0.0/8") },
		{ .id = 2, .priority = 50, .scope = SLICE("smtp"), .from = set("10.1.0.0/16") },
		{ .id = 3,
		    .allow = true,
		    .priority = 20,
		    .scope = SLICE("smtp"),
		    .from = set("10.1.2.0/24") },
		{ .id = 4,
		    .allow = true,
		    .priority = 90,
		    .scope = SLICE("127.0.0.1:25"),
		    .from = set("10.1.2.3") },
		{ .id = 5, .priority = 20, .scope = SLICE("smtp"), .from = set("10.1.2.9") },
		{ .id = 6, .priority = 1, .scope = SLICE("imap"), .from = set("192.0.2.0/24") },
	};
	struct access *access = access_new(rules, sizeof rules / sizeof rules[0]);

	(void)state;
	assert_int_equal(decides(access, "127.0.0.1:25", "10.9.9.9"), 1);
	assert_int_equal(decides(access, "127.0.0.1:25", "10.1.9.9"), 2);
	assert_int_equal(decides(access, "127.0.0.1:25", "10.1.2.4"), 3);
	assert_int_equal(decides(access, "127.0.0.1:25", "10.1.2.3"), 4);
	assert_int_equal(decides(access, "127.0.0.1:26", "10.1.2.3"), 3);
	assert_int_equal(decides(access, "127.0.0.1:25", "10.1.2.9"), 5);
	assert_int_equal(decides(access, "127.0.0.1:25", "192.0.2.1"), 0);
	assert_int_equal(decides(access, "127.0.0.1:25", "::ffff:10.1.2.3"), 4);
	access_free(access);
	assert_int_equal(decides(NULL, "127.0.0.1:25", "10.1.2.3"), 0);
}

static void a_listener_has_one_name_however_it_is_written(void **state)
{
	static const struct {
		const char *host, *scope;
	} cases[] = { { "127.0.0.1", "127.0.0.1:25" }, { "2001:DB8:0::1", "[2001:db8::1]:25" },
		{ "::", "[::]:25" }, { "::ffff:192.0.2.1", "192.0.2.1:25" } };
	char scope[ACCESS_LISTENER];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(access_listener(slice_of(cases[i].host), 25, scope));
		assert_string_equal(scope, cases[i].scope);
	}
	assert_false(access_listener(SLICE("mail.test"), 25, scope));
}

static const struct protocol smtp = { .name = "smtp" };

static enum limit refused(
    const struct listener *listener, const char *peer, struct limits_pass *pass)
{
	struct access_verdict verdict = access_enter(listener, slice_of(peer), pass);

	if (verdict.answer == ACCESS_ADMITTED)
		return LIMITS;
	assert_int_equal(pass->count, 0);
	assert_int_equal(verdict.answer, ACCESS_CROWDED);
	return verdict.limit;
}

static void connections_are_limited_by_listener_service_and_rule(void **state)
{
	struct limits of_listener = { .n = {
					  [LIMIT_CONNECTIONS] = 3, [LIMIT_PEER_CONNECTIONS] = 2 } };
	struct limits of_service = {
		.n = { [LIMIT_INTERVAL] = 3600000, [LIMIT_INTERVAL_CONNECTIONS] = 5 }
	};
	struct listener listener = { .name = "smtp 127.0.0.1:25",
		.scope = "127.0.0.1:25",
		.protocol = &smtp,
		.limits = &of_listener,
		.service_limits = &of_service };
	struct limits_pass passes[4] = { 0 }, extra = { 0 };

	(void)state;
	assert_int_equal(refused(&listener, "192.0.2.1", &passes[0]), LIMITS);
	assert_int_equal(refused(&listener, "192.0.2.1", &passes[1]), LIMITS);
	assert_int_equal(refused(&listener, "192.0.2.1", &extra), LIMIT_PEER_CONNECTIONS);
	assert_int_equal(refused(&listener, "192.0.2.2", &passes[2]), LIMITS);
	assert_int_equal(refused(&listener, "192.0.2.3", &extra), LIMIT_CONNECTIONS);
	limits_leave(&passes[0]);
	assert_int_equal(refused(&listener, "192.0.2.1", &passes[0]), LIMITS);
	limits_leave(&passes[1]);
	assert_int_equal(refused(&listener, "192.0.2.1", &passes[1]), LIMITS);
	limits_leave(&passes[2]);
	/* The fifth came just now: no more within this hour. What was refused gave everything back. */
	assert_int_equal(refused(&listener, "192.0.2.4", &extra), LIMIT_INTERVAL_CONNECTIONS);
	for (int i = 0; i < 4; i++)
		limits_leave(&passes[i]);

	/* A rule that allows has limits of its own, and lifts the others. */
	struct access_rule rules[] = {
		{ .id = 7,
		    .allow = true,
		    .scope = SLICE("smtp"),
		    .from = set("192.0.2.0/24"),
		    .limits = { .n = { [LIMIT_PEER_CONNECTIONS] = 1 } } },
		{ .id = 8, .scope = SLICE("all"), .from = set("198.51.100.0/24") },
	};
	access_publish(access_new(rules, 2));
	assert_int_equal(refused(&listener, "192.0.2.1", &passes[0]), LIMITS);
	assert_int_equal(refused(&listener, "192.0.2.1", &extra), LIMIT_PEER_CONNECTIONS);
	assert_int_equal(refused(&listener, "192.0.2.2", &passes[1]), LIMITS);
	struct access_verdict verdict = access_enter(&listener, SLICE("198.51.100.7"), &extra);
	assert_int_equal(verdict.answer, ACCESS_DENIED);
	assert_int_equal(verdict.rule, 8);
	limits_leave(&passes[0]);
	limits_leave(&passes[1]);
	access_publish(NULL);
}

static int start(void **state)
{
	int fd = shared_create();

	return fd < 0 || !shared_open(fd, ROLE_SMTP, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_has_one_name_however_it_is_written),
		cmocka_unit_test(the_nearest_scope_and_the_lowest_priority_decide),
		cmocka_unit_test_setup(connections_are_limited_by_listener_service_and_rule, start),
	};

	return UNIT_RUN(tests);
}
