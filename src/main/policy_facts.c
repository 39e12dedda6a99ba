/* What a session gives: values of variables, the server's tables, the clock, files. */
#include <stdio.h>
#include <time.h>

#include "main/policy_play.h"

#define DATA_MAX (16 << 20)

struct value play_fit(struct play *p, const struct host_variable *v, struct value value)
{
	bool body = v->type.base == BASE_BODY;

	if (value.kind == VALUE_TEXT && v->peer && !body)
		value.text = text_clean(value.text, v->max, p->arena);
	else if (value.kind == VALUE_TEXT)
		value.text = text_cut(value.text, v->max);
	if (value.kind != VALUE_LIST)
		return value;
	size_t count = value.list.count < v->count ? value.list.count : v->count;
	struct value *items = ARENA_ARRAY(p->arena, struct value, count + 1);
	for (size_t i = 0; i < count; i++) {
		items[i] = value.list.items[i];
		if (items[i].kind == VALUE_TEXT)
			items[i].text = text_clean(items[i].text, v->max, p->arena);
	}
	value.list.items = items;
	value.list.count = count;
	return value;
}

void play_set(struct play *p, const char *variable, struct value value)
{
	uint32_t id = policy_variable_id(variable);

	p->vars[id] = play_fit(p, &p->policy->host->variables[id], value);
}

/* ---- the clock ---- */

static void set_time(struct play *p)
{
	static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	time_t now = (time_t)(p->now_ms / 1000);
	struct tm tm;

	if (!p->has_time || !gmtime_r(&now, &tm))
		return;
	if (!play_given(p, "hour"))
		play_set(p, "hour", VALUE_NUMBER_OF((int64_t)tm.tm_hour * 1000));
	if (!play_given(p, "weekday"))
		play_set(p, "weekday", VALUE_TEXT_OF(slice_of(days[tm.tm_wday])));
}

/* "2026-11-24 09:14", with seconds or without: as the clock of the server shows it. */
static void take_time(struct play *p, slice text)
{
	struct tm tm = { 0 };
	const char *s = arena_str(p->arena, text), *end = strptime(s, "%Y-%m-%d", &tm);

	if (end && (*end == ' ' || *end == 'T'))
		end = strptime(end + 1, "%H:%M", &tm);
	else
		end = NULL;
	if (end && *end == ':')
		end = strptime(end, ":%S", &tm);
	if (!end || *end) {
		play_fail(p, "'%.*s' is no time; write \"2026-11-24 09:14\"",
		    SLICE_ARG(slice_head(text, 60)));
		return;
	}
	p->now_ms = (int64_t)timegm(&tm) * 1000;
	p->has_time = true;
	set_time(p);
}

void play_clock(struct play *p, int64_t ms)
{
	if (__builtin_add_overflow(p->now_ms, ms, &p->now_ms))
		p->now_ms = INT64_MAX;
	set_time(p);
}

/* ---- variables ---- */

void play_start(struct play *p, unsigned from)
{
	const struct host_info *h = p->policy->host;

	for (uint32_t i = 0; i < h->host->variable_count; i++) {
		const struct host_variable *v = &h->variables[i];
		const struct given *g = play_given(p, v->spec->name);
		struct node standard = { .text = slice_of(v->spec->standard) };
		struct given as_given = { .values = &standard };
		bool conf = strcmp(v->spec->standard, "conf") == 0;

		if (v->known && event_first(v->known) < from)
			continue;
		p->vars[i] = (struct value){ 0 };
		if (g || !conf)
			p->vars[i] = play_fit(p, v, play_value(p, &v->type, g ? g : &as_given));
	}
	set_time(p);
}

void play_keep(struct play *p)
{
	uint32_t count = p->policy->kept_count;

	p->kept = ARENA_ARRAY(p->arena, struct value, count + 1);
	memcpy(p->kept, p->vars + p->policy->kept_first, count * sizeof *p->kept);
}

void play_forget(struct play *p)
{
	struct value *at = p->vars + p->policy->kept_first;

	memset(at, 0, p->policy->kept_count * sizeof *at);
	if (p->kept)
		memcpy(at, p->kept, p->policy->kept_count * sizeof *at);
}

/* ---- tables ---- */

static const struct set *make_set(struct play *p, int table, const struct node *values)
{
	struct set_maker m;
	struct error error;

	set_begin(&m, table ? SET_NETWORK : SET_DOMAIN, p->arena);
	for (; values; values = values->next)
		if (!set_add(&m, values->text, (struct value){ 0 }, &error)) {
			play_fail(p, "%s", error.said);
			break;
		}
	return set_end(&m, &error);
}

void play_sets(struct play *p)
{
	struct node domains[2] = { { .text = SLICE("example.org"), .next = &domains[1] },
		{ .text = SLICE("example.net") } };
	struct node networks[2] = { { .text = SLICE("127.0.0.0/8"), .next = &networks[1] },
		{ .text = SLICE("::1") } };

	p->sets[0] = make_set(p, 0, domains);
	p->sets[1] = make_set(p, 1, networks);
}

/* false: the name is no table of the server. */
static bool take_table(struct play *p, const struct given *g)
{
	const char *const *names = p->policy->host->host->tables;

	for (int i = 0; i < 2 && names[i]; i++) {
		slice spec = slice_of(names[i]);

		if (!slice_eq(g->name, slice_head(spec, slice_find(spec, ' '))))
			continue;
		p->sets[i] = make_set(p, i, g->values);
		return true;
	}
	return false;
}

/* ---- given ---- */

static void take_variable(struct play *p, const struct given *g)
{
	const struct host_info *h = p->policy->host;

	for (uint32_t i = 0; i < h->host->variable_count; i++) {
		if (!slice_eq(g->name, slice_of(h->host->variables[i].name)))
			continue;
		const struct host_variable *v = &h->variables[i];
		struct value value = play_value(p, &v->type, g);

		if (value.kind == VALUE_UNKNOWN && g->values && g->values->text.n)
			play_fail(p, "'%.*s' is no value of %.*s, which is %s",
			    SLICE_ARG(slice_head(g->values->text, 60)), SLICE_ARG(g->name),
			    type_a(&v->type, p->arena));
		p->vars[h->variables[i].same] = play_fit(p, v, value);
		return;
	}
	if (!take_table(p, g))
		play_fail(p, "there is no variable or table '%.*s'", SLICE_ARG(g->name));
}

void play_take(struct play *p, const struct step *s)
{
	if (s->kind == STEP_GIVEN_TIME)
		take_time(p, s->text);
	else if (s->kind == STEP_GIVEN && !s->is_call)
		take_variable(p, s->given);
}

/* ---- files ---- */

bool play_file(struct play *p, slice path, slice *out)
{
	const char *session = p->policy->sources->files[p->step->range.file].name;
	const char *slash = strrchr(session, '/');
	struct error error;

	if (!path.n || path.p[0] == '/' || slice_search_nocase(path, SLICE("..")) != SIZE_MAX) {
		play_fail(p, "the file lies beside the session or below, without '..'");
		return false;
	}
	const char *whole = arena_printf(
	    p->arena, "%.*s%.*s", slash ? (int)(slash + 1 - session) : 0, session, SLICE_ARG(path));
	if (policy_read_file(NULL, whole, DATA_MAX, p->arena, out, &error))
		return true;
	play_fail(p, "%s", error.why);
	return false;
}
