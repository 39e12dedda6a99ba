#include "main/role_tls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "main/bundle.h"
#include "main/open_tls.h"
#include "net/tls_key.h"
#include "net/tls_ticket.h"

/* One listener with TLS. */
struct place {
	const struct listener *listener;
	const struct conf_tls *settings;
	struct tls_context *context; /* until the reactor has it */
};

static struct place places[CONF_LISTENERS];
static int place_count;
static int ticket_s;
static struct reactor *serving;

static struct place *place_find(slice listener)
{
	for (int i = 0; i < place_count; i++)
		if (slice_eq(slice_of(places[i].listener->name), listener))
			return &places[i];
	return NULL;
}

/* ---- reading the bundle ---- */

struct reading {
	struct tls_pair *pairs;
	size_t count;
	struct tls_hosts *hosts;
};

/* "0 1" */
static int take_pairs(const struct reading *r, slice numbers, struct tls_pair out[TLS_PAIRS])
{
	uint64_t i;
	int n = 0;

	while (numbers.n && n < TLS_PAIRS) {
		size_t end = slice_find(numbers, ' ');

		if (!slice_number(slice_head(numbers, end), r->count - 1, &i))
			return 0;
		out[n++] = r->pairs[i];
		numbers = slice_from(numbers, end + 1);
	}
	return n;
}

/* What a client may offer (RFC 7301). Nothing is registered for SMTP; other servers say "smtp". */
static const char *alpn_of(const struct listener *l)
{
	return strcmp(l->protocol->name, "smtp") == 0 ? "smtp esmtp" : l->protocol->name;
}

static bool take_listener(
    struct reading *r, slice name, slice numbers, slice client_ca, struct error *error)
{
	struct place *p = place_find(name);
	struct tls_pair pairs[TLS_PAIRS];
	int n = take_pairs(r, numbers, pairs);

	if (!p)
		return true;
	struct tls_settings settings = conf_tls_settings(p->settings, client_ca);
	settings.alpn = alpn_of(p->listener);
	settings.ticket_s = p->settings->tickets ? ticket_s : 0;
	p->context = n ? tls_context_new(pairs, n, r->hosts, &settings, error) : NULL;
	return p->context || (!n && error_local(error, "no certificate for %s", p->listener->name));
}

static bool take_record(
    struct reading *r, slice kind, slice name, slice numbers, slice content, struct error *error)
{
	struct tls_pair pairs[TLS_PAIRS];

	if (slice_eq(kind, SLICE("pair"))) {
		r->pairs = memory_resize(r->pairs, (r->count + 1) * sizeof r->pairs[0]);
		r->pairs[r->count++] = (struct tls_pair){ .chain = content, .key = name };
		return true;
	}
	if (slice_eq(kind, SLICE("listener")))
		return take_listener(r, name, numbers, content, error);
	int n = take_pairs(r, numbers, pairs);
	return n ? tls_hosts_add(r->hosts, name, pairs, n, error)
		 : error_local(error, "a host without certificates");
}

/* Hosts come after the listeners, whose contexts hold them already. */
static bool take_all(slice rest, struct error *error)
{
	struct reading r = { .hosts = tls_hosts_new() };
	slice kind, name, numbers, content;
	bool ok = true;

	while (ok && rest.n) {
		ok = (bundle_get(&rest, &kind) && bundle_get(&rest, &name) &&
			 bundle_get(&rest, &numbers) && bundle_get(&rest, &content)) ||
		    error_local(error, "malformed certificates from main");
		ok = ok && take_record(&r, kind, name, numbers, content, error);
	}
	tls_hosts_free(r.hosts);
	free(r.pairs);
	return ok;
}

/* All of them, or none. */
static void put_to_use(bool good)
{
	for (int i = 0; i < place_count; i++) {
		struct tls_context *context = places[i].context;

		places[i].context = NULL;
		if (good && context)
			reactor_set_tls(serving, places[i].listener, context);
		else
			tls_context_free(context);
	}
}

static bool take_certificates(int fd, struct error *error)
{
	struct buf all;

	buf_init(&all, OPEN_TLS_MOST);
	bool ok = file_read_fd(fd, "certificates", &all, error) && take_all(buf_slice(&all), error);
	if (serving || !ok)
		put_to_use(ok);
	buf_free(&all);
	return ok;
}

static bool take_tickets(int fd, struct error *error)
{
	struct buf keys;

	buf_init(&keys, 2 * TLS_TICKET_KEY);
	bool ok =
	    file_read_fd(fd, "tickets", &keys, error) && tls_tickets_set(buf_slice(&keys), error);
	if (keys.p)
		explicit_bzero(keys.p, keys.cap);
	buf_free(&keys);
	return ok;
}

bool role_tls_take(const char *name, int fd, struct error *error)
{
	if (strcmp(name, "tickets") == 0)
		return take_tickets(fd, error);
	return strcmp(name, "certificates") != 0 || take_certificates(fd, error);
}

/* ---- start ---- */

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
	static const char *const wanted[] = { "tickets", "certificates" };

	tls_key_init(); /* also where no RSA certificate is used: one may come */
	ticket_s = (int)(start->conf.ticket_lifetime_ms / 1000);
	for (int i = 0; i < n; i++)
		if (listeners[i].tls != LISTENER_CLEAR)
			places[place_count++] = (struct place){ .listener = &listeners[i],
				.settings = settings_of(start, &listeners[i]) };
	for (int i = 0; place_count && i < 2; i++) {
		int fd = role_descriptor(start, wanted[i]);

		if (fd < 0)
			return error_local(error, "main sent no %s", wanted[i]);
		if (!role_tls_take(wanted[i], fd, error))
			return false;
		close(fd);
	}
	for (int i = 0; i < place_count; i++)
		if (!places[i].context)
			return error_local(
			    error, "no certificate came for %s", places[i].listener->name);
	return true;
}

void role_tls_serve(struct reactor *reactor)
{
	serving = reactor;
	put_to_use(true);
}
