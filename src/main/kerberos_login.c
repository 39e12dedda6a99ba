/* A login at each service of the running server, as a mail program makes it (RFC 4752), with the caller's ticket. */
#include <gssapi/gssapi.h>
#include <string.h>

#include "base/encode.h"
#include "main/kerberos_check.h"
#include "main/open_tls.h"
#include "main/tls_talk.h"

#define LINE_MOST  (128u << 10)
#define STEPS_MOST 10

struct login {
	struct check *c;
	enum kerberos_service service;
	struct tls_talk talk;
	gss_ctx_id_t context;
	bool complete;
	const char *why; /* what went wrong */
};

static const char *const protocols[] = {
	[KERBEROS_SMTP] = "smtp", [KERBEROS_IMAP] = "imap", [KERBEROS_POP] = "pop3"
};

static bool wrong(struct login *l, const char *why)
{
	l->why = why;
	return false;
}

/* What the library says of a failure, its last word. */
static const char *status_text(struct login *l, OM_uint32 minor)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 ignored, more = 0;

	gss_display_status(&ignored, minor, GSS_C_MECH_CODE, GSS_C_NO_OID, &more, &text);
	const char *kept = arena_str(l->c->arena, (slice){ text.value, text.length });
	gss_release_buffer(&ignored, &text);
	return kept;
}

/* ---- tokens ---- */

static bool first_steps(struct login *l, slice challenge, struct buf *out)
{
	gss_buffer_desc input = { challenge.n, (void *)challenge.p }, token = GSS_C_EMPTY_BUFFER;
	const char *host = arena_printf(
	    l->c->arena, "%s@%s", kerberos_service_name(l->service), l->c->conf->hostname);
	gss_buffer_desc text = { strlen(host), (void *)host };
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 minor, ignored, major;

	major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name);
	if (!GSS_ERROR(major))
		major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &l->context, name,
		    GSS_C_NO_OID, GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG, 0,
		    GSS_C_NO_CHANNEL_BINDINGS, &input, NULL, &token, NULL, NULL);
	buf_add(out, (slice){ token.value, token.length });
	gss_release_buffer(&ignored, &token);
	gss_release_name(&ignored, &name);
	l->complete = major == GSS_S_COMPLETE;
	return !GSS_ERROR(major) || wrong(l, status_text(l, minor));
}

/* No layer, no other name (RFC 4752 §3.1). */
static bool last_step(struct login *l, slice challenge, struct buf *out)
{
	unsigned char none[4] = { 1, 0, 0, 0 };
	gss_buffer_desc input = { challenge.n, (void *)challenge.p };
	gss_buffer_desc layers = GSS_C_EMPTY_BUFFER, token = GSS_C_EMPTY_BUFFER;
	gss_buffer_desc choice = { sizeof none, none };
	OM_uint32 minor, ignored;
	OM_uint32 major = gss_unwrap(&minor, l->context, &input, &layers, NULL, NULL);

	if (!GSS_ERROR(major))
		major = gss_wrap(&minor, l->context, 0, GSS_C_QOP_DEFAULT, &choice, NULL, &token);
	buf_add(out, (slice){ token.value, token.length });
	gss_release_buffer(&ignored, &token);
	gss_release_buffer(&ignored, &layers);
	return !GSS_ERROR(major) || wrong(l, status_text(l, minor));
}

/* ---- lines ---- */

static bool say_coded(struct login *l, slice token)
{
	struct buf line;

	buf_init(&line, LINE_MOST);
	base64_encode(token, &line);
	buf_adds(&line, "\r\n");
	bool ok = !line.full && tls_talk_say(&l->talk, buf_slice(&line));
	buf_free(&line);
	return ok || wrong(l, "the connection broke");
}

/* One turn: a challenge is decoded into challenge; *over_out: the last word was heard, and was good. */
static bool hear(struct login *l, struct buf *challenge, bool *over_out)
{
	static const char *const good[] = { "235", "a OK", "+OK" };
	char line[4096];

	do
		if (!tls_talk_line(&l->talk, line, sizeof line))
			return wrong(l, "the connection broke");
	while (slice_starts(slice_of(line), SLICE("* ")));
	slice text = slice_of(line);
	buf_clear(challenge);
	*over_out = slice_starts(text, slice_of(good[l->service]));
	if (*over_out)
		return true;
	if (!slice_starts(text, SLICE("334")) && text.n && (text.p[0] != '+'))
		return wrong(l, arena_str(l->c->arena, text));
	slice coded = slice_trim(slice_from(text, text.p[0] == '+' ? 1 : 3));
	return base64_decode(coded, challenge) || wrong(l, "the challenge is no base64");
}

static bool begin(struct login *l)
{
	static const char *const commands[] = { "AUTH GSSAPI\r\n", "a AUTHENTICATE GSSAPI\r\n",
		"AUTH GSSAPI\r\n" };
	char line[4096];

	if (l->service == KERBEROS_SMTP) {
		if (!tls_talk_say(&l->talk, SLICE("EHLO localhost\r\n")))
			return wrong(l, "the connection broke");
		do
			if (!tls_talk_line(&l->talk, line, sizeof line))
				return wrong(l, "the connection broke");
		while (line[0] && line[3] == '-');
	}
	return tls_talk_say(&l->talk, slice_of(commands[l->service])) ||
	    wrong(l, "the connection broke");
}

static bool log_in(struct login *l)
{
	struct buf challenge, token;
	bool over = false, ok = begin(l);

	buf_init(&challenge, LINE_MOST);
	buf_init(&token, LINE_MOST);
	for (int i = 0; ok && !over && i < STEPS_MOST; i++) {
		ok = hear(l, &challenge, &over);
		if (!ok || over)
			break;
		buf_clear(&token);
		ok = (l->complete ? last_step(l, buf_slice(&challenge), &token)
				  : first_steps(l, buf_slice(&challenge), &token)) &&
		    say_coded(l, buf_slice(&token));
	}
	buf_free(&challenge);
	buf_free(&token);
	return ok && (over || wrong(l, "it takes no end"));
}

/* ---- services ---- */

/* The first listener on which that service can log in. */
static const struct conf_listener *listener_of(const struct conf *conf, const char *protocol)
{
	for (int i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (strcmp(l->protocol, protocol) == 0 &&
		    (strcmp(l->tls, "no") != 0 || l->plain_login))
			return l;
	}
	return NULL;
}

static void try_service(struct check *c, enum kerberos_service service)
{
	const char *protocol = protocols[service];
	const struct conf_listener *listener = listener_of(c->conf, protocol);
	struct login l = { .c = c, .service = service, .context = GSS_C_NO_CONTEXT };
	OM_uint32 ignored;
	struct error error;

	if (!listener) {
		report_untested(&c->report, "login", "no listener of %s takes logins", protocol);
		return;
	}
	const char *name = open_listener_name(listener, c->arena);
	struct tls_target target = { protocol, listener->address, (int)listener->port,
		strcmp(listener->tls, "starttls") == 0, c->conf->hostname };
	if (!tls_talk_open(&target, strcmp(listener->tls, "no") != 0, &l.talk, &error)) {
		report_problem(&c->report, "hauberk status\nsystemctl start hauberk", "login",
		    "%s: %s", name, error.why);
		return;
	}
	if (log_in(&l))
		report_ok(&c->report, "login", "%s: your ticket logs in", name);
	else
		report_problem(&c->report, "journalctl -u hauberk --grep kerberos.refused -n 3",
		    "login", "%s: your ticket does not log in: %s; the server's log has the reason",
		    name, l.why);
	gss_delete_sec_context(&ignored, &l.context, GSS_C_NO_BUFFER);
	tls_talk_close(&l.talk);
}

void check_logins(struct check *c)
{
	if (!c->ticket) {
		report_untested(&c->report, "login", "a login wants your ticket");
		return;
	}
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		try_service(c, (enum kerberos_service)i);
}
