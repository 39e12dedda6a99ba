/* What the configuration says of TLS: tried before anybody needs it, each mistake told with its line. */
#include "main/conf.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "vault/keys.h"

#define FILE_MOST (1 << 20)

/* One conf_tls at a time: of the group tls, or of a listener. */
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
	k->complain(k->context,
	    arena_printf(k->arena, "%s:%d: %s%s: %s", k->path, line, k->listener < 0 ? "tls." : "",
		name, why));
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

static bool file_there(struct look *k, const char *name, const char *path, struct buf *out)
{
	int line = own_line(k, name);
	struct error error;

	if (read_file(path, out, &error))
		return true;
	if (line)
		say(k, line, name, error.why);
	return false;
}

/* Certificate and key are one thing: whoever has one of its own has both. */
static void look_at_pair(struct look *k)
{
	const struct conf_tls *t = seen(k);
	int certificate = own_line(k, "certificate"), key = own_line(k, "key");
	struct buf chain, secret;
	struct error error;

	if ((!certificate && !key) || (!t->certificate[0] && !t->key[0]))
		return;
	if (!key || !t->key[0]) {
		say(k, certificate ? certificate : key, "certificate", "there is no key for it");
		return;
	}
	if (!certificate || !t->certificate[0]) {
		say(k, key, "key", "there is no certificate for it");
		return;
	}
	buf_init(&chain, FILE_MOST);
	buf_init(&secret, FILE_MOST);
	bool both = file_there(k, "certificate", t->certificate, &chain);
	both &= file_there(k, "key", t->key, &secret);
	if (both && !keys_match(buf_slice(&chain), buf_slice(&secret), &error))
		say(k, certificate, "certificate", error.why);
	if (secret.p)
		explicit_bzero(secret.p, secret.cap);
	buf_free(&chain);
	buf_free(&secret);
}

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
	bool readable = !t->client_ca[0] || file_there(k, "clientCA", t->client_ca, &ca);
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
	struct look k = { conf, origin, path, complain, context, arena_new(1 << 20), -1, true };

	for (; k.listener < conf->listener_count; k.listener++) {
		look_at_pair(&k);
		look_at_parts(&k);
	}
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
