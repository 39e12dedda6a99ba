#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static bool fill(struct error *error, enum fault fault, bool temporary, const char *said,
    const char *why, va_list args)
{
	error->fault = fault;
	error->temporary = temporary;
	error->damaged = false;
	vsnprintf(error->why, sizeof error->why, why, args);
	snprintf(error->said, sizeof error->said, "%.199s", said ? said : error->why);
	return false;
}

bool error_set(
    struct error *error, enum fault fault, bool temporary, const char *said, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	fill(error, fault, temporary, said, why, args);
	va_end(args);
	return false;
}

bool error_local(struct error *error, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	fill(error, FAULT_LOCAL, true, "temporary local problem, please try again", why, args);
	va_end(args);
	return false;
}

bool error_input(struct error *error, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	fill(error, FAULT_INPUT, false, NULL, why, args);
	va_end(args);
	return false;
}

bool error_plain(struct error *error, enum fault fault, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	fill(error, fault, false, NULL, text, args);
	va_end(args);
	return false;
}

const char *fault_name(enum fault fault)
{
	static const char *const names[] = { "none", "input", "denied", "absent", "limit", "remote",
		"local" };

	return names[fault];
}
