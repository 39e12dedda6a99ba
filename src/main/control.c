#include "main/control.h"

#include "base/log.h"
#include "net/ask.h"

#define ASK_MS 20000

struct work {
	struct directory *dir;
	const struct command_request *request;
	struct buf *out;
	struct error error;
};

static struct peers *peers;

void control_init(struct peers *p)
{
	peers = p;
}

/* ---- domain ---- */

static bool domain_add(struct work *w)
{
	int64_t id;

	if (!directory_domain_add(w->dir, w->request->words[2], &id, &w->error))
		return false;
	buf_addf(w->out, "domain %.*s added\n", SLICE_ARG(w->request->words[2]));
	return true;
}

static bool domain_list(struct work *w)
{
	struct arena *arena = arena_new(256u << 20);
	struct domain *domains;
	size_t n;
	bool ok = directory_domain_list(w->dir, arena, &domains, &n, &w->error);

	for (size_t i = 0; ok && i < n; i++)
		buf_addf(w->out, "%.*s\n", SLICE_ARG(domains[i].name));
	arena_free(arena);
	return ok;
}

static bool domain_remove(struct work *w)
{
	if (!directory_domain_remove(w->dir, w->request->words[2], &w->error))
		return false;
	buf_addf(w->out, "domain %.*s removed\n", SLICE_ARG(w->request->words[2]));
	return true;
}

/* ---- account ---- */

static bool split_address(struct work *w, slice *local_out, slice *domain_out)
{
	slice address = w->request->words[2];
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	if (at == 0)
		return error_input(&w->error, "\"%.*s\" is not an address: write local-part@domain",
		    SLICE_ARG(address));
	*local_out = slice_head(address, at - 1);
	*domain_out = slice_from(address, at);
	return true;
}

static bool account_of(struct work *w, struct account *account_out)
{
	slice local, domain;

	if (!split_address(w, &local, &domain))
		return false;
	switch (directory_find_address(w->dir, local, domain, account_out, &w->error)) {
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_NO_ACCOUNT:
		return error_plain(&w->error, FAULT_ABSENT,
		    "there is no account %.*s; see hauberk account list",
		    SLICE_ARG(w->request->words[2]));
	case DIRECTORY_NO_DOMAIN:
		return error_plain(&w->error, FAULT_ABSENT,
		    "the domain %.*s is not ours; add it with hauberk domain add %.*s",
		    SLICE_ARG(domain), SLICE_ARG(domain));
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool account_add(struct work *w)
{
	slice local, domain;
	struct error ignored;
	int64_t id;

	if (!split_address(w, &local, &domain) ||
	    !directory_account_add(w->dir, local, domain, &id, &w->error))
		return false;
	/* An account without its password would be of no use: all or nothing. */
	if (!ask_set_password(
		(uint64_t)id, w->request->secret, deadline_in_ms(ASK_MS), &w->error)) {
		directory_account_remove(w->dir, local, domain, &ignored);
		return false;
	}
	buf_addf(w->out, "account %.*s added\n", SLICE_ARG(w->request->words[2]));
	return true;
}

static bool account_list(struct work *w)
{
	struct arena *arena = arena_new(256u << 20);
	slice domain = w->request->count > 2 ? w->request->words[2] : (slice){ 0 };
	struct account *accounts;
	size_t n;
	bool ok = directory_account_list(w->dir, domain, arena, &accounts, &n, &w->error);

	for (size_t i = 0; ok && i < n; i++)
		buf_addf(w->out, "%lld %.*s@%.*s%s\n", (long long)accounts[i].id,
		    SLICE_ARG(accounts[i].local), SLICE_ARG(accounts[i].domain),
		    accounts[i].enabled ? "" : " disabled");
	arena_free(arena);
	return ok;
}

static bool account_passwd(struct work *w)
{
	struct account account;

	if (!account_of(w, &account) ||
	    !ask_set_password(
		(uint64_t)account.id, w->request->secret, deadline_in_ms(ASK_MS), &w->error))
		return false;
	buf_addf(w->out, "password of %.*s set\n", SLICE_ARG(w->request->words[2]));
	return true;
}

static bool account_verifier(struct work *w)
{
	struct account account;

	if (!account_of(w, &account) ||
	    !ask_set_verifier(
		(uint64_t)account.id, w->request->secret, deadline_in_ms(ASK_MS), &w->error))
		return false;
	buf_addf(w->out, "verifier of %.*s set\n", SLICE_ARG(w->request->words[2]));
	return true;
}

static bool account_able(struct work *w, bool enabled)
{
	slice local, domain;

	if (!split_address(w, &local, &domain) ||
	    !directory_account_enable(w->dir, local, domain, enabled, &w->error))
		return false;
	buf_addf(w->out, "account %.*s %s\n", SLICE_ARG(w->request->words[2]),
	    enabled ? "enabled" : "disabled");
	return true;
}

static bool account_enable(struct work *w)
{
	return account_able(w, true);
}

static bool account_disable(struct work *w)
{
	return account_able(w, false);
}

static bool account_remove(struct work *w)
{
	struct account account;
	slice local, domain;

	if (!account_of(w, &account))
		return false;
	int64_t id = account.id;
	if (!split_address(w, &local, &domain) ||
	    !directory_account_remove(w->dir, local, domain, &w->error) ||
	    !ask_remove_password((uint64_t)id, deadline_in_ms(ASK_MS), &w->error))
		return false;
	buf_addf(w->out, "account %.*s removed; its mail stays in accounts/%lld\n",
	    SLICE_ARG(w->request->words[2]), (long long)id);
	return true;
}

/* ---- status ---- */

static bool status(struct work *w)
{
	struct peers_reply reply;
	struct message m;

	message_begin(&m, MESSAGE_STATUS);
	bool ok = peers_ask(peers, ROLE_MAIN, &m, deadline_in_ms(ASK_MS), &reply, &w->error);
	message_free(&m);
	if (!ok)
		return false;
	buf_add(w->out, message_get_text(&reply.in));
	peers_reply_free(&reply);
	return true;
}

static const struct {
	const char *noun, *verb;
	bool (*run)(struct work *w);
	bool changes;
} table[] = {
	{ "domain", "add", domain_add, true },
	{ "domain", "list", domain_list, false },
	{ "domain", "remove", domain_remove, true },
	{ "account", "add", account_add, true },
	{ "account", "list", account_list, false },
	{ "account", "passwd", account_passwd, true },
	{ "account", "verifier", account_verifier, true },
	{ "account", "enable", account_enable, true },
	{ "account", "disable", account_disable, true },
	{ "account", "remove", account_remove, true },
	{ "status", NULL, status, false },
};

int control_command(struct directory *dir, const struct command_request *request, struct buf *out)
{
	struct work w = { .dir = dir, .request = request, .out = out };
	slice noun = request->words[0],
	      verb = request->count > 1 ? request->words[1] : (slice){ 0 };
	slice object = request->count > 2 ? request->words[2] : (slice){ 0 };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (!slice_eq(noun, slice_of(table[i].noun)) ||
		    (table[i].verb && !slice_eq(verb, slice_of(table[i].verb))))
			continue;
		bool ok = table[i].run(&w);
		if (table[i].changes || !ok)
			log_info("command", kv_text("noun", noun), kv_text("verb", verb),
			    kv_text("object", object), kv_str("result", ok ? "done" : w.error.why));
		if (!ok)
			buf_addf(out, "hauberk: %s\n", w.error.why);
		return !ok;
	}
	buf_addf(
	    out, "hauberk: the server does not know %.*s %.*s\n", SLICE_ARG(noun), SLICE_ARG(verb));
	return 1;
}
