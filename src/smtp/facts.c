/* What a policy is told about a session and its message. */
#include <time.h>

#include "base/log.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "smtp/internal.h"

#define NAMES_MAX 1000

/* ---- the connection ---- */

static void tell_time(struct policy_state *state)
{
	static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return;
	policy_number_is(state, FACT_hour, tm.tm_hour);
	policy_text(state, FACT_weekday, slice_of(days[tm.tm_wday]));
}

static void tell_peer(const struct session *s, struct policy_state *state)
{
	const struct smtp *smtp = s->state;
	struct session_ends ends;
	struct ip ip;

	session_find_ends(s, &ends);
	policy_number_is(state, FACT_smtpPort, ends.local_port);
	policy_ip(state, FACT_smtpIp, &ends.local);
	policy_number_is(state, FACT_remoteSmtpPort, ends.peer_port);
	if (ip_parse(slice_of(s->peer), &ip))
		policy_ip(state, FACT_remoteSmtpIp, &ip);
	if (smtp->name.n && smtp_may_speak_for(s))
		policy_peer_text(state, FACT_remoteSmtpHost, buf_slice(&smtp->name), s->arena);
	policy_text(state, FACT_listener, slice_of(s->listener->name));
}

static void tell_tls(const struct session *s, struct policy_state *state)
{
	slice tls = slice_of(session_tls_text(s));
	slice version = slice_head(tls, slice_find(tls, ' '));

	policy_yes(state, FACT_isSSLConnection, session_secure(s));
	if (!tls.n)
		return;
	policy_text(state, FACT_tlsVersion, version);
	policy_text(state, FACT_tlsCipher, slice_from(tls, version.n + 1));
}

/* Basic settings are the starting values of variables. */
static void tell_settings(const struct session *s, struct policy_state *state)
{
	policy_text(state, FACT_smtpGreeting, SLICE("ESMTP Hauberk"));
	policy_yes(state, FACT_allowStartTLS, s->listener->tls == LISTENER_STARTTLS);
	policy_yes(state, FACT_allow8BitMime, true);
	policy_yes(state, FACT_allowBinaryData, true);
	policy_yes(state, FACT_allowPipelining, true);
	policy_yes(state, FACT_allowSMTPUTF8, true);
	policy_number_is(state, FACT_maxErrors, smtp_conf->max_errors);
	policy_number_is(state, FACT_maxAuthErrors, smtp_conf->max_login_failures);
	policy_number_is(state, FACT_maxDataSize, (int64_t)smtp_conf->max_message);
}

void facts_connection(struct session *s, struct policy_state *state)
{
	const struct smtp *smtp = s->state;

	if (!state)
		return;
	tell_time(state);
	tell_peer(s, state);
	tell_tls(s, state);
	if (smtp->hello.n) {
		policy_peer_text(state, FACT_ehloHost, buf_slice(&smtp->hello), s->arena);
		policy_yes(state, FACT_isESMTP, smtp->extended);
	}
	policy_yes(state, FACT_isAuthenticated, smtp->account != 0);
	policy_unknown(state, FACT_authUser);
	policy_unknown(state, FACT_authMechanism);
	if (smtp->account) {
		policy_peer_text(state, FACT_authUser, smtp->login, s->arena);
		policy_text(
		    state, FACT_authMechanism, slice_of(smtp->mechanism ? smtp->mechanism : ""));
	}
	/* What the policy set before it knew more stays. */
	if (policy_number_of(state, FACT_maxErrors, 0) == 0)
		tell_settings(s, state);
}

/* ---- MAIL and RCPT ---- */

void facts_address(struct policy_state *state, enum fact whole, enum fact local, enum fact domain,
    slice address, struct arena *arena)
{
	size_t at = address.n;

	while (at && address.p[at - 1] != '@')
		at--;
	if (local != FACT_COUNT)
		policy_unknown(state, local);
	policy_unknown(state, domain);
	policy_peer_text(state, whole, address.n ? address : SLICE("<>"), arena);
	if (!at)
		return;
	if (local != FACT_COUNT)
		policy_peer_text(state, local, slice_head(address, at - 1), arena);
	policy_peer_text(state, domain, slice_from(address, at), arena);
}

/* Does the address belong to the login? Unknown without one, or while nobody can say. */
static void tell_match(struct session *s, struct policy_state *state, enum fact fact, slice address)
{
	const struct smtp *smtp = s->state;
	struct directory_recipients to;
	struct address parsed;
	struct error error;
	bool same = false;

	policy_unknown(state, fact);
	if (!smtp->account || !policy_reads(state, fact))
		return;
	if (!address_parse(address, s->turn, &parsed)) {
		policy_yes(state, fact, false);
		return;
	}
	if (smtp_resolve(s, &parsed, &to, &error) == DIRECTORY_FAILED)
		return;
	for (size_t i = 0; i < to.count; i++)
		same |= to.accounts[i].id == smtp->account && !to.catch_all;
	policy_yes(state, fact, same);
}

void facts_mail(struct session *s, struct policy_state *state)
{
	const struct smtp *smtp = s->state;
	const struct transaction *tx = smtp->tx;

	if (!state)
		return;
	facts_connection(s, state);
	policy_number_is(state, FACT_mailCount, smtp->messages);
	policy_number_is(state, FACT_totalMailSize, (int64_t)smtp->octets);
	policy_text(state, FACT_queueId,
	    slice_of(arena_printf(tx->arena, "%s.%u", s->id, smtp->messages + 1)));
	facts_address(
	    state, FACT_mailFrom, FACT_mailFromUser, FACT_mailFromDomain, tx->sender, tx->arena);
	if (tx->size != SMTP_NO_SIZE)
		policy_number_is(state, FACT_declaredSize, (int64_t)tx->size);
	tell_match(s, state, FACT_senderMatchesAuth, tx->sender);
	policy_text(state, FACT_localDelivery, SLICE("all"));
	policy_text(state, FACT_remoteDelivery, SLICE("auth"));
	policy_number_is(state, FACT_maxRcptCount, (int64_t)smtp_conf->max_recipients);
	policy_number_is(state, FACT_maxReceivedHeaders, smtp_conf->max_hops);
}

static void tell_rcpts(const struct transaction *tx, struct policy_state *state)
{
	slice *list = ARENA_ARRAY(tx->arena, slice, tx->recipient_count + 1);
	size_t n = 0;

	/* An address stands once, however many accounts it leads to. */
	for (size_t i = 0; i < tx->recipient_count; i++)
		if (i == 0 || tx->recipients[i].address.p != tx->recipients[i - 1].address.p)
			list[n++] = tx->recipients[i].address;
	policy_list(state, FACT_rcpts, list, n, tx->arena);
}

void facts_rcpt(struct session *s, struct policy_state *state, const struct address *to)
{
	const struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (!state)
		return;
	if (policy_reads(state, FACT_rcpts))
		tell_rcpts(tx, state);
	facts_address(state, FACT_rcptTo, FACT_rcptToUser, FACT_rcptToDomain,
	    address_text(tx->arena, to), tx->arena);
}

/* ---- the header ---- */

static void tell_names(const struct transaction *tx, struct policy_state *state)
{
	slice *names = ARENA_ARRAY(tx->arena, slice, NAMES_MAX), rest = buf_slice(&tx->header);
	struct header_field field;
	size_t n = 0;

	while (n < NAMES_MAX && header_next(&rest, &field))
		if (field.name.n)
			names[n++] = field.name;
	policy_list(state, FACT_headerNames, names, n, tx->arena);
}

/* The one mailbox of a list; empty: there are more, or none. */
static slice only_mailbox(slice value, struct arena *arena)
{
	struct address_list list;
	struct list_entry entry;
	slice found = { 0 };
	unsigned count = 0;

	address_list_open(&list, value);
	while (count < 2 && address_list_next(&list, &entry)) {
		if (entry.kind != ENTRY_MAILBOX)
			continue;
		count++;
		if (entry.domain.n && !entry.malformed)
			found = slice_of(arena_printf(
			    arena, "%.*s@%.*s", SLICE_ARG(entry.local), SLICE_ARG(entry.domain)));
	}
	address_list_close(&list);
	return count == 1 ? found : (slice){ 0 };
}

/* The one address of the one From field; empty: it is not so. */
static slice from_of(struct session *s, const struct transaction *tx)
{
	slice rest = buf_slice(&tx->header), value = { 0 };
	struct header_field field;
	unsigned fields = 0;

	while (header_next(&rest, &field))
		if (slice_eq_nocase(field.name, SLICE("From"))) {
			value = field.value;
			fields++;
		}
	return fields == 1 ? only_mailbox(value, s->turn) : (slice){ 0 };
}

void facts_header(struct session *s, struct policy_state *state)
{
	const struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (!state)
		return;
	policy_unknown(state, FACT_rcptTo);
	policy_unknown(state, FACT_rcptToUser);
	policy_unknown(state, FACT_rcptToDomain);
	if (policy_reads(state, FACT_rcpts))
		tell_rcpts(tx, state);
	if (policy_reads(state, FACT_headerNames))
		tell_names(tx, state);
	slice from = from_of(s, tx);
	if (!from.n)
		return;
	facts_address(state, FACT_fromAddress, FACT_COUNT, FACT_fromDomain, from, tx->arena);
	tell_match(s, state, FACT_fromMatchesAuth, from);
}
