#include "main/role_sessions.h"

#include <pthread.h>

#include "main/role_tls.h"
#include "vault/sasl.h"

/* The gate before the role auth: how long a login waits; when auth counts as gone, and for how long. */
#define GATE_WAIT_MS  30000
#define GATE_FAILURES 8
#define GATE_SHUT_MS  2000

static struct reactor *reactor;
static struct role_sessions own;

static void *react(void *context)
{
	struct role_start *start = context;

	reactor_run(reactor);
	if (own.ended)
		own.ended();
	peers_stop(start->peers, 0);
	return NULL;
}

bool role_sessions_start(struct role_start *start, const struct reactor_config *config,
    const struct role_sessions *sessions, struct error *error)
{
	pthread_t thread;

	/* A check of a password costs the role auth a core: more at a time would only wait there. Tickets and
	 * SCRAM cost little, and do not wait behind them. */
	struct gate_config gate = { .name = "auth",
		.most = start->cores < 2 ? 2 : start->cores,
		.queue = (int)config->max_sessions,
		.wait_ms = GATE_WAIT_MS,
		.shut_after = GATE_FAILURES,
		.shut_ms = GATE_SHUT_MS };

	own = *sessions;
	reactor = reactor_new(config);
	struct gate *passwords = reactor_gate(reactor, &gate);
	gate.name = "auth quick";
	sasl_set_gates(passwords, reactor_gate(reactor, &gate));
	for (int i = 0; i < own.listener_count; i++)
		reactor_listen(reactor, &own.listeners[i]);
	role_tls_serve(reactor);
	return pthread_create(&thread, NULL, react, start) == 0 || error_local(error, "no thread");
}

void role_sessions_notice(uint64_t key)
{
	if (reactor)
		reactor_notice(reactor, key);
}

bool role_sessions_descriptor(
    struct role_start *start, const char *name, int fd, struct error *error)
{
	(void)start;
	return role_tls_take(name, fd, error);
}

void role_sessions_drain(struct role_start *start)
{
	(void)start;
	reactor_drain(reactor, own.grace_ms);
}
