/* hauberk.conf through libconfig, which keeps the line of every setting, into the rows. */
#include "main/conf.h"

#include <arpa/inet.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "vault/principal.h"

/* What a file may cost: it is also read by a server that runs. */
#define FILE_MOST     (512 << 10)
#define MISTAKES_MOST 100 /* that are told */
#define NAME_MOST     60  /* of a group with settings inside: no setting's name is longer */

struct reader {
	const char *path;
	struct arena *arena;
	struct conf *conf;
	struct conf_origin *origin;
	void (*complain)(void *context, const char *text);
	void *context;
	int mistakes;
};

static void complain_at(struct reader *r, int line, const char *text)
{
	if (r->mistakes++ < MISTAKES_MOST)
		r->complain(r->context, arena_printf(r->arena, "%s:%d: %s", r->path, line, text));
}

/* Edits (insert, remove, change) from one name to another, at most 9. */
static int distance(slice a, slice b)
{
	int row[64], i, j;

	if (a.n > 60 || b.n > 60)
		return 9;
	for (j = 0; j <= (int)b.n; j++)
		row[j] = j;
	for (i = 1; i <= (int)a.n; i++) {
		int diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= (int)b.n; j++) {
			int change = diagonal +
			    !slice_eq_nocase((slice){ a.p + i - 1, 1 }, (slice){ b.p + j - 1, 1 });
			int other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < other ? change : other;
		}
	}
	return row[b.n];
}

static void unknown(
    struct reader *r, const struct conf_row *rows, size_t n, const char *name, int line)
{
	const char *best = NULL;
	int least = 4;

	for (size_t i = 0; i < n; i++) {
		int d = distance(slice_of(rows[i].name), slice_of(name));

		if (d < least) {
			least = d;
			best = rows[i].name;
		}
	}
	complain_at(r, line,
	    best ? arena_printf(
		       r->arena, "there is no setting \"%s\"; did you mean \"%s\"?", name, best)
		 : arena_printf(r->arena, "there is no setting \"%s\"; see hauberk.conf(5)", name));
}

/* [ "a", "b" ], with line feeds between them; NULL: not all are texts with something in them. */
static const char *list_text(struct reader *r, const config_setting_t *s)
{
	struct buf all;
	bool ok = config_setting_length(s) > 0;

	buf_init(&all, FILE_MOST);
	for (int i = 0; ok && i < config_setting_length(s); i++) {
		const char *text = config_setting_get_string_elem(s, i);

		ok = text && text[0] && !strchr(text, '\n');
		if (i)
			buf_addc(&all, '\n');
		buf_adds(&all, ok ? text : "");
	}
	const char *text = ok ? arena_str(r->arena, buf_slice(&all)) : NULL;
	buf_free(&all);
	return text;
}

/* The value as text, whatever libconfig took it for. */
static const char *value_text(struct reader *r, const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return arena_printf(r->arena, "%lld", config_setting_get_int64(s));
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(s) ? "true" : "false";
	case CONFIG_TYPE_STRING:
		return arena_str(r->arena, slice_of(config_setting_get_string(s)));
	default:
		return NULL;
	}
}

static void read_row(
    struct reader *r, const struct conf_row *row, void *where, const config_setting_t *s)
{
	int line = (int)config_setting_source_line(s);
	bool list = config_setting_is_array(s) || config_setting_is_list(s);
	bool lists = row->type == CONF_TEXTS;
	const char *text = list && lists ? list_text(r, s) : value_text(r, s);
	struct error error;

	if (!text)
		complain_at(r, line,
		    arena_printf(r->arena,
			lists ? "%s must be a text, or a list [ \"a\", \"b\" ]"
			      : "%s must be a single value",
			row->name));
	else if (!conf_set(row, where, slice_of(text), r->arena, &error))
		complain_at(r, line, error.said);
}

static void read_group(struct reader *r, const char *prefix, const config_setting_t *group);

static void read_setting(struct reader *r, const char *name, const config_setting_t *s)
{
	const struct conf_row *row = conf_row_find(conf_rows, conf_row_count, slice_of(name));
	int line = (int)config_setting_source_line(s);

	if (config_setting_type(s) == CONFIG_TYPE_GROUP && !row && strlen(name) <= NAME_MOST) {
		read_group(r, name, s);
	} else if (row) {
		r->origin->lines[row - conf_rows] = line;
		read_row(r, row, r->conf, s);
	} else {
		unknown(r, conf_rows, conf_row_count, name, line);
	}
}

/* The rows of one group of a list; lines, one a row, are filled where it is not NULL. */
static void read_rows(struct reader *r, const struct conf_row *rows, size_t n, void *where,
    int *lines, const config_setting_t *s, const char *what)
{
	bool given[CONF_LISTENER_ROWS] = { false };
	struct error error;

	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(one);
		const struct conf_row *row = conf_row_find(rows, n, slice_of(name ? name : ""));

		if (!row) {
			unknown(r, rows, n, name ? name : "", (int)config_setting_source_line(one));
			continue;
		}
		given[row - rows] = true;
		if (lines)
			lines[row - rows] = (int)config_setting_source_line(one);
		read_row(r, row, where, one);
	}
	for (const struct conf_row *row = rows; row < rows + n; row++) {
		if (given[row - rows] || row->inherits)
			continue;
		if (row->fallback)
			conf_set(row, where, slice_of(row->fallback), r->arena, &error);
		else
			complain_at(r, (int)config_setting_source_line(s),
			    arena_printf(
				r->arena, "this %s has no \"%s\": %s", what, row->name, row->help));
	}
}

static void read_listener(struct reader *r, const config_setting_t *s)
{
	int n = r->conf->listener_count++;

	r->origin->listeners[n] = (int)config_setting_source_line(s);
	read_rows(r, conf_listener_rows, conf_listener_row_count, &r->conf->listeners[n],
	    r->origin->listener_lines[n], s, "listener");
}

static void read_certificates(struct reader *r, const config_setting_t *list)
{
	int n = config_setting_type(list) == CONFIG_TYPE_LIST ? config_setting_length(list) : -1;

	if (n < 0 || n > CONF_CERTIFICATES) {
		complain_at(r, (int)config_setting_source_line(list),
		    n < 0 ? "certificates is written ( { ... }, { ... } )"
			  : "more certificates than 1000");
		return;
	}
	r->conf->certificates = ARENA_ARRAY(r->arena, struct conf_certificate, (size_t)n + 1);
	r->conf->certificate_count = 0;
	for (int i = 0; i < n; i++) {
		const config_setting_t *one = config_setting_get_elem(list, (unsigned)i);
		int line = (int)config_setting_source_line(one);

		if (config_setting_type(one) != CONFIG_TYPE_GROUP) {
			complain_at(
			    r, line, "a certificate is written { certificate = ...; key = ...; }");
			continue;
		}
		int at = r->conf->certificate_count++;
		r->origin->certificates[at] = line;
		read_rows(r, conf_certificate_rows, conf_certificate_row_count,
		    &r->conf->certificates[at], NULL, one, "certificate");
	}
}

static void read_listeners(struct reader *r, const config_setting_t *list)
{
	if (config_setting_type(list) != CONFIG_TYPE_LIST) {
		complain_at(r, (int)config_setting_source_line(list),
		    "listeners is written ( { ... }, { ... } )");
		return;
	}
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *one = config_setting_get_elem(list, (unsigned)i);

		if (r->conf->listener_count == CONF_LISTENERS) {
			complain_at(
			    r, (int)config_setting_source_line(one), "more listeners than 32");
			return;
		}
		if (config_setting_type(one) != CONFIG_TYPE_GROUP)
			complain_at(r, (int)config_setting_source_line(one),
			    "a listener is written { protocol = ...; address = ...; port = ...; }");
		else
			read_listener(r, one);
	}
}

static void read_group(struct reader *r, const char *prefix, const config_setting_t *group)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(s);

		if (!prefix[0] && strcmp(name, "listeners") == 0)
			read_listeners(r, s);
		else if (!prefix[0] && strcmp(name, "certificates") == 0)
			read_certificates(r, s);
		else
			read_setting(
			    r, prefix[0] ? arena_printf(r->arena, "%s.%s", prefix, name) : name, s);
	}
}

/* The group that a listener inherits from may stand behind it in the file. */
static void inherit(struct reader *r)
{
	struct error error;

	for (int i = 0; i < r->conf->listener_count; i++) {
		for (size_t j = 0; j < conf_listener_row_count; j++) {
			const struct conf_row *row = &conf_listener_rows[j];

			if (!row->inherits || r->origin->listener_lines[i][j])
				continue;
			const struct conf_row *from =
			    conf_row_find(conf_rows, conf_row_count, slice_of(row->inherits));
			conf_set(row, &r->conf->listeners[i],
			    slice_of(conf_value(from, r->conf, r->arena)), r->arena, &error);
		}
	}
}

static void set_defaults(struct reader *r)
{
	struct error error;

	for (size_t i = 0; i < conf_row_count; i++)
		if (conf_rows[i].fallback)
			conf_set(&conf_rows[i], r->conf, slice_of(conf_rows[i].fallback), r->arena,
			    &error);
}

static void check_given(struct reader *r)
{
	for (size_t i = 0; i < conf_row_count; i++)
		if (!conf_rows[i].fallback && !r->origin->lines[i])
			complain_at(r, 1,
			    arena_printf(r->arena, "\"%s\" is missing: %s", conf_rows[i].name,
				conf_rows[i].help));
}

bool conf_read(const char *path, struct arena *arena, struct conf *conf_out,
    struct conf_origin *origin_out, void (*complain)(void *, const char *), void *context)
{
	struct reader r = { path, arena, conf_out, origin_out, complain, context, 0 };
	struct stat st;
	config_t config;

	*conf_out = (struct conf){ 0 };
	*origin_out = (struct conf_origin){ 0 };
	set_defaults(&r);
	if (access(path, R_OK) < 0) {
		complain(context, arena_printf(arena, "%s: cannot be read: %m", path));
		return false;
	}
	if (stat(path, &st) == 0 && st.st_size > FILE_MOST) {
		complain(context, arena_printf(arena, "%s: larger than 512 KB", path));
		return false;
	}
	config_init(&config);
	if (config_read_file(&config, path) == CONFIG_TRUE) {
		read_group(&r, "", config_root_setting(&config));
		check_given(&r);
		inherit(&r);
	} else {
		complain_at(&r, config_error_line(&config), config_error_text(&config));
	}
	config_destroy(&config);
	return !r.mistakes;
}

/* ---- what the rows cannot say ---- */

static bool is_address(const char *text)
{
	char octets[16];

	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

static const char *listener_fault(
    const struct conf *conf, const struct conf_listener *l, struct arena *arena)
{
	bool wants_tls = strcmp(l->tls, "no") != 0;

	if (!is_address(l->address))
		return arena_printf(arena, "\"%s\" is not an IPv4 or IPv6 address", l->address);
	if (wants_tls && !l->handshake.certificate[0] && !l->handshake.key[0])
		return "it offers TLS, but tls.certificate and tls.key are not set; set them, or tls = \"no\"";
	if (l->submission && strcmp(l->protocol, "smtp") != 0)
		return "submission is a setting of smtp listeners only";
	for (const struct conf_listener *other = conf->listeners; other < l; other++)
		if (other->port == l->port && strcmp(other->address, l->address) == 0)
			return "another listener has the same address and port";
	return NULL;
}

static int line_of(const struct conf_origin *origin, const char *name)
{
	return origin->lines[conf_row_find(conf_rows, conf_row_count, slice_of(name)) - conf_rows];
}

static bool check_kerberos(const struct conf *conf, const struct conf_origin *origin,
    const char *path, void (*complain)(void *, const char *), void *context)
{
	struct arena *arena = arena_new(1 << 16);
	struct error realms, suffixes;
	bool good_realms = principal_check_realms(conf->kerberos_realms, &realms);
	bool good_suffixes = principal_check_suffixes(conf->kerberos_upn_suffixes, &suffixes);

	if (!good_realms)
		complain(context,
		    arena_printf(arena, "%s:%d: kerberos.realms: %s", path,
			line_of(origin, "kerberos.realms"), realms.why));
	if (!good_suffixes)
		complain(context,
		    arena_printf(arena, "%s:%d: kerberos.upnSuffixes: %s", path,
			line_of(origin, "kerberos.upnSuffixes"), suffixes.why));
	arena_free(arena);
	return good_realms && good_suffixes;
}

bool conf_check(const struct conf *conf, const struct conf_origin *origin, const char *path,
    void (*complain)(void *, const char *), void *context)
{
	struct arena *arena = arena_new(1 << 20);
	bool ok = conf_tls_check(conf, origin, path, complain, context);

	ok = check_kerberos(conf, origin, path, complain, context) && ok;

	if (strcmp(conf->log_target, "file") == 0 && conf->log_file[0] != '/') {
		complain(context,
		    arena_printf(arena,
			"%s:%d: logTarget is file, so logFile must be the file's whole path", path,
			line_of(origin, conf->log_file[0] ? "logFile" : "logTarget")));
		ok = false;
	}
	if (conf->listener_count == 0) {
		complain(context,
		    arena_printf(arena, "%s: no listeners: nothing would be served", path));
		ok = false;
	}
	for (int i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];
		const char *fault =
		    l->protocol && l->address ? listener_fault(conf, l, arena) : NULL;

		if (fault) {
			complain(context,
			    arena_printf(arena, "%s:%d: listener %s %s port %lld: %s", path,
				origin->listeners[i], l->protocol, l->address, (long long)l->port,
				fault));
			ok = false;
		}
	}
	arena_free(arena);
	return ok;
}
