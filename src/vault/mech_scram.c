/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: RFC 5802, RFC 7677; channel bindings RFC 5929, RFC 9266.
 *
 *     C: gs2-header client-first-message-bare
 *     S: r=nonces,s=salt,i=iterations
 *     C: c=base64(gs2-header cbind-data),r=nonces,p=proof
 *     S: v=signature
 *     C: (empty)
 */
#include "base/cursor.h"
#include "base/encode.h"
#include "vault/sasl.h"
#include "vault/throttle.h"

#include <openssl/rand.h>

#include "net/ask.h"
#include "vault/scram.h"

#define NONCE_OCTETS 18

struct scram {
	int64_t account;
	slice gs2_header; /* with its two commas */
	slice binding;    /* type of the channel binding; empty: none */
	slice client_bare, server_first, nonce;
};

static bool scram_offered(const struct sasl_host *host)
{
	return host->scram;
}

static bool plus_offered(const struct sasl_host *host)
{
	return host->scram_plus && host->encrypted;
}

static enum sasl_result malformed(struct error *error, const struct cursor *c)
{
	error_input(error, "SCRAM: expected %s", c->expected);
	return SASL_MALFORMED;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, nothing else may follow a "=" (RFC 5802 §5.1). */
static bool decode_name(slice coded, struct arena *arena, slice *out)
{
	char *p = arena_alloc(arena, coded.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < coded.n; i++) {
		slice rest = slice_from(coded, i);

		if (coded.p[i] != '=') {
			p[n++] = coded.p[i];
			continue;
		}
		if (!slice_starts(rest, SLICE("=2C")) && !slice_starts(rest, SLICE("=3D")))
			return false;
		p[n++] = rest.p[2] == 'C' ? ',' : '=';
		i += 2;
	}
	*out = (slice){ p, n };
	return n > 0;
}

/* gs2-header = gs2-cbind-flag "," [authzid] "," where the flag is "n", "y" or "p=" cb-name. */
static void parse_gs2(struct cursor *c, struct scram *scram, slice *authzid_out)
{
	const char *start = c->rest.p;

	if (cursor_try(c, SLICE("p="))) {
		scram->binding = cursor_until(c, ',', "a comma after the channel binding's name");
		if (scram->binding.n == 0)
			cursor_fail(c, "the channel binding's name");
	} else if (!cursor_try_char(c, 'n') && !cursor_try_char(c, 'y')) {
		cursor_fail(c, "n, y or p= at the start");
	}
	cursor_char(c, ',', "a comma after the channel binding flag");
	if (cursor_try(c, SLICE("a=")))
		*authzid_out = cursor_until(c, ',', "a comma after a=");
	cursor_char(c, ',', "a second comma");
	scram->gs2_header = (slice){ start, c->rest.p ? (size_t)(c->rest.p - start) : 0 };
}

/* A binding that is asked for must be there, and one that we offer must be used by who could: a "y" says
 * that the client thinks we offer none, so somebody has changed our list (RFC 5802 §6). */
static bool binding_allowed(const struct sasl *sasl, const struct sasl_host *host,
    const struct scram *scram, struct error *error)
{
	bool plus = sasl->mechanism == &sasl_scram_plus;

	if (plus != (scram->binding.n > 0))
		return error_input(error,
		    plus ? "SCRAM-SHA-256-PLUS wants a channel binding (p=)"
			 : "SCRAM-SHA-256 takes no channel binding (p=)");
	if (!plus && scram->gs2_header.p[0] == 'y' && sasl_find(SLICE("SCRAM-SHA-256-PLUS"), host))
		return error_input(error,
		    "channel binding is offered; the list of mechanisms was changed on its way");
	return true;
}

static bool make_nonce(
    struct scram *scram, slice client_nonce, struct arena *arena, struct error *error)
{
	unsigned char random[NONCE_OCTETS];
	struct buf text;

	if (RAND_bytes(random, sizeof random) != 1)
		return error_local(error, "no randomness for a nonce");
	buf_init(&text, SASL_MESSAGE);
	buf_add(&text, client_nonce);
	base64_encode((slice){ (const char *)random, sizeof random }, &text);
	scram->nonce = arena_copy(arena, buf_slice(&text));
	buf_free(&text);
	return true;
}

/* r=NONCES,s=SALT,i=ITERATIONS */
static bool write_server_first(struct sasl *sasl, const struct sasl_host *host, struct scram *scram,
    struct buf *out, struct error *error)
{
	unsigned iterations;
	struct buf salt;

	buf_init(&salt, 64);
	bool ok = ask_scram_salt(
	    (uint64_t)scram->account, sasl->name, host->deadline, &iterations, &salt, error);
	if (ok) {
		buf_addf(out, "r=%.*s,s=", SLICE_ARG(scram->nonce));
		base64_encode(buf_slice(&salt), out);
		buf_addf(out, ",i=%u", iterations);
		scram->server_first = arena_copy(sasl->arena, buf_slice(out));
	}
	buf_free(&salt);
	return ok;
}

static enum sasl_result client_first(struct sasl *sasl, const struct sasl_host *host,
    slice response, struct buf *out, struct error *error)
{
	struct login_account account;
	struct scram *scram = ARENA_NEW(sasl->arena, struct scram);
	struct cursor c = cursor_of(arena_copy(sasl->arena, response));
	slice authzid = { 0 }, other;

	sasl->state = scram;
	parse_gs2(&c, scram, &authzid);
	scram->client_bare = c.rest;
	if (!cursor_try(&c, SLICE("n=")))
		cursor_fail(&c, "n= with the name (and no extension before it)");
	slice coded = cursor_until(&c, ',', "a comma after the name");
	cursor_char(&c, ',', "a comma after the name");
	if (!cursor_try(&c, SLICE("r=")))
		cursor_fail(&c, "r= with the client's nonce");
	slice nonce = cursor_skip(&c, OCTET_VISIBLE);
	nonce = slice_head(nonce, slice_find(nonce, ','));
	if (!c.expected && nonce.n == 0)
		cursor_fail(&c, "the client's nonce");
	if (!c.expected && !decode_name(coded, sasl->arena, &sasl->name))
		cursor_fail(&c, "a name with = and , written as =3D and =2C");
	if (!c.expected && authzid.n &&
	    (!decode_name(authzid, sasl->arena, &other) || !slice_eq(other, sasl->name)))
		cursor_fail(&c, "no other name in a= than your own");
	if (c.expected)
		return malformed(error, &c);
	if (!binding_allowed(sasl, host, scram, error))
		return SASL_MALFORMED;
	if (!throttle_account(sasl->name, error) ||
	    !host->find(host->context, sasl->name, &account, error))
		return SASL_FAILED;
	scram->account = account.id;
	if (!make_nonce(scram, nonce, sasl->arena, error) ||
	    !write_server_first(sasl, host, scram, out, error))
		return SASL_FAILED;
	return SASL_CONTINUE;
}

/* c= must be the header that the client began with, and what binds to our TLS connection. */
static bool binding_right(const struct sasl_host *host, const struct scram *scram, slice coded)
{
	struct buf want, text;

	buf_init(&want, SASL_MESSAGE);
	buf_init(&text, SASL_MESSAGE * 2);
	buf_add(&want, scram->gs2_header);
	bool right = !scram->binding.n || host->binding(host->session, scram->binding, &want);
	base64_encode(buf_slice(&want), &text);
	right = right && slice_eq(buf_slice(&text), coded);
	buf_free(&want);
	buf_free(&text);
	return right;
}

/* v=SIGNATURE; the account is only let in with the client's next, empty, response. */
static enum sasl_result check_proof(struct sasl *sasl, const struct sasl_host *host,
    const struct scram *scram, slice without_proof, slice proof, struct buf *out,
    struct error *error)
{
	struct buf auth_message, signature;
	bool right = false;

	buf_init(&auth_message, 4 * SASL_MESSAGE);
	buf_init(&signature, SCRAM_KEY);
	buf_addf(&auth_message, "%.*s,%.*s,%.*s", SLICE_ARG(scram->client_bare),
	    SLICE_ARG(scram->server_first), SLICE_ARG(without_proof));
	bool ok = ask_scram_proof((uint64_t)scram->account, buf_slice(&auth_message), proof,
	    host->deadline, &right, &signature, error);
	if (ok && right) {
		buf_adds(out, "v=");
		base64_encode(buf_slice(&signature), out);
	}
	buf_free(&auth_message);
	buf_free(&signature);
	return !ok ? SASL_FAILED : right ? SASL_CONTINUE : SASL_WRONG;
}

static enum sasl_result client_final(struct sasl *sasl, const struct sasl_host *host,
    slice response, struct buf *out, struct error *error)
{
	struct scram *scram = sasl->state;
	struct cursor c = cursor_of(response);
	struct buf proof;

	if (!cursor_try(&c, SLICE("c=")))
		cursor_fail(&c, "c= with the channel binding");
	slice binding = cursor_until(&c, ',', "a comma after c=");
	cursor_char(&c, ',', "a comma after c=");
	if (!cursor_try(&c, SLICE("r=")))
		cursor_fail(&c, "r= with both nonces");
	slice nonce = cursor_until(&c, ',', "a comma after the nonces");
	while (!c.expected && !slice_starts(c.rest, SLICE(",p="))) {
		cursor_char(&c, ',', "a comma");
		cursor_until(&c, ',', "p= with the proof at the end");
	}
	slice without_proof = slice_head(response, cursor_offset(&c));
	cursor_try(&c, SLICE(",p="));
	if (c.expected)
		return malformed(error, &c);
	buf_init(&proof, SCRAM_KEY);
	enum sasl_result result = SASL_WRONG;
	if (!base64_decode(c.rest, &proof) || proof.n != SCRAM_KEY) {
		error_input(error, "SCRAM: the proof is not base64 of 32 octets");
		result = SASL_MALFORMED;
	} else if (slice_eq(nonce, scram->nonce) && binding_right(host, scram, binding)) {
		result =
		    check_proof(sasl, host, scram, without_proof, buf_slice(&proof), out, error);
	}
	buf_free(&proof);
	return result;
}

static enum sasl_result step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	struct scram *scram = sasl->state;

	if (!scram)
		return client_first(sasl, host, response, challenge_out, error);
	if (sasl->step == 1)
		return client_final(sasl, host, response, challenge_out, error);
	if (response.n) {
		error_input(error, "SCRAM: the last response is empty");
		return SASL_MALFORMED;
	}
	sasl->account = scram->account;
	return SASL_DONE;
}

const struct sasl_mechanism sasl_scram = { "SCRAM-SHA-256", SASL_SCRAM, true, scram_offered, step,
	.quick = true };
const struct sasl_mechanism sasl_scram_plus = { "SCRAM-SHA-256-PLUS", SASL_SCRAM_PLUS, true,
	plus_offered, step, .quick = true };
