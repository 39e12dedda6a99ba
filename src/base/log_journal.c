#include "base/log_journal.h"

#include <stdio.h>
#include <string.h>

struct out {
	char *p;
	size_t n, room;
};

static void add(struct out *out, slice octets)
{
	if (octets.n)
		memcpy(out->p + out->n, octets.p, octets.n);
	out->n += octets.n;
}

static bool one_line(slice value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' && value.p[i] != '\t')
			return false;
	return true;
}

/* "KEY=value\n"; a value with controls in it is "KEY\n", its length in 64 bits, little end first, the
 * value, "\n": so no value can begin another field. */
static void field(struct out *out, const char *prefix, const char *key, slice value)
{
	bool plain = one_line(value);
	size_t before = out->n, names = strlen(prefix) + strlen(key);

	if (names + value.n + 10 > out->room - out->n)
		return;
	add(out, slice_of(prefix));
	add(out, slice_of(key));
	/* The journal takes capitals, digits and underscores only. */
	for (size_t i = before; i < out->n; i++) {
		char *c = &out->p[i];

		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
		else if (!(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9'))
			*c = '_';
	}
	out->p[out->n++] = plain ? '=' : '\n';
	for (int i = 0; !plain && i < 8; i++)
		out->p[out->n++] = (char)((uint64_t)value.n >> (8 * i) & 0xff);
	add(out, value);
	out->p[out->n++] = '\n';
}

size_t log_journal(char *to, size_t room, enum log_level level, const char *who, const char *event,
    slice message, const struct log_field *fields, size_t n)
{
	/* syslog's: debug, informational, warning, critical */
	static const char *const priorities[] = { "7", "6", "4", "2" };
	struct out out = { to, 0, room };
	char number[24];

	field(&out, "", "PRIORITY", slice_of(priorities[level]));
	field(&out, "", "SYSLOG_IDENTIFIER", SLICE("hauberk"));
	field(&out, "", "MESSAGE", message);
	field(&out, "HAUBERK_", "process", slice_of(who));
	field(&out, "HAUBERK_", "event", slice_of(event));
	for (size_t i = 0; i < n; i++) {
		if (fields[i].kind == KV_NONE)
			continue;
		snprintf(number, sizeof number, "%lld", (long long)fields[i].number);
		field(&out, "HAUBERK_", fields[i].key,
		    fields[i].kind == KV_TEXT ? fields[i].text : slice_of(number));
	}
	return out.n;
}
