/* The commands about access rules. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "main/access_rules.h"
#include "main/conf.h"
#include "main/control_work.h"

#define LIST_MAX  (256u << 20)
#define MILLION   1000000
#define SCOPE_MAX 80

#define RULE(member) offsetof(struct directory_rule, member)

/* What is written as NAME=VALUE; the first few of all rules, the rest of those that allow. */
static const struct conf_row rows[] = {
	{ "from", CONF_IPS, RULE(from), 1, 0, "", NULL, 0, "" },
	{ "priority", CONF_NUMBER, RULE(priority), 0, MILLION, "100", NULL, 0, "" },
	{ "note", CONF_TEXT, RULE(note), 0, 200, "", NULL, 0, "" },
	CONF_LIMIT_ROWS("", RULE(limits), MILLION, "0", 0),
};
#define ROWS        (sizeof rows / sizeof rows[0])
#define FIRST_LIMIT 3

/* The roles with listeners read the rules again. */
static void tell(struct work *w)
{
	struct message m;

	message_begin(&m, MESSAGE_ACCESS);
	peers_tell_all(w->peers, ROLE_SMTP, &m);
	peers_tell_all(w->peers, ROLE_IMAP, &m);
	message_free(&m);
}

/* "192.0.2.1:25", "[2001:db8::1]:25"; written in its usual form. */
static bool read_listener(slice scope, char out[ACCESS_LISTENER])
{
	size_t colon = scope.n;
	uint64_t port;

	while (colon > 0 && scope.p[colon - 1] != ':')
		colon--;
	slice host = slice_head(scope, colon ? colon - 1 : 0);
	bool bracket = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (bracket)
		host = (slice){ host.p + 1, host.n - 2 };
	return colon && bracket == (slice_find(host, ':') < host.n) &&
	    slice_number(slice_from(scope, colon), 65535, &port) &&
	    access_listener(host, (int64_t)port, out);
}

/* "smtp", "all", or a listener. */
static bool read_scope(slice scope, char out[ACCESS_LISTENER], struct error *error)
{
	static const char *const names[] = { "all", "smtp", "imap", "pop3" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_eq(scope, slice_of(names[i]))) {
			snprintf(out, ACCESS_LISTENER, "%s", names[i]);
			return true;
		}
	return read_listener(scope, out) ||
	    error_input(error,
		"\"%.*s\" is no scope; write all, smtp, imap, pop3, or a listener such as 192.0.2.1:25 "
		"or [2001:db8::1]:25",
		SLICE_ARG(slice_head(scope, SCOPE_MAX)));
}

/* NAME=VALUE words from the i-th on. */
static bool read_words(struct work *w, int i, struct directory_rule *rule, struct arena *arena)
{
	for (; i < w->request->count; i++) {
		slice word = w->request->words[i];
		size_t equals = slice_find(word, '=');
		const struct conf_row *row = conf_row_find(rows, ROWS, slice_head(word, equals));

		if (!row || equals == word.n)
			return error_input(&w->error,
			    "\"%.*s\" is no setting of a rule; see hauberk access --help",
			    SLICE_ARG(slice_head(word, SCOPE_MAX)));
		if (!rule->allow && row >= rows + FIRST_LIMIT)
			return error_input(
			    &w->error, "%s: who is denied has no limits; say allow", row->name);
		if (!conf_set(row, rule, slice_from(word, equals + 1), arena, &w->error))
			return false;
	}
	return *rule->from != '\0' || error_input(&w->error, "a rule wants addresses");
}

static bool add(struct work *w, bool allow)
{
	struct arena *arena = arena_new(LIST_MAX);
	struct directory_rule rule = { .allow = allow };
	char scope[ACCESS_LISTENER];
	bool ok = read_scope(w->request->words[2], scope, &w->error);

	for (size_t i = 0; i < ROWS; i++)
		conf_set(&rows[i], &rule, slice_of(rows[i].fallback), arena, &w->error);
	ok = ok && conf_set(&rows[0], &rule, w->request->words[3], arena, &w->error) &&
	    read_words(w, 4, &rule, arena);
	if (ok) {
		rule.scope = scope;
		ok = directory_rule_add(w->dir, &rule, &w->error);
	}
	if (ok) {
		buf_addf(w->out, "access rule %lld added\n", (long long)rule.id);
		tell(w);
	}
	arena_free(arena);
	return ok;
}

bool access_deny(struct work *w)
{
	return add(w, false);
}

bool access_allow(struct work *w)
{
	return add(w, true);
}

static bool read_id(struct work *w, int64_t *id_out)
{
	uint64_t id;

	*id_out = 0;
	if (!slice_number(w->request->words[2], INT64_MAX, &id))
		return error_input(&w->error,
		    "a rule is named by its number, not \"%.*s\"; see hauberk access list",
		    SLICE_ARG(slice_head(w->request->words[2], SCOPE_MAX)));
	*id_out = (int64_t)id;
	return true;
}

bool access_change(struct work *w)
{
	struct arena *arena = arena_new(LIST_MAX);
	struct directory_rule *rules = NULL, none = { .from = "", .scope = "", .note = "" },
			      *rule = &none;
	size_t n = 0;
	int64_t id;
	bool ok = read_id(w, &id) && directory_rule_list(w->dir, arena, &rules, &n, &w->error);

	none.id = id;
	for (size_t i = 0; ok && i < n; i++)
		if (rules[i].id == id)
			rule = &rules[i];
	/* One that is not there is refused by the directory. */
	ok = ok && (rule == &none || read_words(w, 3, rule, arena)) &&
	    directory_rule_change(w->dir, rule, &w->error);
	if (ok) {
		buf_addf(w->out, "access rule %lld changed\n", (long long)id);
		tell(w);
	}
	arena_free(arena);
	return ok;
}

bool access_remove(struct work *w)
{
	int64_t id;

	if (!read_id(w, &id) || !directory_rule_remove(w->dir, id, &w->error))
		return false;
	buf_addf(w->out, "access rule %lld removed\n", (long long)id);
	tell(w);
	return true;
}

/* In the words of `access allow`; what is as it is at first is not said. */
static void print(const struct directory_rule *rule, struct arena *arena, struct buf *out)
{
	buf_addf(out, "%lld %s %s %s", (long long)rule->id, rule->allow ? "allow" : "deny",
	    rule->scope, rule->from);
	for (size_t i = 1; i < ROWS; i++) {
		const char *value = conf_value(&rows[i], rule, arena);

		if (strcmp(value, rows[i].fallback) != 0)
			buf_addf(out,
			    slice_find(slice_of(value), ' ') < strlen(value) ? " \"%s=%s\""
									     : " %s=%s",
			    rows[i].name, value);
	}
	int uses = access_uses(rule->id);
	if (uses)
		buf_addf(out, " # %d in the last hour", uses);
	buf_addc(out, '\n');
}

bool access_list(struct work *w)
{
	struct arena *arena = arena_new(LIST_MAX);
	char scope[ACCESS_LISTENER] = "";
	struct directory_rule *rules;
	size_t n;
	bool ok = (w->request->count < 3 || read_scope(w->request->words[2], scope, &w->error)) &&
	    directory_rule_list(w->dir, arena, &rules, &n, &w->error);

	for (size_t i = 0; ok && i < n; i++)
		if (!*scope || strcmp(scope, rules[i].scope) == 0)
			print(&rules[i], arena, w->out);
	arena_free(arena);
	return ok;
}

bool access_test(struct work *w)
{
	slice address = w->request->words[3];
	char scope[ACCESS_LISTENER];
	struct access *access;
	struct ip ip;

	if (!read_scope(w->request->words[2], scope, &w->error))
		return false;
	if (!ip_parse(address, &ip))
		return error_input(&w->error, "\"%.*s\" is no IP address",
		    SLICE_ARG(slice_head(address, SCOPE_MAX)));
	if (!(access = access_rules_read(w->dir, &w->error)))
		return false;
	slice name = slice_of(scope);
	const struct access_rule *rule = access_find(access, name, name, &ip);
	/* Which service a listener belongs to is not known here, and its rules stand before those of all. */
	if (strchr(scope, ':') && !(rule && slice_eq(rule->scope, name)))
		buf_adds(
		    w->out, "no rule of that listener: those of its service decide, test them\n");
	else if (rule)
		buf_addf(w->out, "%s by rule %lld (%.*s, priority %lld)\n",
		    rule->allow ? "allowed" : "denied", (long long)rule->id, SLICE_ARG(rule->scope),
		    (long long)rule->priority);
	else
		buf_adds(w->out, "no rule: the limits of listener and service hold\n");
	access_free(access);
	return true;
}
