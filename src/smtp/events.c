/* The events of the policy while mail is received, and what their verdicts mean at each moment. */
#include "base/log.h"
#include "smtp/internal.h"

static struct judged *judged_of(const struct session *s)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	return tx ? &tx->judged : NULL;
}

static struct policy_verdict fire(
    struct session *s, struct policy_state *state, enum policy_event_id event)
{
	struct policy_run run = { .state = state,
		.event = event,
		.turn = s->turn,
		.session = s->id,
		.deeds = &smtp_deeds,
		.host = s,
		.trace = smtp_trace(s) };

	if (judged_of(s))
		judged_of(s)->viewed = false;
	policy_fire(&run);
	if (judged_of(s))
		deeds_sweep(((struct smtp *)s->state)->tx);
	return run.verdict;
}

static bool refuses(const struct policy_verdict *v)
{
	return v->action == POLICY_REJECT || v->action == POLICY_TMPREJECT ||
	    v->action == POLICY_DISCONNECT;
}

/* code 0: it is no refusal. */
static struct reply reply_of(struct session *s, const struct policy_verdict *v)
{
	if (!refuses(v))
		return (struct reply){ 0 };
	struct reply r = reply(s, v->code, v->enhanced, "%s", v->text);
	if (v->action == POLICY_DISCONNECT)
		r.turn = TURN_CLOSE;
	return r;
}

/* Why, for those who look at what was held or dropped. */
static slice reason(struct session *s, const struct policy_verdict *v)
{
	return slice_of(arena_printf(s->turn, "%s%s%s", v->text, *v->text && *v->rule ? ", " : "",
	    *v->rule       ? v->rule
		: *v->text ? ""
			   : "the policy says so"));
}

/* Discard and quarantine are kept with the message until its end. */
static void set_aside(struct session *s, const struct policy_verdict *v, size_t number)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (v->action == POLICY_DISCARD)
		deeds_want(tx, CHANGE_DISCARD, reason(s, v), SLICE(""), number);
	else if (v->action == POLICY_QUARANTINE)
		deeds_want(tx, CHANGE_QUARANTINE, reason(s, v), SLICE(""), number);
}

/* ---- the connection ---- */

struct reply event_connect(struct session *s)
{
	struct smtp *smtp = s->state;

	policy_close(smtp->policy);
	smtp->policy = policy_open(s->arena);
	smtp->turned_away = false;
	facts_connection(s, smtp->policy);
	struct policy_verdict v = fire(s, smtp->policy, ON_CONNECT);
	struct reply r = reply_of(s, &v);
	if (v.action == POLICY_REJECT)
		r.code = 554; /* RFC 5321 §3.1: then nothing but QUIT is taken */
	if (v.action == POLICY_TMPREJECT)
		r.code = 421;
	if (v.action == POLICY_TMPREJECT)
		r.turn = TURN_CLOSE;
	smtp->turned_away = v.action == POLICY_REJECT;
	return r;
}

struct reply event_ehlo(struct session *s)
{
	struct smtp *smtp = s->state;

	facts_connection(s, smtp->policy);
	struct policy_verdict v = fire(s, smtp->policy, ON_EHLO);
	if (refuses(&v))
		buf_clear(&smtp->hello);
	return reply_of(s, &v);
}

struct reply event_auth(struct session *s, bool right)
{
	struct smtp *smtp = s->state;

	if (!policy_has(smtp->policy, ON_AUTH))
		return (struct reply){ 0 };
	facts_connection(s, smtp->policy);
	policy_peer_text(smtp->policy, FACT_authName, smtp->sasl.name, s->arena);
	policy_yes(smtp->policy, FACT_isAuthenticated, right);
	struct policy_verdict v = fire(s, smtp->policy, ON_AUTH);
	policy_unknown(smtp->policy, FACT_authName);
	return reply_of(s, &v);
}

/* ---- a message ---- */

struct reply event_mail(struct session *s)
{
	struct smtp *smtp = s->state;
	struct transaction *tx = smtp->tx;

	tx->judged.in_hand = NUMBER_ALL;
	tx->judged.state = policy_message(smtp->policy, tx->arena);
	facts_mail(s, tx->judged.state);
	struct policy_verdict v = fire(s, tx->judged.state, ON_MAIL_FROM);
	set_aside(s, &v, NUMBER_ALL);
	return reply_of(s, &v);
}

struct reply event_rcpt(
    struct session *s, const struct rcpt_arguments *arguments, bool *dropped_out)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct judged *j = &tx->judged;

	j->in_hand = ++j->numbers;
	j->dropped = false;
	facts_rcpt(s, j->state, &arguments->recipient);
	struct policy_verdict v = fire(s, j->state, ON_RCPT_TO);
	size_t number = j->in_hand;
	j->in_hand = NUMBER_ALL;
	if (refuses(&v))
		deeds_forget(tx, number);
	else if (v.action == POLICY_QUARANTINE)
		set_aside(s, &v, number);
	*dropped_out = j->dropped || v.action == POLICY_DISCARD;
	if (*dropped_out)
		log_info("recipient.dropped", kv_str("s", s->id),
		    kv_text("to", arguments->as_written), kv_text("why", reason(s, &v)));
	return reply_of(s, &v);
}

static void settle_message(struct session *s, const struct policy_verdict *v)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	set_aside(s, v, NUMBER_ALL);
	if (!refuses(v))
		return;
	tx_refuse(tx, v->code, arena_str(tx->arena, slice_of(v->enhanced)), "%s", v->text);
	if (v->action == POLICY_DISCONNECT)
		tx->refused.turn = TURN_CLOSE;
}

void event_header(struct session *s)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (!tx->judged.state)
		return;
	facts_header(s, tx->judged.state);
	struct policy_verdict v = fire(s, tx->judged.state, ON_HEADERS_RECEIVED);
	settle_message(s, &v);
}

void event_body(struct session *s, slice octets)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	if (!policy_has(tx->judged.state, ON_BODY_CHUNK))
		return;
	policy_body(tx->judged.state, FACT_bodyChunk, octets, s->turn);
	policy_number_is(tx->judged.state, FACT_mailSize, (int64_t)spool_octets(tx->message));
	struct policy_verdict v = fire(s, tx->judged.state, ON_BODY_CHUNK);
	policy_unknown(tx->judged.state, FACT_bodyChunk);
	settle_message(s, &v);
}

/* ---- the end of the data: once for each copy ---- */

static bool has_recipients(const struct transaction *tx, size_t group)
{
	for (size_t i = 0; i < tx->recipient_count; i++)
		if (tx->recipients[i].copy && tx->judged.groups[tx->recipients[i].copy] == group)
			return true;
	return false;
}

/* What one reply must serve: all that the copies' verdicts have in common. */
struct together {
	size_t copies, rejected;
	struct reply first_reject, at_once; /* code 0: there was none */
};

static void data_of_group(struct session *s, size_t group, struct together *all)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;

	tx->judged.in_hand = group;
	tx->judged.group = true;
	struct policy_verdict v = fire(s, tx->judged.state, ON_DATA_RECEIVED);
	all->copies++;
	set_aside(s, &v, group);
	if (v.action == POLICY_REJECT) {
		if (!all->rejected++)
			all->first_reject = reply_of(s, &v);
		deeds_want(tx, CHANGE_QUARANTINE,
		    slice_of(arena_printf(s->turn, "refused for these recipients only: %.*s",
			SLICE_ARG(reason(s, &v)))),
		    SLICE(""), group);
	} else if (refuses(&v) && !all->at_once.code) {
		all->at_once = reply_of(s, &v);
	}
	tx->judged.in_hand = NUMBER_ALL;
	tx->judged.group = false;
}

struct reply event_data(struct session *s)
{
	struct transaction *tx = ((struct smtp *)s->state)->tx;
	struct judged *j = &tx->judged;
	struct together all = { 0 };

	if (!policy_has(j->state, ON_DATA_RECEIVED))
		return (struct reply){ 0 };
	facts_data(s, j->state);
	deeds_regroup(tx);
	for (size_t n = 1, numbers = j->numbers; n <= numbers; n++)
		if (j->groups[n] == n && has_recipients(tx, n))
			data_of_group(s, n, &all);
	if (all.at_once.code)
		return all.at_once;
	return all.copies && all.rejected == all.copies ? all.first_reject : (struct reply){ 0 };
}

/* ---- where events may run ---- */

bool event_quick(const struct session *s, const struct command *command)
{
	const struct smtp *smtp = s->state;

	if (command->run == cmd_ehlo || command->run == cmd_helo)
		return !policy_blocks(smtp->policy, ON_EHLO);
	/* The message begins under the version that is active by then. */
	return command->run != cmd_mail || policy_quick(ON_MAIL_FROM);
}
