/* What mail offers to policies: every name of the tables can be used as its row says; rules go where the design says. */
#include "lib/lab.h"

#include "policy/tables.h"

static const char *placed(const char *text, const char *name)
{
	lab_good(text);
	for (uint32_t i = 0; i < lab.policy->rule_count; i++)
		if (strcmp(lab.policy->rules[i].name, name) == 0)
			return events_text(&lab.host, lab.policy->rules[i].events, lab.arena);
	fail_msg("no rule %s", name);
	return NULL;
}

static void rules_go_where_the_design_says(void **state)
{
	assert_string_equal(
	    placed("rule \"r\" { when all { remoteCountry == \"XX\"; } then { reject(\"x\"); } }",
		"r"),
	    "onConnect");
	assert_string_equal(
	    placed(
		"rule \"p\" priority 1 { when all { rcptToUser == \"postmaster\"; } then { accept(); } }"
		"rule \"r\" { when all { remoteCountry == \"XX\"; } then { reject(\"x\"); } }",
		"r"),
	    "onRcptTo");
	assert_string_equal(
	    placed("rule \"r\" { when all { isAuthenticated; } then { reject(\"x\"); } }", "r"),
	    "onMailFrom");
	assert_string_equal(
	    placed("rule \"r\" { when all { isSSLConnection; } then { reject(\"x\"); } }", "r"),
	    "onMailFrom");
	assert_string_equal(
	    placed(
		"rule \"r\" { when all { checkSPF() == \"pass\"; } then { call(addHeader, \"X-A\", \"b\"); } }",
		"r"),
	    "onMailFrom");
	assert_string_equal(
	    placed(
		"rule \"r\" { when all { fromDomain == \"a.example\"; checkDMARC() == \"fail\"; } then { quarantine(\"x\"); } }",
		"r"),
	    "onDataReceived");
	assert_string_equal(
	    placed(
		"rule \"r\" { when all { failureText matches \"*full*\"; } then { set(ndrSubject, \"x\"); } }",
		"r"),
	    "onDeliveryFailure, onTemporaryDeliveryFailure");
	/* Events that may not happen take no rule by themselves. */
	assert_string_equal(
	    placed("rule \"r\" { when all { ehloHost == \"x\"; } then { reject(\"x\"); } }", "r"),
	    "onEhlo");
	lab_refused("rule \"r\" { when all { authName == \"x\"; } then { reject(\"x\"); } }",
	    "give it a lower number, or say 'at EVENT'");
	lab_good(
	    "rule \"r\" at onAuth { when all { authName == \"x\"; } then { reject(\"x\"); } }");
}

/* A block of the first event of the bits. */
static void compile_in(uint32_t events, const char *format, const char *name)
{
	static char text[2000], inner[1000];

	snprintf(inner, sizeof inner, format, name);
	snprintf(text, sizeof text,
	    "table routes of domain to string = [ \"a.example\" to \"b\" ]; event %s { %s }",
	    lab.host.events[event_first(events)].name, inner);
	lab_good(text);
	if (strstr(lab_said(), "not known") || strstr(lab_said(), "no effect"))
		fail_msg("%s: %s", text, lab_said());
}

static void every_variable_is_known_and_set_where_its_row_says(void **state)
{
	struct arena *arena = arena_new(1 << 22);
	struct host_info *info = host_read(&lab.host, arena);

	for (uint32_t i = 0; i < lab.host.variable_count; i++) {
		const struct host_variable *v = &info->variables[i];
		const char *name = v->spec->name;

		if (v->known && v->type.base != BASE_BODY)
			compile_in(
			    v->known, "if (%s == \"\") { call(log, \"info\", \"x\"); }", name);
		if (v->settable && !v->no_peer && !v->type.list && v->spec->danger == NULL)
			compile_in(v->settable, "set(%s, \"\");", name);
		if (!v->settable)
			lab_refused(arena_printf(arena, "event onConnect { set(%s, \"\"); }", name),
			    "can only be read");
		assert_true(*v->spec->meaning);
	}
	arena_free(arena);
}

static void every_example_compiles(void **state)
{
	struct arena *arena = arena_new(1 << 22);
	struct host_info *info = host_read(&lab.host, arena);

	for (uint32_t i = 0; i < lab.host.method_count; i++) {
		const struct policy_method *m = &lab.host.methods[i];
		uint32_t events = info->methods[i].events;
		/* Where all that examples speak of is known. */
		uint32_t wide = events & (1u << ON_RCPT_TO) ? 1u << ON_RCPT_TO
		    : events & (1u << ON_DATA_RECEIVED)     ? 1u << ON_DATA_RECEIVED
							    : events;
		bool field = strstr(m->example, "header(\"") || strncmp(m->name, "header", 6) == 0;
		const char *example = m->example;

		if (field)
			wide = 1u << ON_DATA_RECEIVED;
		if (strcmp(m->name, "anyof") == 0 || strcmp(m->name, "allof") == 0)
			example = m->name[1] == 'n' ? "anyof(isESMTP, isAuthenticated)"
						    : "allof(isESMTP, isAuthenticated)";
		if (strstr(example, "%x%"))
			example = "call(modifyHeader, \"Subject\", \"[EXT]\");";
		bool statement = example[strlen(example) - 1] == ';';
		compile_in(wide,
		    statement ? "%s"
			: strstr(example, " == ") || strstr(example, " != ") ||
			    strstr(example, " > ") || info->methods[i].result.base == BASE_YESNO
			? "if (%s) { call(log, \"info\", \"x\"); }"
			: "set(mine, %s); call(log, \"info\", \"%%mine%%\");",
		    example);
	}
	arena_free(arena);
}

static void verdicts_are_for_their_events(void **state)
{
	static const char *const verdicts[] = { "accept();", "reject(\"x\");", "tmpreject(\"x\");",
		"discard();", "quarantine(\"x\");", "disconnect(\"x\");" };
	static const char *const words[] = { "accept", "reject", "tmpreject", "discard",
		"quarantine", "disconnect" };
	char text[200];

	for (unsigned e = 0; e < lab.host.event_count; e++)
		for (unsigned v = 0; v < 6; v++) {
			bool fits = word_among(lab.host.events[e].verdicts, slice_of(words[v]));

			snprintf(text, sizeof text, "event %s { %s }", lab.host.events[e].name,
			    verdicts[v]);
			if (fits)
				lab_good(text);
			else
				lab_refused(text, "is no verdict of");
		}
}

static void names_of_axigen_keep_their_meaning(void **state)
{
	static const char *const documented[] = { "smtpPort", "smtpIp", "remoteSmtpPort",
		"remoteSmtpIp", "smtpGreeting", "isSSLConnection", "ehloHost", "isESMTP",
		"authUser", "mailCount", "totalMailSize", "MailFromDomain", "localDelivery",
		"remoteDelivery", "maxRcptCount", "maxDataSize", "maxReceivedHeaders",
		"DNSBLServer", "DNSBLResult", "DNSBLExplanation", "smtpAction", "smtpExplanation" };

	for (size_t i = 0; i < sizeof documented / sizeof documented[0]; i++)
		assert_true(policy_variable_id(documented[i]) < policy_variable_count);
	lab_good(
	    "event onMailFrom { if (MailFromDomain == \"a.example\") { set(maxDataSize, \"3072\"); } }");
	*lab_var("mailFromDomain") = VALUE_TEXT_OF(SLICE("A.example"));
	lab_run("onMailFrom");
	/* KB, in octets here. */
	assert_int_equal(lab_var("maxDataSize")->number, 3072 * 1024);
}

static void the_open_relay_is_seen_through_every_door(void **state)
{
	lab_refused("event onMailFrom { set(remoteDelivery, \"all\"); }", "open relay");
	lab_refused("event onMailFrom { set(remoteDelivery, \"ALL\"); }", "open relay");
	lab_refused(
	    "event onRcptTo { if (remoteSmtpIp in [\"0.0.0.0/0\"]) { set(remoteDelivery, \"all\"); } }",
	    "open relay");
	lab_refused(
	    "event onRcptTo { if (mailFromDomain in localDomains) { set(remoteDelivery, \"all\"); } }",
	    "open relay");
	lab_good("event onRcptTo { if (isAuthenticated) { set(remoteDelivery, \"all\"); } }");
	lab_good(
	    "event onRcptTo { if (tlsClientSubject == \"CN=relay\") { set(remoteDelivery, \"all\"); } }");
	lab_good(
	    "event onRcptTo { if (remoteSmtpIp in trustedNetworks) { set(remoteDelivery, \"all\"); } }");
}

static int set_up(void **state)
{
	lab.host = policy_host_smtp();
	lab.host.call = lab_call;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_go_where_the_design_says),
		cmocka_unit_test(every_variable_is_known_and_set_where_its_row_says),
		cmocka_unit_test(every_example_compiles),
		cmocka_unit_test(verdicts_are_for_their_events),
		cmocka_unit_test(names_of_axigen_keep_their_meaning),
		cmocka_unit_test(the_open_relay_is_seen_through_every_door),
	};
	int failed = cmocka_run_group_tests(tests, set_up, NULL);

	lab_end();
	return failed;
}
