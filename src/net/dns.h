/*
 * dns: questions to the domain name system, validated by DNSSEC (RFC 4033-4035), through libunbound.
 *
 *     struct dns *dns = dns_open(&settings, error);            (reads files; before the sandbox is locked)
 *     dns_start(dns);                                          (its thread; afterwards)
 *     struct dns_answer answer;
 *     dns_ask(dns, SLICE("example.org"), DNS_MX, deadline_in_ms(5000), s->turn, &answer);
 *     if (answer.result == DNS_FOUND)
 *             for (size_t i = 0; i < answer.count; i++) ... dns_read_mx(answer.records[i], ...) ...
 *     else if (answer.result == DNS_FAILED)
 *             ... temporary: answer.why ...
 *
 * A question has an end, whatever the servers do: libunbound keeps asking on its own, and its answer goes
 * into the cache for the next one. An answer whose signatures are wrong is never handed out, and never
 * taken for "no such record": it is DNS_FAILED, temporary, with the reason.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"

struct dns;

struct dns_settings {
	/* Whom to ask: addresses with blanks between them, each with "@PORT" if it is not 53;
	 * "": those of /etc/resolv.conf; "none": nobody, but the servers of each zone, from the root on. */
	slice servers;
	/* Zones that have servers of their own: "ad.example=10.0.0.1 ad.example=10.0.0.2@5353". */
	slice stub_zones;
	/* Zones that are not validated, with blanks between them; "": the stub zones. */
	slice insecure_zones;
	/* File with the keys or digests that validation begins with, as zone files write them; "": nothing
	 * is validated. */
	const char *trust_anchor;
};

/* Types of records (IANA, DNS parameters). */
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DNSKEY = 48,
	DNS_TLSA = 52,
};

enum dns_result {
	DNS_FOUND,
	DNS_NO_DATA, /* the name is there, without records of the type */
	DNS_NO_NAME, /* no such name; also for a text that is no domain name */
	DNS_FAILED,  /* temporary: no answer in time, servers that fail, wrong signatures */
};

struct dns_answer {
	enum dns_result result;
	bool secure;  /* proved by signatures down from the trust anchor; of "not there", too */
	bool bogus;   /* of DNS_FAILED: the signatures are wrong or missing */
	uint32_t ttl; /* seconds */
	slice
	    name; /* whose records they are, at the end of CNAMEs; the question's when there were none */
	size_t count;
	slice *records;  /* data as on the wire (RFC 1035 §3.3), names in it not compressed */
	const char *why; /* of DNS_FAILED: for the log; "" otherwise */
};

/* Reads files and settings. NULL and error: which of them is wrong. Nothing is sent yet. */
struct dns *dns_open(const struct dns_settings *settings, struct error *error);
/* Starts the thread that takes answers. It asks the forwarders first whether they hand signatures on at all;
 * if not, nothing is validated, which is logged once (dns_validates). */
void dns_start(struct dns *dns);
/* Ends the thread and frees; nobody may be asking any more. NULL is allowed. */
void dns_close(struct dns *dns);

/* Asks and waits, until the deadline at most. The name is text without a dot at its end (one is allowed),
 * any case, A-labels; its octets mean themselves, and nothing is an escape. The answer lives in the arena. Any thread but that of a reactor. */
void dns_ask(struct dns *dns, slice name, enum dns_type type, struct deadline deadline,
    struct arena *arena, struct dns_answer *out);

enum dns_validation {
	DNS_VALIDATES,
	DNS_NO_ANCHOR,     /* none is configured */
	DNS_NO_SIGNATURES, /* the forwarders answer without signatures */
	DNS_UNKNOWN,       /* nobody has answered the first question yet */
};
/* What answers are worth now. */
enum dns_validation dns_validates(const struct dns *dns);

/* Calls for each server of /etc/resolv.conf or of the settings. */
void dns_each_server(
    const struct dns_settings *settings, void (*each)(void *context, slice server), void *context);

/* ---- records ---- */

/* A domain name at the beginning of the data, "mail.example.org", "." for the root, as dns_ask takes it: whatever
 * its octets are. n octets of data were read; 0: malformed, or with a dot inside of a label. */
size_t dns_read_name(slice data, struct arena *arena, slice *out);
/* A name for people and zone files: what is not printed, or means something there, as \DDD (RFC 1035 §5.1). */
slice dns_name_text(slice name, struct arena *arena);
/* preference and name (RFC 1035 §3.3.9; the null MX of RFC 7505 has the name "."). false: malformed. */
bool dns_read_mx(slice data, struct arena *arena, unsigned *preference_out, slice *name_out);
/* The strings of a TXT record, one after the other without anything between (RFC 7208 §3.3). */
bool dns_read_txt(slice data, struct arena *arena, slice *out);
/* Of A and AAAA. */
bool dns_read_address(slice data, struct ip *out);
/* The name whose PTR records are an address's (RFC 1035 §3.5, RFC 3596 §2.5). */
slice dns_reverse_name(const struct ip *ip, struct arena *arena);
/* A record as zone files write its data; types not known here as \# N HEX (RFC 3597 §5). */
slice dns_record_text(enum dns_type type, slice data, struct arena *arena);
/* "MX", or "TYPE99"; 0: not known. */
enum dns_type dns_type_find(slice name);
const char *dns_type_name(enum dns_type type, struct arena *arena);

#endif
