#include "main/reload.h"

#include <string.h>
#include <unistd.h>

#include "main/open.h"

static bool same_value(const struct conf_row *row, const void *one, const void *other)
{
	struct arena *arena = arena_new(64 * 1024);
	bool same = strcmp(conf_text(row, one, arena), conf_text(row, other, arena)) == 0;

	arena_free(arena);
	return same;
}

/* Files that main reads are handed over when they change: nobody must start anew for their names. */
static bool same_listener(const struct conf_listener *one, const struct conf_listener *other)
{
	for (size_t i = 0; i < conf_listener_row_count; i++)
		if (conf_listener_rows[i].roles && !same_value(&conf_listener_rows[i], one, other))
			return false;
	return true;
}

static enum role role_of(const struct conf_listener *l)
{
	return strcmp(l->protocol, "smtp") == 0 ? ROLE_SMTP : ROLE_IMAP;
}

static bool has_listener(const struct conf *conf, const struct conf_listener *l)
{
	for (int i = 0; i < conf->listener_count; i++)
		if (same_listener(&conf->listeners[i], l))
			return true;
	return false;
}

static unsigned missing_listeners(const struct conf *of, const struct conf *in)
{
	unsigned roles = 0;

	for (int i = 0; i < of->listener_count; i++)
		if (!has_listener(in, &of->listeners[i]))
			roles |= ROLE_BIT(role_of(&of->listeners[i]));
	return roles;
}

unsigned reload_affected(const struct conf *before, const struct conf *after)
{
	unsigned roles = missing_listeners(before, after) | missing_listeners(after, before);

	for (size_t i = 0; i < conf_row_count; i++)
		if (!same_value(&conf_rows[i], before, after))
			roles |= conf_rows[i].roles;
	return roles;
}

const char *reload_fixed(const struct conf *before, const struct conf *after)
{
	static const char *const fixed[] = { "stateDir", "runDir", "smtp.processes",
		"imap.processes" };

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		const struct conf_row *row =
		    conf_row_find(conf_rows, conf_row_count, slice_of(fixed[i]));

		if (!same_value(row, before, after))
			return fixed[i];
	}
	return NULL;
}

/* The socket that listens there already; -1: none. */
static int listening(const struct supervised *now, const struct conf_listener *l)
{
	for (int i = 0; i < now->conf->listener_count; i++) {
		const struct conf_listener *other = &now->conf->listeners[i];

		if (other->port == l->port && strcmp(other->address, l->address) == 0)
			return now->listener_fds[i];
	}
	return -1;
}

static bool uses(const struct supervised *what, int fd)
{
	for (int i = 0; i < what->conf->listener_count; i++)
		if (what->listener_fds[i] == fd)
			return true;
	return false;
}

void reload_close(struct supervised *old, const struct supervised *now)
{
	for (int i = 0; i < old->conf->listener_count; i++)
		if (old->listener_fds[i] >= 0 && !uses(now, old->listener_fds[i]))
			close(old->listener_fds[i]);
	open_tls_close(&old->tls);
	open_keytab_close(&old->keytab);
}

static bool open_parts(const struct supervised *now, struct supervised *next, struct error *error)
{
	const struct conf *conf = next->conf;

	for (int i = 0; i < conf->listener_count; i++) {
		int fd = listening(now, &conf->listeners[i]);

		next->listener_fds[i] = fd >= 0 ? fd : open_listener(&conf->listeners[i], error);
		if (next->listener_fds[i] < 0)
			return false;
	}
	return true;
}

bool reload_open(const struct supervised *now, const struct conf *conf, struct supervised *next,
    struct error *error)
{
	*next = *now;
	next->conf = conf;
	next->key_number++;
	if (!open_tls(conf, next->key_number, &next->tls, error))
		return false;
	if (!open_keytab(conf, &next->keytab, error)) {
		open_tls_close(&next->tls);
		return false;
	}
	for (int i = 0; i < CONF_LISTENERS; i++)
		next->listener_fds[i] = -1;
	if (open_parts(now, next, error))
		return true;
	reload_close(next, now);
	return false;
}
