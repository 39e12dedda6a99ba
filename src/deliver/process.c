/* onProcess: what the policy wants done to a message of the queue before it is filed, for each copy of it. */
#include "base/log.h"
#include "deliver/internal.h"
#include "mail/edit.h"
#include "mail/header.h"
#include "policy/policy.h"

#define TURN_MEMORY (64u << 20)

/* A copy in hand. */
struct processed {
	struct job *job;
	uint64_t copy;
	struct arena *turn;             /* dies with the event */
	struct envelope_change *wanted; /* the copy's changes, old and new; the job's */
	size_t count, room;
	slice header;
	size_t header_of; /* how many changes are in it; SIZE_MAX: it was not made yet */
};

static bool is_of(const struct processed *p, size_t recipient)
{
	return p->job->envelope.recipients[recipient].copy == p->copy;
}

/* ---- what the policy does ---- */

static void want(struct processed *p, uint64_t kind, slice name, slice value)
{
	if (p->count == p->room)
		return;
	p->wanted[p->count++] = (struct envelope_change){ .kind = kind,
		.name = arena_copy(p->job->arena, name),
		.value = arena_copy(p->job->arena, value) };
}

static bool change(void *host, const struct envelope_change *c, struct error *error)
{
	struct processed *p = host;

	if (p->count == p->room)
		return error_plain(
		    error, FAULT_LIMIT, "the policy wants more than %d changes", ENVELOPE_CHANGES);
	want(p, c->kind, c->name, c->value);
	return true;
}

/* Who gets it was settled with the client; the queue counts recipients by their place. */
static bool recipient(void *host, enum policy_recipient what, slice address, struct error *error)
{
	struct processed *p = host;
	struct envelope *e = &p->job->envelope;

	if (what != RECIPIENT_DISCARD)
		return error_plain(error, FAULT_ABSENT,
		    "recipients are added in onRcptTo to onDataReceived; in onProcess that is not "
		    "there yet");
	for (size_t i = 0; i < e->recipient_count; i++)
		if (is_of(p, i) && slice_eq_nocase(e->recipients[i].address, address))
			p->job->discarded[i] = true;
	return true;
}

static slice header(void *host)
{
	struct processed *p = host;
	struct edit *edits;
	struct buf out;
	size_t n = 0;

	if (p->header_of == p->count)
		return p->header;
	slice original = header_of(job_message(p->job));
	edits = ARENA_ARRAY(p->turn, struct edit, p->count + 1);
	for (size_t i = 0; i < p->count; i++)
		if (p->wanted[i].kind < EDIT_KINDS)
			edits[n++] = (struct edit){ (enum edit_kind)p->wanted[i].kind,
				p->wanted[i].name, p->wanted[i].value };
	buf_init(&out, 2 * original.n + p->count * 20000 + 1);
	edit_apply(original, edits, n, p->turn, &out);
	p->header = arena_copy(p->turn, buf_slice(&out));
	p->header_of = p->count;
	buf_free(&out);
	return p->header;
}

static const struct policy_deeds deeds = { change, recipient, header };

/* ---- a copy ---- */

static void tell(struct processed *p, struct policy_state *state)
{
	const struct envelope *e = &p->job->envelope;
	slice *list = ARENA_ARRAY(p->turn, slice, e->recipient_count + 1);
	size_t n = 0;

	for (size_t i = 0; i < e->recipient_count; i++)
		if (is_of(p, i))
			list[n++] = e->recipients[i].address;
	policy_list(state, FACT_rcpts, list, n, p->turn);
	policy_number_is(state, FACT_mailSize, (int64_t)job_message(p->job).n);
	policy_number_is(
	    state, FACT_messageAge, (clock_wall_us() - p->job->envelope.arrived_us) / 1000);
}

static void settle_verdict(struct processed *p, const struct policy_verdict *v)
{
	const char *rule = *v->rule ? v->rule : "the policy";
	slice why = slice_of(arena_printf(p->turn, "%s%s%s", v->text, *v->text ? ", " : "", rule));

	switch (v->action) {
	case POLICY_NONE:
	case POLICY_ACCEPT:
		break;
	case POLICY_REJECT:
		want(p, CHANGE_QUARANTINE,
		    slice_of(arena_printf(p->turn,
			"refused while it was processed, and reports to senders are not there yet: %.*s",
			SLICE_ARG(why))),
		    SLICE(""));
		break;
	case POLICY_TMPREJECT:
	case POLICY_DISCONNECT:
		want(p, CHANGE_LATER, why, SLICE(""));
		break;
	case POLICY_DISCARD:
		want(p, CHANGE_DISCARD, why, SLICE(""));
		break;
	case POLICY_QUARANTINE:
		want(p, CHANGE_QUARANTINE, why, SLICE(""));
		break;
	}
}

/* Their copy is another one from now on, if anything was changed. */
static void give_copy(struct processed *p, size_t before)
{
	struct envelope *e = &p->job->envelope;

	if (p->count == before)
		return;
	struct envelope_copy *copies =
	    ARENA_ARRAY(p->job->arena, struct envelope_copy, e->copy_count + 1);
	for (size_t i = 0; i < e->copy_count; i++)
		copies[i] = e->copies[i];
	copies[e->copy_count] = (struct envelope_copy){ p->wanted, p->count };
	e->copies = copies;
	e->copy_count++;
	for (size_t i = 0; i < e->recipient_count; i++)
		if (is_of(p, i))
			e->recipients[i].copy = e->copy_count;
}

static void process_copy(struct job *job, uint64_t copy, struct policy_state *state)
{
	const struct envelope_copy *old = copy ? &job->envelope.copies[copy - 1] : NULL;
	struct processed p = { .job = job,
		.copy = copy,
		.turn = arena_new(TURN_MEMORY),
		.room = ENVELOPE_CHANGES + 1,
		.header_of = SIZE_MAX };
	struct trace trace;

	p.wanted = ARENA_ARRAY(job->arena, struct envelope_change, p.room);
	for (size_t i = 0; old && i < old->count; i++)
		p.wanted[p.count++] = old->changes[i];
	size_t before = p.count;
	trace_begin(&trace);
	tell(&p, state);
	struct policy_run run = { .state = state,
		.event = ON_PROCESS,
		.turn = p.turn,
		.session = job->id,
		.deeds = &deeds,
		.host = &p,
		.trace = trace_is_on() ? &trace : NULL };
	policy_fire(&run);
	settle_verdict(&p, &run.verdict);
	give_copy(&p, before);
	trace_write(
	    &(struct trace_id){
		.session = job->envelope.session, .segment = job->segment, .place = job->place },
	    &trace);
	trace_free(&trace);
	arena_free(p.turn);
}

void job_process(struct job *job)
{
	struct envelope *e = &job->envelope;
	uint64_t copies = e->copy_count;
	bool *seen = ARENA_ARRAY(job->arena, bool, copies + 1);

	job->discarded = ARENA_ARRAY(job->arena, bool, e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++) {
		uint64_t copy = e->recipients[i].copy;

		if (copy > copies || seen[copy])
			continue; /* this event has made it, or it had its event */
		seen[copy] = true;
		struct arena *arena = arena_new(TURN_MEMORY);
		struct policy_state *state = policy_restore(e->facts, arena);
		if (policy_has(state, ON_PROCESS))
			process_copy(job, copy, state);
		policy_close(state);
		arena_free(arena);
	}
}
