/* What is around the server: DNS, the clock of the KDC, and the tickets that it gives for the services. */
#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "main/kerberos_check.h"

#define SKEW_MOST 120 /* seconds; at five minutes logins fail */

/* ---- DNS ---- */

static void look_at_address(struct check *c, const struct addrinfo *a, const char *host)
{
	char text[NI_MAXHOST], name[NI_MAXHOST];

	getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
	int failed =
	    getnameinfo(a->ai_addr, a->ai_addrlen, name, sizeof name, NULL, 0, NI_NAMEREQD);
	if (failed)
		report_problem(&c->report,
		    arena_printf(c->arena,
			"Add-DnsServerResourceRecordPtr -ZoneName ZONE -Name NUMBER -PtrDomainName %s   (on "
			"Windows)\nsamba-tool dns add DC ZONE NUMBER PTR %s   (on Samba)",
			host, host),
		    "dns", "%s has no name (PTR): some clients ask for tickets by it", text);
	else if (strcasecmp(name, host) != 0)
		report_problem(&c->report,
		    arena_printf(c->arena,
			"samba-tool dns update DC ZONE NUMBER PTR %s %s   (on Windows: dnsmgmt.msc)",
			name, host),
		    "dns", "%s is called %s, not %s: some clients ask for tickets by it", text,
		    name, host);
	else
		report_ok(
		    &c->report, "dns", "%s has the address %s, and that the name", host, text);
}

void check_dns(struct check *c)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	const char *host = c->conf->hostname;
	int failed = getaddrinfo(host, NULL, &hints, &list), n = 0;

	if (failed) {
		report_problem(&c->report,
		    arena_printf(c->arena,
			"Add-DnsServerResourceRecordA -ZoneName ZONE -Name %s -IPv4Address ADDRESS   (on "
			"Windows)\nsamba-tool dns add DC ZONE %s A ADDRESS   (on Samba)",
			host, host),
		    "dns", "%s has no address: %s", host, gai_strerror(failed));
		return;
	}
	for (const struct addrinfo *a = list; a && n < 16; a = a->ai_next, n++)
		look_at_address(c, a, host);
	freeaddrinfo(list);
}

/* ---- the clock ---- */

/* Asks for nobody's ticket: the refusal tells the KDC's time. 0: it told none, *failed_out says why. */
static krb5_timestamp kdc_time(struct check *c, krb5_error_code *failed_out)
{
	krb5_init_creds_context login = NULL;
	krb5_principal nobody = NULL;
	krb5_error *refusal = NULL;
	krb5_timestamp told = 0;

	*failed_out = krb5_build_principal(
	    c->library, &nobody, (unsigned)strlen(c->realm), c->realm, "hauberk-check", NULL);
	if (!*failed_out)
		*failed_out = krb5_init_creds_init(c->library, nobody, NULL, NULL, 0, NULL, &login);
	if (!*failed_out) {
		*failed_out = krb5_init_creds_get(c->library, login);
		krb5_init_creds_get_error(c->library, login, &refusal);
	}
	if (refusal)
		told = refusal->stime;
	krb5_free_error(c->library, refusal);
	krb5_init_creds_free(c->library, login);
	krb5_free_principal(c->library, nobody);
	return told;
}

static const char *library_says(struct check *c, krb5_error_code code)
{
	const char *text = krb5_get_error_message(c->library, code);
	const char *kept = arena_str(c->arena, slice_of(text));

	krb5_free_error_message(c->library, text);
	return kept;
}

void check_clock(struct check *c)
{
	krb5_error_code failed;

	if (!c->realm || !c->library) {
		report_untested(&c->report, "clock", "the realm is not known without a keytab");
		return;
	}
	krb5_timestamp told = kdc_time(c, &failed);
	/* Unsigned: the 32 bits of Kerberos end in 2106, not in 2038. */
	long off = (long)time(NULL) - (long)(uint32_t)told;
	if (!told)
		report_problem(&c->report,
		    arena_printf(
			c->arena, "host -t SRV _kerberos._tcp.%s\ncat /etc/krb5.conf", c->realm),
		    "clock", "no KDC of %s tells its time: %s", c->realm, library_says(c, failed));
	else if (off > SKEW_MOST || off < -SKEW_MOST)
		report_problem(&c->report, "timedatectl set-ntp true\nchronyc makestep", "clock",
		    "this host is %ld seconds %s the KDC of %s; from 300 on all logins fail",
		    off < 0 ? -off : off, off < 0 ? "behind" : "ahead of", c->realm);
	else
		report_ok(&c->report, "clock", "this host and the KDC of %s differ by %ld s",
		    c->realm, off < 0 ? -off : off);
}

/* ---- tickets for the services ---- */

/* Has the keytab what opens this ticket? */
static bool opens(const struct check *c, enum kerberos_service service, const krb5_ticket *t)
{
	for (size_t i = 0; i < c->keytab.count; i++) {
		const struct keytab_entry *e = &c->keytab.entries[i];

		if (keytab_serves(e, service) && e->enctype == t->enc_part.enctype &&
		    (t->enc_part.kvno == 0 || e->kvno == t->enc_part.kvno))
			return true;
	}
	return false;
}

static void look_at_ticket(
    struct check *c, enum kerberos_service service, const char *name, const krb5_creds *got)
{
	krb5_ticket *ticket;
	char number[20];

	if (krb5_decode_ticket(&got->ticket, &ticket)) {
		report_problem(
		    &c->report, "klist -e", "ticket", "the ticket for %s is malformed", name);
		return;
	}
	const char *type = keytab_enctype_name(ticket->enc_part.enctype, number);
	if (opens(c, service, ticket))
		report_ok(&c->report, "ticket", "%s: kvno %u %s, which the keytab has", name,
		    ticket->enc_part.kvno, type);
	else
		report_problem(&c->report, check_export(c, service), "ticket",
		    "the KDC locks tickets for %s with kvno %u %s, which the keytab does not have: the "
		    "account's password was set again since it was exported, or its encryption types were",
		    name, ticket->enc_part.kvno, type);
	krb5_free_ticket(c->library, ticket);
}

static void ask_ticket(struct check *c, enum kerberos_service service, krb5_ccache cache)
{
	const char *name = arena_printf(c->arena, "%s/%s@%s", kerberos_service_name(service),
	    c->conf->hostname, c->realm ? c->realm : "");
	krb5_creds wanted = { 0 }, *got = NULL;
	krb5_error_code failed = krb5_parse_name(c->library, name, &wanted.server);

	if (!failed)
		failed = krb5_cc_get_principal(c->library, cache, &wanted.client);
	/* A new one: the cache may have one from before the key was changed. */
	if (!failed)
		failed = krb5_get_credentials(
		    c->library, KRB5_GC_NO_STORE | KRB5_GC_CANONICALIZE, cache, &wanted, &got);
	if (failed)
		report_problem(&c->report,
		    arena_printf(c->arena,
			"setspn -S %s/%s %s   (on Windows)\nsamba-tool spn add %s/%s %s   (on Samba)",
			kerberos_service_name(service), c->conf->hostname,
			check_account(c, service), kerberos_service_name(service),
			c->conf->hostname, check_account(c, service)),
		    "ticket", "the KDC gives no ticket for %s: %s", name, library_says(c, failed));
	else
		look_at_ticket(c, service, name, got);
	krb5_free_creds(c->library, got);
	krb5_free_cred_contents(c->library, &wanted);
}

/* Of a cache in memory with nothing but what the caller logged on with. */
static bool copy_of_cache(struct check *c, krb5_ccache *copy_out)
{
	krb5_principal client = NULL;
	krb5_cc_cursor cursor;
	krb5_ccache mine;
	krb5_creds one;
	bool any = false;

	if (krb5_cc_default(c->library, &mine))
		return false;
	if (krb5_cc_get_principal(c->library, mine, &client) ||
	    krb5_cc_new_unique(c->library, "MEMORY", NULL, copy_out)) {
		krb5_free_principal(c->library, client);
		krb5_cc_close(c->library, mine);
		return false;
	}
	krb5_cc_initialize(c->library, *copy_out, client);
	if (!krb5_cc_start_seq_get(c->library, mine, &cursor)) {
		while (!krb5_cc_next_cred(c->library, mine, &cursor, &one)) {
			if (one.server->length == 2 &&
			    krb5_princ_component(c->library, one.server, 0)->length == 6 &&
			    memcmp(krb5_princ_component(c->library, one.server, 0)->data, "krbtgt",
				6) == 0) {
				any = true;
				krb5_cc_store_cred(c->library, *copy_out, &one);
			}
			krb5_free_cred_contents(c->library, &one);
		}
		krb5_cc_end_seq_get(c->library, mine, &cursor);
	}
	krb5_free_principal(c->library, client);
	krb5_cc_close(c->library, mine);
	if (!any)
		krb5_cc_destroy(c->library, *copy_out);
	return any;
}

void check_tickets(struct check *c)
{
	krb5_ccache cache;

	c->ticket = c->library && copy_of_cache(c, &cache);
	if (!c->ticket) {
		report_untested(&c->report, "ticket",
		    "you have no ticket; kinit as some user, and check again");
		return;
	}
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		ask_ticket(c, (enum kerberos_service)i, cache);
	krb5_cc_destroy(c->library, cache);
}
