/* The role smtp: receives mail. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "main/access_rules.h"
#include "main/role_login.h"
#include "main/role_sessions.h"
#include "main/role_tls.h"
#include "net/ask.h"
#include "policy/policy.h"
#include "smtp/smtp.h"
#include "vault/sasl.h"

#define GRACE_MS 10000

static struct smtp_conf conf;
static struct listener listeners[CONF_LISTENERS];
static struct dns *dns; /* NULL: none could be opened */

/* What was handed over for a commit is committed before the process ends. */
static void ended(void)
{
	spool_stop(conf.spool);
	policy_stop();
}

static enum smtp_policy policy_of(const char *word)
{
	return strcmp(word, "anybody") == 0 ? SMTP_ANYBODY
	    : strcmp(word, "users") == 0    ? SMTP_USERS
					    : SMTP_NOBODY;
}

/* Without a resolver, mail is received all the same, and checks that ask it have no answer. */
static void prepare_dns(const struct conf *c)
{
	struct dns_settings settings = { .servers = slice_of(c->dns_servers),
		.stub_zones = slice_of(c->dns_stub_zones),
		.insecure_zones = slice_of(c->dns_insecure_zones),
		.trust_anchor = c->dns_trust_anchor };
	struct error error;

	dns = dns_open(&settings, &error);
	if (!dns)
		log_warn("dns.none", kv_why(&error));
}

static bool prepare(struct role_start *start, struct error *error)
{
	const struct conf *c = &start->conf;
	const char *own = role_path(start, arena_printf(start->arena, "spool/%d", start->instance));
	struct sandbox sandbox = { 0 };

	conf = (struct smtp_conf){ .hostname = c->hostname,
		.max_message = (uint64_t)c->smtp_max_message,
		.max_recipients = (size_t)c->smtp_max_recipients,
		.relay_from = ip_set_new(slice_of(c->smtp_relay_from), error),
		.xclient_from = ip_set_new(slice_of(c->smtp_xclient_from), error),
		.check_sender = c->smtp_check_sender,
		.vrfy = policy_of(c->smtp_vrfy),
		.expn = policy_of(c->smtp_expn),
		.max_errors = (int)c->smtp_max_errors,
		.max_login_failures = (int)c->smtp_max_auth_errors,
		.max_line = (size_t)c->smtp_max_line,
		.max_header = (size_t)c->smtp_max_header,
		.max_hops = (unsigned)c->smtp_max_hops,
		.command_timeout_ms = (int)c->smtp_command_timeout_ms,
		.data_timeout_ms = (int)c->smtp_data_timeout_ms,
		.data_rate = (unsigned)c->smtp_data_rate,
		.directory = role_path(start, "directory/directory.db") };
	if (!(conf.spool = spool_open(own, start->instance, start->peers, error)))
		return false;
	if (!role_login_start(c, error))
		return false;
	prepare_dns(c);
	smtp_init(&conf);
	sandbox_smtp(&sandbox, own, role_path(start, "directory"), role_path(start, "trace"),
	    dns ? c->dns_trust_anchor : "");
	return sandbox_lock(&sandbox, error);
}

static void start_policy(struct role_start *start)
{
	if (dns)
		dns_start(dns);
	role_policy(start, dns);
}

static bool start_smtp(struct role_start *start, struct error *error)
{
	struct reactor_config config = { .workers = (int)start->conf.smtp_workers,
		.max_sessions = (size_t)start->conf.smtp_max_sessions,
		.worker_start = smtp_worker_start,
		.worker_stop = smtp_worker_stop,
		.first_id = role_first_session(start),
		.handshake_ms = role_handshake_ms(start->conf.smtp_command_timeout_ms) };

	ask_init(start->peers);
	int n = role_listeners(start, "smtp", &smtp_protocol, listeners);
	if (!role_tls_start(start, listeners, n, error) || !prepare(start, error))
		return false;
	access_rules_start(start);
	start_policy(start);
	spool_start(conf.spool);
	spool_reconnect(conf.spool);
	struct role_sessions sessions = {
		.listeners = listeners, .listener_count = n, .grace_ms = GRACE_MS, .ended = ended
	};
	return role_sessions_start(start, &config, &sessions, error);
}

static void added(void *context, enum role role, int instance)
{
	(void)context;
	(void)instance;
	if (role == ROLE_QUEUE && conf.spool)
		spool_reconnect(conf.spool);
}

static const struct service services[] = {
	{ MESSAGE_POLICY, ROLE_BIT(ROLE_CONTROL), policy_take },
	{ MESSAGE_ACCESS, ROLE_BIT(ROLE_CONTROL), access_rules_take },
};
static const size_t service_count = sizeof services / sizeof services[0];

const struct role_program role_smtp = { .role = ROLE_SMTP,
	.services = services,
	.service_count = &service_count,
	.start = start_smtp,
	.descriptor = role_sessions_descriptor,
	.drain = role_sessions_drain,
	.added = added };
