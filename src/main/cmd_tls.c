/* hauberk tls check: what the running listeners offer, as a client sees it. */
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/buf.h"
#include "main/command.h"
#include "main/open_tls.h"
#include "main/tls_probe.h"

#define DAYS_LEAST 30

/* What is said of one listener. */
struct report {
	struct tls_target target;
	struct arena *arena;
	int best; /* the newest version spoken; 0: none */
	int problems;
};

static void problem(struct report *r, const char *text)
{
	printf("  problem      %s\n", text);
	r->problems++;
}

/* ---- certificates ---- */

static const char *name_text(const X509_NAME *name, struct arena *arena)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;

	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	long n = BIO_get_mem_data(bio, &p);
	const char *text = arena_str(arena, (slice){ p, (size_t)n });
	BIO_free(bio);
	return text[0] ? text : "(empty)";
}

static const char *key_text(X509 *x, struct arena *arena)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	bool ec = key && EVP_PKEY_is_a(key, "EC");

	return arena_printf(arena, "%s %d bits",
	    ec        ? "ECDSA"
		: key ? "RSA"
		      : "key",
	    key ? EVP_PKEY_get_bits(key) : 0);
}

static void print_names(X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	const char *before = " ";

	printf("    names     ");
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

		if (one->type != GEN_DNS)
			continue;
		printf("%s%.*s", before, ASN1_STRING_length(one->d.dNSName),
		    (const char *)ASN1_STRING_get0_data(one->d.dNSName));
		before = ", ";
	}
	printf("%s\n", before[0] == ' ' ? " none" : "");
	GENERAL_NAMES_free(names);
}

static void print_expiry(struct report *r, X509 *x)
{
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x));
	bool over = days < 0 || seconds < 0;
	if (over)
		printf("    expires    has expired\n");
	else
		printf("    expires    in %d days\n", days);
	if (over)
		problem(r, "the certificate has expired");
	else if (days < DAYS_LEAST)
		problem(r,
		    arena_printf(r->arena, "the certificate expires in %d days, fewer than %d",
			days, DAYS_LEAST));
}

static void print_chain(struct report *r, const struct tls_probe *p)
{
	int n = sk_X509_num(p->chain);
	bool missing = p->verified == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	    p->verified == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
	    p->verified == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;

	printf("    chain      %d certificate%s, %s\n", n, n == 1 ? "" : "s",
	    p->verified == X509_V_OK ? "trusted by this system's authorities"
		: missing            ? "incomplete"
				     : X509_verify_cert_error_string(p->verified));
	if (missing)
		problem(r,
		    arena_printf(r->arena,
			"the chain is incomplete: the certificate of %s is neither in it nor among "
			"this system's authorities",
			name_text(X509_get_issuer_name(sk_X509_value(p->chain, n - 1)), r->arena)));
	else if (p->verified != X509_V_OK)
		problem(r,
		    arena_printf(r->arena, "clients will not trust the certificate: %s",
			X509_verify_cert_error_string(p->verified)));
}

static void print_certificate(struct report *r, const struct tls_probe *p, const char *host)
{
	X509 *x = sk_X509_value(p->chain, 0);

	printf("  certificate  %s, %s\n", key_text(x, r->arena),
	    name_text(X509_get_subject_name(x), r->arena));
	print_names(x);
	printf("    issuer     %s\n", name_text(X509_get_issuer_name(x), r->arena));
	print_expiry(r, x);
	print_chain(r, p);
	if (X509_check_host(x, host, 0, 0, NULL) != 1)
		problem(r, arena_printf(r->arena, "the certificate is not for \"%s\"", host));
}

/* The one that is shown to clients which verify only this kind. */
static void look_at_kind(struct report *r, const struct tls_target *target, const char *signatures)
{
	struct tls_offer offer = { .version = r->best, .signatures = signatures };
	struct tls_probe p;
	struct error error;

	if (tls_probe(target, &offer, &p, &error) && p.chain)
		print_certificate(r, &p, target->host);
	tls_probe_free(&p);
}

static void look_at_certificates(struct report *r, const struct tls_target *target)
{
	/* TLS 1.0 and 1.1 have no such list, and with two certificates show the one for the cipher. */
	if (r->best < TLS1_2_VERSION) {
		look_at_kind(r, target, NULL);
		return;
	}
	look_at_kind(r, target, "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512");
	look_at_kind(r, target,
	    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512");
}

/* ---- the rest ---- */

static bool look_at_version(struct report *r, int version, const char *name, struct error *error)
{
	struct tls_offer offer = { .version = version };
	struct tls_probe p;

	if (!tls_probe(&r->target, &offer, &p, error))
		return false;
	printf("  %-11s  %s\n", name, p.spoken ? p.cipher : "not spoken");
	if (p.spoken)
		r->best = version;
	if (p.spoken && version < TLS1_2_VERSION)
		problem(r, arena_printf(r->arena, "%s is outdated (RFC 8996)", name));
	tls_probe_free(&p);
	return true;
}

static void look_at_session(struct report *r)
{
	struct tls_offer offer = { .version = r->best };
	struct tls_probe first, second = { 0 };
	struct error error;

	if (tls_probe(&r->target, &offer, &first, &error)) {
		printf("  clients      %s\n",
		    first.refused     ? "must show a certificate"
			: first.asked ? "are asked for a certificate and need none"
				      : "are not asked for a certificate");
		offer.session = first.session;
		if (first.session)
			tls_probe(&r->target, &offer, &second, &error);
		printf("  tickets      %s\n",
		    !first.session       ? "none"
			: second.resumed ? "sessions are resumed"
					 : "given, but the session was not resumed");
	}
	tls_probe_free(&first);
	tls_probe_free(&second);
}

static int check_listener(const struct conf *conf, const struct conf_listener *l)
{
	static const struct {
		int number;
		const char *name;
	} versions[] = { { TLS1_VERSION, "TLSv1" }, { TLS1_1_VERSION, "TLSv1.1" },
		{ TLS1_2_VERSION, "TLSv1.2" }, { TLS1_3_VERSION, "TLSv1.3" } };
	struct report r = { .arena = arena_new(1 << 20),
		.target = { l->protocol, l->address, (int)l->port, strcmp(l->tls, "always") != 0,
		    conf->hostname } };
	struct error error;
	bool there = true;

	printf("%s, %s\n", open_listener_name(l, r.arena),
	    r.target.starttls ? "after STARTTLS" : "TLS from the first octet");
	for (size_t i = 0; there && i < sizeof versions / sizeof versions[0]; i++)
		there = look_at_version(&r, versions[i].number, versions[i].name, &error);
	if (!there)
		problem(&r, error.why);
	else if (!r.best)
		problem(&r, "no version of TLS is spoken");
	if (there && r.best) {
		look_at_certificates(&r, &r.target);
		look_at_session(&r);
	}
	arena_free(r.arena);
	return r.problems;
}

/* Of certificates, by the first name of each; a wildcard by a host that it stands for. They are the same on
 * every listener. */
static int check_hosts(const struct conf *conf, const struct conf_listener *l)
{
	struct report r = { .arena = arena_new(8 << 20), .best = TLS1_2_VERSION };
	struct error error;
	struct buf names;

	buf_init(&names, 1 << 20);
	if (strstr(l->handshake.allowed_versions, "TLSv1.3"))
		r.best = TLS1_3_VERSION;
	for (int i = 0; i < conf->certificate_count; i++) {
		buf_clear(&names);
		if (!conf_certificate_names(&conf->certificates[i], r.arena, &names, &error))
			continue;
		slice name = slice_head(buf_slice(&names), slice_find(buf_slice(&names), '\n'));
		const char *host = name.p[0] == '*'
		    ? arena_printf(r.arena, "host%.*s", SLICE_ARG(slice_from(name, 1)))
		    : arena_str(r.arena, name);
		struct tls_target target = { l->protocol, l->address, (int)l->port,
			strcmp(l->tls, "always") != 0, host };

		printf("host %s\n", host);
		look_at_certificates(&r, &target);
	}
	buf_free(&names);
	arena_free(r.arena);
	return r.problems;
}

/* By its name in the log, its address and port, its port, or its protocol. */
static bool is_meant(const struct conf_listener *l, const char *word, struct arena *arena)
{
	const char *name = open_listener_name(l, arena);

	return !word || strcmp(word, name) == 0 || strcmp(word, strchr(name, ' ') + 1) == 0 ||
	    strcmp(word, arena_printf(arena, "%lld", (long long)l->port)) == 0 ||
	    strcmp(word, l->protocol) == 0;
}

static int check(const struct conf *conf, const char *word)
{
	struct arena *arena = arena_new(1 << 20);
	int listeners = 0, problems = 0;

	for (int i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (strcmp(l->tls, "no") == 0 || !is_meant(l, word, arena))
			continue;
		problems += check_listener(conf, l);
		if (!listeners++)
			problems += check_hosts(conf, l);
	}
	arena_free(arena);
	if (!listeners)
		fprintf(stderr, "hauberk tls check: there is no listener with TLS%s%s\n",
		    word ? " called " : "", word ? word : "");
	else if (problems)
		printf("%d problem%s\n", problems, problems == 1 ? "" : "s");
	else
		printf("no problems\n");
	return problems || !listeners;
}

static int run(int argc, char **argv)
{
	struct conf conf;
	struct conf_origin origin;
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_tls, "-c wants a file", NULL);
	if (argc < 2 || strcmp(argv[1], "check") != 0)
		return command_wrong(&command_tls, "say check", argc > 1 ? argv[1] : NULL);
	if (argc > 3)
		return command_wrong(&command_tls, "it takes one listener, or none", argv[3]);
	if (!command_conf(path, &conf, &origin))
		return 1;
	return check(&conf, argc > 2 ? argv[2] : NULL);
}

const struct command command_tls = { "tls", "see what the running listeners offer",
	"usage: hauberk tls check [LISTENER] [-c FILE]\n"
	"\n"
	"Connects to the running server as a client does, by STARTTLS where that is how TLS begins, and\n"
	"says of each listener with TLS: versions with their ciphers, certificates, whether clients are\n"
	"asked for one, tickets; then of each of certificates. Status 1 if there is a problem: an\n"
	"outdated version, a certificate that expires within 30 days, is not for the host, or whose chain\n"
	"this system's authorities do not vouch for.\n"
	"\n"
	"LISTENER is its protocol, port, address and port, or name in the log (\"imap ::1:993\").\n",
	run };
