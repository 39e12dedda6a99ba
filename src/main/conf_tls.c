/* What the configuration says of TLS: tried before anybody needs it, each mistake told with its line. */
#include "main/conf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"
#include "vault/keys.h"

#define FILE_MOST (1 << 20)

/* Certificates together may need much for their names. */
#define ARENA_MOST (64u << 20)

/* One conf_tls at a time: of the group tls, or of a listener; or one of certificates. */
struct look {
	const struct conf *conf;
	const struct conf_origin *origin;
	const char *path;
	void (*complain)(void *context, const char *text);
	void *context;
	struct arena *arena;
	int listener; /* -1: the group */
	bool ok;
};

static const struct conf_tls *seen(const struct look *k)
{
	return k->listener < 0 ? &k->conf->tls : &k->conf->listeners[k->listener].handshake;
}

/* The line on which what is looked at sets this itself; 0: it does not. */
static int own_line(const struct look *k, const char *name)
{
	const char *whole = arena_printf(k->arena, "tls.%s", name);
	const struct conf_row *row = k->listener < 0
	    ? conf_row_find(conf_rows, conf_row_count, slice_of(whole))
	    : conf_row_find(conf_listener_rows, conf_listener_row_count, slice_of(name));

	return k->listener < 0 ? k->origin->lines[row - conf_rows]
			       : k->origin->listener_lines[k->listener][row - conf_listener_rows];
}

static void say(struct look *k, int line, const char *name, const char *why)
{
	const char *group = k->listener < 0 ? "tls." : "";

	k->complain(
	    k->context, arena_printf(k->arena, "%s:%d: %s%s: %s", k->path, line, group, name, why));
	k->ok = false;
}

/* Devices and pipes may never end. */
static bool read_file(const char *path, struct buf *out, struct error *error)
{
	struct stat st;

	if (access(path, R_OK) < 0 || stat(path, &st) < 0)
		return error_local(error, "cannot read %.300s: %m", path);
	if (!S_ISREG(st.st_mode))
		return error_local(error, "cannot read %.300s: not a file", path);
	return file_read(path, out, error);
}

static bool file_there(
    struct look *k, const char *name, int line, const char *path, struct buf *out)
{
	struct error error;

	if (read_file(path, out, &error))
		return true;
	if (line)
		say(k, line, name, error.why);
	return false;
}

/* ---- certificates ---- */

static int split(const char *text, struct arena *arena, const char **out, int most)
{
	slice rest = slice_of(text);
	int n = 0;

	for (; rest.n; n++) {
		size_t end = slice_find(rest, '\n');

		if (n < most)
			out[n] = arena_str(arena, slice_head(rest, end));
		rest = slice_from(rest, end + 1);
	}
	return n;
}

int conf_pairs(const char *certificates, const char *keys, struct arena *arena,
    struct conf_pair *out, struct error *error)
{
	const char *chain[TLS_PAIRS], *key[TLS_PAIRS];
	int chains = split(certificates, arena, chain, TLS_PAIRS);
	int n = split(keys, arena, key, TLS_PAIRS);

	if (chains > n)
		return error_local(error, "there is no key for it"), -1;
	if (chains < n)
		return error_local(error, "there is no certificate for it"), -1;
	if (n > TLS_PAIRS)
		return error_local(error, "more than two: one ECDSA and one RSA"), -1;
	for (int i = 0; i < n; i++)
		out[i] = (struct conf_pair){ chain[i], key[i] };
	return n;
}

/* Lines of the two settings, 0 where one is not set. */
struct lines {
	int certificate, key;
};

static bool pair_fits(struct look *k, const struct conf_pair *pair, const struct lines *lines,
    enum key_kind *kind_out)
{
	struct buf chain, secret;
	struct error error;

	buf_init(&chain, FILE_MOST);
	buf_init(&secret, FILE_MOST);
	bool ok = file_there(k, "certificate", lines->certificate, pair->certificate, &chain);
	ok &= file_there(k, "key", lines->key, pair->key, &secret);
	if (ok && !keys_match(buf_slice(&chain), buf_slice(&secret), kind_out, &error)) {
		say(k, lines->certificate, "certificate",
		    arena_printf(k->arena, "%s (%s)", error.why, pair->certificate));
		ok = false;
	}
	if (secret.p)
		explicit_bzero(secret.p, secret.cap);
	buf_free(&chain);
	buf_free(&secret);
	return ok;
}

static void look_at_pairs(
    struct look *k, const char *certificates, const char *keys, const struct lines *lines)
{
	bool have[KEY_KINDS] = { false };
	struct conf_pair pairs[TLS_PAIRS];
	enum key_kind kind;
	struct error error;
	int n = conf_pairs(certificates, keys, k->arena, pairs, &error);

	if (n < 0) {
		bool key = strstr(error.why, "no certificate") != NULL;

		say(k, key ? lines->key : lines->certificate, key ? "key" : "certificate",
		    error.why);
		return;
	}
	for (int i = 0; i < n; i++) {
		if (!pair_fits(k, &pairs[i], lines, &kind))
			continue;
		if (have[kind])
			say(k, lines->certificate, "certificate",
			    arena_printf(k->arena,
				"two are %s; one ECDSA and one RSA can be served",
				keys_kind_name(kind)));
		have[kind] = true;
	}
}

/* Certificate and key are one thing: whoever has one of its own has both. */
static void look_at_own(struct look *k)
{
	const struct conf_tls *t = seen(k);
	struct lines lines = { own_line(k, "certificate"), own_line(k, "key") };

	if (!lines.certificate && !lines.key)
		return;
	const char *certificate = lines.certificate ? t->certificate : "";
	const char *key = lines.key ? t->key : "";
	if (!lines.certificate)
		lines.certificate = lines.key;
	if (!lines.key)
		lines.key = lines.certificate;
	look_at_pairs(k, certificate, key, &lines);
}

/* ---- names ---- */

struct named {
	slice name;
	int entry;
};

static int by_name(const void *one, const void *other)
{
	const struct named *a = one, *b = other;
	int order = slice_compare(a->name, b->name);

	return order ? order : a->entry - b->entry;
}

/* As they are written, in lower case. */
static bool given_names(const char *text, struct buf *out, struct error *error)
{
	slice rest = slice_of(text);

	while (rest.n) {
		slice name = slice_head(rest, slice_find(rest, '\n'));

		if (!tls_name_valid(name))
			return error_local(error,
			    "\"%.*s\" is not a host's name, or \"*.\" and one, in ASCII",
			    SLICE_ARG(name));
		rest = slice_from(rest, name.n + 1);
	}
	for (const char *p = text; *p; p++)
		buf_addc(out, (char)tolower((unsigned char)*p));
	return true;
}

bool conf_certificate_names(
    const struct conf_certificate *c, struct arena *arena, struct buf *out, struct error *error)
{
	struct conf_pair pairs[TLS_PAIRS];
	int n = conf_pairs(c->certificate, c->key, arena, pairs, error);
	struct buf chain;
	bool ok = n >= 0;

	if (c->names[0])
		return given_names(c->names, out, error);
	buf_init(&chain, FILE_MOST);
	for (int i = 0; ok && i < n; i++)
		ok = file_read(pairs[i].certificate, &chain, error) &&
		    tls_names_of(buf_slice(&chain), out, error);
	buf_free(&chain);
	return ok;
}

/* Adds those of one entry to the list, which grows in the arena. */
static void add_names(struct look *k, int entry, struct named **list, size_t *count, size_t *room)
{
	const struct conf_certificate *c = &k->conf->certificates[entry];
	struct buf names;
	struct error error;

	buf_init(&names, FILE_MOST);
	if (!conf_certificate_names(c, k->arena, &names, &error))
		say(k, k->origin->certificates[entry], "names", error.why);
	slice rest = arena_copy(k->arena, buf_slice(&names));
	while (rest.n) {
		slice name = slice_head(rest, slice_find(rest, '\n'));

		if (*count == *room) {
			*room = *room ? 2 * *room : 1024;
			*list = memory_resize(*list, *room * sizeof **list);
		}
		(*list)[(*count)++] = (struct named){ name, entry };
		rest = slice_from(rest, name.n + 1);
	}
	buf_free(&names);
}

/* Which of two is meant cannot be guessed. */
static void look_at_names(struct look *k)
{
	struct named *list = NULL;
	size_t count = 0, room = 0;

	for (int i = 0; i < k->conf->certificate_count; i++)
		add_names(k, i, &list, &count, &room);
	if (count)
		qsort(list, count, sizeof *list, by_name);
	for (size_t i = 1; i < count; i++) {
		int *lines = (int *)k->origin->certificates;

		if (slice_eq(list[i].name, list[i - 1].name) && list[i].entry != list[i - 1].entry)
			say(k, lines[list[i].entry], "names",
			    arena_printf(k->arena,
				"%.*s has a certificate on line %d already; say with names which is for it",
				SLICE_ARG(list[i].name), lines[list[i - 1].entry]));
	}
	free(list);
}

/* One of certificates; the names of those that are wrong themselves would only be said twice. */
static void look_at_certificates(struct look *k)
{
	for (int i = 0; i < k->conf->certificate_count; i++) {
		const struct conf_certificate *c = &k->conf->certificates[i];
		struct lines lines = { k->origin->certificates[i], k->origin->certificates[i] };

		look_at_pairs(k, c->certificate, c->key, &lines);
	}
	if (k->ok)
		look_at_names(k);
}

/* ---- */

struct tls_settings conf_tls_settings(const struct conf_tls *tls, slice client_ca)
{
	return (struct tls_settings){ .versions = tls->allowed_versions,
		.ciphers = tls->cipher_suite,
		.ciphers13 = tls->cipher_suite13,
		.server_order = tls->server_order,
		.client_auth = strcmp(tls->client_auth, "required") == 0 ? TLS_CLIENT_REQUIRED
		    : strcmp(tls->client_auth, "optional") == 0          ? TLS_CLIENT_OPTIONAL
									 : TLS_CLIENT_NO,
		.client_ca = client_ca,
		.client_depth = (int)tls->client_depth };
}

static void look_at_parts(struct look *k)
{
	static const char *const names[TLS_PARTS] = { "allowedVersions", "cipherSuite",
		"cipherSuite13", "requestClientAuth" };
	const struct conf_tls *t = seen(k);
	struct error error;
	struct buf ca;

	buf_init(&ca, FILE_MOST);
	bool readable = !t->client_ca[0] ||
	    file_there(k, "clientCA", own_line(k, "clientCA"), t->client_ca, &ca);
	struct tls_settings settings = conf_tls_settings(t, buf_slice(&ca));
	for (int part = 0; part < TLS_PARTS; part++) {
		int line = own_line(k, names[part]);

		if (part == TLS_CLIENTS && !line)
			line = own_line(k, "clientCA");
		if (!line || (part == TLS_CLIENTS && !readable))
			continue; /* said already, or to be said where it is set */
		if (!tls_settings_check(&settings, (enum tls_part)part, &error))
			say(k, line, names[part], error.said);
	}
	buf_free(&ca);
}

bool conf_tls_check(const struct conf *conf, const struct conf_origin *origin, const char *path,
    void (*complain)(void *, const char *), void *context)
{
	struct look k = { conf, origin, path, complain, context, arena_new(ARENA_MOST), -1, true };

	for (; k.listener < conf->listener_count; k.listener++) {
		look_at_own(&k);
		look_at_parts(&k);
	}
	look_at_certificates(&k);
	arena_free(k.arena);
	return k.ok;
}

void conf_warn(const struct conf *conf, const struct conf_origin *origin, const char *path,
    void (*warn)(void *, const char *), void *context)
{
	struct look k = { conf, origin, path, warn, context, arena_new(1 << 20), -1, true };

	for (; k.listener < conf->listener_count; k.listener++) {
		int line = own_line(&k, "allowedVersions");

		if (line && tls_settings_outdated(seen(&k)->allowed_versions))
			warn(context,
			    arena_printf(k.arena,
				"%s:%d: warning: TLS 1.0 and 1.1 are outdated and weaken what is "
				"sent (RFC 8996); for clients that know nothing else",
				path, line));
	}
	arena_free(k.arena);
}
