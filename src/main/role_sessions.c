#include "main/role_sessions.h"

#include <pthread.h>

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

	own = *sessions;
	reactor = reactor_new(config);
	for (int i = 0; i < own.listener_count; i++)
		reactor_listen(reactor, &own.listeners[i]);
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
	struct tls_context *tls = role_tls_of(name, fd, error);

	(void)start;
	if (tls)
		reactor_set_tls(reactor, tls);
	return tls != NULL;
}

void role_sessions_drain(struct role_start *start)
{
	(void)start;
	reactor_drain(reactor, own.grace_ms);
}
