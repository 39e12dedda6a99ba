/* Every setting of hauberk.conf, one row each. */
#include "main/conf.h"

#include <stddef.h>

#define ALL_ROLES            (ROLE_BIT(ROLE_COUNT) - 1)
#define SMTP                 ROLE_BIT(ROLE_SMTP)
#define IMAP                 ROLE_BIT(ROLE_IMAP)
#define AT(member)           offsetof(struct conf, member)
#define LAT(member)          offsetof(struct conf_listener, member)
#define TAT(member)          (AT(tls) + offsetof(struct conf_tls, member))
#define HAT(member)          (LAT(handshake) + offsetof(struct conf_tls, member))
#define CAT(member)          offsetof(struct conf_certificate, member)
#define LOGIN(member, field) (AT(member) + offsetof(struct conf_login, field))
#define KIB                  1024LL
#define SECOND               1000LL

/* clang-format off */
#define TYPES_ROWS(prefix, member) \
	{ prefix "secureConnAuthTypes", CONF_MECHANISMS, LOGIN(member, secure_types), 0, 400, \
	    "scram-sha-256-plus scram-sha-256 plain login gssapi external", NULL, SMTP | IMAP, \
	    "mechanisms offered on connections with TLS, each while it can work" }, \
	{ prefix "plainConnAuthTypes", CONF_MECHANISMS, LOGIN(member, plain_types), 0, 400, "gssapi", NULL, SMTP | IMAP, \
	    "mechanisms offered on connections without TLS; plain and login show the password to whoever listens; gssapi is offered with kerberos.securityLayer" }
#define COMMAND_ROWS(prefix, member, command) \
	{ prefix "secureConnAllowLogin", CONF_BOOL, LOGIN(member, secure_login), 0, 0, "true", NULL, SMTP | IMAP, \
	    "take " command " on connections with TLS" }, \
	{ prefix "plainConnAllowLogin", CONF_BOOL, LOGIN(member, plain_login), 0, 0, "false", NULL, SMTP | IMAP, \
	    "take " command " without TLS, which shows the password to whoever listens" }

const struct conf_row conf_rows[] = {
	{ "hostname", CONF_TEXT, AT(hostname), 1, 255, NULL, NULL, ALL_ROLES,
	    "this server's full host name, as it greets and signs Received fields" },
	{ "stateDir", CONF_TEXT, AT(state_dir), 1, 4000, "/var/lib/hauberk", NULL, ALL_ROLES,
	    "folder of mail, spool and databases" },
	{ "runDir", CONF_TEXT, AT(run_dir), 1, 90, "/run/hauberk", NULL, ROLE_BIT(ROLE_CONTROL),
	    "folder of the socket for commands" },
	{ "logLevel", CONF_CHOICE, AT(log_level), 0, 0, "info", "debug|info|warn", ALL_ROLES,
	    "lowest level of the log lines written" },
	{ "logTarget", CONF_CHOICE, AT(log_target), 0, 0, "stderr", "stderr|journal|file", 0,
	    "where they go: standard error, systemd's journal with a field for each key, or logFile" },
	{ "logFile", CONF_TEXT, AT(log_file), 0, 4000, "", NULL, 0,
	    "file that is appended to, and opened again at SIGHUP, after it was renamed" },
	{ "tls.certificate", CONF_TEXTS, TAT(certificate), 0, 4000, "", NULL, 0,
	    "file with the certificate chain in PEM, leaf first; or two, one ECDSA and one RSA (2048 bits or more), [ \"a.pem\", \"b.pem\" ]" },
	{ "tls.key", CONF_TEXTS, TAT(key), 0, 4000, "", NULL, 0,
	    "file with the private key of the certificate in PEM; of two, two in the same order" },
	{ "tls.allowedVersions", CONF_TEXT, TAT(allowed_versions), 1, 100, "TLSv1.2 TLSv1.3", NULL, 0,
	    "versions spoken, of TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; the first two are outdated (RFC 8996)" },
	{ "tls.cipherSuite", CONF_TEXT, TAT(cipher_suite), 1, 2000, "DEFAULT", NULL, 0,
	    "ciphers up to TLS 1.2, best first, as openssl-ciphers(1) writes them" },
	{ "tls.cipherSuite13", CONF_TEXT, TAT(cipher_suite13), 1, 400,
	    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", NULL, 0,
	    "ciphers of TLS 1.3, best first" },
	{ "tls.preferServerCipherSuiteOrder", CONF_BOOL, TAT(server_order), 0, 0, "true", NULL, 0,
	    "the best cipher by our list is taken; false: by the client's" },
	{ "tls.requestClientAuth", CONF_CHOICE, TAT(client_auth), 0, 0, "no", "no|optional|required", 0,
	    "ask clients for a certificate; optional: who has none, or one of strangers, is served too" },
	{ "tls.clientCA", CONF_TEXT, TAT(client_ca), 0, 4000, "", NULL, 0,
	    "file with the certificates in PEM of those who sign clients' certificates" },
	{ "tls.clientDepth", CONF_NUMBER, TAT(client_depth), 0, 20, "5", NULL, 0,
	    "most authorities between one of clientCA and a client's certificate" },
	{ "tls.sessionTickets", CONF_BOOL, TAT(tickets), 0, 0, "true", NULL, 0,
	    "let clients resume their TLS session, at any process, without the private key being asked" },
	{ "tls.ticketLifetime", CONF_TIME, AT(ticket_lifetime_ms), 1 * SECOND, 7 * 24 * 3600 * SECOND, "12 h", NULL, SMTP | IMAP,
	    "how long a session may be resumed; so often there is a new key for tickets" },
	{ "auth.scram", CONF_CHOICE, AT(auth_scram), 0, 0, "auto", "auto|yes|no", SMTP | IMAP,
	    "offer SCRAM-SHA-256; auto: while every account has a verifier for it" },
	{ "auth.scramPlus", CONF_BOOL, AT(auth_scram_plus), 0, 0, "true", NULL, SMTP | IMAP,
	    "offer SCRAM-SHA-256-PLUS too, bound to the TLS connection" },
	{ "auth.certificateNames", CONF_CHOICE, AT(auth_certificates), 0, 0, "no", "no|email|upn", SMTP | IMAP,
	    "who shows a certificate that clientCA vouches for may log in (EXTERNAL) as the account of its name: of its e-mail address, or of its user principal name, as Active Directory's smart cards have it" },
	{ "auth.maxFailures", CONF_NUMBER, AT(auth_max_failures), 0, 1000000, "100", NULL, SMTP | IMAP,
	    "failed logins of one address (IPv6: /64) within auth.failureWindow, over all protocols; then it has to wait; 0: any" },
	{ "auth.networkMaxFailures", CONF_NUMBER, AT(auth_network_max_failures), 0, 1000000, "1000", NULL, SMTP | IMAP,
	    "failed logins of one network (IPv4: /24, IPv6: /48) within auth.failureWindow; 0: any" },
	{ "auth.accountMaxFailures", CONF_NUMBER, AT(auth_account_max_failures), 0, 1000000, "50", NULL, SMTP | IMAP,
	    "wrong passwords for one account within auth.failureWindow, wherever they come from; then it takes no password, but tickets and certificates as before; 0: any" },
	{ "auth.failureWindow", CONF_TIME, AT(auth_failure_window_ms), 1 * SECOND, 1800 * SECOND, "10 min", NULL, SMTP | IMAP,
	    "over which time failed logins are counted" },
	{ "dns.servers", CONF_TEXT, AT(dns_servers), 0, 1000, "", NULL, SMTP,
	    "resolvers that are asked, with blanks between them, each with @PORT if it is not 53; empty: those of /etc/resolv.conf; none: the servers of each zone, from the root on" },
	{ "dns.stubZones", CONF_TEXT, AT(dns_stub_zones), 0, 4000, "", NULL, SMTP,
	    "zones with servers of their own, as an Active Directory's: ad.example=10.0.0.1 ad.example=10.0.0.2" },
	{ "dns.insecureZones", CONF_TEXT, AT(dns_insecure_zones), 0, 4000, "", NULL, SMTP,
	    "zones whose answers need no signatures, with blanks between them; empty: those of dns.stubZones" },
	{ "dns.trustAnchor", CONF_TEXT, AT(dns_trust_anchor), 0, 4000, "/usr/share/dns/root.key", NULL, SMTP,
	    "file with the keys that validation (DNSSEC) begins with; empty: nothing is validated" },
	{ "dns.timeout", CONF_TIME, AT(dns_timeout_ms), 100, 60 * SECOND, "5 s", NULL, SMTP,
	    "how long a question may take" },
	{ "trace.days", CONF_NUMBER, AT(trace_days), 0, 3650, "30", NULL, SMTP | ROLE_BIT(ROLE_DELIVER) | ROLE_BIT(ROLE_CONTROL),
	    "for how many days it is kept what happened to each message, for hauberk trace; 0: nothing is kept" },
	{ "policy.onError", CONF_CHOICE, AT(policy_on_error), 0, 0, "tmpreject", "tmpreject|reject|accept", SMTP | ROLE_BIT(ROLE_DELIVER),
	    "how an event of the policy ends that cannot be run to its end: the client is to come again, is refused, or nothing was decided" },
	{ "policy.deadline", CONF_TIME, AT(policy_deadline_ms), 1 * SECOND, 600 * SECOND, "60 s", NULL, SMTP | ROLE_BIT(ROLE_DELIVER),
	    "how long an event of the policy may take; then checks have no answer any more" },
	{ "policy.checkDeadline", CONF_TIME, AT(policy_check_ms), 100, 600 * SECOND, "10 s", NULL, SMTP | ROLE_BIT(ROLE_DELIVER),
	    "how long a check in it may take" },
	{ "kerberos.keytab", CONF_TEXTS, AT(kerberos_keytab), 0, 4000, "", NULL, 0,
	    "file with the keys of smtp/HOST, imap/HOST and pop/HOST, usually /etc/krb5.keytab, or a list of files, as one for each service; logins with tickets (GSSAPI) are offered for those in it; none: not offered" },
	{ "kerberos.allowRC4", CONF_CHOICE, AT(kerberos_rc4), 0, 0, "no", "no|warn|yes", ROLE_BIT(ROLE_AUTH),
	    "take tickets that are locked with RC4, which Active Directory makes for service accounts unless it is told otherwise; warn: take them, and say so in the log" },
	{ "kerberos.securityLayer", CONF_CHOICE, AT(kerberos_layer), 0, 0, "no", "no|integrity|confidentiality", SMTP | IMAP,
	    "take tickets without TLS too, from clients that put a layer of Kerberos around all that follows: one that shows changes, or one that nobody else can read; the first offers both" },
	{ "kerberos.realms", CONF_TEXTS, AT(kerberos_realms), 0, 4000, "", NULL, SMTP | IMAP,
	    "realms whose users have accounts here, \"CORP.EXAMPLE = example.org\" where the domain is not called like the realm; none: every realm that has a domain of its name here" },
	{ "kerberos.upnSuffixes", CONF_TEXTS, AT(kerberos_upn_suffixes), 0, 4000, "", NULL, SMTP | IMAP,
	    "UPN suffixes, \"sales.example = CORP.EXAMPLE\": who logs on in that realm as alice@sales.example has the account of that name" },
	{ "smtp.processes", CONF_NUMBER, AT(smtp_processes), 0, 32, "0", NULL, 0,
	    "processes that speak SMTP; 0: as many as there are cores, at least 2" },
	{ "smtp.workers", CONF_NUMBER, AT(smtp_workers), 1, 256, "8", NULL, SMTP,
	    "threads in each of them" },
	{ "smtp.maxSessions", CONF_NUMBER, AT(smtp_max_sessions), 1, 1000000, "5000", NULL, SMTP,
	    "connections in each of them; more wait" },
	CONF_LIMIT_ROWS("smtp.", AT(smtp_limits), 10000000, "500", SMTP),
	{ "smtp.relayFrom", CONF_IPS, AT(smtp_relay_from), 0, 0, "", NULL, SMTP | ROLE_BIT(ROLE_DELIVER),
	    "addresses of printers and applications that may send as if they had logged in" },
	TYPES_ROWS("smtp.", smtp_login),
	{ "smtp.xclientFrom", CONF_IPS, AT(smtp_xclient_from), 0, 0, "", NULL, SMTP,
	    "addresses of filters and proxies that may say by XCLIENT whom they speak for" },
	{ "smtp.maxMessageSize", CONF_SIZE, AT(smtp_max_message), 64 * KIB, 1024 * KIB * KIB, "50 MB", NULL, SMTP,
	    "largest message accepted" },
	{ "smtp.checkSender", CONF_BOOL, AT(smtp_check_sender), 0, 0, "true", NULL, SMTP,
	    "who has logged in may send only as his own address, its details, and aliases that lead to him" },
	{ "smtp.vrfy", CONF_CHOICE, AT(smtp_vrfy), 0, 0, "users", "nobody|users|anybody", SMTP,
	    "whom VRFY tells whether an address is here; others hear neither yes nor no" },
	{ "smtp.expn", CONF_CHOICE, AT(smtp_expn), 0, 0, "users", "nobody|users|anybody", SMTP,
	    "whom EXPN tells where an alias leads" },
	{ "smtp.maxErrors", CONF_NUMBER, AT(smtp_max_errors), 1, 1000, "20", NULL, SMTP,
	    "refused commands of a session; after more it is closed" },
	{ "smtp.maxAuthErrors", CONF_NUMBER, AT(smtp_max_auth_errors), 1, 100, "3", NULL, SMTP,
	    "failed logins of a session, then it is closed" },
	{ "smtp.maxHeaderSize", CONF_SIZE, AT(smtp_max_header), 16 * KIB, 256 * KIB * KIB, "256 KB", NULL, SMTP,
	    "largest header of a message accepted; each session that sends one keeps it in memory" },
	{ "smtp.maxLineLength", CONF_NUMBER, AT(smtp_max_line), 0, 1000000, "0", NULL, SMTP,
	    "octets of a line of a message, without its end (RFC 5322 2.1.1 allows 998); 0: any, as many real messages need" },
	{ "smtp.maxRecipients", CONF_NUMBER, AT(smtp_max_recipients), 100, 10000, "1000", NULL, SMTP,
	    "most recipients of one message" },
	{ "smtp.maxHops", CONF_NUMBER, AT(smtp_max_hops), 10, 1000, "30", NULL, SMTP,
	    "most Received fields that a message may have; more are a mail loop (RFC 5321 6.3)" },
	{ "smtp.commandTimeout", CONF_TIME, AT(smtp_command_timeout_ms), 1 * SECOND, 3600 * SECOND, "5 min", NULL, SMTP,
	    "how long a client may take for a command" },
	{ "smtp.dataTimeout", CONF_TIME, AT(smtp_data_timeout_ms), 1 * SECOND, 3600 * SECOND, "60 s", NULL, SMTP,
	    "over which time the rate of a message's data is measured" },
	{ "smtp.dataRate", CONF_NUMBER, AT(smtp_data_rate), 1, 1000000, "100", NULL, SMTP,
	    "slowest client accepted while it sends a message, octets a second" },
	{ "imap.processes", CONF_NUMBER, AT(imap_processes), 0, 32, "0", NULL, 0,
	    "processes that speak IMAP and POP3; 0: as many as there are cores, at least 2" },
	{ "imap.workers", CONF_NUMBER, AT(imap_workers), 1, 256, "8", NULL, IMAP,
	    "threads in each of them" },
	{ "imap.maxSessions", CONF_NUMBER, AT(imap_max_sessions), 1, 1000000, "20000", NULL, IMAP,
	    "connections in each of them; more wait" },
	CONF_LIMIT_ROWS("imap.", AT(imap_limits), 10000000, "0", IMAP),
	{ "imap.maxErrors", CONF_NUMBER, AT(imap_max_errors), 1, 1000, "20", NULL, IMAP,
	    "malformed commands in a row, then the session is closed" },
	{ "imap.maxAuthErrors", CONF_NUMBER, AT(imap_max_auth_errors), 1, 100, "3", NULL, IMAP,
	    "failed logins of a session, then it is closed" },
	TYPES_ROWS("imap.", imap_login),
	COMMAND_ROWS("imap.", imap_login, "LOGIN"),
	{ "imap.idleTimeout", CONF_TIME, AT(imap_idle_timeout_ms), 1 * SECOND, 24 * 3600 * SECOND, "30 min", NULL, IMAP,
	    "how long a logged-in client may be silent (RFC 9051: at least 30 minutes)" },
	{ "imap.loginTimeout", CONF_TIME, AT(imap_login_timeout_ms), 1 * SECOND, 3600 * SECOND, "60 s", NULL, IMAP,
	    "how long a client may take between commands before it has logged in" },
	{ "imap.compress", CONF_BOOL, AT(imap_compress), 0, 0, "false", NULL, IMAP,
	    "let clients compress the connection (COMPRESS=DEFLATE), which takes 40 to 80 KiB more of each that does" },
	CONF_LIMIT_ROWS("pop3.", AT(pop3_limits), 10000000, "0", IMAP),
	TYPES_ROWS("pop3.", pop3_login),
	COMMAND_ROWS("pop3.", pop3_login, "USER and PASS"),
	{ "pop3.maxErrors", CONF_NUMBER, AT(pop3_max_errors), 1, 1000, "20", NULL, IMAP,
	    "malformed commands in a row, then the session is closed" },
	{ "pop3.maxAuthErrors", CONF_NUMBER, AT(pop3_max_auth_errors), 1, 100, "3", NULL, IMAP,
	    "failed logins of a session, then it is closed" },
	{ "deliver.workers", CONF_NUMBER, AT(deliver_workers), 1, 256, "4", NULL, ROLE_BIT(ROLE_DELIVER),
	    "threads that write mail into accounts" },
};
const size_t conf_row_count = sizeof conf_rows / sizeof conf_rows[0];

/* Roles are told no paths: what a file holds reaches them as a descriptor, also when it changes. */
const struct conf_row conf_listener_rows[] = {
	{ "protocol", CONF_CHOICE, LAT(protocol), 0, 0, NULL, "smtp|imap|pop3", SMTP | IMAP,
	    "what is spoken there" },
	{ "address", CONF_TEXT, LAT(address), 1, 60, NULL, NULL, SMTP | IMAP,
	    "IPv4 or IPv6 address to listen on; \"0.0.0.0\" and \"::\" are all of theirs" },
	{ "port", CONF_NUMBER, LAT(port), 1, 65535, NULL, NULL, SMTP | IMAP,
	    "TCP port" },
	{ "tls", CONF_CHOICE, LAT(tls), 0, 0, "starttls", "no|starttls|always", SMTP | IMAP,
	    "whether TLS is offered, or spoken from the first octet" },
	{ "plainLogin", CONF_BOOL, LAT(plain_login), 0, 0, "false", NULL, SMTP | IMAP,
	    "accept passwords without TLS; for tests on loopback" },
	{ "submission", CONF_BOOL, LAT(submission), 0, 0, "false", NULL, SMTP | IMAP,
	    "SMTP of our own users: nothing without a login (RFC 6409)" },
	CONF_LIMIT_ROWS("", LAT(limits), 10000000, "0", SMTP | IMAP),
	{ "proxyFrom", CONF_IPS, LAT(proxy_from), 0, 0, "", NULL, SMTP | IMAP,
	    "addresses of load balancers, whose connections begin with a PROXY header (version 1 or 2)" },
	{ "certificate", CONF_TEXTS, HAT(certificate), 0, 4000, "", NULL, 0,
	    "file with its own certificate chain in PEM, leaf first; or two", "tls.certificate" },
	{ "key", CONF_TEXTS, HAT(key), 0, 4000, "", NULL, 0,
	    "file with the private key of its own certificate in PEM", "tls.key" },
	{ "allowedVersions", CONF_TEXT, HAT(allowed_versions), 1, 100, "", NULL, SMTP | IMAP,
	    "versions of TLS spoken", "tls.allowedVersions" },
	{ "cipherSuite", CONF_TEXT, HAT(cipher_suite), 1, 2000, "", NULL, SMTP | IMAP,
	    "ciphers up to TLS 1.2, best first", "tls.cipherSuite" },
	{ "cipherSuite13", CONF_TEXT, HAT(cipher_suite13), 1, 400, "", NULL, SMTP | IMAP,
	    "ciphers of TLS 1.3, best first", "tls.cipherSuite13" },
	{ "preferServerCipherSuiteOrder", CONF_BOOL, HAT(server_order), 0, 0, "", NULL, SMTP | IMAP,
	    "the best cipher by our list is taken; false: by the client's",
	    "tls.preferServerCipherSuiteOrder" },
	{ "requestClientAuth", CONF_CHOICE, HAT(client_auth), 0, 0, "", "no|optional|required", SMTP | IMAP,
	    "ask clients for a certificate", "tls.requestClientAuth" },
	{ "clientCA", CONF_TEXT, HAT(client_ca), 0, 4000, "", NULL, 0,
	    "file with the certificates in PEM of those who sign clients' certificates", "tls.clientCA" },
	{ "clientDepth", CONF_NUMBER, HAT(client_depth), 0, 20, "", NULL, SMTP | IMAP,
	    "most authorities between one of clientCA and a client's certificate", "tls.clientDepth" },
	{ "sessionTickets", CONF_BOOL, HAT(tickets), 0, 0, "", NULL, SMTP | IMAP,
	    "let clients resume their TLS session", "tls.sessionTickets" },
};
const size_t conf_listener_row_count = sizeof conf_listener_rows / sizeof conf_listener_rows[0];

const struct conf_row conf_certificate_rows[] = {
	{ "names", CONF_TEXTS, CAT(names), 0, 8000, "", NULL, 0,
	    "hosts that it is shown for, \"*.example.org\" for all directly below; those in the certificate unless given" },
	{ "certificate", CONF_TEXTS, CAT(certificate), 1, 4000, NULL, NULL, 0,
	    "file with the certificate chain in PEM, leaf first; or two, one ECDSA and one RSA" },
	{ "key", CONF_TEXTS, CAT(key), 1, 4000, NULL, NULL, 0,
	    "file with the private key of the certificate in PEM; of two, two in the same order" },
};
const size_t conf_certificate_row_count =
    sizeof conf_certificate_rows / sizeof conf_certificate_rows[0];
/* clang-format on */

_Static_assert(sizeof conf_rows / sizeof conf_rows[0] <= CONF_ROWS, "no line for each row");
_Static_assert(sizeof conf_listener_rows / sizeof conf_listener_rows[0] <= CONF_LISTENER_ROWS,
    "no line for each row of a listener");
