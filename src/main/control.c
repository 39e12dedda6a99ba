#include "main/conf.h"
#include "main/control_work.h"

#include "base/log.h"
#include "base/encode.h"
#include "base/octet.h"
#include "directory/names.h"
#include "net/ask.h"

#define ASK_MS     20000
#define LIST_MAX   (256u << 20)
#define WORD_SHOWN 100
#define OBJECT_MAX 2000 /* octets of a command's words in the log */

static struct peers *peers;

/* Control characters in an answer would command the terminal that shows it. */
static bool is_text(slice word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!octet_is(word.p[i], OCTET_VISIBLE | OCTET_UTF8) && word.p[i] != ' ')
			return false;
	return utf8_valid(word) && names_find_control(word) == word.n;
}

/* "--force" stands last. */
static bool is_forced(const struct work *w)
{
	return slice_eq(w->request->words[w->request->count - 1], SLICE("--force"));
}

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
	policy_tell(w);
	return true;
}

/* Behind a name or an account, if there is a quota. */
static void print_quota(int64_t quota, struct buf *out)
{
	static const struct conf_row row = { "quota", CONF_SIZE, 0, 0, 0, NULL, NULL, 0, "" };
	struct arena *arena = arena_new(1 << 16);

	if (quota)
		buf_addf(out, " quota %s", conf_value(&row, &quota, arena));
	arena_free(arena);
}

static void print_domain(const struct domain *domain, struct buf *out)
{
	buf_add(out, domain->name);
	print_quota(domain->quota, out);
	buf_addc(out, '\n');
}

static bool domain_list(struct work *w)
{
	struct arena *arena = arena_new(LIST_MAX);
	struct domain *domains;
	size_t n;
	bool ok = directory_domain_list(w->dir, arena, &domains, &n, &w->error);

	for (size_t i = 0; ok && i < n; i++)
		print_domain(&domains[i], w->out);
	arena_free(arena);
	return ok;
}

static bool domain_remove(struct work *w)
{
	if (!directory_domain_remove(w->dir, w->request->words[2], &w->error))
		return false;
	buf_addf(w->out, "domain %.*s removed\n", SLICE_ARG(w->request->words[2]));
	policy_tell(w);
	return true;
}

/* ---- account ---- */

static bool split_address(struct work *w, slice text, struct directory_address *out)
{
	size_t at = text.n;

	while (at > 0 && text.p[at - 1] != '@')
		at--;
	if (at == 0 && !is_text(text))
		return error_input(&w->error,
		    "not an address, and with control characters: write local-part@domain");
	if (at == 0)
		return error_input(&w->error, "\"%.*s\" is not an address: write local-part@domain",
		    SLICE_ARG(slice_head(text, WORD_SHOWN)));
	*out = (struct directory_address){ slice_head(text, at - 1), slice_from(text, at) };
	return names_check_domain(out->domain, &w->error);
}

static bool read_address(struct work *w, slice text, struct directory_address *out)
{
	return split_address(w, text, out) && names_check_local(out->local, &w->error);
}

static bool first_address(struct work *w, struct directory_address *out)
{
	return read_address(w, w->request->words[2], out);
}

static bool account_at(struct work *w, int word, struct account *account_out)
{
	struct directory_address a;

	if (!read_address(w, w->request->words[word], &a))
		return false;
	switch (directory_find_address(w->dir, a.local, a.domain, account_out, &w->error)) {
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_NO_ACCOUNT:
		return error_plain(&w->error, FAULT_ABSENT,
		    "there is no account %.*s; see hauberk account list",
		    SLICE_ARG(w->request->words[word]));
	case DIRECTORY_NO_DOMAIN:
		return error_plain(&w->error, FAULT_ABSENT,
		    "the domain %.*s is not ours; add it with hauberk domain add %.*s",
		    SLICE_ARG(a.domain), SLICE_ARG(a.domain));
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool account_of(struct work *w, struct account *account_out)
{
	return account_at(w, 2, account_out);
}

static bool account_add(struct work *w)
{
	bool hashed = w->request->count > 3 && slice_eq(w->request->words[3], SLICE("--hash"));
	bool (*set)(uint64_t, slice, struct deadline, struct error *) =
	    hashed ? ask_set_verifier : ask_set_password;
	struct directory_address a;
	struct error ignored;
	int64_t id;

	if (!first_address(w, &a) ||
	    !directory_account_add(w->dir, a.local, a.domain, &id, &w->error))
		return false;
	/* An account without its password would be of no use: all or nothing. */
	if (!set((uint64_t)id, w->request->secret, deadline_in_ms(ASK_MS), &w->error)) {
		directory_account_remove(w->dir, a.local, a.domain, true, &ignored);
		return false;
	}
	buf_addf(w->out, "account %.*s added\n", SLICE_ARG(w->request->words[2]));
	return true;
}

static bool is_ours(struct work *w, slice domain)
{
	struct domain found;

	if (!names_check_domain(domain, &w->error))
		return false;
	switch (directory_find_domain(w->dir, domain, &found, &w->error)) {
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_NO_ACCOUNT:
	case DIRECTORY_NO_DOMAIN:
		return error_plain(&w->error, FAULT_ABSENT,
		    "the domain %.*s is not ours; see hauberk domain list", SLICE_ARG(domain));
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool account_list(struct work *w)
{
	struct arena *arena = arena_new(LIST_MAX);
	slice domain = w->request->count > 2 ? w->request->words[2] : (slice){ 0 };
	struct account *accounts;
	size_t n;
	bool ok = (!domain.n || is_ours(w, domain)) &&
	    directory_account_list(w->dir, domain, arena, &accounts, &n, &w->error);

	for (size_t i = 0; ok && i < n; i++) {
		buf_addf(w->out, "%lld %.*s@%.*s%s", (long long)accounts[i].id,
		    SLICE_ARG(accounts[i].local), SLICE_ARG(accounts[i].domain),
		    accounts[i].enabled ? "" : " disabled");
		print_quota(accounts[i].quota, w->out);
		buf_addc(w->out, '\n');
	}
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
	struct directory_address a;

	if (!first_address(w, &a) ||
	    !directory_account_enable(w->dir, a.local, a.domain, enabled, &w->error))
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
	struct directory_address a;

	if (!first_address(w, &a) || !account_of(w, &account))
		return false;
	int64_t id = account.id;
	if (!directory_account_remove(w->dir, a.local, a.domain, is_forced(w), &w->error) ||
	    !ask_remove_password((uint64_t)id, deadline_in_ms(ASK_MS), &w->error))
		return false;
	buf_addf(w->out, "account %.*s removed; its mail stays in accounts/%lld\n",
	    SLICE_ARG(w->request->words[2]), (long long)id);
	return true;
}

/* "500 MB", "none", or for an account "domain". -1: as directory_account_quota says. */
static bool read_quota(struct work *w, bool of_account, int64_t *quota_out)
{
	static const struct conf_row row = { "the quota", CONF_SIZE, 0, 1024, INT64_MAX / 2, NULL,
		NULL, 0, "" };
	slice word = w->request->words[3];
	struct arena *arena = arena_new(1 << 16);
	bool ok = true;

	if (slice_eq(word, SLICE("none")))
		*quota_out = of_account ? DIRECTORY_NO_QUOTA : 0;
	else if (of_account && slice_eq(word, SLICE("domain")))
		*quota_out = 0;
	else
		ok = conf_set(&row, quota_out, word, arena, &w->error);
	arena_free(arena);
	return ok;
}

static bool account_quota(struct work *w)
{
	struct directory_address a;
	int64_t quota;

	if (!first_address(w, &a) || !read_quota(w, true, &quota) ||
	    !directory_account_quota(w->dir, a.local, a.domain, quota, &w->error))
		return false;
	buf_addf(w->out, "quota of %.*s set\n", SLICE_ARG(w->request->words[2]));
	return true;
}

static bool domain_quota(struct work *w)
{
	int64_t quota;

	if (!read_quota(w, false, &quota) ||
	    !directory_domain_quota(w->dir, w->request->words[2], quota, &w->error))
		return false;
	buf_addf(w->out, "quota of the accounts of %.*s set\n", SLICE_ARG(w->request->words[2]));
	return true;
}

/* ---- delegates ---- */

/* The owner and the delegate that the words name. */
static bool delegates_of(struct work *w, int64_t *owner_out, int64_t *other_out)
{
	struct account account;

	if (!account_at(w, 2, &account))
		return false;
	*owner_out = account.id;
	if (!account_at(w, 3, &account))
		return false;
	*other_out = account.id;
	return true;
}

static bool account_grant(struct work *w)
{
	int64_t owner, other;

	if (!delegates_of(w, &owner, &other) ||
	    !directory_delegate_grant(w->dir, owner, other, &w->error))
		return false;
	buf_addf(w->out, "%.*s may log in as %.*s\n", SLICE_ARG(w->request->words[3]),
	    SLICE_ARG(w->request->words[2]));
	return true;
}

static bool account_revoke(struct work *w)
{
	int64_t owner, other;

	if (!delegates_of(w, &owner, &other) ||
	    !directory_delegate_revoke(w->dir, owner, other, &w->error))
		return false;
	buf_addf(w->out, "%.*s may not log in as %.*s any more\n", SLICE_ARG(w->request->words[3]),
	    SLICE_ARG(w->request->words[2]));
	return true;
}

static bool account_delegates(struct work *w)
{
	struct account account = { 0 };
	struct directory_delegate *rows;
	size_t n;

	if (w->request->count > 2 && !account_of(w, &account))
		return false;
	struct arena *arena = arena_new(LIST_MAX);
	bool ok = directory_delegate_list(w->dir, account.id, arena, &rows, &n, &w->error);
	for (size_t i = 0; ok && i < n; i++)
		buf_addf(w->out, "%.*s@%.*s %.*s@%.*s\n", SLICE_ARG(rows[i].owner.local),
		    SLICE_ARG(rows[i].owner.domain), SLICE_ARG(rows[i].delegate.local),
		    SLICE_ARG(rows[i].delegate.domain));
	arena_free(arena);
	return ok;
}

/* ---- alias ---- */

/* "@example.org" is the domain's catch-all. */
static bool first_alias(struct work *w, struct directory_address *out)
{
	if (!split_address(w, w->request->words[2], out))
		return false;
	if (out->local.n)
		return names_check_local(out->local, &w->error);
	out->local = DIRECTORY_CATCH_ALL;
	return true;
}

static bool alias_add(struct work *w)
{
	struct directory_address alias, targets[COMMAND_WORDS];
	size_t n = 0;

	if (!first_alias(w, &alias))
		return false;
	for (int i = 3; i < w->request->count; i++)
		if (!read_address(w, w->request->words[i], &targets[n++]))
			return false;
	if (n == 0)
		return error_input(&w->error, "an alias wants an address to lead to");
	if (!directory_alias_add(w->dir, alias, targets, n, &w->error))
		return false;
	buf_addf(w->out, "alias %.*s added\n", SLICE_ARG(w->request->words[2]));
	return true;
}

/* A line an alias, in the order of words that `alias add` takes, with who may send to it. */
static void print_aliases(const struct directory_alias *rows, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct directory_alias *r = &rows[i];
		bool same = i > 0 && slice_eq(r->alias.local, r[-1].alias.local) &&
		    slice_eq(r->alias.domain, r[-1].alias.domain);

		if (!same)
			buf_addf(out, "%s%.*s@%.*s%s", i ? "\n" : "", SLICE_ARG(r->alias.local),
			    SLICE_ARG(r->alias.domain),
			    r->senders == SENDERS_USERS         ? " (users)"
				: r->senders == SENDERS_MEMBERS ? " (members)"
								: "");
		if (r->target.local.n)
			buf_addf(out, " %.*s@%.*s", SLICE_ARG(r->target.local),
			    SLICE_ARG(r->target.domain));
	}
	if (n)
		buf_addc(out, '\n');
}

static bool alias_list(struct work *w)
{
	slice word = w->request->count > 2 ? w->request->words[2] : (slice){ 0 };
	struct directory_address a = { .domain = word };
	struct directory_alias *rows = NULL;
	size_t n = 0;

	if (slice_find(word, '@') < word.n ? !first_alias(w, &a) : word.n && !is_ours(w, word))
		return false;
	struct arena *arena = arena_new(LIST_MAX);
	bool ok = directory_alias_list(w->dir, a.local, a.domain, arena, &rows, &n, &w->error);
	if (ok && n == 0 && a.local.n)
		ok = error_plain(&w->error, FAULT_ABSENT,
		    "there is no alias %.*s; see hauberk alias list", SLICE_ARG(word));
	if (ok)
		print_aliases(rows, n, w->out);
	arena_free(arena);
	return ok;
}

static bool alias_remove(struct work *w)
{
	struct directory_address alias, target;
	bool force = is_forced(w);
	bool one = w->request->count - force > 3;
	bool gone;

	if (!first_alias(w, &alias) || (one && !read_address(w, w->request->words[3], &target)) ||
	    !directory_alias_remove(w->dir, alias, one ? &target : NULL, force, &gone, &w->error))
		return false;
	if (gone)
		buf_addf(w->out, "alias %.*s removed\n", SLICE_ARG(w->request->words[2]));
	else
		buf_addf(w->out, "alias %.*s does not lead to %.*s any more\n",
		    SLICE_ARG(w->request->words[2]), SLICE_ARG(w->request->words[3]));
	return true;
}

static bool alias_senders(struct work *w)
{
	static const char *const words[] = { [SENDERS_ANYONE] = "anyone",
		[SENDERS_USERS] = "users",
		[SENDERS_MEMBERS] = "members" };
	slice word = w->request->count > 3 ? w->request->words[3] : (slice){ 0 };
	struct directory_address alias;
	unsigned i = 0;

	while (i < 3 && !slice_eq(word, slice_of(words[i])))
		i++;
	if (i == 3)
		return error_input(&w->error, "say anyone, users or members");
	if (!first_alias(w, &alias) ||
	    !directory_alias_senders(w->dir, alias, (enum directory_senders)i, &w->error))
		return false;
	buf_addf(
	    w->out, "alias %.*s takes mail from %s\n", SLICE_ARG(w->request->words[2]), words[i]);
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
	{ "domain", "quota", domain_quota, true },
	{ "account", "add", account_add, true },
	{ "account", "list", account_list, false },
	{ "account", "passwd", account_passwd, true },
	{ "account", "verifier", account_verifier, true },
	{ "account", "enable", account_enable, true },
	{ "account", "disable", account_disable, true },
	{ "account", "remove", account_remove, true },
	{ "account", "quota", account_quota, true },
	{ "account", "grant", account_grant, true },
	{ "account", "revoke", account_revoke, true },
	{ "account", "delegates", account_delegates, false },
	{ "alias", "add", alias_add, true },
	{ "alias", "list", alias_list, false },
	{ "alias", "remove", alias_remove, true },
	{ "alias", "senders", alias_senders, true },
	{ "access", "deny", access_deny, true },
	{ "access", "allow", access_allow, true },
	{ "access", "change", access_change, true },
	{ "access", "list", access_list, false },
	{ "access", "remove", access_remove, true },
	{ "access", "test", access_test, false },
	{ "policy", "activate", policy_activate, true },
	{ "policy", "deactivate", policy_deactivate, true },
	{ "policy", "history", policy_history, false },
	{ "policy", "rollback", policy_rollback, true },
	{ "policy", "show", policy_show, false },
	{ "trace", "show", trace_show, false },
	{ "trace", "forget", trace_forget_address, true },
	{ "status", NULL, status, false },
};

/* What was done or refused, with all its words. */
static void log_command(const struct work *w, const char *result)
{
	struct buf objects;

	buf_init(&objects, OBJECT_MAX);
	for (int i = 2; i < w->request->count; i++) {
		if (i > 2)
			buf_addc(&objects, ' ');
		buf_add(&objects, w->request->words[i]);
	}
	log_info("command", kv_text("noun", w->request->words[0]),
	    kv_text("verb", w->request->count > 1 ? w->request->words[1] : (slice){ 0 }),
	    kv_text("object", buf_slice(&objects)), kv_str("result", result));
	buf_free(&objects);
}

int control_command(struct directory *dir, const struct command_request *request, struct buf *out)
{
	struct work w = { .dir = dir, .request = request, .out = out, .peers = peers };
	slice noun = request->words[0],
	      verb = request->count > 1 ? request->words[1] : (slice){ 0 };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (!slice_eq(noun, slice_of(table[i].noun)) ||
		    (table[i].verb && !slice_eq(verb, slice_of(table[i].verb))))
			continue;
		bool ok = table[i].run(&w);
		if (table[i].changes || !ok)
			log_command(&w, ok ? "done" : w.error.why);
		if (!ok)
			buf_addf(out, "hauberk: %s\n", w.error.why);
		return !ok;
	}
	if (is_text(noun) && is_text(verb))
		buf_addf(out, "hauberk: the server does not know %.*s %.*s\n", SLICE_ARG(noun),
		    SLICE_ARG(verb));
	else
		buf_adds(out, "hauberk: the command has control characters\n");
	return 1;
}
