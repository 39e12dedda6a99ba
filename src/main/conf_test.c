/* The configuration: its rows, its file, and what is said of mistakes. */
#include "lib/unit.h"

#include <unistd.h>

#include "base/file.h"
#include "main/conf.h"

static char path[] = "/tmp/hauberk-conf-XXXXXX";
static struct arena *arena;
static struct conf conf;
static struct conf_origin origin;
static struct buf said;

static int set_up(void **state)
{
	close(mkstemp(path));
	arena = arena_new(4 << 20);
	buf_init(&said, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	buf_free(&said);
	arena_free(arena);
	return unlink(path);
}

/* Without the path. */
static void complain(void *context, const char *text)
{
	slice all = slice_of(text);

	if (slice_starts(all, slice_of(path)))
		all = slice_from(all, strlen(path));
	buf_addf(&said, "%.*s\n", SLICE_ARG(all));
}

static bool read_text(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
	buf_clear(&said);
	return conf_read(path, arena, &conf, &origin, complain, NULL);
}

static void assert_said(const char *text)
{
	if (said.p && strstr(said.p, text))
		return;
	print_error("said:\n%swanted: %s\n", said.p, text);
	fail();
}

static void every_row_has_what_it_needs(void **state)
{
	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];

		assert_true(row->help && row->help[0] && !strchr(row->help, '\n'));
		assert_true(row->type != CONF_CHOICE || row->choices);
		assert_true(row->type == CONF_CHOICE || row->type == CONF_BOOL ||
		    row->type == CONF_IPS || row->most > row->least);
		assert_ptr_equal(
		    conf_row_find(conf_rows, conf_row_count, slice_of(row->name)), row);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(row->offset, conf_rows[j].offset);
	}
	for (size_t i = 0; i < conf_listener_row_count; i++)
		assert_true(conf_listener_rows[i].help && conf_listener_rows[i].help[0]);
}

/* Sets a row, reads it back as text, sets it from that, and looks whether it is the same. */
static void expect_round_trip(const struct conf_row *row, const char *value)
{
	struct conf one = { 0 }, other = { 0 };
	struct error error;

	assert_true(conf_set(row, &one, slice_of(value), arena, &error));
	const char *text = conf_value(row, &one, arena);
	assert_true(conf_set(row, &other, slice_of(text), arena, &error));
	assert_string_equal(conf_value(row, &other, arena), text);
	if (row->type == CONF_NUMBER || row->type == CONF_SIZE || row->type == CONF_TIME)
		assert_int_equal(*(int64_t *)((char *)&one + row->offset),
		    *(int64_t *)((char *)&other + row->offset));
}

static void every_row_survives_a_round_trip(void **state)
{
	char number[40];

	for (size_t i = 0; i < conf_row_count; i++) {
		const struct conf_row *row = &conf_rows[i];

		if (row->fallback)
			expect_round_trip(row, row->fallback);
		if (row->type == CONF_TEXT)
			expect_round_trip(row, "with \"quotes\" and \\ and a blank");
		if (row->type == CONF_IPS)
			expect_round_trip(row, "10.0.0.0/8, 2001:db8::1-2001:db8::9 192.0.2.1");
		if (row->type == CONF_TEXTS)
			expect_round_trip(row, "one with a blank\nand \"another\"");
		if (row->type != CONF_NUMBER && row->type != CONF_SIZE && row->type != CONF_TIME)
			continue;
		for (int end = 0; end < 2; end++) {
			snprintf(number, sizeof number, "%lld%s",
			    (long long)(end ? row->most : row->least),
			    row->type == CONF_TIME ? " ms" : "");
			expect_round_trip(row, number);
		}
	}
}

/* What `config show` prints can be written into a file again. */
static void the_shown_text_is_read_as_the_same(void **state)
{
	struct conf before;
	struct buf file;

	assert_true(read_text("hostname = \"a \\\"b\\\\ c\"; smtp.dataTimeout = 5;") == false);
	assert_true(
	    read_text("hostname = \"a \\\"b\\\\ c\"; stateDir = \"/x\"; smtp = { dataTimeout = "
		      "\"90 s\"; maxMessageSize = 70000; }; auth = { scramPlus = false; }; tls = { "
		      "certificate = [ \"a b\", \"c\\\"d\" ]; key = ( \"e\" ); };"));
	before = conf;
	buf_init(&file, 100000);
	for (size_t i = 0; i < conf_row_count; i++) {
		const char *name = conf_rows[i].name, *dot = strchr(name, '.');
		const char *text = conf_text(&conf_rows[i], &before, arena);

		if (dot && i > 0 &&
		    strncmp(conf_rows[i - 1].name, name, (size_t)(dot - name + 1)) == 0)
			file.n -= 3;
		else if (dot)
			buf_addf(&file, "%.*s = { ", (int)(dot - name), name);
		buf_addf(&file, "%s = %s; ", dot ? dot + 1 : name, text);
		if (dot)
			buf_adds(&file, "};\n");
	}
	assert_true(read_text(file.p));
	assert_int_equal(said.n, 0);
	for (size_t i = 0; i < conf_row_count; i++)
		assert_string_equal(conf_text(&conf_rows[i], &before, arena),
		    conf_text(&conf_rows[i], &conf, arena));
	assert_string_equal(conf.hostname, "a \"b\\ c");
	assert_string_equal(conf.tls.certificate, "a b\nc\"d");
	assert_string_equal(conf.tls.key, "e");
	assert_int_equal(conf.smtp_data_timeout_ms, 90000);
	assert_int_equal(conf.smtp_max_message, 70000);
	assert_false(conf.auth_scram_plus);
	buf_free(&file);
}

static void what_is_not_given_has_its_default(void **state)
{
	assert_true(read_text("hostname = \"mx.test\";"));
	assert_string_equal(conf.state_dir, "/var/lib/hauberk");
	assert_int_equal(conf.smtp_max_message, 50 << 20);
	assert_int_equal(conf.smtp_command_timeout_ms, 300000);
	for (size_t i = 0; i < conf_row_count; i++)
		assert_int_equal(origin.lines[i], i == 0 ? 1 : 0);
	assert_true(read_text("\n\nhostname = \"mx.test\";\nsmtp = {\n workers = 3; };\n"));
	assert_int_equal(origin.lines[0], 3);
	assert_int_equal(conf.smtp_workers, 3);
}

static void addresses_are_checked(void **state)
{
	assert_false(read_text("hostname = \"a.test\"; smtp = { relayFrom = \"10.0.0.300\"; };"));
	assert_int_equal(said.n > 0, true);
	assert_true(read_text("hostname = \"a.test\"; smtp = { relayFrom = \"10.0.0.3\"; };"));
}

static void units_and_ranges_are_checked(void **state)
{
	static const struct {
		const char *row, *value, *said; /* NULL: it is taken */
	} cases[] = {
		{ "smtp.maxMessageSize", "64KB", NULL },
		{ "smtp.maxMessageSize", "64 kb", NULL },
		{ "smtp.maxMessageSize", "1 GB", NULL },
		{ "smtp.maxMessageSize", "2 GB", "is 2 GB, but must be from 64 KB to 1 GB" },
		{ "smtp.maxMessageSize", "1 KB", "is 1 KB, but must be from 64 KB to 1 GB" },
		{ "smtp.maxMessageSize", "1.5 MB", "must be a size such as \"50 MB\"" },
		{ "smtp.maxMessageSize", "-1", "must be a size" },
		{ "smtp.maxMessageSize", "", "must be a size" },
		{ "smtp.maxMessageSize", "MB", "must be a size" },
		{ "smtp.maxMessageSize", "99999999999999999999", "must be a size" },
		{ "smtp.maxMessageSize", "50 MB 3", "must be a size" },
		{ "smtp.dataTimeout", "1000 ms", NULL },
		{ "smtp.dataTimeout", "60", "must be a time such as \"30 s\"" },
		{ "smtp.dataTimeout", "2 h", "is 2 h, but must be from 1 s to 1 h" },
		{ "smtp.dataTimeout", "5 minutes", "must be a time" },
		{ "smtp.workers", "0", "is 0, but must be from 1 to 256" },
		{ "smtp.workers", "8 threads", "must be a whole number" },
		{ "smtp.workers", "0x10", "must be a whole number" },
		{ "logLevel", "loud", "must be one of debug|info|warn, not \"loud\"" },
		{ "logLevel", "", "must be one of" },
		{ "logLevel", "debug|info", "must be one of" },
		{ "hostname", "", "has 0 octets, but must have 1 to 255" },
		{ "hostname", "mx\r\nX-Forged: yes", "has a control character" },
		{ "auth.scramPlus", "yes", "must be true or false" },
	};
	struct error error;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct conf_row *row =
		    conf_row_find(conf_rows, conf_row_count, slice_of(cases[i].row));
		bool taken = conf_set(row, &conf, slice_of(cases[i].value), arena, &error);

		assert_int_equal(taken, cases[i].said == NULL);
		if (!taken && !strstr(error.said, cases[i].said))
			fail_msg("\"%s\", not \"%s\"", error.said, cases[i].said);
	}
}

static void all_mistakes_of_a_file_are_said_at_once(void **state)
{
	assert_false(read_text("hostnme = \"a\";\n"
			       "smtp = {\n"
			       "  workers = 1000;\n"
			       "  maxMesageSize = \"1 MB\";\n"
			       "  dataRate = [ 1, 2 ];\n"
			       "  entirelyUnheardOf = 1;\n"
			       "};\n"
			       "runDir = { a = 1; };\n"
			       "listeners = (\n"
			       "  { protocol = \"smtp\"; adress = \"::1\"; port = 70000; },\n"
			       "  5\n"
			       ");\n"));
	assert_said(":1: there is no setting \"hostnme\"; did you mean \"hostname\"?");
	assert_said(":3: smtp.workers is 1000, but must be from 1 to 256");
	assert_said(
	    ":4: there is no setting \"smtp.maxMesageSize\"; did you mean \"smtp.maxMessageSize\"?");
	assert_said(":5: smtp.dataRate must be a single value");
	assert_said(":6: there is no setting \"smtp.entirelyUnheardOf\"; see hauberk.conf(5)");
	assert_said(":8: runDir must be a single value");
	assert_said(":10: there is no setting \"adress\"; did you mean \"address\"?");
	assert_said(":10: port is 70000, but must be from 1 to 65535");
	assert_said(":10: this listener has no \"address\"");
	assert_said(":11: a listener is written");
	assert_said("\"hostname\" is missing: ");
}

static void a_broken_file_is_said_with_its_line(void **state)
{
	struct conf_origin nowhere;

	assert_false(read_text("hostname = \"a\";\nsmtp = {\n"));
	assert_true(said.n > 0 && said.p[0] == ':');
	assert_false(read_text("hostname = \"a\";\nhostname = \"b\";\n"));
	assert_said(":2: ");
	buf_clear(&said);
	assert_false(conf_read("/no/such/file", arena, &conf, &nowhere, complain, NULL));
	assert_said("/no/such/file: cannot be read: No such file");
}

static void listeners_are_a_list_of_at_most_32(void **state)
{
	struct buf text;

	assert_false(read_text("hostname = \"a\"; listeners = 5;"));
	assert_said(":1: listeners is written ( { ... }");
	assert_false(read_text("hostname = \"a\"; listeners = { a = { port = 1; }; };"));
	assert_said(":1: listeners is written ( { ... }");
	for (int n = 32; n <= 33; n++) {
		buf_init(&text, 10000);
		buf_adds(&text, "hostname = \"a\"; listeners = (");
		for (int i = 0; i < n; i++)
			buf_addf(&text,
			    "%s\n{ protocol = \"pop3\"; address = \"::1\"; port = %d; }",
			    i ? "," : "", 1000 + i);
		buf_adds(&text, ");");
		assert_int_equal(read_text(text.p), n == 32);
		assert_int_equal(conf.listener_count, 32);
		if (n == 33)
			assert_said(":34: more listeners than 32");
		buf_free(&text);
	}
	assert_true(conf.listeners[31].port == 1031);
}

/* The file is read again while the server runs: whatever it holds, memory stays bounded. */
static void a_senseless_file_costs_little(void **state)
{
	struct arena *small = arena_new(1 << 20), *usual = arena;
	struct buf text;

	arena = small;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 8000; i++)
		buf_addf(&text, "nonsense%d = 1;\n", i);
	assert_false(read_text(text.p));
	buf_clear(&text);
	for (int i = 0; i < 2000; i++)
		buf_adds(&text, "aaaaaaaaaaaaaaaaaaaa={");
	for (int i = 0; i < 2000; i++)
		buf_adds(&text, "};");
	assert_false(read_text(text.p));
	buf_clear(&text);
	for (int i = 0; i < 30000; i++)
		buf_adds(&text, "# a comment of no use\n");
	assert_false(read_text(text.p));
	assert_said(": larger than 512 KB");
	buf_free(&text);
	arena = usual;
	arena_free(small);
}

static void what_cannot_be_together_is_found(void **state)
{
	assert_true(
	    read_text("hostname = \"a\"; listeners = ("
		      "{ protocol = \"smtp\"; address = \"::1\"; port = 25; tls = \"no\"; },"
		      "{ protocol = \"imap\"; address = \"::1\"; port = 25; tls = \"no\"; },"
		      "{ protocol = \"imap\"; address = \"here\"; port = 143; tls = \"no\"; },"
		      "{ protocol = \"pop3\"; address = \"::1\"; port = 995; tls = \"always\"; },"
		      "{ protocol = \"pop3\"; address = \"::1\"; port = 110; tls = \"no\"; "
		      "submission = true; });"));
	assert_false(conf_check(&conf, &origin, path, complain, NULL));
	assert_said("another listener has the same address and port");
	assert_said("\"here\" is not an IPv4 or IPv6 address");
	assert_said("port 995: it offers TLS, but tls.certificate and tls.key are not set");
	assert_said("submission is a setting of smtp listeners only");
	assert_true(read_text("hostname = \"a\";"));
	assert_false(conf_check(&conf, &origin, path, complain, NULL));
	assert_said("no listeners");
}

/* Each at its line, of the group and of a listener; what is inherited only once. */
static void what_tls_cannot_be_is_found(void **state)
{
	assert_true(read_text("hostname = \"a\"; tls = {\n"
			      "certificate = \"/no/such/file\"; key = \"/no/such/key\";\n"
			      "allowedVersions = \"TLSv1.2 SSLv3\";\n"
			      "requestClientAuth = \"optional\"; };\n"
			      "listeners = ("
			      "{ protocol = \"imap\"; address = \"::1\"; port = 143;\n"
			      "certificate = \"/etc/hostname\"; },"
			      "{ protocol = \"smtp\"; address = \"::1\"; port = 25;\n"
			      "key = \"/etc/hostname\";\n"
			      "allowedVersions = \" \";\n"
			      "cipherSuite = \"NO-SUCH-CIPHER\";\n"
			      "cipherSuite13 = \"DEFAULT\";\n"
			      "clientCA = \"/dev/zero\"; });"));
	assert_false(conf_check(&conf, &origin, path, complain, NULL));
	assert_said(":2: tls.certificate: cannot read /no/such/file");
	assert_said(":2: tls.key: cannot read /no/such/key");
	assert_said(":3: tls.allowedVersions: there is no version \"SSLv3\"");
	assert_said(":4: tls.requestClientAuth: certificates of clients are asked for, but");
	assert_said(":6: certificate: there is no key for it");
	assert_said(":7: key: there is no certificate for it");
	assert_said(":8: allowedVersions: it names no version of TLS");
	assert_said(":9: cipherSuite: openssl knows no cipher \"NO-SUCH-CIPHER\"");
	assert_said(":10: cipherSuite13: openssl refuses \"DEFAULT\" for TLS 1.3");
	assert_said(":11: clientCA: cannot read /dev/zero: not a file");
	int lines = 0;
	for (size_t i = 0; i < said.n; i++)
		lines += said.p[i] == '\n';
	assert_int_equal(lines, 10);
}

static void a_listener_inherits_from_a_group_that_stands_behind_it(void **state)
{
	assert_true(read_text("hostname = \"a\"; listeners = ("
			      "{ protocol = \"imap\"; address = \"::1\"; port = 1; },"
			      "{ protocol = \"imap\"; address = \"::1\"; port = 2;\n"
			      "allowedVersions = \"TLSv1.3\"; clientDepth = 1;\n"
			      "preferServerCipherSuiteOrder = true; });"
			      "tls = { allowedVersions = \"TLSv1 TLSv1.2\"; clientDepth = 7;"
			      "preferServerCipherSuiteOrder = false; };"));
	const struct conf_tls *one = &conf.listeners[0].handshake,
			      *two = &conf.listeners[1].handshake;
	assert_string_equal(one->allowed_versions, "TLSv1 TLSv1.2");
	assert_string_equal(two->allowed_versions, "TLSv1.3");
	assert_int_equal(one->client_depth, 7);
	assert_int_equal(two->client_depth, 1);
	assert_false(one->server_order);
	assert_true(two->server_order);
	assert_string_equal(two->client_auth, "no");
	conf_warn(&conf, &origin, path, complain, NULL);
	assert_string_equal(said.p,
	    ":3: warning: TLS 1.0 and 1.1 are outdated and weaken what is "
	    "sent (RFC 8996); for clients that know nothing else\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_what_it_needs),
		cmocka_unit_test(every_row_survives_a_round_trip),
		cmocka_unit_test(the_shown_text_is_read_as_the_same),
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(units_and_ranges_are_checked),
		cmocka_unit_test(all_mistakes_of_a_file_are_said_at_once),
		cmocka_unit_test(a_broken_file_is_said_with_its_line),
		cmocka_unit_test(listeners_are_a_list_of_at_most_32),
		cmocka_unit_test(a_senseless_file_costs_little),
		cmocka_unit_test(what_cannot_be_together_is_found),
		cmocka_unit_test(what_tls_cannot_be_is_found),
		cmocka_unit_test(a_listener_inherits_from_a_group_that_stands_behind_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
