#include "script/policy/host.h"

#include <stdio.h>

#include "base/log.h"
#include "base/octet.h"

unsigned event_first(uint32_t events)
{
	return events ? (unsigned)__builtin_ctz(events) : VM_EVENTS;
}

int host_event(const struct policy_host *host, slice name)
{
	for (unsigned i = 0; i < host->event_count; i++)
		if (slice_eq(name, slice_of(host->events[i].name)))
			return (int)i;
	return -1;
}

static unsigned event_of(const struct policy_host *host, char letter)
{
	for (unsigned i = 0; i < host->event_count; i++)
		if (host->events[i].letter == letter)
			return i;
	panic("the host has no event '%c'", letter);
}

const char *events_text(const struct policy_host *host, uint32_t events, struct arena *arena)
{
	const char *text = "";

	for (unsigned i = 0; i < host->event_count; i++)
		if (events & 1u << i)
			text = arena_printf(
			    arena, "%s%s%s", text, *text ? ", " : "", host->events[i].name);
	return *text ? text : "no event";
}

/* "C E M", "C-D", "all" */
static uint32_t events_read(const struct policy_host *host, const char *text)
{
	uint32_t events = 0, all = (1u << host->event_count) - 1;

	if (strcmp(text, "all") == 0)
		return all;
	for (; *text; text++) {
		if (*text == ' ' || *text == ',')
			continue;
		unsigned first = event_of(host, *text), last = first;

		if (text[1] == '-') {
			last = event_of(host, text[2]);
			text += 2;
		}
		for (unsigned i = first; i <= last; i++)
			events |= 1u << i;
	}
	return events;
}

static uint32_t from_on(const struct policy_host *host, char letter)
{
	return ((1u << host->event_count) - 1) & ~((1u << event_of(host, letter)) - 1);
}

static void from_read(const struct policy_host *host, struct host_variable *v)
{
	const char *from = v->spec->from;

	if (from[0] == '[') {
		size_t n = strlen(from);
		char inside[32];

		snprintf(inside, sizeof inside, "%.*s", (int)n - 2, from + 1);
		v->known = v->settled = events_read(host, inside);
	} else if (from[0]) {
		v->known = v->settled = from_on(host, from[0]);
		if (from[1] == '>')
			v->settled = from_on(host, from[2]);
	}
}

bool word_among(const char *words, slice word)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == word.n && memcmp(words, word.p, n) == 0)
			return true;
		words += n;
		words += strspn(words, " ");
	}
	return false;
}

static const struct {
	const char *name;
	enum base base;
	uint32_t max;
} bases[] = { { "string", BASE_TEXT, 1024 }, { "number", BASE_NUMBER, 0 }, { "size", BASE_SIZE, 0 },
	{ "duration", BASE_DURATION, 0 }, { "ip", BASE_IP, 0 }, { "domain", BASE_DOMAIN, 255 },
	{ "address", BASE_ADDRESS, 320 }, { "yesno", BASE_YESNO, 0 },
	{ "body", BASE_BODY, 65536 } };

#define BASES (sizeof bases / sizeof bases[0])

uint32_t type_max(const struct type *t)
{
	for (size_t i = 0; i < BASES; i++)
		if (bases[i].base == t->base)
			return bases[i].max;
	return t->base == BASE_CHOICE ? 32 : 1024;
}

uint32_t type_count(const struct type *t)
{
	return t->list ? 200 : 0;
}

enum value_kind type_kind(const struct type *t)
{
	if (t->list)
		return VALUE_LIST;
	switch (t->base) {
	case BASE_NUMBER:
	case BASE_SIZE:
	case BASE_DURATION:
		return VALUE_NUMBER;
	case BASE_IP:
		return VALUE_IP;
	case BASE_YESNO:
		return VALUE_YESNO;
	case BASE_ANY:
		return VALUE_UNKNOWN;
	case BASE_TEXT:
	case BASE_DOMAIN:
	case BASE_ADDRESS:
	case BASE_CHOICE:
	case BASE_BODY:
		break;
	}
	return VALUE_TEXT;
}

const char *type_text(const struct type *t, struct arena *arena)
{
	const char *name =
	    t->base == BASE_CHOICE ? arena_printf(arena, "{%s}", t->choice) : "value";

	for (size_t i = 0; i < BASES; i++)
		if (bases[i].base == t->base)
			name = bases[i].name;
	return t->list ? arena_printf(arena, "list of %s", name) : name;
}

const char *type_a(const struct type *t, struct arena *arena)
{
	const char *name = type_text(t, arena);

	return arena_printf(arena, "%s %s", strchr("aeiou", name[0]) ? "an" : "a", name);
}

/* A type with its range: "number 0-65535", "size 0-4294967295 KB", "list of string 1000". */
static void type_read(const char *text, struct type *t, int64_t *least, int64_t *most,
    uint32_t *count, struct arena *arena)
{
	unsigned long long low, high;

	*t = (struct type){ .base = BASE_CHOICE };
	*least = INT64_MIN;
	*most = INT64_MAX;
	if (text[0] == '{') {
		t->choice = arena_str(arena, (slice){ text + 1, strcspn(text, "}") - 1 });
		return;
	}
	if (strncmp(text, "list of ", 8) == 0) {
		t->list = true;
		text += 8;
	}
	size_t n = strcspn(text, " ");
	bool found = false;
	for (size_t i = 0; i < BASES && !found; i++) {
		found = strlen(bases[i].name) == n && strncmp(bases[i].name, text, n) == 0;
		t->base = bases[i].base;
	}
	if (!found)
		panic("the host has no type '%s'", text);
	*count = t->list ? 200 : 0;
	t->kb = strstr(text, "KB") != NULL;
	if (t->list && text[n] && text[n + 1])
		*count = 1000;
	else if (sscanf(text + n, " %llu-%llu", &low, &high) == 2) {
		int64_t unit = t->kb ? 1024 : t->base == BASE_SIZE ? 1 : 1000;

		*least = (int64_t)low * unit;
		*most = (int64_t)high * unit;
	}
}

static uint32_t variable_find(const struct policy_host *host, slice name)
{
	for (uint32_t i = 0; i < host->variable_count; i++)
		if (slice_eq(name, slice_of(host->variables[i].name)))
			return i;
	panic("the host has no variable '%.*s'", SLICE_ARG(name));
}

static void variable_read(struct host_info *info, uint32_t i, struct arena *arena)
{
	struct host_variable *v = &info->variables[i];
	const char *flags;

	v->spec = &info->host->variables[i];
	flags = v->spec->flags;
	type_read(v->spec->type, &v->type, &v->least, &v->most, &v->count, arena);
	v->max = type_max(&v->type);
	from_read(info->host, v);
	v->settable = events_read(info->host, v->spec->set);
	v->peer = strchr(flags, 'p') != NULL;
	v->no_peer = strchr(flags, '!') != NULL;
	v->guard = strchr(flags, 'g') != NULL;
	v->network = strchr(flags, 'n') != NULL;
	v->same = v->spec->alias ? variable_find(info->host, slice_of(v->spec->alias)) : i;
	info->outcome = strchr(flags, 'a') ? i : info->outcome;
	info->outcome_text = strchr(flags, 'x') ? i : info->outcome_text;
	info->outcome_code = strchr(flags, 'c') ? i : info->outcome_code;
	info->outcome_enhanced = strchr(flags, 'e') ? i : info->outcome_enhanced;
}

static char param_word(slice type)
{
	static const char *const words[] = { "any", "list", "table", "regex", "glob", "const" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (slice_eq(type, slice_of(words[i])))
			return words[i][0];
	return '\0';
}

/* "name type flags" */
static void param_read(
    struct host_info *info, struct host_param *p, slice text, struct arena *arena)
{
	slice name = slice_head(text, slice_find(text, ' '));
	slice type = slice_trim(slice_from(text, name.n));
	int64_t least, most;
	uint32_t count;

	while (type.n && strchr("!@?+*", type.p[type.n - 1])) {
		char flag = type.p[--type.n];

		p->no_peer |= flag == '!';
		p->from_variable |= flag == '@';
		p->optional |= flag == '?';
		p->recipient |= flag == '+';
		p->many |= flag == '*';
	}
	type = slice_trim(type);
	p->name = name;
	p->word = param_word(type);
	if (!p->word)
		type_read(arena_str(arena, type), &p->type, &least, &most, &count, arena);
	if (p->from_variable)
		p->variable = variable_find(info->host, name);
}

static void method_read(struct host_info *info, uint32_t i, struct arena *arena)
{
	struct host_method *m = &info->methods[i];
	int64_t least, most;
	uint32_t count;

	m->spec = &info->host->methods[i];
	for (slice rest = slice_of(m->spec->params); rest.n;) {
		/* A choice holds no comma. */
		slice one = slice_head(rest, slice_find(rest, ','));
		struct host_param *p = &m->params[m->param_count++];

		rest = slice_from(rest, one.n + 1);
		param_read(info, p, slice_trim(one), arena);
		m->needed = p->optional || p->from_variable ? m->needed : m->param_count;
	}
	for (slice rest = slice_of(m->spec->outputs); rest.n;) {
		slice one = slice_head(rest, slice_find(rest, ' '));

		rest = slice_from(rest, one.n + 1);
		m->outputs[m->output_count++] = variable_find(info->host, one);
	}
	m->events = events_read(info->host, m->spec->events);
	const char *result = m->spec->result;
	size_t n = strlen(result);
	m->peer = n > 2 && strcmp(result + n - 2, " p") == 0;
	m->peer_as_argument = n > 2 && strcmp(result + n - 2, " =") == 0;
	if (n)
		type_read(
		    arena_str(arena, (slice){ result, m->peer || m->peer_as_argument ? n - 2 : n }),
		    &m->result, &least, &most, &count, arena);
	if (m->output_count) {
		m->result = info->variables[m->outputs[0]].type;
		m->peer = info->variables[m->outputs[0]].peer;
	}
}

struct host_info *host_read(const struct policy_host *host, struct arena *arena)
{
	struct host_info *info = ARENA_NEW(arena, struct host_info);

	*info = (struct host_info){ .host = host,
		.outcome = UINT32_MAX,
		.outcome_text = UINT32_MAX,
		.outcome_code = UINT32_MAX,
		.outcome_enhanced = UINT32_MAX };
	info->variables = ARENA_ARRAY(arena, struct host_variable, host->variable_count + 1);
	info->methods = ARENA_ARRAY(arena, struct host_method, host->method_count + 1);
	for (uint32_t i = 0; i < host->variable_count; i++)
		variable_read(info, i, arena);
	for (uint32_t i = 0; i < host->method_count; i++)
		method_read(info, i, arena);
	return info;
}
