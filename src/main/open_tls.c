#include "main/open_tls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "main/bundle.h"
#include "main/open.h"
#include "vault/keys.h"

#define FILE_MOST (1 << 20)
#define KEYS_MOST (16u << 20)

struct build {
	struct arena *arena;
	int number;
	struct buf keys, public;
	struct conf_pair *seen; /* pairs that are in both */
	int seen_count;
};

const char *open_listener_name(const struct conf_listener *l, struct arena *arena)
{
	return arena_printf(arena, "%s %s:%lld", l->protocol, l->address, (long long)l->port);
}

static void add_record(struct build *b, const char *kind, slice name, slice numbers, slice content)
{
	bundle_add(&b->public, slice_of(kind));
	bundle_add(&b->public, name);
	bundle_add(&b->public, numbers);
	bundle_add(&b->public, content);
}

/* Both files are read once, so that what was checked is what is served. */
static bool add_pair(struct build *b, const struct conf_pair *pair, struct error *error)
{
	const char *name = arena_printf(b->arena, "tls.%d.%d", b->number, b->seen_count);
	struct buf certificate, key;
	enum key_kind kind;

	buf_init(&certificate, FILE_MOST);
	buf_init(&key, FILE_MOST);
	bool ok = file_read(pair->certificate, &certificate, error) &&
	    file_read(pair->key, &key, error) &&
	    keys_match(buf_slice(&certificate), buf_slice(&key), &kind, error);
	if (ok) {
		bundle_add(&b->keys, slice_of(name));
		bundle_add(&b->keys, buf_slice(&key));
		add_record(b, "pair", slice_of(name), (slice){ 0 }, buf_slice(&certificate));
	}
	if (key.p)
		explicit_bzero(key.p, key.cap);
	buf_free(&certificate);
	buf_free(&key);
	return ok;
}

static int pair_find(const struct build *b, const struct conf_pair *pair)
{
	for (int i = b->seen_count; i-- > 0;)
		if (strcmp(b->seen[i].certificate, pair->certificate) == 0 &&
		    strcmp(b->seen[i].key, pair->key) == 0)
			return i;
	return -1;
}

/* The numbers of these pairs, which are added where they are new. NULL: one cannot be. */
static const char *add_pairs(
    struct build *b, const char *certificates, const char *keys, struct error *error)
{
	struct conf_pair pairs[TLS_PAIRS];
	const char *numbers = "";
	int n = conf_pairs(certificates, keys, b->arena, pairs, error);

	if (n < 0)
		return NULL;
	for (int i = 0; i < n; i++) {
		int at = pair_find(b, &pairs[i]);

		if (at < 0 && !add_pair(b, &pairs[i], error))
			return NULL;
		if (at < 0) {
			b->seen =
			    memory_resize(b->seen, (size_t)(b->seen_count + 1) * sizeof b->seen[0]);
			b->seen[at = b->seen_count++] = pairs[i];
		}
		numbers = arena_printf(b->arena, "%s%s%d", numbers, i ? " " : "", at);
	}
	return numbers;
}

static bool add_host(struct build *b, const struct conf_certificate *c, struct error *error)
{
	const char *numbers = add_pairs(b, c->certificate, c->key, error);
	struct buf names;

	buf_init(&names, FILE_MOST);
	bool ok = numbers && conf_certificate_names(c, b->arena, &names, error);
	if (ok)
		add_record(b, "host", buf_slice(&names), slice_of(numbers), (slice){ 0 });
	buf_free(&names);
	return ok;
}

static bool add_listener(struct build *b, const struct conf_listener *l, struct error *error)
{
	const struct conf_tls *t = &l->handshake;
	const char *numbers = add_pairs(b, t->certificate, t->key, error);
	struct buf ca;

	buf_init(&ca, FILE_MOST);
	bool ok =
	    numbers && (strcmp(t->client_auth, "no") == 0 || file_read(t->client_ca, &ca, error));
	if (ok)
		add_record(b, "listener", slice_of(open_listener_name(l, b->arena)),
		    slice_of(numbers), buf_slice(&ca));
	buf_free(&ca);
	return ok;
}

static bool add_all(struct build *b, const struct conf *conf, struct error *error)
{
	bool any = false;

	for (int i = 0; i < conf->listener_count; i++) {
		if (strcmp(conf->listeners[i].tls, "no") == 0)
			continue;
		any = true;
		if (!add_listener(b, &conf->listeners[i], error))
			return false;
	}
	for (int i = 0; any && i < conf->certificate_count; i++)
		if (!add_host(b, &conf->certificates[i], error))
			return false;
	return (!b->keys.full && !b->public.full) ||
	    error_local(
		error, "all keys together are larger than 16 MB, or certificates than 64 MB");
}

bool open_tls(const struct conf *conf, int number, struct open_tls *out, struct error *error)
{
	struct build b = { .arena = arena_new(64u << 20), .number = number };

	*out = (struct open_tls){ -1, -1 };
	buf_init(&b.keys, KEYS_MOST);
	buf_init(&b.public, OPEN_TLS_MOST);
	buf_room(&b.keys, KEYS_MOST); /* at once: growing would leave keys in memory given back */
	bool ok = add_all(&b, conf, error);
	if (ok)
		out->public_fd = open_sealed(buf_slice(&b.public), "certificates", error);
	if (ok && out->public_fd >= 0)
		out->keys_fd = open_sealed(buf_slice(&b.keys), "keys", error);
	explicit_bzero(b.keys.p, b.keys.n);
	buf_free(&b.keys);
	buf_free(&b.public);
	free(b.seen);
	arena_free(b.arena);
	if (out->keys_fd >= 0)
		return true;
	open_tls_close(out);
	return false;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void open_tls_close(struct open_tls *t)
{
	close_one(&t->keys_fd);
	close_one(&t->public_fd);
}
