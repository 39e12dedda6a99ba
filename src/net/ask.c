#include "net/ask.h"

static struct peers *asked;

void ask_init(struct peers *peers)
{
	asked = peers;
}

bool ask_sign(slice key, enum sign_scheme scheme, slice digest, struct deadline deadline,
    struct buf *signature_out, struct error *error)
{
	struct peers_reply reply;
	struct message m;

	message_begin(&m, MESSAGE_SIGN);
	message_put_text(&m, key);
	message_put_number(&m, scheme);
	message_put_text(&m, digest);
	bool ok = peers_ask(asked, ROLE_KEYS, &m, deadline, &reply, error);
	message_free(&m);
	if (!ok)
		return false;
	buf_add(signature_out, message_get_text(&reply.in));
	ok = message_done(&reply.in) || error_local(error, "malformed signature from keys");
	peers_reply_free(&reply);
	return ok;
}

bool ask_password(uint64_t account, slice password, struct deadline deadline, bool *right_out,
    struct error *error)
{
	struct peers_reply reply;
	struct message m;

	message_begin(&m, MESSAGE_VERIFY_PASSWORD);
	message_put_number(&m, account);
	message_put_text(&m, password);
	bool ok = peers_ask(asked, ROLE_AUTH, &m, deadline, &reply, error);
	explicit_bzero(m.data.p, m.data.n);
	message_free(&m);
	if (!ok)
		return false;
	*right_out = message_get_number(&reply.in) == 1;
	ok = message_done(&reply.in) || error_local(error, "malformed answer from auth");
	peers_reply_free(&reply);
	if (account == 0)
		*right_out = false;
	return ok;
}

/* A question whose only answer is "done". */
static bool ask_done(
    enum role role, struct message *m, struct deadline deadline, struct error *error)
{
	struct peers_reply reply;
	bool ok = peers_ask(asked, role, m, deadline, &reply, error);

	explicit_bzero(m->data.p, m->data.n);
	message_free(m);
	if (ok)
		peers_reply_free(&reply);
	return ok;
}

static bool ask_set(enum message_type type, uint64_t account, slice text, struct deadline deadline,
    struct error *error)
{
	struct message m;

	message_begin(&m, type);
	message_put_number(&m, account);
	message_put_text(&m, text);
	return ask_done(ROLE_AUTH, &m, deadline, error);
}

bool ask_set_password(
    uint64_t account, slice password, struct deadline deadline, struct error *error)
{
	return ask_set(MESSAGE_SET_PASSWORD, account, password, deadline, error);
}

bool ask_set_verifier(
    uint64_t account, slice verifier, struct deadline deadline, struct error *error)
{
	return ask_set(MESSAGE_SET_VERIFIER, account, verifier, deadline, error);
}

bool ask_remove_password(uint64_t account, struct deadline deadline, struct error *error)
{
	struct message m;

	message_begin(&m, MESSAGE_REMOVE_PASSWORD);
	message_put_number(&m, account);
	return ask_done(ROLE_AUTH, &m, deadline, error);
}

bool ask_scram_salt(uint64_t account, slice name, struct deadline deadline,
    unsigned *iterations_out, struct buf *salt_out, struct error *error)
{
	struct peers_reply reply;
	struct message m;

	message_begin(&m, MESSAGE_SCRAM_SALT);
	message_put_number(&m, account);
	message_put_text(&m, name);
	bool ok = peers_ask(asked, ROLE_AUTH, &m, deadline, &reply, error);
	message_free(&m);
	if (!ok)
		return false;
	*iterations_out = (unsigned)message_get_number(&reply.in);
	buf_add(salt_out, message_get_text(&reply.in));
	ok = message_done(&reply.in) || error_local(error, "malformed salt from auth");
	peers_reply_free(&reply);
	return ok;
}

bool ask_scram_proof(uint64_t account, slice auth_message, slice proof, struct deadline deadline,
    bool *right_out, struct buf *signature_out, struct error *error)
{
	struct peers_reply reply;
	struct message m;

	message_begin(&m, MESSAGE_SCRAM_PROOF);
	message_put_number(&m, account);
	message_put_text(&m, auth_message);
	message_put_text(&m, proof);
	bool ok = peers_ask(asked, ROLE_AUTH, &m, deadline, &reply, error);
	message_free(&m);
	if (!ok)
		return false;
	*right_out = message_get_number(&reply.in) == 1 && account != 0;
	buf_add(signature_out, message_get_text(&reply.in));
	ok = message_done(&reply.in) || error_local(error, "malformed answer from auth");
	peers_reply_free(&reply);
	return ok;
}

static bool ask_kerberos(
    struct message *m, struct deadline deadline, struct ask_kerberos *out, struct error *error)
{
	bool ok = peers_ask(asked, ROLE_AUTH, m, deadline, &out->reply, error);

	message_free(m);
	if (!ok)
		return false;
	struct message_reader *in = &out->reply.in;
	out->result = (int)message_get_number(in);
	out->code = message_get_text(in);
	out->why = message_get_text(in);
	out->principal = message_get_text(in);
	out->token = message_get_text(in);
	out->challenge = message_get_text(in);
	out->state = message_get_text(in);
	out->authorize_as = message_get_text(in);
	out->layer = (unsigned)message_get_number(in);
	out->layer_most = message_get_number(in);
	if (message_done(in))
		return true;
	peers_reply_free(&out->reply);
	return error_local(error, "malformed answer from auth");
}

bool ask_kerberos_accept(unsigned service, unsigned layers, slice token, struct deadline deadline,
    struct ask_kerberos *out, struct error *error)
{
	struct message m;

	message_begin(&m, MESSAGE_KERBEROS_ACCEPT);
	message_put_number(&m, service | layers << 8);
	message_put_text(&m, token);
	return ask_kerberos(&m, deadline, out, error);
}

bool ask_kerberos_finish(unsigned service, slice state, slice response, struct deadline deadline,
    struct ask_kerberos *out, struct error *error)
{
	struct message m;

	message_begin(&m, MESSAGE_KERBEROS_FINISH);
	message_put_number(&m, service);
	message_put_text(&m, state);
	message_put_text(&m, response);
	return ask_kerberos(&m, deadline, out, error);
}
