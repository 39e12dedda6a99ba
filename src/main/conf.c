/* Values of settings: from text and to text. */
#include "main/conf.h"

#include <stdio.h>

#include "base/ip.h"
#include "vault/sasl_policy.h"

const struct conf_row *conf_row_find(const struct conf_row *rows, size_t n, slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(slice_of(rows[i].name), name))
			return &rows[i];
	return NULL;
}

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = { { "", 1 }, { "B", 1 }, { "KB", 1 << 10 }, { "MB", 1 << 20 },
	{ "GB", 1 << 30 }, { NULL, 0 } };
static const struct unit times[] = { { "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 },
	{ NULL, 0 } };
static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };

/* In the largest unit that divides it. */
static const char *number_text(int64_t value, const struct unit *units, struct arena *arena)
{
	const struct unit *best = units;

	for (; units->name; units++)
		if (value && value % units->factor == 0)
			best = units;
	return arena_printf(arena, best->name[0] ? "%lld %s" : "%lld",
	    (long long)(value / best->factor), best->name);
}

static bool set_number(const struct conf_row *row, int64_t *value_out, slice text,
    const struct unit *units, const char *example, struct arena *arena, struct error *error)
{
	const struct unit *u = units;
	size_t digits = 0;
	uint64_t n;

	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	slice unit = slice_trim(slice_from(text, digits));
	if (!slice_number(slice_head(text, digits), INT64_MAX / (1 << 30), &n))
		return error_input(
		    error, "%s must be %s, not \"%.*s\"", row->name, example, SLICE_ARG(text));
	for (; u->name; u++)
		if (slice_eq_nocase(unit, slice_of(u->name)))
			break;
	if (!u->name)
		return error_input(
		    error, "%s must be %s, not \"%.*s\"", row->name, example, SLICE_ARG(text));
	int64_t value = (int64_t)n * u->factor;
	if (value < row->least || value > row->most)
		return error_input(error, "%s is %.*s, but must be from %s to %s", row->name,
		    SLICE_ARG(text), number_text(row->least, units, arena),
		    number_text(row->most, units, arena));
	*value_out = value;
	return true;
}

static bool set_choice(const struct conf_row *row, const char **value_out, slice text,
    struct arena *arena, struct error *error)
{
	slice rest = slice_of(row->choices);

	while (rest.n) {
		size_t end = slice_find(rest, '|');

		if (slice_eq(slice_head(rest, end), text)) {
			*value_out = arena_str(arena, text);
			return true;
		}
		rest = slice_from(rest, end + 1);
	}
	return error_input(
	    error, "%s must be one of %s, not \"%.*s\"", row->name, row->choices, SLICE_ARG(text));
}

/* Values go into logs, Received fields and sockets' names. */
static bool is_text(slice text, bool list)
{
	for (size_t i = 0; i < text.n; i++)
		if (((unsigned char)text.p[i] < ' ' && !(list && text.p[i] == '\n')) ||
		    text.p[i] == 0x7f)
			return false;
	return true;
}

/* Kept as text: base/ip.h reads it where it is used. */
static bool set_ips(const struct conf_row *row, const char **value_out, slice text,
    struct arena *arena, struct error *error)
{
	struct error wrong;
	struct ip_set *set = ip_set_new(text, &wrong);

	ip_set_free(set);
	*value_out = arena_str(arena, text);
	return set || error_input(error, "%s: %s", row->name, wrong.said);
}

static bool set_mechanisms(const struct conf_row *row, const char **value_out, slice text,
    struct arena *arena, struct error *error)
{
	struct error wrong;
	unsigned types;

	*value_out = arena_str(arena, text);
	return sasl_types_read(text, &types, &wrong) ||
	    error_input(error, "%s: %s", row->name, wrong.said);
}

bool conf_set(
    const struct conf_row *row, void *where, slice text, struct arena *arena, struct error *error)
{
	void *value = (char *)where + row->offset;

	switch (row->type) {
	case CONF_TEXT:
	case CONF_TEXTS:
		if ((int64_t)text.n < row->least || (int64_t)text.n > row->most)
			return error_input(error, "%s has %zu octets, but must have %lld to %lld",
			    row->name, text.n, (long long)row->least, (long long)row->most);
		if (!is_text(text, row->type == CONF_TEXTS))
			return error_input(error, "%s has a control character", row->name);
		*(const char **)value = arena_str(arena, text);
		return true;
	case CONF_NUMBER:
		return set_number(row, value, text, plain, "a whole number", arena, error);
	case CONF_SIZE:
		return set_number(
		    row, value, text, sizes, "a size such as \"50 MB\"", arena, error);
	case CONF_TIME:
		return set_number(
		    row, value, text, times, "a time such as \"30 s\" or \"5 min\"", arena, error);
	case CONF_BOOL:
		*(bool *)value = slice_eq(text, SLICE("true"));
		return *(bool *)value || slice_eq(text, SLICE("false")) ||
		    error_input(error, "%s must be true or false, not \"%.*s\"", row->name,
			SLICE_ARG(text));
	case CONF_CHOICE:
		return set_choice(row, value, text, arena, error);
	case CONF_IPS:
		return set_ips(row, value, text, arena, error);
	case CONF_MECHANISMS:
		return set_mechanisms(row, value, text, arena, error);
	}
	return false;
}

const char *conf_value(const struct conf_row *row, const void *where, struct arena *arena)
{
	const void *value = (const char *)where + row->offset;

	switch (row->type) {
	case CONF_TEXT:
	case CONF_TEXTS:
	case CONF_CHOICE:
	case CONF_IPS:
	case CONF_MECHANISMS:
		return *(const char *const *)value;
	case CONF_NUMBER:
		return number_text(*(const int64_t *)value, plain, arena);
	case CONF_SIZE:
		return number_text(*(const int64_t *)value, sizes, arena);
	case CONF_TIME:
		return number_text(*(const int64_t *)value, times, arena);
	case CONF_BOOL:
		return *(const bool *)value ? "true" : "false";
	}
	return "";
}

static const char *quoted(slice text, struct arena *arena)
{
	char *out = arena_alloc(arena, 2 * text.n + 3);
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = text.p[i];
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}

const char *conf_text(const struct conf_row *row, const void *where, struct arena *arena)
{
	const char *value = conf_value(row, where, arena), *list = "[ ";
	slice rest = slice_of(value);

	if (row->type == CONF_BOOL || row->type == CONF_NUMBER ||
	    (row->type == CONF_SIZE && !strchr(value, ' ')))
		return value;
	if (row->type != CONF_TEXTS || !strchr(value, '\n'))
		return quoted(rest, arena);
	while (rest.n) {
		size_t end = slice_find(rest, '\n');

		list = arena_printf(arena, "%s%s%s", list, quoted(slice_head(rest, end), arena),
		    end < rest.n ? ", " : " ]");
		rest = slice_from(rest, end + 1);
	}
	return list;
}
