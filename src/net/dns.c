/* libunbound's contexts, the thread that takes their answers, and whoever waits for one. */
#include "net/dns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <unbound.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"

#define RESOLV_CONF    "/etc/resolv.conf"
#define FILE_MOST      (1u << 20)
#define NAME_TEXT      253 /* octets of a name as text (RFC 1035 §2.3.4) */
#define PROBE_AGAIN_MS 60000
#define CLASS_IN       1
#define TYPE_RRSIG     46
#define RCODE_NXDOMAIN 3

struct dns {
	struct ub_ctx *validating; /* NULL: without a trust anchor */
	struct ub_ctx *plain;
	_Atomic(struct ub_ctx *) now; /* the one that is asked */
	_Atomic int validation;
	bool forwards;     /* to servers that may keep signatures to themselves */
	char *anchor_name; /* whose keys the first question is for */
	bool started;
	pthread_t thread;
	int stop_fd;
	pthread_mutex_t lock;  /* abandoned */
	struct list abandoned; /* questions that nobody waits for any more */
};

/* ---- settings ---- */

static slice next_word(slice *rest)
{
	size_t from = 0, to;

	while (from < rest->n && strchr(" \t\n", rest->p[from]))
		from++;
	for (to = from; to < rest->n && !strchr(" \t\n", rest->p[to]);)
		to++;
	slice word = slice_head(slice_from(*rest, from), to - from);
	*rest = slice_from(*rest, to);
	return word;
}

/* Labels of 1 to 63 octets, whatever these are (RFC 1035 §2.3.4, RFC 2181 §11). A dot at the end is allowed, and
 * "." alone is the root. */
static bool name_is_good(slice name)
{
	bool root = name.n == 1 && name.p[0] == '.';
	size_t label = 0;

	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	for (size_t i = 0; i < name.n; i++) {
		bool dot = name.p[i] == '.';

		if ((dot && label == 0 && !root) || (label = dot ? 0 : label + 1) > 63)
			return false;
	}
	return name.n > 0 && name.n <= NAME_TEXT && (label || root);
}

/* "192.0.2.53" or "2001:db8::53@5353" */
static bool server_is_good(slice server)
{
	size_t at = slice_find(server, '@');
	uint64_t port = 53;
	struct ip ip;

	return ip_parse(slice_head(server, at), &ip) &&
	    (at == server.n || (slice_number(slice_from(server, at + 1), 65535, &port) && port));
}

static void each_of_resolv_conf(void (*each)(void *context, slice server), void *context)
{
	struct error ignored;
	struct buf text;

	buf_init(&text, FILE_MOST);
	if (file_read(RESOLV_CONF, &text, &ignored)) {
		slice rest = buf_slice(&text);

		while (rest.n) {
			slice line = slice_head(rest, slice_find(rest, '\n'));

			rest = slice_from(rest, line.n + 1);
			if (slice_eq(next_word(&line), SLICE("nameserver"))) {
				slice server = next_word(&line);

				if (server_is_good(server))
					each(context, server);
			}
		}
	}
	buf_free(&text);
}

void dns_each_server(
    const struct dns_settings *settings, void (*each)(void *context, slice server), void *context)
{
	slice rest = settings->servers, word;

	if (slice_eq(slice_trim(rest), SLICE("none")))
		return;
	if (!slice_trim(rest).n)
		each_of_resolv_conf(each, context);
	else
		while ((word = next_word(&rest)).n)
			each(context, word);
}

/* What a file's first record is for. */
static char *first_owner(slice text)
{
	while (text.n) {
		slice line = slice_head(text, slice_find(text, '\n'));
		slice word = next_word(&line);

		text = slice_from(text, slice_head(text, slice_find(text, '\n')).n + 1);
		if (word.n && word.p[0] != ';')
			return strndup(word.p, word.n);
	}
	return NULL;
}

/* ---- contexts ---- */

struct making {
	struct ub_ctx *ctx;
	struct error *error;
	size_t servers;
	bool ok;
};

static void add_server(void *context, slice server)
{
	struct making *m = context;
	char text[80];

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(server));
	m->servers++;
	if (!server_is_good(server))
		m->ok = error_local(m->error, "dns.servers: %s is no address", text);
	else if (m->ok && ub_ctx_set_fwd(m->ctx, text) != 0)
		m->ok = error_local(m->error, "dns.servers: libunbound refuses %s", text);
}

static bool add_stubs(struct making *m, slice stubs, bool insecure)
{
	slice word;

	while ((word = next_word(&stubs)).n) {
		size_t at = slice_find(word, '=');
		slice server = slice_from(word, at + 1);
		char zone[300], text[80];

		snprintf(zone, sizeof zone, "%.*s", SLICE_ARG(slice_head(word, at)));
		snprintf(text, sizeof text, "%.*s", SLICE_ARG(server));
		if (at == word.n || !name_is_good(slice_head(word, at)) || !server_is_good(server))
			return error_local(m->error,
			    "dns.stubZones: %.*s is not of the form zone=address", SLICE_ARG(word));
		if (ub_ctx_set_stub(m->ctx, zone, text, 0) != 0 ||
		    (insecure && ub_ctx_set_option(m->ctx, "domain-insecure:", zone) != 0))
			return error_local(
			    m->error, "dns.stubZones: libunbound refuses %.*s", SLICE_ARG(word));
	}
	return true;
}

static bool add_insecure(struct making *m, slice zones)
{
	slice word;

	while ((word = next_word(&zones)).n) {
		char zone[300];

		snprintf(zone, sizeof zone, "%.*s", SLICE_ARG(word));
		if (!name_is_good(word) || ub_ctx_set_option(m->ctx, "domain-insecure:", zone) != 0)
			return error_local(
			    m->error, "dns.insecureZones: %s is no domain name", zone);
	}
	return true;
}

/* Nothing here is a lie that libunbound would tell by default: a company's own reverse zones are asked
 * for, and "test" is what its servers say. The last call makes it read its files. */
static bool set_options(struct ub_ctx *ctx)
{
	static const char *const options[][2] = {
		{ "do-not-query-localhost:", "no" },
		{ "unblock-lan-zones:", "yes" },
		{ "trust-anchor-signaling:", "no" },
		{ "edns-buffer-size:", "1232" }, /* DNS flag day 2020 */
		{ "use-syslog:", "no" },
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (ub_ctx_set_option(ctx, options[i][0], options[i][1]) != 0)
			return false;
	ub_ctx_debugout(ctx, NULL);
	return ub_ctx_async(ctx, 1) == 0;
}

static struct ub_ctx *make_context(
    const struct dns_settings *s, const char *anchor, bool *forwards_out, struct error *error)
{
	struct making m = { .ctx = ub_ctx_create(), .error = error, .ok = true };
	bool stubs_are_insecure = !slice_trim(s->insecure_zones).n;

	if (!m.ctx || !set_options(m.ctx)) {
		error_local(error, "libunbound does not start");
		m.ok = false;
	}
	if (m.ok)
		dns_each_server(s, add_server, &m);
	m.ok = m.ok && add_stubs(&m, s->stub_zones, stubs_are_insecure) &&
	    add_insecure(&m, s->insecure_zones);
	if (m.ok && anchor && ub_ctx_add_ta_file(m.ctx, anchor) != 0)
		m.ok = error_local(error, "dns.trustAnchor: libunbound refuses %s", anchor);
	int rc = m.ok ? ub_ctx_zone_remove(m.ctx, "test.") : 0;
	if (m.ok && (rc != 0 || ub_ctx_zone_remove(m.ctx, "127.in-addr.arpa.") != 0))
		m.ok = error_local(error, "libunbound cannot work with %s: %s",
		    anchor ? anchor : "its settings", ub_strerror(rc));
	*forwards_out = m.servers > 0;
	if (m.ok)
		return m.ctx;
	ub_ctx_delete(m.ctx);
	return NULL;
}

static bool read_anchor(struct dns *dns, const char *path, struct error *error)
{
	struct buf text;

	buf_init(&text, FILE_MOST);
	bool ok = file_read(path, &text, error);
	if (ok && !(dns->anchor_name = first_owner(buf_slice(&text))))
		ok = error_local(error, "dns.trustAnchor: no record in %s", path);
	buf_free(&text);
	return ok;
}

struct dns *dns_open(const struct dns_settings *settings, struct error *error)
{
	struct dns *dns = NEW(struct dns);
	const char *anchor = settings->trust_anchor[0] ? settings->trust_anchor : NULL;

	pthread_mutex_init(&dns->lock, NULL);
	list_init(&dns->abandoned);
	dns->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dns->validation = anchor ? DNS_UNKNOWN : DNS_NO_ANCHOR;
	bool ok = (dns->plain = make_context(settings, NULL, &dns->forwards, error)) &&
	    (!anchor ||
		(read_anchor(dns, anchor, error) &&
		    (dns->validating = make_context(settings, anchor, &dns->forwards, error))));
	dns->now = anchor ? dns->validating : dns->plain;
	if (ok)
		return dns;
	dns_close(dns);
	return NULL;
}

enum dns_validation dns_validates(const struct dns *dns)
{
	return (enum dns_validation)dns->validation;
}

/* ---- does anybody hand signatures on? ---- */

/* Skips a name in an answer (RFC 1035 §4.1.4); 0: malformed. */
static size_t skip_name(slice packet, size_t at)
{
	while (at < packet.n) {
		unsigned n = (uint8_t)packet.p[at];

		if (n >= 0xc0)
			return at + 2;
		at += 1 + n;
		if (n == 0)
			return at;
	}
	return 0;
}

/* Is there an RRSIG in the answer's first section? */
static bool has_signature(slice packet)
{
	if (packet.n < 12)
		return false;
	unsigned records = (unsigned)(uint8_t)packet.p[6] << 8 | (uint8_t)packet.p[7];
	size_t at = skip_name(packet, 12) + 4;

	while (records-- && (at = skip_name(packet, at)) && at + 10 <= packet.n) {
		unsigned type = (unsigned)(uint8_t)packet.p[at] << 8 | (uint8_t)packet.p[at + 1];
		unsigned n = (unsigned)(uint8_t)packet.p[at + 8] << 8 | (uint8_t)packet.p[at + 9];

		if (type == TYPE_RRSIG)
			return true;
		at += 10 + n;
	}
	return false;
}

static void settle_validation(struct dns *dns, enum dns_validation validation, const char *why)
{
	dns->validation = validation;
	if (validation == DNS_VALIDATES)
		log_debug("dns.validates", kv_str("anchor", dns->anchor_name));
	else
		log_warn("dns.unvalidated", kv_str("anchor", dns->anchor_name), kv_str("why", why),
		    kv_str("then", "no answer is proved: DANE is off"));
}

/* What was answered without validation to the question whose answer did not hold. */
static void on_plain_keys(void *context, int failed, struct ub_result *result)
{
	struct dns *dns = context;

	if (!failed && result->havedata &&
	    !has_signature((slice){ result->answer_packet, (size_t)result->answer_len })) {
		dns->now = dns->plain;
		settle_validation(
		    dns, DNS_NO_SIGNATURES, "the servers of dns.servers answer without signatures");
	} else if (!failed && result->havedata) {
		dns->validation = DNS_VALIDATES;
		log_warn("dns.anchor", kv_str("anchor", dns->anchor_name),
		    kv_str("why",
			"the signatures there are do not fit dns.trustAnchor; is it too old?"));
	}
	if (!failed)
		ub_resolve_free(result);
}

static void on_keys(void *context, int failed, struct ub_result *result)
{
	struct dns *dns = context;

	if (!failed && result->secure)
		settle_validation(dns, DNS_VALIDATES, "");
	else if (!failed && (result->bogus || result->havedata))
		ub_resolve_async(
		    dns->plain, dns->anchor_name, DNS_DNSKEY, CLASS_IN, dns, on_plain_keys, NULL);
	if (!failed)
		ub_resolve_free(result);
}

static void probe(struct dns *dns)
{
	if (dns->validation == DNS_UNKNOWN)
		ub_resolve_async(
		    dns->validating, dns->anchor_name, DNS_DNSKEY, CLASS_IN, dns, on_keys, NULL);
}

/* ---- the thread ---- */

static void *take_answers(void *argument)
{
	struct dns *dns = argument;
	struct pollfd fds[3] = { { .fd = dns->stop_fd, .events = POLLIN },
		{ .fd = ub_fd(dns->plain), .events = POLLIN },
		{ .fd = dns->validating ? ub_fd(dns->validating) : -1, .events = POLLIN } };
	struct deadline again = deadline_in_ms(PROBE_AGAIN_MS);

	for (;;) {
		int n = poll(fds, 3, dns->validation == DNS_UNKNOWN ? deadline_left_ms(again) : -1);

		if (n > 0 && fds[0].revents)
			return NULL;
		if (n > 0 && fds[1].revents)
			ub_process(dns->plain);
		if (n > 0 && fds[2].revents)
			ub_process(dns->validating);
		if (deadline_passed(again)) {
			again = deadline_in_ms(PROBE_AGAIN_MS);
			probe(dns);
		}
	}
}

void dns_start(struct dns *dns)
{
	if (pthread_create(&dns->thread, NULL, take_answers, dns))
		panic("dns: no thread");
	dns->started = true;
	if (dns->forwards)
		probe(dns);
	else if (dns->validating)
		dns->validation = DNS_VALIDATES;
}

/* ---- asking ---- */

/* Whoever comes last, the one who waits or the answer, frees it. */
struct question {
	struct dns *dns;
	struct link link;
	pthread_cond_t there;
	bool answered, abandoned;
	int failed;
	struct ub_result *result;
};

static struct question *question_new(struct dns *dns)
{
	struct question *q = NEW(struct question);
	pthread_condattr_t attr;

	q->dns = dns;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->there, &attr);
	pthread_condattr_destroy(&attr);
	return q;
}

static void question_free(struct question *q)
{
	if (q->result)
		ub_resolve_free(q->result);
	pthread_cond_destroy(&q->there);
	free(q);
}

static void on_answer(void *context, int failed, struct ub_result *result)
{
	struct question *q = context;
	struct dns *dns = q->dns;

	pthread_mutex_lock(&dns->lock);
	q->failed = failed;
	q->result = failed ? NULL : result;
	q->answered = true;
	bool abandoned = q->abandoned;
	if (abandoned)
		list_remove(&q->link);
	else
		pthread_cond_signal(&q->there);
	pthread_mutex_unlock(&dns->lock);
	if (abandoned)
		question_free(q);
}

/* false: the deadline has passed, and the question is not the caller's any more. */
static bool wait_answer(struct question *q, struct deadline deadline)
{
	struct timespec until = { .tv_sec = deadline.at_us / 1000000,
		.tv_nsec = deadline.at_us % 1000000 * 1000 };

	pthread_mutex_lock(&q->dns->lock);
	while (!q->answered && !deadline_passed(deadline))
		pthread_cond_timedwait(&q->there, &q->dns->lock, &until);
	bool answered = q->answered;
	q->abandoned = !answered;
	if (!answered)
		list_push(&q->dns->abandoned, &q->link);
	pthread_mutex_unlock(&q->dns->lock);
	return answered;
}

static void copy_records(
    const struct ub_result *result, struct arena *arena, struct dns_answer *out)
{
	while (result->data[out->count])
		out->count++;
	out->records = ARENA_ARRAY(arena, slice, out->count + 1);
	for (size_t i = 0; i < out->count; i++)
		out->records[i] =
		    arena_copy(arena, (slice){ result->data[i], (size_t)result->len[i] });
}

static const char *rcode_text(int rcode, struct arena *arena)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED" };

	if (rcode >= 0 && rcode < (int)(sizeof names / sizeof names[0]))
		return arena_printf(arena, "the servers answer %s, or not at all", names[rcode]);
	return arena_printf(arena, "the servers answer with error %d", rcode);
}

static void read_result(const struct ub_result *result, struct arena *arena, struct dns_answer *out)
{
	slice end = slice_of(result->canonname ? result->canonname : "");

	out->secure = result->secure;
	out->ttl = (uint32_t)result->ttl;
	if (end.n > 1 && end.p[end.n - 1] == '.')
		end.n--;
	if (end.n)
		out->name = arena_copy(arena, end);
	if (result->bogus) {
		out->result = DNS_FAILED;
		out->bogus = true;
		out->why = arena_printf(arena, "its signatures do not hold: %s",
		    result->why_bogus ? result->why_bogus : "no reason is known");
	} else if (result->havedata) {
		out->result = DNS_FOUND;
		copy_records(result, arena, out);
	} else if (result->rcode == RCODE_NXDOMAIN) {
		out->result = DNS_NO_NAME;
	} else if (result->rcode == 0) {
		out->result = DNS_NO_DATA;
	} else {
		out->why = rcode_text(result->rcode, arena);
	}
}

void dns_ask(struct dns *dns, slice name, enum dns_type type, struct deadline deadline,
    struct arena *arena, struct dns_answer *out)
{
	*out = (struct dns_answer){ .result = DNS_FAILED, .name = name, .why = "" };
	if (!name_is_good(name)) {
		out->result = DNS_NO_NAME;
		return;
	}
	struct question *q = question_new(dns);
	int rc = ub_resolve_async(dns->now, arena_str(arena, dns_name_text(name, arena)), (int)type,
	    CLASS_IN, q, on_answer, NULL);
	if (rc == UB_SYNTAX)
		out->result = DNS_NO_NAME;
	if (rc != 0) {
		out->why = out->result == DNS_NO_NAME ? "" : ub_strerror(rc);
		question_free(q);
		return;
	}
	if (!wait_answer(q, deadline)) {
		out->why = "no server has answered in time";
		return;
	}
	if (q->failed)
		out->why = ub_strerror(q->failed);
	else
		read_result(q->result, arena, out);
	question_free(q);
}

/* ---- the end ---- */

void dns_close(struct dns *dns)
{
	uint64_t one = 1;
	struct link *node;

	if (!dns)
		return;
	if (dns->started && write(dns->stop_fd, &one, sizeof one) == sizeof one)
		pthread_join(dns->thread, NULL);
	if (dns->validating)
		ub_ctx_delete(dns->validating);
	if (dns->plain)
		ub_ctx_delete(dns->plain);
	while ((node = list_pop(&dns->abandoned)))
		question_free(LIST_OF(node, struct question, link));
	pthread_mutex_destroy(&dns->lock);
	close(dns->stop_fd);
	free(dns->anchor_name);
	free(dns);
}
