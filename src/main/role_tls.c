#include "main/role_tls.h"

#include <string.h>

#include "base/file.h"
#include "main/open_tls.h"

#define FILE_MOST   (1 << 20)
#define CERTIFICATE "certificate "
#define CLIENT_CA   "clientCA "

/* One listener with TLS. */
struct place {
	const struct listener *listener;
	const struct conf_tls *settings;
	struct buf client_ca;
	struct tls_context *context; /* until the reactor has it */
};

static struct place places[CONF_LISTENERS];
static int place_count;
static struct reactor *serving;

static struct place *place_find(slice listener)
{
	for (int i = 0; i < place_count; i++)
		if (slice_eq(slice_of(places[i].listener->name), listener))
			return &places[i];
	return NULL;
}

static bool take_certificate(struct place *p, slice key, int fd, struct error *error)
{
	struct tls_settings settings = conf_tls_settings(p->settings, buf_slice(&p->client_ca));
	struct tls_context *context = NULL;
	struct buf chain;

	buf_init(&chain, FILE_MOST);
	if (file_read_fd(fd, "certificate", &chain, error))
		context = tls_context_new(buf_slice(&chain), key, &settings, error);
	buf_free(&chain);
	if (context && serving)
		reactor_set_tls(serving, p->listener, context);
	else
		p->context = context;
	return context != NULL;
}

bool role_tls_take(const char *name, int fd, struct error *error)
{
	slice text = slice_of(name);
	struct place *p = NULL;

	if (slice_starts(text, SLICE(CLIENT_CA))) {
		p = place_find(slice_from(text, sizeof CLIENT_CA - 1));
		return !p || file_read_fd(fd, "clientCA", &p->client_ca, error);
	}
	if (!slice_starts(text, SLICE(CERTIFICATE)))
		return true;
	text = slice_from(text, sizeof CERTIFICATE - 1);
	size_t space = slice_find(text, ' ');
	p = place_find(slice_from(text, space + 1));
	return !p || take_certificate(p, slice_head(text, space), fd, error);
}

static const struct conf_tls *settings_of(struct role_start *start, const struct listener *listener)
{
	for (int i = 0; i < start->conf.listener_count; i++) {
		const struct conf_listener *l = &start->conf.listeners[i];

		if (l->protocol && strcmp(open_listener_name(l, start->arena), listener->name) == 0)
			return &l->handshake;
	}
	return NULL;
}

bool role_tls_start(
    struct role_start *start, const struct listener *listeners, int n, struct error *error)
{
	for (int i = 0; i < n; i++) {
		if (listeners[i].tls == LISTENER_CLEAR)
			continue;
		struct place *p = &places[place_count++];

		p->listener = &listeners[i];
		p->settings = settings_of(start, p->listener);
		buf_init(&p->client_ca, FILE_MOST);
	}
	for (int i = 0; i < start->descriptor_count; i++)
		if (!role_tls_take(start->descriptors[i].name, start->descriptors[i].fd, error))
			return false;
	for (int i = 0; i < place_count; i++)
		if (!places[i].context)
			return error_local(
			    error, "no certificate came for %s", places[i].listener->name);
	return true;
}

void role_tls_serve(struct reactor *reactor)
{
	for (int i = 0; i < place_count; i++)
		reactor_set_tls(reactor, places[i].listener, places[i].context);
	serving = reactor;
}
