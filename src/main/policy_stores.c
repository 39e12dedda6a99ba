/* Checks that a session answers by itself: rates, greylisting, filters. Their stores are empty at its start. */
#include "main/policy_play.h"

#define GREY_MS   (5 * 60 * 1000)
#define RATE_DAYS 7
#define DAY_MS    (24 * 3600 * 1000)
#define STORE_MAX 100000 /* calls that are remembered */

static void remember(struct play *p, struct seen **list, slice key)
{
	struct seen *one = ARENA_NEW(p->arena, struct seen);

	*one = (struct seen){ .next = *list, .key = arena_copy(p->arena, key), .at_ms = p->now_ms };
	*list = one;
}

static slice text_of(const struct value *v)
{
	return v->kind == VALUE_TEXT ? v->text : SLICE("");
}

/* Calls with this key in the last period, this one included. */
static void check_rate(struct vm *vm, struct play *p, const struct value *args)
{
	slice key = text_of(&args[0]);
	int64_t period = args[1].kind == VALUE_NUMBER ? args[1].number : 0, count = 0,
		left = STORE_MAX;

	if (period > (int64_t)RATE_DAYS * DAY_MS)
		period = (int64_t)RATE_DAYS * DAY_MS;
	remember(p, &p->rates, key);
	for (const struct seen *s = p->rates; s && left; s = s->next, left--)
		count += slice_eq(s->key, key) && (s == p->rates || p->now_ms - s->at_ms < period);
	vm_set(vm, policy_variable_id("rateCount"), VALUE_NUMBER_OF(count * 1000));
}

/* The client's network: /24, of IPv6 /48. */
static const char *network_of(struct play *p, const struct value *ip)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct ip net = ip->ip;
	char text[64] = "";

	if (ip->kind != VALUE_IP)
		return "";
	bool four = memcmp(net.octets, mapped, sizeof mapped) == 0;
	memset(net.octets + (four ? 15 : 6), 0, four ? 1 : 10);
	ip_write(&net, text);
	return arena_str(p->arena, slice_of(text));
}

static void check_greylist(struct vm *vm, struct play *p)
{
	slice from = text_of(&p->vars[policy_variable_id("mailFrom")]);
	slice to = text_of(&p->vars[policy_variable_id("rcptTo")]);
	slice key = slice_of(arena_printf(p->arena, "%s %.*s %.*s",
	    network_of(p, &p->vars[policy_variable_id("remoteSmtpIp")]), SLICE_ARG(from),
	    SLICE_ARG(to)));
	const struct seen *s = p->greys;

	while (s && !slice_eq_nocase(s->key, key))
		s = s->next;
	slice result = !s                    ? SLICE("new")
	    : p->now_ms - s->at_ms < GREY_MS ? SLICE("early")
					     : SLICE("known");
	if (!s)
		remember(p, &p->greys, key);
	vm_set(vm, policy_variable_id("greylistResult"), VALUE_TEXT_OF(result));
}

/* ---- filters ---- */

/* A later line for the same filter overrides. */
static bool is_last(const struct play *p, const struct step *filter)
{
	for (const struct step *s = filter; s != p->step && s->next; s = s->next)
		if (s->next->kind == STEP_GIVEN_FILTER && slice_eq(s->next->text, filter->text))
			return false;
	return true;
}

/* The worst of all filters stays. */
static void take_level(struct vm *vm, struct play *p, const char *name, const struct given *g)
{
	uint32_t id = policy_variable_id(name);
	const struct host_variable *v = &p->policy->host->variables[id];
	struct value value = play_fit(p, v, play_value(p, &v->type, g));

	if (value.kind == VALUE_NUMBER && vm->vars[id].kind == VALUE_NUMBER &&
	    vm->vars[id].number > value.number)
		return;
	vm_set(vm, id, value);
}

static void run_filter(struct vm *vm, struct play *p, const struct step *filter)
{
	static const char *const outputs[] = { "filterResult", "spamLevel", "virusLevel",
		"spamScore", "virusName" };
	slice result = filter->flag ? SLICE("error") : SLICE("pass");

	vm_set(vm, policy_variable_id("filterName"), VALUE_TEXT_OF(filter->text));
	for (const struct given *g = filter->given; g; g = g->next)
		if (slice_eq(g->name, SLICE("virusName")))
			result = SLICE("match");
	vm_set(vm, policy_variable_id("filterResult"), VALUE_TEXT_OF(result));
	for (const struct given *g = filter->given; g; g = g->next) {
		size_t i = 0;

		while (i < 5 && !slice_eq(g->name, slice_of(outputs[i])))
			i++;
		if (i < 5)
			take_level(vm, p, outputs[i], g);
		else
			vm_fault(vm,
			    "a filter gives filterResult, spamLevel, virusLevel, spamScore or virusName");
	}
}

static void execute_filters(struct vm *vm, struct play *p, slice pattern)
{
	bool found = false;

	for (const struct step *s = p->given; s && s != p->step; s = s->next) {
		if (s->kind != STEP_GIVEN_FILTER || !text_glob(s->text, pattern, false) ||
		    !is_last(p, s))
			continue;
		found = true;
		run_filter(vm, p, s);
	}
	if (!found)
		vm_fault(vm,
		    arena_printf(p->arena,
			"no filter matches \"%.*s\"; add: given filter \"%.*s\" = filterResult = \"pass\";",
			SLICE_ARG(slice_head(pattern, 60)), SLICE_ARG(slice_head(pattern, 60))));
}

bool play_store_check(struct vm *vm, struct play *p, const char *name, const struct value *args)
{
	if (strcmp(name, "checkRate") == 0)
		check_rate(vm, p, args);
	else if (strcmp(name, "checkGreylist") == 0)
		check_greylist(vm, p);
	else if (strcmp(name, "executeFilters") == 0)
		execute_filters(vm, p, text_of(&args[0]));
	else
		return false;
	return true;
}
