/* SASL exchanges with a real auth behind them; SCRAM against the numbers of RFC 7677 §3. */
#include "lib/unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "net/ask.h"
#include "vault/auth.h"
#include "vault/remember.h"
#include "vault/sasl.h"
#include "vault/scram.h"
#include "vault/verifier.h"

/* ---- the arithmetic ---- */

#define CLIENT_BARE "n=user,r=rOprNGfwEbeRWgbNEkqO"
#define SERVER_FIRST                                                                               \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define CLIENT_FINAL "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

static void numbers_of_the_rfc_come_out(void **state)
{
	slice message = SLICE(CLIENT_BARE "," SERVER_FIRST "," CLIENT_FINAL);
	unsigned char signature[SCRAM_KEY];
	struct scram_verifier v, again;
	struct error error;
	struct buf salt, proof, text;

	(void)state;
	buf_init(&salt, 100);
	buf_init(&proof, 100);
	buf_init(&text, 1000);
	base64_decode(SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt);
	base64_decode(SLICE("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), &proof);
	assert_true(scram_derive(SLICE("pencil"), buf_slice(&salt), 4096, &v, &error));
	assert_true(scram_proof_right(&v, message, buf_slice(&proof)));
	scram_signature(&v, message, signature);
	base64_encode((slice){ (char *)signature, SCRAM_KEY }, &text);
	assert_slice(buf_slice(&text), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	buf_clear(&text);
	scram_text(&v, &text);
	assert_true(scram_parse(buf_slice(&text), &again));
	assert_memory_equal(&v, &again, sizeof v);
	assert_false(scram_parse(slice_head(buf_slice(&text), text.n - 1), &again));
	proof.p[5] ^= 1;
	assert_false(scram_proof_right(&v, message, buf_slice(&proof)));
	assert_false(scram_proof_right(&v, message, slice_head(buf_slice(&proof), 31)));
	buf_free(&salt);
	buf_free(&proof);
	buf_free(&text);
}

static void hashes_of_other_servers_are_known(void **state)
{
	/* Of the password "secret", made by Python's crypt and hashlib. */
	static const char *const good[] = {
		"$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
		"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
		"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
	};
	static const char *const malformed[] = { "", "{NOSUCH}abc", "{SSHA}short", "{SHA}5en6",
		"$nosuch$x", "plain" };
	char own[VERIFIER_MAX];
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(verifier_known(slice_of(good[i]), &error));
		assert_true(verifier_fits(slice_of(good[i]), SLICE("secret")));
		assert_false(verifier_fits(slice_of(good[i]), SLICE("Secret")));
	}
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		assert_false(verifier_known(slice_of(malformed[i]), &error));
		assert_false(verifier_fits(slice_of(malformed[i]), SLICE("secret")));
	}
	assert_true(verifier_make(SLICE("geheim"), own, &error));
	assert_true(verifier_known(slice_of(own), &error));
	assert_true(verifier_fits(slice_of(own), SLICE("geheim")));
	assert_false(verifier_fits(slice_of(own), SLICE("geheim ")));
}

static void what_was_right_is_remembered_for_this_verifier_only(void **state)
{
	(void)state;
	assert_true(remember_start());
	assert_false(remember_knows(1, SLICE("secret"), 5));
	remember_add(1, SLICE("secret"), 5);
	assert_true(remember_knows(1, SLICE("secret"), 5));
	assert_false(remember_knows(1, SLICE("secreT"), 5));
	assert_false(remember_knows(2, SLICE("secret"), 5));
	assert_false(remember_knows(1, SLICE("secret"), 6)); /* changed since */
}

/* ---- exchanges ---- */

static char folder[40];
static pid_t auth_pid;
static struct peers *peers;
static pthread_t peers_thread;

static void *run(void *p)
{
	peers_run(p);
	return NULL;
}

static int run_auth(int fd, enum role asker)
{
	struct peers *p = peers_new(ROLE_AUTH, 0, auth_services, auth_service_count);
	struct error error;
	char path[80];

	snprintf(path, sizeof path, "%s/auth.db", folder);
	if (!auth_open(path, &error))
		return 1;
	auth_start(1);
	peers_add(p, asker, 0, fd);
	return peers_run(p);
}

/* control sets passwords, smtp asks: each may do only its own. */
static void begin(enum role me)
{
	int ours, theirs;

	assert_true(channel_pair(&ours, &theirs));
	auth_pid = fork();
	if (auth_pid == 0) {
		close(ours);
		alarm(120);
		_exit(run_auth(theirs, me));
	}
	close(theirs);
	peers = peers_new(me, 0, NULL, 0);
	peers_add(peers, ROLE_AUTH, 0, ours);
	ask_init(peers);
	pthread_create(&peers_thread, NULL, run, peers);
}

static void end(void)
{
	peers_stop(peers, 0);
	pthread_join(peers_thread, NULL);
	peers_free(peers);
	kill(auth_pid, SIGKILL);
	waitpid(auth_pid, NULL, 0);
}

static int start_auth(void **state)
{
	struct error error;

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/hauberk-sasl-XXXXXX");
	assert_non_null(mkdtemp(folder));
	begin(ROLE_CONTROL);
	assert_true(ask_set_password(1, SLICE("pencil"), deadline_in_ms(20000), &error));
	assert_true(ask_set_verifier(
	    2, SLICE("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="), deadline_in_ms(20000), &error));
	assert_false(ask_set_verifier(3, SLICE("{NOSUCH}x"), deadline_in_ms(20000), &error));
	assert_non_null(strstr(error.why, "scheme is not known"));
	end();
	begin(ROLE_SMTP);
	return 0;
}

static int stop_auth(void **state)
{
	char path[80];

	(void)state;
	end();
	snprintf(path, sizeof path, "%s/auth.db", folder);
	unlink(path);
	return rmdir(folder);
}

static bool find(void *context, slice name, struct login_account *account_out, struct error *error)
{
	(void)context;
	(void)error;
	*account_out = (struct login_account){ slice_eq(name, SLICE("user")) ? 1
		    : slice_eq(name, SLICE("a,b=c"))                         ? 2
									     : 0 };
	return true;
}

static enum login_answer login(void *context, slice name, slice password, struct deadline deadline,
    int64_t *account_out, struct error *error)
{
	struct login_account account;
	bool right;

	find(context, name, &account, error);
	*account_out = account.id;
	if (!ask_password((uint64_t)*account_out, password, deadline, &right, error))
		return LOGIN_FAILED;
	return right ? LOGIN_RIGHT : LOGIN_WRONG;
}

static bool binding(const struct session *session, slice type, struct buf *out)
{
	(void)session;
	buf_adds(out, "EXPORTED");
	return slice_eq(type, SLICE("tls-exporter"));
}

static struct sasl_host host_now(void)
{
	return (struct sasl_host){ .login = login,
		.find = find,
		.binding = binding,
		.deadline = deadline_in_ms(20000),
		.types = SASL_ALL,
		.secure = true,
		.encrypted = true,
		.scram = true,
		.scram_plus = true };
}

/* What a client does in a SCRAM exchange. */
struct client {
	const char *mechanism, *header, *name, *password, *bound;
	bool change_nonce;
};

static slice field(slice message, char key)
{
	while (message.n) {
		size_t end = slice_find(message, ',');

		if (message.n > 2 && message.p[0] == key && message.p[1] == '=')
			return slice_head(slice_from(message, 2), end - 2);
		message = slice_from(message, end + 1);
	}
	return (slice){ 0 };
}

static void write_final(
    const struct client *client, slice bare, slice server_first, struct buf *out)
{
	unsigned char proof[SCRAM_KEY];
	struct buf salt, auth_message, bound;
	uint64_t iterations = 0;

	buf_init(&salt, 100);
	buf_init(&auth_message, 4000);
	buf_init(&bound, 200);
	buf_addf(&bound, "%s%s", client->header, client->bound ? client->bound : "");
	base64_decode(field(server_first, 's'), &salt);
	slice_number(field(server_first, 'i'), 100000, &iterations);
	buf_adds(out, "c=");
	base64_encode(buf_slice(&bound), out);
	buf_addf(
	    out, ",r=%.*s%s", SLICE_ARG(field(server_first, 'r')), client->change_nonce ? "x" : "");
	buf_addf(&auth_message, "%.*s,%.*s,%.*s", SLICE_ARG(bare), SLICE_ARG(server_first),
	    SLICE_ARG(buf_slice(out)));
	scram_client_proof(slice_of(client->password), buf_slice(&salt), (unsigned)iterations,
	    buf_slice(&auth_message), proof);
	buf_adds(out, ",p=");
	base64_encode((slice){ (char *)proof, SCRAM_KEY }, out);
	buf_free(&salt);
	buf_free(&auth_message);
	buf_free(&bound);
}

/* Plays the exchange to its end; *error says why where it is malformed. */
static enum sasl_result play(const struct client *client, struct error *error)
{
	struct sasl_host host = host_now();
	struct arena *arena = arena_new(1 << 20);
	struct buf first, final, challenge;
	struct sasl sasl;

	buf_init(&first, 1000);
	buf_init(&final, 2000);
	buf_init(&challenge, 2000);
	buf_addf(&first, "%sn=%s,r=clientnonce", client->header, client->name);
	slice bare = slice_from(buf_slice(&first), strlen(client->header));
	sasl_begin(&sasl, sasl_find(slice_of(client->mechanism), &host), arena);
	assert_int_equal(sasl_step(&sasl, &host, (slice){ 0 }, &challenge, error), SASL_CONTINUE);
	enum sasl_result result = sasl_step(&sasl, &host, buf_slice(&first), &challenge, error);
	if (result == SASL_CONTINUE) {
		write_final(client, bare, buf_slice(&challenge), &final);
		buf_clear(&challenge);
		result = sasl_step(&sasl, &host, buf_slice(&final), &challenge, error);
	}
	if (result == SASL_CONTINUE) {
		assert_true(slice_starts(buf_slice(&challenge), SLICE("v=")));
		result = sasl_step(&sasl, &host, SLICE(""), &challenge, error);
	}
	if (result == SASL_DONE)
		assert_int_equal(sasl.account, 1);
	buf_free(&first);
	buf_free(&final);
	buf_free(&challenge);
	arena_free(arena);
	return result;
}

static void scram_lets_in_who_knows_the_password(void **state)
{
	static const struct {
		struct client client;
		enum sasl_result result;
	} cases[] = {
		{ { "SCRAM-SHA-256", "n,,", "user", "pencil", NULL, false }, SASL_DONE },
		{ { "scram-sha-256", "n,a=user,", "user", "pencil", NULL, false }, SASL_DONE },
		{ { "SCRAM-SHA-256", "n,,", "user", "pencil!", NULL, false }, SASL_WRONG },
		{ { "SCRAM-SHA-256", "n,,", "nobody", "pencil", NULL, false }, SASL_WRONG },
		{ { "SCRAM-SHA-256", "n,,", "a=2Cb=3Dc", "secret", NULL, false },
		    SASL_WRONG }, /* has no SCRAM verifier */
		{ { "SCRAM-SHA-256", "n,,", "user", "pencil", NULL, true }, SASL_WRONG },
		{ { "SCRAM-SHA-256", "n,a=other,", "user", "pencil", NULL, false },
		    SASL_MALFORMED },
		{ { "SCRAM-SHA-256", "n,,", "us=er", "pencil", NULL, false }, SASL_MALFORMED },
		{ { "SCRAM-SHA-256", "y,,", "user", "pencil", NULL, false },
		    SASL_MALFORMED }, /* downgraded */
		{ { "SCRAM-SHA-256", "p=tls-exporter,,", "user", "pencil", "EXPORTED", false },
		    SASL_MALFORMED },
		{ { "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "user", "pencil", "EXPORTED", false },
		    SASL_DONE },
		{ { "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "user", "pencil", "OTHER", false },
		    SASL_WRONG },
		{ { "SCRAM-SHA-256-PLUS", "p=tls-unique,,", "user", "pencil", "EXPORTED", false },
		    SASL_WRONG },
		{ { "SCRAM-SHA-256-PLUS", "n,,", "user", "pencil", NULL, false }, SASL_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error error = { 0 };
		enum sasl_result result = play(&cases[i].client, &error);

		if (result != cases[i].result)
			print_error("case %zu: %d %s\n", i, result, error.why);
		assert_int_equal(result, cases[i].result);
	}
}

static void nobody_gets_the_same_salt_each_time_and_his_own(void **state)
{
	struct deadline deadline = deadline_in_ms(20000);
	unsigned iterations;
	struct error error;
	struct buf salt[3];
	static const char *const names[] = { "ghost", "ghost", "spook" };

	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_init(&salt[i], 100);
		assert_true(
		    ask_scram_salt(0, slice_of(names[i]), deadline, &iterations, &salt[i], &error));
		assert_int_equal(iterations, SCRAM_ITERATIONS);
		assert_int_equal(salt[i].n, SCRAM_SALT);
	}
	assert_true(slice_eq(buf_slice(&salt[0]), buf_slice(&salt[1])));
	assert_false(slice_eq(buf_slice(&salt[0]), buf_slice(&salt[2])));
	for (int i = 0; i < 3; i++)
		buf_free(&salt[i]);
}

static void malformed_messages_are_refused_in_words(void **state)
{
	static const char *const firsts[] = { "", "n", "n,", "x,,n=user,r=abc", "n,,r=abc,n=user",
		"n,,n=user", "n,,n=user,r=", "n,,m=ext,n=user,r=abc", "p=,,n=user,r=abc" };
	struct sasl_host host = host_now();

	(void)state;
	for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct error error = { 0 };
		struct sasl sasl;
		struct buf out;

		buf_init(&out, 1000);
		sasl_begin(&sasl, sasl_find(SLICE("SCRAM-SHA-256"), &host), arena);
		assert_int_equal(
		    sasl_step(&sasl, &host, slice_of(firsts[i]), &out, &error), SASL_MALFORMED);
		assert_true(error.said[0]);
		assert_null(sasl.mechanism);
		buf_free(&out);
		arena_free(arena);
	}
}

static void passwords_go_through_plain_and_login(void **state)
{
	struct sasl_host host = host_now();
	struct arena *arena = arena_new(1 << 20);
	struct error error;
	struct sasl sasl;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	sasl_begin(&sasl, sasl_find(SLICE("PLAIN"), &host), arena);
	assert_int_equal(sasl_step(&sasl, &host, SLICE("\0user\0pencil"), &out, &error), SASL_DONE);
	assert_slice(sasl.name, "user");
	sasl_begin(&sasl, sasl_find(SLICE("PLAIN"), &host), arena);
	assert_int_equal(
	    sasl_step(&sasl, &host, SLICE("\0a,b=c\0secret"), &out, &error), SASL_DONE);
	assert_int_equal(sasl.account, 2);
	sasl_begin(&sasl, sasl_find(SLICE("LOGIN"), &host), arena);
	assert_int_equal(sasl_step(&sasl, &host, (slice){ 0 }, &out, &error), SASL_CONTINUE);
	assert_slice(buf_slice(&out), "Username:");
	assert_int_equal(sasl_step(&sasl, &host, SLICE("user"), &out, &error), SASL_CONTINUE);
	assert_int_equal(sasl_step(&sasl, &host, SLICE("wrong"), &out, &error), SASL_WRONG);
	buf_free(&out);
	arena_free(arena);
}

static void what_is_offered_depends_on_the_connection(void **state)
{
	struct sasl_host host = host_now();
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	sasl_offer(&host, " ", &out);
	assert_slice(buf_slice(&out), " SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
	buf_clear(&out);
	host.encrypted = false;
	sasl_offer(&host, " AUTH=", &out);
	assert_slice(buf_slice(&out), " AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN");
	buf_clear(&out);
	host.types = SASL_LOGIN | SASL_GSSAPI;
	sasl_offer(&host, " ", &out);
	assert_slice(buf_slice(&out), " LOGIN");
	buf_clear(&out);
	host.types = 0;
	sasl_offer(&host, " ", &out);
	assert_slice(buf_slice(&out), "");
	assert_null(sasl_find(SLICE("PLAIN"), &host));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_the_rfc_come_out),
		cmocka_unit_test(hashes_of_other_servers_are_known),
		cmocka_unit_test(what_was_right_is_remembered_for_this_verifier_only),
		cmocka_unit_test(scram_lets_in_who_knows_the_password),
		cmocka_unit_test(nobody_gets_the_same_salt_each_time_and_his_own),
		cmocka_unit_test(malformed_messages_are_refused_in_words),
		cmocka_unit_test(passwords_go_through_plain_and_login),
		cmocka_unit_test(what_is_offered_depends_on_the_connection),
	};

	return cmocka_run_group_tests(tests, start_auth, stop_auth);
}
