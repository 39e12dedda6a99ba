/*
 * conf: what hauberk.conf says, as rows.
 *
 * Each setting is one row of conf_rows.c: name, type, range, default, which roles are told, help. From
 * the rows come reading, `config check`, `config show`, the manual page and what each role is given,
 * and nothing else than its rows is given to a role.
 */
#ifndef MAIN_CONF_H
#define MAIN_CONF_H

#include "base/arena.h"
#include "base/error.h"
#include "net/session.h"
#include "net/tls_hosts.h"
#include "net/tls_settings.h"
#include "proc/limits.h"
#include "proc/role.h"

#define CONF_LISTENERS    32
#define CONF_CERTIFICATES 1000

/* What is allowed in handshakes. The files' texts are main's; roles get what is in them. */
struct conf_tls {
	const char *certificate, *key; /* files, with line feeds between them; "": none */
	const char *allowed_versions;  /* "TLSv1.2 TLSv1.3" */
	const char *cipher_suite, *cipher_suite13;
	bool server_order;
	const char *client_auth; /* "no", "optional", "required" */
	const char *client_ca;   /* file */
	int64_t client_depth;
	bool tickets;
};

/* What is shown to those who ask for one of these names. */
struct conf_certificate {
	const char *names; /* with line feeds between them; "": those in the certificates */
	const char *certificate, *key;
};

struct conf_listener {
	const char *protocol; /* "smtp", "imap", "pop3" */
	const char *address;
	int64_t port;
	const char *tls; /* "no", "starttls", "always" */
	bool plain_login;
	bool submission;
	struct limits limits;
	const char *proxy_from;    /* addresses */
	struct conf_tls handshake; /* where it says nothing, as the group tls does */
};

/* How clients of a service may log in (vault/sasl_policy.h). */
struct conf_login {
	const char *secure_types, *plain_types;
	bool secure_login, plain_login;
};

struct conf {
	const char *hostname;
	const char *state_dir;
	const char *run_dir;
	const char *log_level;
	const char *log_target; /* "stderr", "journal", "file" */
	const char *log_file;   /* "": none */
	struct conf_tls tls;
	int64_t ticket_lifetime_ms;
	struct conf_login smtp_login, imap_login, pop3_login;
	const char *auth_scram;
	bool auth_scram_plus;
	const char *auth_certificates; /* "no", "email", "upn" */
	const char *dns_servers, *dns_stub_zones, *dns_insecure_zones, *dns_trust_anchor;
	int64_t dns_timeout_ms;
	int64_t trace_days;
	const char *policy_on_error; /* "tmpreject", "reject", "accept" */
	int64_t policy_deadline_ms, policy_check_ms;
	const char *kerberos_keytab; /* files, with line feeds between them; "": none */
	const char *kerberos_rc4;    /* "no", "warn", "yes" */
	const char *kerberos_layer;  /* "no", "integrity", "confidentiality" */
	const char *kerberos_realms, *kerberos_upn_suffixes; /* vault/principal.h */
	int64_t auth_max_failures, auth_network_max_failures, auth_account_max_failures,
	    auth_failure_window_ms;
	int64_t smtp_processes, smtp_workers, smtp_max_sessions, smtp_max_message,
	    smtp_max_recipients;
	int64_t smtp_command_timeout_ms, smtp_data_timeout_ms, smtp_data_rate;
	int64_t imap_processes, imap_workers, imap_max_sessions, imap_idle_timeout_ms,
	    imap_login_timeout_ms;
	bool imap_compress;
	struct limits smtp_limits, imap_limits, pop3_limits;
	const char *smtp_relay_from, *smtp_xclient_from; /* addresses */
	bool smtp_check_sender;
	const char *smtp_vrfy, *smtp_expn; /* "nobody", "users", "anybody" */
	int64_t imap_max_errors, imap_max_auth_errors, pop3_max_errors, pop3_max_auth_errors;
	int64_t smtp_max_line;
	int64_t smtp_max_errors, smtp_max_auth_errors, smtp_max_header;
	int64_t smtp_max_hops;
	int64_t deliver_workers;
	struct conf_listener listeners[CONF_LISTENERS];
	int listener_count;
	struct conf_certificate *certificates;
	int certificate_count;
};

/* CONF_TEXTS: one text, or a list of them, which is kept with line feeds between them. */
enum conf_type {
	CONF_TEXT,
	CONF_TEXTS,
	CONF_NUMBER,
	CONF_SIZE,
	CONF_TIME,
	CONF_BOOL,
	CONF_CHOICE,
	CONF_IPS,
	CONF_MECHANISMS
};

struct conf_row {
	const char *name; /* "smtp.maxMessageSize"; of a listener: "port" */
	enum conf_type type;
	size_t offset;        /* in struct conf, conf_listener or conf_certificate */
	int64_t least, most;  /* numbers, octets, milliseconds */
	const char *fallback; /* as written in a file; NULL: must be given */
	const char *choices;  /* "a|b|c" */
	unsigned roles;       /* ROLE_BIT()s that are told */
	const char *help;     /* one line */
	const char
	    *inherits; /* of a listener: the setting that speaks where the listener does not */
};

/* clang-format off */
#define CONF_LIMIT(at, limit) ((at) + offsetof(struct limits, n) + (limit) * sizeof(int64_t))
/* The rows of six limits (proc/limits.h), whose struct is at `at`: connections of all clients, at most `most`, and
 * of each, `peers` unless said otherwise. Intervals end at an hour: what is counted is forgotten after one. */
#define CONF_LIMIT_ROWS(group, at, most, peers, roles) \
	{ group "maxConnections", CONF_NUMBER, CONF_LIMIT(at, LIMIT_CONNECTIONS), 0, most, "0", NULL, roles, \
	    "connections at once; more are turned away; 0: any number" }, \
	{ group "timeInterval", CONF_TIME, CONF_LIMIT(at, LIMIT_INTERVAL), 1000, 3600000, "1 min", NULL, roles, \
	    "over which maxIntervalConnections are counted" }, \
	{ group "maxIntervalConnections", CONF_NUMBER, CONF_LIMIT(at, LIMIT_INTERVAL_CONNECTIONS), 0, most, "0", NULL, roles, \
	    "new connections within timeInterval; 0: any number" }, \
	{ group "peerMaxConnections", CONF_NUMBER, CONF_LIMIT(at, LIMIT_PEER_CONNECTIONS), 0, 1000000, peers, NULL, roles, \
	    "connections of one address (IPv6: /64) at once; 0: any number" }, \
	{ group "peerTimeInterval", CONF_TIME, CONF_LIMIT(at, LIMIT_PEER_INTERVAL), 1000, 3600000, "1 min", NULL, roles, \
	    "over which peerMaxIntervalConnections are counted" }, \
	{ group "peerMaxIntervalConnections", CONF_NUMBER, CONF_LIMIT(at, LIMIT_PEER_INTERVAL_CONNECTIONS), 0, 1000000, "0", NULL, roles, \
	    "new connections of one address within peerTimeInterval; 0: any number" }
/* clang-format on */

extern const struct conf_row conf_rows[];
extern const size_t conf_row_count;
extern const struct conf_row conf_listener_rows[];
extern const size_t conf_listener_row_count;
extern const struct conf_row conf_certificate_rows[];
extern const size_t conf_certificate_row_count;

#define CONF_ROWS          96
#define CONF_LISTENER_ROWS 24

/* Where a row's value came from: the line of the file, 0 for the default. */
struct conf_origin {
	int lines[CONF_ROWS]; /* by row */
	int listeners[CONF_LISTENERS];
	int listener_lines[CONF_LISTENERS][CONF_LISTENER_ROWS];
	int certificates[CONF_CERTIFICATES];
};

/* Reads the file. Every mistake is said with file and line through complain(context, text); false when
 * there was one. Texts live in the arena. */
bool conf_read(const char *path, struct arena *arena, struct conf *conf_out,
    struct conf_origin *origin_out, void (*complain)(void *context, const char *text),
    void *context);
/* Checks what the rows cannot: files that must be there, listeners that contradict each other, what
 * OpenSSL would refuse. */
bool conf_check(const struct conf *conf, const struct conf_origin *origin, const char *path,
    void (*complain)(void *context, const char *text), void *context);
/* Says what is allowed and should not be. */
void conf_warn(const struct conf *conf, const struct conf_origin *origin, const char *path,
    void (*warn)(void *context, const char *text), void *context);
/* conf_tls.c: the part of both that is about TLS. */
bool conf_tls_check(const struct conf *conf, const struct conf_origin *origin, const char *path,
    void (*complain)(void *context, const char *text), void *context);
/* A certificate's file and its key's. */
struct conf_pair {
	const char *certificate, *key;
};
/* The pairs of two settings of one place, into out (room for TLS_PAIRS); how many; -1 and error when they
 * are not as many, or too many. */
int conf_pairs(const char *certificates, const char *keys, struct arena *arena,
    struct conf_pair *out, struct error *error);
/* Adds the names that it is shown for, in lower case with line feeds between them. */
bool conf_certificate_names(
    const struct conf_certificate *c, struct arena *arena, struct buf *out, struct error *error);
/* What net/ is told of it; client_ca is the content of that file. */
struct tls_settings conf_tls_settings(const struct conf_tls *tls, slice client_ca);
/* Sets one row's value from text; false and a text of what is wrong. */
bool conf_set(
    const struct conf_row *row, void *where, slice text, struct arena *arena, struct error *error);
/* A row's value as conf_set takes it. */
const char *conf_value(const struct conf_row *row, const void *where, struct arena *arena);
/* The same as it is written in a file: quoted where that needs it. */
const char *conf_text(const struct conf_row *row, const void *where, struct arena *arena);
/* The row of that name, NULL when there is none. */
const struct conf_row *conf_row_find(const struct conf_row *rows, size_t n, slice name);

#endif
