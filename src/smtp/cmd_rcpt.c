/* RCPT: RFC 5321 §4.1.1.3 */
#include "smtp/internal.h"

static bool known(const struct transaction *tx, int64_t account)
{
	for (size_t i = 0; i < tx->recipient_count; i++)
		if (tx->recipients[i].account == (uint64_t)account)
			return true;
	return false;
}

static void add(struct transaction *tx, struct envelope_recipient recipient)
{
	if (tx->recipient_count == tx->recipient_room) {
		size_t room = tx->recipient_room ? 2 * tx->recipient_room : 4;
		struct envelope_recipient *more =
		    ARENA_ARRAY(tx->arena, struct envelope_recipient, room);

		if (tx->recipient_count)
			memcpy(more, tx->recipients, tx->recipient_count * sizeof *more);
		tx->recipients = more;
		tx->recipient_room = room;
	}
	tx->recipients[tx->recipient_count++] = recipient;
}

bool tx_add_recipients(struct transaction *tx, const struct directory_recipients *to,
    const struct envelope_recipient *like)
{
	bool enabled = false;

	if (tx->recipient_count + to->count > ENVELOPE_RECIPIENTS)
		return false;
	for (size_t i = 0; i < to->count; i++) {
		const struct account *account = &to->accounts[i];
		struct envelope_recipient recipient = *like;

		enabled = enabled || account->enabled;
		recipient.account = (uint64_t)account->id;
		if (account->enabled && !known(tx, account->id))
			add(tx, recipient);
	}
	return enabled;
}

/* Each account once, under the address by which the client named it first. Disabled ones get nothing. */
static struct reply add_all(struct session *s, struct transaction *tx,
    const struct rcpt_arguments *arguments, const struct directory_recipients *to)
{
	struct envelope_recipient like = { .notify = arguments->notify,
		.address = arena_copy(tx->arena, arguments->as_written),
		.original = arena_copy(tx->arena, arguments->original),
		.copy = tx->judged.numbers };

	if (tx->recipient_count + to->count > ENVELOPE_RECIPIENTS)
		return reply(s, 452, "4.5.3", "more than %d mailboxes", ENVELOPE_RECIPIENTS);
	if (!tx_add_recipients(tx, to, &like))
		return reply(s, 550, "5.2.1", "the mailbox %.*s is disabled",
		    SLICE_ARG(arguments->as_written));
	tx->accepted++;
	TRACE(smtp_trace(s), TRACE_RCPT, 0, arguments->as_written);
	return reply(s, 250, "2.1.5", "recipient ok");
}

/* May this client write to the group? code 0: it may. */
static struct reply check_group(struct session *s, const struct rcpt_arguments *arguments,
    const struct directory_recipients *to)
{
	const struct smtp *smtp = s->state;

	if (to->senders == SENDERS_ANYONE || (to->senders == SENDERS_USERS && smtp_is_ours(s)))
		return (struct reply){ 0 };
	for (size_t i = 0; smtp->account && i < to->count; i++)
		if (to->accounts[i].id == smtp->account)
			return (struct reply){ 0 };
	return reply(s, 550, "5.7.1", "only %s may write to %.*s",
	    to->senders == SENDERS_USERS ? "users who have logged in" : "its members, logged in,",
	    SLICE_ARG(arguments->as_written));
}

/* Is there room? Of several accounts one is enough: those that are full get it too. code 0: there is. */
static struct reply check_quota(struct session *s, const struct rcpt_arguments *arguments,
    const struct directory_recipients *to)
{
	const struct transaction *tx = ((struct smtp *)s->state)->tx;
	uint64_t size = tx->size == SMTP_NO_SIZE ? 0 : tx->size;
	enum quota_answer least = QUOTA_LARGE;

	for (size_t i = 0; i < to->count; i++) {
		enum quota_answer answer = quota_ask(&to->accounts[i], size);

		if (answer < least)
			least = answer;
	}
	if (least == QUOTA_LARGE)
		return reply(s, 552, "5.2.2", "the message is larger than the quota of %.*s",
		    SLICE_ARG(arguments->as_written));
	if (least == QUOTA_FULL)
		return reply(s, 452, "4.2.2", "the mailbox %.*s is full, try again later",
		    SLICE_ARG(arguments->as_written));
	return (struct reply){ 0 };
}

/* No open relay: what is not ours is refused, whoever asks, until there is somebody to send it on. */
static struct reply not_ours(struct session *s, const struct address *to)
{
	if (smtp_is_ours(s))
		return reply(s, 550, "5.3.2",
		    "%.*s is not ours, and sending to other servers is not there yet",
		    SLICE_ARG(to->domain));
	return reply(s, 550, "5.7.1", "relaying denied: %.*s is not ours", SLICE_ARG(to->domain));
}

/* <postmaster> without a domain is the one of this host (RFC 5321 §4.5.1). */
static slice domain_of(const struct address *to)
{
	return to->domain.n ? to->domain : slice_of(smtp_conf->hostname);
}

/* Whom the address leads to. postmaster and abuse always lead to somebody (RFC 5321 §4.5.1, RFC 2142 §4);
 * <postmaster> alone does so even where this host's name is no domain of ours. */
static enum directory_answer resolve(struct session *s, const struct address *to,
    struct directory_recipients *out, struct error *error)
{
	bool postmaster = slice_eq_nocase(to->local, SLICE("postmaster"));
	struct address whole = { .local = to->local, .domain = domain_of(to) };
	enum directory_answer answer = smtp_resolve(s, &whole, out, error);
	struct account account;

	if (!postmaster && !slice_eq_nocase(to->local, SLICE("abuse")))
		return answer;
	if (answer == DIRECTORY_NO_DOMAIN ? to->domain.n > 0 : answer != DIRECTORY_NO_ACCOUNT)
		return answer;
	struct directory *directory = smtp_directory(s, error); /* open: it has just answered */
	answer = directory_find_oldest(directory, whole.domain, &account, error);
	if (answer == DIRECTORY_NO_ACCOUNT)
		answer = directory_find_oldest(directory, SLICE(""), &account, error);
	if (answer == DIRECTORY_FOUND) {
		out->accounts = ARENA_NEW(s->turn, struct account);
		*out->accounts = account;
		out->count = 1;
	}
	return answer;
}

/* May this client send to our own, or to others, as the policy has it? code 0: it may. */
static struct reply check_delivery(struct session *s, const struct policy_state *state, bool ours)
{
	slice who =
	    policy_text_of(state, ours ? FACT_localDelivery : FACT_remoteDelivery, SLICE("all"));

	if (slice_eq(who, SLICE("none")))
		return reply(s, 550, "5.7.1", "mail for %s is not taken here",
		    ours ? "our own users" : "others");
	if (slice_eq(who, SLICE("auth")) && ours && !smtp_is_ours(s))
		return reply(s, 530, "5.7.0", "log in first");
	return (struct reply){ 0 };
}

/* The server's own decision about a recipient to whom the policy does not object. */
static struct reply decide(struct session *s, const struct rcpt_arguments *arguments)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct directory_recipients to;
	struct error error;
	enum directory_answer answer = resolve(s, &arguments->recipient, &to, &error);
	struct reply refused = check_delivery(s, tx->judged.state, answer != DIRECTORY_NO_DOMAIN);

	if (refused.code)
		return refused;
	switch (answer) {
	case DIRECTORY_NO_DOMAIN:
		return not_ours(s, &arguments->recipient);
	case DIRECTORY_NO_ACCOUNT:
		return reply(s, 550, "5.1.1", "there is no mailbox %.*s here",
		    SLICE_ARG(arguments->as_written));
	case DIRECTORY_FAILED:
		/* An alias beyond its limits too: the postmaster can mend it before the sender gives
		 * up. */
		return smtp_ask_later(s, &error);
	case DIRECTORY_FOUND:
		break;
	}
	refused = check_group(s, arguments, &to);
	if (!refused.code)
		refused = check_quota(s, arguments, &to);
	return refused.code ? refused : add_all(s, tx, arguments, &to);
}

/* What can be said before anybody is asked. code 0: nothing. */
static struct reply check_command(struct session *s, const struct rcpt_arguments *arguments)
{
	const struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (arguments->unknown.n)
		return reply(
		    s, 555, "5.5.4", "unknown parameter %.*s", SLICE_ARG(arguments->unknown));
	if (arguments->recipient.utf8 && !(tx->flags & ENVELOPE_UTF8)) /* RFC 6531 §3.5 */
		return reply(s, 553, "5.6.7", "an international address wants SMTPUTF8 at MAIL");
	if (tx->began)
		return reply(s, 503, "5.5.1", "the message has begun");
	return (struct reply){ 0 };
}

static struct reply check_count(struct session *s)
{
	const struct transaction *tx = ((struct smtp *)s->state)->tx;
	int64_t most = policy_number_of(
	    tx->judged.state, FACT_maxRcptCount, (int64_t)smtp_conf->max_recipients);

	if ((int64_t)tx->accepted < most)
		return (struct reply){ 0 };
	return reply(s, 452, "4.5.3", "more than %lld recipients", (long long)most);
}

struct reply cmd_rcpt(struct session *s, struct cursor *c)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct rcpt_arguments arguments;
	bool dropped;

	if (!parse_rcpt(c, s->turn, &arguments))
		return reply_syntax(s, c);
	struct reply r = check_command(s, &arguments);
	if (!r.code)
		r = event_rcpt(s, &arguments, &dropped);
	if (!r.code)
		r = check_count(s);
	if (r.code)
		return r;
	if (dropped) {
		tx->accepted++;
		return reply(s, 250, "2.1.5", "recipient ok");
	}
	size_t number = tx->judged.numbers;
	r = decide(s, &arguments);
	if (r.code >= 400)
		deeds_forget(tx, number);
	return r;
}
