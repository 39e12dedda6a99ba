#include "main/open_tls.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "main/open.h"
#include "vault/keys.h"

#define FILE_MOST (1 << 20)

const char *open_listener_name(const struct conf_listener *l, struct arena *arena)
{
	return arena_printf(arena, "%s %s:%lld", l->protocol, l->address, (long long)l->port);
}

/* Both are read once, so that what was checked is what is served. */
static bool open_pair(
    const struct conf_tls *files, int *certificate_out, int *key_out, struct error *error)
{
	struct buf certificate, key;

	buf_init(&certificate, FILE_MOST);
	buf_init(&key, FILE_MOST);
	bool ok = file_read(files->certificate, &certificate, error) &&
	    file_read(files->key, &key, error) &&
	    keys_match(buf_slice(&certificate), buf_slice(&key), error);
	if (ok)
		*certificate_out = open_sealed(buf_slice(&certificate), "certificate", error);
	if (ok && *certificate_out >= 0)
		*key_out = open_sealed(buf_slice(&key), "key", error);
	if (key.p)
		explicit_bzero(key.p, key.cap);
	buf_free(&certificate);
	buf_free(&key);
	return ok && *key_out >= 0;
}

static bool open_client_ca(const char *path, int *out, struct error *error)
{
	struct buf pem;

	buf_init(&pem, FILE_MOST);
	if (file_read(path, &pem, error))
		*out = open_sealed(buf_slice(&pem), "clientCA", error);
	buf_free(&pem);
	return *out >= 0;
}

static int pair_of(const struct conf *conf, int i)
{
	const struct conf_tls *own = &conf->listeners[i].handshake;

	for (int j = 0; j < i; j++) {
		const struct conf_tls *t = &conf->listeners[j].handshake;

		if (strcmp(conf->listeners[j].tls, "no") != 0 &&
		    strcmp(t->certificate, own->certificate) == 0 && strcmp(t->key, own->key) == 0)
			return j;
	}
	return i;
}

bool open_tls(const struct conf *conf, struct open_tls *out, struct error *error)
{
	bool ok = true;

	for (int i = 0; i < CONF_LISTENERS; i++)
		out->pair[i] = out->certificate_fds[i] = out->key_fds[i] = out->client_ca_fds[i] =
		    -1;
	for (int i = 0; ok && i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (strcmp(l->tls, "no") == 0)
			continue;
		out->pair[i] = pair_of(conf, i);
		if (out->pair[i] == i)
			ok = open_pair(
			    &l->handshake, &out->certificate_fds[i], &out->key_fds[i], error);
		if (ok && strcmp(l->handshake.client_auth, "no") != 0)
			ok = open_client_ca(l->handshake.client_ca, &out->client_ca_fds[i], error);
	}
	if (!ok)
		open_tls_close(out);
	return ok;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void open_tls_close(struct open_tls *t)
{
	for (int i = 0; i < CONF_LISTENERS; i++) {
		close_one(&t->certificate_fds[i]);
		close_one(&t->key_fds[i]);
		close_one(&t->client_ca_fds[i]);
	}
}
