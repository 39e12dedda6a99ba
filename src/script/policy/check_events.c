/* Events: where methods run, where rules are placed, what is out of place. */
#include <stdlib.h>

#include "script/policy/compile.h"

#define CALLS_DEEP (VM_CALLS - 8)

static uint32_t verdict_events(const struct policy_host *h, slice verdict)
{
	uint32_t events = 0;

	for (unsigned i = 0; i < h->event_count; i++)
		if (word_among(h->events[i].verdicts, verdict))
			events |= 1u << i;
	return events;
}

static uint32_t all_events(struct compiler *c)
{
	return (1u << c->host->host->event_count) - 1;
}

/* Events in which a rule may have this. */
static uint32_t use_events(struct compiler *c, const struct func *f, const struct use *u)
{
	switch (u->kind) {
	case USE_READ:
		return c->host->variables[u->index].settled ? c->host->variables[u->index].settled
							    : all_events(c);
	case USE_SET:
		return c->host->variables[u->index].settable;
	case USE_METHOD:
		return c->host->methods[u->index].events;
	case USE_VERDICT:
		return verdict_events(c->host->host, u->verdict);
	case USE_CUSTOM:
		break;
	}
	const struct custom *v = &c->customs[u->index];
	for (const struct place *p = f->places; p; p = p->next)
		if (p->custom == u->index && p->set)
			return all_events(c);
	return v->export_events ? all_events(c) & ~((1u << event_first(v->export_events)) - 1)
				: all_events(c);
}

static const char *use_text(struct compiler *c, const struct use *u)
{
	const char *what = u->kind == USE_READ ? "reads" : u->kind == USE_SET ? "sets" : "calls";
	const char *name = u->kind == USE_METHOD ? c->host->methods[u->index].spec->name
	    : u->kind == USE_CUSTOM              ? arena_str(c->arena, c->customs[u->index].name)
	    : u->kind == USE_VERDICT             ? arena_str(c->arena, u->verdict)
						 : c->host->variables[u->index].spec->name;

	return u->kind == USE_VERDICT
	    ? arena_printf(c->arena, "has the verdict %s", name)
	    : arena_printf(c->arena, "%s %s", u->kind == USE_CUSTOM ? "reads" : what, name);
}

/* ---- methods ---- */

/* Depth first; false: a method leads to itself, or they are too deep. */
static bool spread(struct compiler *c, struct func *f, unsigned depth)
{
	f->state = 1;
	for (struct callee *one = f->callees; one; one = one->next) {
		bool more = (f->events & ~one->func->events) != 0, itself = one->func->state == 1;

		one->func->events |= f->events;
		if (!itself && depth < CALLS_DEEP && (more || one->func->state == 0) &&
		    !spread(c, one->func, depth + 1))
			return false;
		if (f->depth <= one->func->depth)
			f->depth = one->func->depth + 1;
		if (itself || depth == CALLS_DEEP || f->depth > CALLS_DEEP) {
			say(c, REMARK_ERROR, one->range, NULL,
			    itself ? "this method calls itself"
				   : "methods call one another more than %d deep",
			    CALLS_DEEP);
			return false;
		}
		f->accepts |= one->func->accepts;
		f->has_verdict |= one->func->has_verdict;
	}
	f->state = 2;
	return true;
}

/* ---- placement ---- */

/* From the word `rule` to the end of its name. */
static struct range head_of(const struct decl *d)
{
	return (struct range){ d->range.file, d->whole.at, d->range.end };
}

struct placing {
	struct compiler *c;
	struct func *rule;
	uint32_t events;
	const struct use *last; /* what narrowed it */
	bool failed;
};

/* The events of one side, of the contexts in which the other side's are. */
static const char *side_text(struct compiler *c, uint32_t events, uint32_t others)
{
	const struct policy_host *h = c->host->host;
	uint32_t same = 0;

	for (unsigned i = 0; i < h->event_count; i++)
		for (unsigned k = 0; k < h->event_count; k++)
			if (events & 1u << i && others & 1u << k &&
			    strcmp(h->events[i].context, h->events[k].context) == 0)
				same |= 1u << i;
	return events_text(h, same ? same : events, c->arena);
}

static void say_at_odds(const struct placing *p, const struct use *u, uint32_t events)
{
	struct compiler *c = p->c;

	if (c->silent)
		return;
	say(c, REMARK_ERROR, head_of(p->rule->decl),
	    "no event has both; make two rules of it, with export() for what they share",
	    "rule \"%.*s\" %s (%s) but %s (%s%s)", SLICE_ARG(p->rule->decl->name),
	    p->last ? use_text(c, p->last) : "is for", side_text(c, p->events, events),
	    use_text(c, u), events_text(c->host->host, events, c->arena),
	    events & (events - 1) ? "" : " only");
}

static void narrow(struct placing *p, struct func *f)
{
	if (f->stamp == p->c->stamp)
		return;
	f->stamp = p->c->stamp;
	for (const struct use *u = f->uses; u && !p->failed; u = u->next) {
		uint32_t events = use_events(p->c, f, u);

		if (!(p->events & events)) {
			p->failed = true;
			say_at_odds(p, u, events);
			return;
		}
		if (p->events & ~events)
			p->last = u;
		p->events &= events;
	}
	for (const struct callee *one = f->callees; one && !p->failed; one = one->next)
		narrow(p, one->func);
}

/* What the rules placed so far hold back. */
struct placed {
	unsigned *set_at; /* of each variable: the last event in which one sets it */
	unsigned accept_at;
	struct func *rule; /* in hand */
	unsigned event;
};

static bool is_export(const struct use *u)
{
	return u->kind == USE_CUSTOM && slice_eq(u->verdict, SLICE("export"));
}

/* The first event before which a rule of lower number forbids it; methods that it calls included. */
static unsigned held_until(struct compiler *c, struct func *f, const struct placed *placed)
{
	unsigned at = f->has_verdict ? placed->accept_at : 0;

	if (f->stamp == c->stamp)
		return 0;
	f->stamp = c->stamp;
	for (const struct use *u = f->uses; u; u = u->next) {
		if (u->kind == USE_SET && placed->set_at[u->index] > at)
			at = placed->set_at[u->index];
		if (is_export(u) && c->customs[u->index].set_event > at)
			at = c->customs[u->index].set_event;
	}
	for (const struct callee *one = f->callees; one; one = one->next) {
		unsigned other = held_until(c, one->func, placed);

		at = other > at ? other : at;
	}
	return at;
}

static void note_uses(struct compiler *c, struct func *f, struct placed *placed)
{
	if (f->stamp == c->stamp)
		return;
	f->stamp = c->stamp;
	for (const struct use *u = f->uses; u; u = u->next) {
		if (u->kind == USE_SET && placed->event > placed->set_at[u->index])
			placed->set_at[u->index] = placed->event;
		if (!is_export(u))
			continue;
		struct custom *v = &c->customs[u->index];
		v->rule_events |= 1u << placed->event;
		v->set_event = placed->event > v->set_event ? placed->event : v->set_event;
	}
	for (const struct callee *one = f->callees; one; one = one->next)
		note_uses(c, one->func, placed);
}

static void note_placed(struct compiler *c, struct func *f, unsigned event, struct placed *placed)
{
	placed->event = event;
	c->stamp++;
	note_uses(c, f, placed);
	if (f->accepts && event > placed->accept_at)
		placed->accept_at = event;
}

static uint32_t not_placed(struct compiler *c)
{
	uint32_t events = 0;

	for (unsigned i = 0; i < c->host->host->event_count; i++)
		events |= c->host->host->events[i].may_miss ? 1u << i : 0;
	return events;
}

static void place_rule(struct compiler *c, struct func *f, struct placed *placed)
{
	struct placing p = { .c = c, .rule = f, .events = all_events(c) };
	const struct policy_host *h = c->host->host;

	f->events = 0;
	c->stamp++;
	narrow(&p, f);
	if (p.failed)
		return;
	if (f->decl->at_event.n) {
		int event = host_event(h, f->decl->at_event);

		if (event < 0)
			return; /* said already */
		if (!(p.events & 1u << event))
			say(c, REMARK_ERROR, f->decl->at_range, NULL,
			    "rule \"%.*s\" %s, which fits only %s", SLICE_ARG(f->decl->name),
			    p.last ? use_text(c, p.last) : "is for",
			    events_text(h, p.events, c->arena));
		f->events = 1u << event;
		note_placed(c, f, (unsigned)event, placed);
		return;
	}
	uint32_t fits = p.events & ~not_placed(c);
	c->stamp++;
	unsigned held = held_until(c, f, placed);
	uint32_t late = fits & ~((1u << held) - 1);
	if (!fits || !late) {
		say(c, REMARK_ERROR, head_of(f->decl), "give it a lower number, or say 'at EVENT'",
		    "rule \"%.*s\" fits %s, but a rule of lower number that it must follow is in %s",
		    SLICE_ARG(f->decl->name), events_text(h, fits, c->arena), h->events[held].name);
		return;
	}
	unsigned event = event_first(late);
	if (event != event_first(fits))
		say(c, REMARK_NOTE, head_of(f->decl), NULL,
		    "rule \"%.*s\" would fit %s, but follows a rule of lower number in %s",
		    SLICE_ARG(f->decl->name), h->events[event_first(fits)].name,
		    h->events[event].name);
	f->events = 1u << event;
	/* Failure events have nothing before them: what fits the first and the second belongs to both. */
	if (event + 2 == h->event_count && late & 1u << (event + 1) &&
	    event_first(p.events) == event)
		f->events |= 1u << (event + 1);
	note_placed(c, f, event, placed);
}

static int rule_order(const void *a, const void *b)
{
	const struct func *x = *(struct func *const *)a, *y = *(struct func *const *)b;

	if (x->decl->priority != y->decl->priority)
		return x->decl->priority < y->decl->priority ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Once through all of them. false: something is exported from other events than was thought. */
static bool place_round(struct compiler *c, unsigned *set_at)
{
	struct placed placed = { .set_at = set_at };
	bool same = true;

	memset(set_at, 0, c->host->host->variable_count * sizeof *set_at);
	for (uint32_t i = 0; i < c->custom_count; i++)
		c->customs[i].rule_events = c->customs[i].set_event = 0;
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (!c->order[i]->decl->disabled)
			place_rule(c, c->order[i], &placed);
	for (uint32_t i = 0; i < c->custom_count; i++) {
		struct custom *v = &c->customs[i];

		same &= v->export_events == (v->block_events | v->rule_events);
		v->export_events = v->block_events | v->rule_events;
	}
	return same;
}

static void place_rules(struct compiler *c)
{
	unsigned *set_at = ARENA_ARRAY(c->arena, unsigned, c->host->host->variable_count + 1);
	bool silent = c->silent;

	c->order = ARENA_ARRAY(c->arena, struct func *, c->func_count + 1);
	for (uint32_t i = 0; i < c->func_count; i++)
		if (c->funcs[i].decl->kind == DECL_RULE)
			c->order[c->rule_count++] = &c->funcs[i];
	qsort(c->order, c->rule_count, sizeof *c->order, rule_order);
	/* A rule waits for what another one exports, wherever that one stands. */
	c->silent = true;
	for (unsigned round = 0; round < VM_EVENTS && !place_round(c, set_at); round++)
		;
	c->silent = silent;
	place_round(c, set_at);
}

/* ---- what is out of place ---- */

static bool same_context(const struct policy_host *h, uint32_t events, uint32_t others)
{
	for (unsigned i = 0; i < h->event_count; i++)
		for (unsigned k = 0; k < h->event_count; k++)
			if (events & 1u << i && others & 1u << k &&
			    strcmp(h->events[i].context, h->events[k].context) == 0)
				return true;
	return false;
}

static void check_read(struct compiler *c, const struct func *f, const struct use *u)
{
	const struct host_variable *v = &c->host->variables[u->index];
	const struct policy_host *h = c->host->host;

	/* A program's own answer may be read back where it can be set. */
	if (f->events & (v->known | v->settable) || !v->known)
		return;
	say(c, REMARK_WARNING, u->range,
	    arena_printf(c->arena, "it is known %s %s", v->spec->from[0] == '[' ? "in" : "from",
		v->spec->from[0] == '[' ? events_text(h, v->known, c->arena)
					: h->events[event_first(v->known)].name),
	    "%s is not known in %s; it is \"\" there", v->spec->name,
	    events_text(h, f->events, c->arena));
}

static void check_place(
    struct compiler *c, const struct func *f, const struct use *u, uint32_t allowed)
{
	const struct policy_host *h = c->host->host;

	if (f->events & allowed || !allowed)
		return;
	bool soft = u->kind != USE_VERDICT && same_context(h, f->events, allowed);
	say(c, soft ? REMARK_WARNING : REMARK_ERROR, u->range,
	    arena_printf(c->arena, "it does in %s", events_text(h, allowed, c->arena)),
	    "%s: this has no effect in %s", use_text(c, u), events_text(h, f->events, c->arena));
}

/* A verdict must fit every event in which its block runs. */
static void check_verdict_place(struct compiler *c, const struct func *f, const struct use *u)
{
	const struct policy_host *h = c->host->host;
	uint32_t allowed = verdict_events(h, u->verdict), wrong = f->events & ~allowed;

	if (wrong)
		say(c, REMARK_ERROR, u->range,
		    arena_printf(c->arena, "it is for %s", events_text(h, allowed, c->arena)),
		    "%.*s() is no verdict of %s", SLICE_ARG(u->verdict),
		    events_text(h, wrong, c->arena));
}

static void check_uses(struct compiler *c, const struct func *f)
{
	if (!f->events) {
		if (f->decl->kind == DECL_METHOD)
			say(c, REMARK_WARNING, f->decl->range, NULL,
			    "method '%.*s' is never called", SLICE_ARG(f->decl->name));
		return;
	}
	for (const struct use *u = f->uses; u; u = u->next) {
		if (u->kind == USE_READ)
			check_read(c, f, u);
		else if (u->kind == USE_SET)
			check_place(c, f, u, c->host->variables[u->index].settable);
		else if (u->kind == USE_METHOD)
			check_place(c, f, u, c->host->methods[u->index].events);
		else if (u->kind == USE_VERDICT)
			check_verdict_place(c, f, u);
	}
}

/* After a rule without conditions that gives a verdict, no rule of the event is reached. */
static void check_shadowed(struct compiler *c)
{
	const struct func *closed[VM_EVENTS] = { NULL };

	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct func *f = c->order[i];
		unsigned event = event_first(f->events);

		if (f->decl->disabled || event >= VM_EVENTS)
			continue;
		if (closed[event])
			say(c, REMARK_WARNING, f->decl->range, NULL,
			    "rule \"%.*s\" is never reached: rule \"%.*s\" always decides before it",
			    SLICE_ARG(f->decl->name), SLICE_ARG(closed[event]->decl->name));
		else if (!f->decl->when && !f->decl->shadow && f->decl->body->kids &&
		    f->decl->body->kids->kind == NODE_VERDICT)
			closed[event] = f;
	}
}

/* false: methods go round in circles or too deep. */
static bool spread_all(struct compiler *c)
{
	for (uint32_t i = 0; i < c->func_count; i++)
		c->funcs[i].state = 0;
	for (uint32_t i = 0; i < c->func_count; i++)
		if (c->funcs[i].state == 0 && !spread(c, &c->funcs[i], 0))
			return false;
	return true;
}

static void note_block_exports(struct compiler *c)
{
	for (uint32_t i = 0; i < c->func_count; i++)
		for (const struct use *u = c->funcs[i].uses; u; u = u->next)
			if (is_export(u))
				c->customs[u->index].block_events |= c->funcs[i].events;
	for (uint32_t i = 0; i < c->custom_count; i++)
		c->customs[i].export_events = c->customs[i].block_events;
}

void check_events(struct compiler *c)
{
	for (uint32_t i = 0; i < c->func_count; i++) {
		struct func *f = &c->funcs[i];
		int event =
		    f->decl->kind == DECL_EVENT ? host_event(c->host->host, f->decl->name) : -1;

		f->events = event < 0 ? 0 : 1u << event;
	}
	if (!spread_all(c))
		return;
	note_block_exports(c);
	place_rules(c);
	/* Once more, for what rules call. */
	spread_all(c);
	for (uint32_t i = 0; i < c->func_count; i++)
		if (!c->funcs[i].decl->disabled)
			check_uses(c, &c->funcs[i]);
	check_shadowed(c);
}
