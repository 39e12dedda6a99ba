#include "net/access.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "proc/shared.h"

struct access {
	struct arena *arena;
	struct access_rule *rules; /* in the order in which they decide */
	size_t count;
};

#define RULES_MAX (256u << 20) /* octets of all their texts */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct access *published;

/* Listeners, services, all. */
static int rank(slice scope)
{
	return slice_find(scope, ':') < scope.n ? 0 : slice_eq(scope, SLICE("all")) ? 2 : 1;
}

static int by_order(const void *one, const void *other)
{
	const struct access_rule *a = one, *b = other;

	if (rank(a->scope) != rank(b->scope))
		return rank(a->scope) - rank(b->scope);
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->allow != b->allow)
		return a->allow - b->allow;
	return a->id < b->id ? -1 : a->id > b->id;
}

bool access_listener(slice host, int64_t port, char out[ACCESS_LISTENER])
{
	char text[IP_TEXT];
	struct ip ip;

	if (!ip_parse(host, &ip))
		return false;
	bool six = ip_write(&ip, text);
	snprintf(out, ACCESS_LISTENER, six ? "[%s]:%lld" : "%s:%lld", text, (long long)port);
	return true;
}

struct access *access_new(const struct access_rule *rules, size_t count)
{
	struct access *access = NEW(struct access);

	access->arena = arena_new(RULES_MAX);
	access->rules = memory_new(count ? count : 1, sizeof *rules);
	access->count = count;
	for (size_t i = 0; i < count; i++) {
		access->rules[i] = rules[i];
		access->rules[i].scope = arena_copy(access->arena, rules[i].scope);
	}
	qsort(access->rules, count, sizeof *rules, by_order);
	return access;
}

void access_free(struct access *access)
{
	if (!access)
		return;
	for (size_t i = 0; i < access->count; i++)
		ip_set_free(access->rules[i].from);
	arena_free(access->arena);
	free(access->rules);
	free(access);
}

const struct access_rule *access_find(
    const struct access *access, slice listener, slice service, const struct ip *ip)
{
	for (size_t i = 0; access && i < access->count; i++) {
		const struct access_rule *rule = &access->rules[i];

		if ((slice_eq(rule->scope, listener) || slice_eq(rule->scope, service) ||
			slice_eq(rule->scope, SLICE("all"))) &&
		    ip_set_has(rule->from, ip))
			return rule;
	}
	return NULL;
}

void access_publish(struct access *access)
{
	pthread_mutex_lock(&lock);
	struct access *old = published;
	published = access;
	pthread_mutex_unlock(&lock);
	access_free(old);
}

/* Which rule decides, its limits copied: the rules may change at once. false: none. */
static bool find_published(
    const struct listener *listener, slice peer, struct access_rule *rule_out)
{
	slice service = slice_of(listener->protocol->name);
	const struct access_rule *rule = NULL;
	struct ip ip;

	pthread_mutex_lock(&lock);
	if (ip_parse(peer, &ip))
		rule = access_find(published, slice_of(listener->scope), service, &ip);
	if (rule)
		*rule_out = *rule;
	pthread_mutex_unlock(&lock);
	return rule != NULL;
}

#define USES_S 3600

static uint64_t uses_key(int64_t rule)
{
	return shared_key_number("uses of a rule", rule);
}

int access_uses(int64_t rule)
{
	return shared_noted(uses_key(rule), USES_S);
}

static void enter(const struct limits *limits, const char *name, slice peer,
    struct limits_pass *pass, struct access_verdict *verdict)
{
	if (!limits || verdict->answer != ACCESS_ADMITTED)
		return;
	enum limit reached = limits_enter(limits, name, peer, pass);
	if (reached == LIMITS)
		return;
	verdict->answer = ACCESS_CROWDED;
	verdict->limit = reached;
	verdict->most = limits->n[reached];
	limits_leave(pass);
}

struct access_verdict access_enter(
    const struct listener *listener, slice peer, struct limits_pass *pass)
{
	struct access_verdict verdict = { .answer = ACCESS_ADMITTED };
	struct access_rule rule;
	char name[40];

	if (!find_published(listener, peer, &rule)) {
		enter(listener->limits, listener->name, peer, pass, &verdict);
		enter(listener->service_limits, listener->protocol->name, peer, pass, &verdict);
		return verdict;
	}
	verdict.rule = rule.id;
	shared_note(uses_key(rule.id), USES_S);
	if (!rule.allow) {
		verdict.answer = ACCESS_DENIED;
		return verdict;
	}
	snprintf(name, sizeof name, "rule %lld", (long long)rule.id);
	enter(&rule.limits, name, peer, pass, &verdict);
	return verdict;
}
