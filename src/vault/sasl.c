#include "vault/sasl.h"

#include "base/encode.h"
#include "proc/stats.h"
#include "vault/kerberos.h"
#include "vault/throttle.h"

#define CERTIFICATE_NAMES 4096 /* octets of all names that one certificate may have */

/* Strongest first: clients that take the first they know take the best. But GSSAPI last: who takes it without
 * having a ticket gets no further, and who has one is told to use it. */
static const struct sasl_mechanism *const mechanisms[] = { &sasl_scram_plus, &sasl_scram,
	&sasl_plain, &sasl_login, &sasl_gssapi, &sasl_external };

#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])

static bool offered(const struct sasl_mechanism *m, const struct sasl_host *host)
{
	return (host->types & m->type) && m->offered(host);
}

void sasl_offer(const struct sasl_host *host, const char *before, struct buf *out)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (offered(mechanisms[i], host))
			buf_addf(out, "%s%s", before, mechanisms[i]->name);
}

const struct sasl_mechanism *sasl_find(slice name, const struct sasl_host *host)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (slice_eq_nocase(name, slice_of(mechanisms[i]->name)) &&
		    offered(mechanisms[i], host))
			return mechanisms[i];
	return NULL;
}

void sasl_begin(struct sasl *sasl, const struct sasl_mechanism *mechanism, struct arena *arena)
{
	*sasl = (struct sasl){ .mechanism = mechanism, .arena = arena };
}

enum sasl_result sasl_step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	const struct sasl_mechanism *mechanism = sasl->mechanism;

	/* RFC 4422 §3: a client-first mechanism without an initial response gets an empty challenge. */
	if (!response.p && mechanism->client_first && sasl->step == 0)
		return SASL_CONTINUE;
	enum sasl_result result = mechanism->step(sasl, host, response, challenge_out, error);
	sasl->step++;
	if (result != SASL_CONTINUE)
		sasl->mechanism = NULL;
	return result;
}

/* ---- for sessions ---- */

static enum { SCRAM_AUTO, SCRAM_YES, SCRAM_NO } scram_policy = SCRAM_NO;
static bool plus_policy;
static unsigned layers_policy;
static enum { NO_CERTIFICATES, BY_EMAIL, BY_UPN } certificates_policy;
static struct gate *password_gate, *quick_gate;

void sasl_init(const char *scram, bool plus)
{
	scram_policy = slice_eq(slice_of(scram), SLICE("auto")) ? SCRAM_AUTO
	    : slice_eq(slice_of(scram), SLICE("yes"))           ? SCRAM_YES
								: SCRAM_NO;
	plus_policy = plus;
}

void sasl_set_layers(const char *least)
{
	layers_policy = slice_eq(slice_of(least), SLICE("integrity"))
	    ? KERBEROS_INTEGRITY | KERBEROS_CONFIDENTIALITY
	    : slice_eq(slice_of(least), SLICE("confidentiality")) ? KERBEROS_CONFIDENTIALITY
								  : 0;
}

void sasl_set_certificates(const char *names)
{
	certificates_policy = slice_eq(slice_of(names), SLICE("email")) ? BY_EMAIL
	    : slice_eq(slice_of(names), SLICE("upn"))                   ? BY_UPN
									: NO_CERTIFICATES;
}

/* Of a certificate that nobody asks for there are no names, and this costs nothing. */
static slice certificate_names(struct session *s)
{
	struct buf names;

	if (certificates_policy == NO_CERTIFICATES)
		return (slice){ 0 };
	buf_init(&names, CERTIFICATE_NAMES);
	session_client_names(
	    s, certificates_policy == BY_UPN ? TLS_CLIENT_UPN : TLS_CLIENT_EMAIL, &names);
	if (names.full)
		buf_clear(&names); /* whoever has so many is nobody of ours */
	slice copy = arena_copy(s->turn, buf_slice(&names));
	buf_free(&names);
	return copy;
}

void sasl_set_gates(struct gate *passwords, struct gate *others)
{
	password_gate = passwords;
	quick_gate = others;
}

struct gate *sasl_password_gate(void)
{
	return password_gate;
}

/* Whose name the words begin with, offered or not; NULL: nobody's. */
static const struct sasl_mechanism *named(slice words)
{
	slice name = slice_head(words, slice_find(words, ' '));

	for (size_t i = 0; i < MECHANISMS; i++)
		if (slice_eq_nocase(name, slice_of(mechanisms[i]->name)))
			return mechanisms[i];
	return NULL;
}

struct gate *sasl_gate(const struct sasl *sasl, slice words)
{
	const struct sasl_mechanism *m = sasl->mechanism ? sasl->mechanism : named(words);

	return m && m->quick ? quick_gate : password_gate;
}

void sasl_host_fill(struct sasl_host *host, struct session *s)
{
	/* auth says so in the table that all processes share: nobody is asked for it. */
	bool scram = scram_policy == SCRAM_YES ||
	    (scram_policy == SCRAM_AUTO && stats_read(ROLE_AUTH, 0, STAT_SCRAM) == 1);

	host->session = s;
	host->binding = session_tls_binding;
	host->deadline = s->deadline;
	host->encrypted = session_secure(s);
	host->secure = host->encrypted || s->listener->plain_login;
	host->scram = scram;
	host->scram_plus = scram && plus_policy;
	host->service = sasl_service_of(s);
	host->types = sasl_types_of(s);
	host->certificate = host->types & SASL_EXTERNAL ? certificate_names(s) : (slice){ 0 };
	/* A layer goes below compression (RFC 4978 §3), and cannot be put there any more. */
	host->layers = host->encrypted || session_compressed(s) ? 0 : layers_policy;
	host->kerberos = stats_read(ROLE_AUTH, 0, STAT_KERBEROS) >> host->service & 1;
}

/* May this client try? Also with the right password it must wait: it could not be told otherwise. */
static bool may_try(const struct sasl_host *host, struct error *error)
{
	return session_may_ask(host->session, error) &&
	    throttle_peer(slice_of(host->session->peer), error);
}

/* A password was guessed: for an account that there is? */
static void note_wrong(const struct sasl_host *host, slice name)
{
	struct login_account account = { 0 };
	struct error ignored;
	bool there = name.n && host->find(host->context, name, &account, &ignored) && account.id;

	throttle_note(slice_of(host->session->peer), there ? name : (slice){ 0 });
}

/* Who answered wrongly, or was stopped here, is no sign that auth is not well. */
static void note_failed(const struct sasl_host *host, const struct error *error)
{
	if (error->fault != FAULT_LIMIT)
		session_ask_failed(host->session);
}

enum login_answer sasl_check(const struct sasl_host *host, slice name, slice password,
    int64_t *account_out, struct error *error)
{
	return throttle_account(name, error)
	    ? host->login(host->context, name, password, host->deadline, account_out, error)
	    : LOGIN_FAILED;
}

enum login_answer sasl_password(const struct sasl_host *host, slice name, slice password,
    int64_t *account_out, struct error *error)
{
	if (!may_try(host, error))
		return LOGIN_FAILED;
	enum login_answer answer = sasl_check(host, name, password, account_out, error);
	if (answer == LOGIN_FAILED)
		note_failed(host, error);
	else if (answer == LOGIN_WRONG)
		note_wrong(host, name);
	return answer;
}

static size_t response_most(const struct sasl *sasl)
{
	return sasl->mechanism && sasl->mechanism->most ? sasl->mechanism->most : SASL_MESSAGE;
}

size_t sasl_line_most(const struct sasl *sasl, const struct sasl_host *host, slice words)
{
	const struct sasl_mechanism *m = sasl->mechanism ? sasl->mechanism : named(words);

	if (!m || !m->most || !offered(m, host))
		return 0;
	/* In base64, behind the names of the command (and IMAP's tag) and the mechanism. */
	return m->most / 3 * 4 + 4 + 100;
}

enum sasl_result sasl_line(struct sasl *sasl, const struct sasl_host *host, slice text,
    struct buf *challenge_out, struct error *error)
{
	/* The mechanism is forgotten when its exchange ends. */
	bool guesses = sasl->mechanism && (sasl->mechanism->type & SASL_GUESSES);
	struct buf response, challenge;

	if (slice_eq(text, SLICE("*"))) {
		sasl->mechanism = NULL;
		error_input(error, "called off");
		return SASL_MALFORMED;
	}
	if (!may_try(host, error)) {
		sasl->mechanism = NULL;
		return SASL_FAILED;
	}
	/* "=" is an initial response that is empty (RFC 4954 §4, RFC 9051 §6.2.2). */
	slice coded = slice_eq(text, SLICE("=")) && sasl->step == 0 ? slice_head(text, 0) : text;
	buf_init(&response, response_most(sasl));
	buf_init(&challenge, SASL_MESSAGE);
	enum sasl_result result = SASL_MALFORMED;
	if (!base64_decode(coded, &response) || response.full) {
		sasl->mechanism = NULL;
		error_input(error, "the response is not base64");
	} else {
		slice plain = { text.p ? (response.p ? response.p : "") : NULL, response.n };

		result = sasl_step(sasl, host, plain, &challenge, error);
		base64_encode(buf_slice(&challenge), challenge_out);
		if (result == SASL_FAILED)
			note_failed(host, error);
		else if (result == SASL_WRONG)
			note_wrong(host, guesses ? sasl->name : (slice){ 0 });
		else if (result == SASL_DONE && sasl->layered)
			session_set_layer(host->session, &sasl->layer);
	}
	if (response.p)
		explicit_bzero(response.p, response.cap);
	buf_free(&response);
	buf_free(&challenge);
	return result;
}
