#include "main/kerberos_report.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MOST 4000

/* RFC 8259 §7. What is no UTF-8 (a principal may have it) becomes "?". */
static void print_string(slice text)
{
	putchar('"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ')
			printf("\\u%04x", c);
		else
			putchar(c < 127 ? c : '?');
	}
	putchar('"');
}

/* One command a line, each behind "mend:". */
static void print_mend(const char *mend)
{
	slice rest = slice_of(mend);

	while (rest.n) {
		slice line = slice_head(rest, slice_find(rest, '\n'));

		printf("              mend: %.*s\n", SLICE_ARG(line));
		rest = slice_from(rest, line.n + 1);
	}
}

static void add(
    struct report *r, const char *result, const char *check, const char *mend, slice text)
{
	if (!r->json) {
		printf("%-11s %-8s %.*s\n", result, check, SLICE_ARG(text));
		print_mend(mend);
	} else {
		printf("%s\n  {\"result\": \"%s\", \"check\": \"%s\", \"text\": ",
		    r->items ? "," : "{\"findings\": [", result, check);
		print_string(text);
		printf(", \"mend\": ");
		print_string(slice_of(mend));
		printf("}");
	}
	r->items++;
	fflush(stdout); /* a later check may take its time */
}

static void add_v(struct report *r, const char *result, const char *check, const char *mend,
    const char *text, va_list arguments)
{
	char line[TEXT_MOST];

	vsnprintf(line, sizeof line, text, arguments);
	add(r, result, check, mend, slice_of(line));
}

void report_ok(struct report *r, const char *check, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	add_v(r, "ok", check, "", text, arguments);
	va_end(arguments);
}

void report_untested(struct report *r, const char *check, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	add_v(r, "not tested", check, "", text, arguments);
	va_end(arguments);
}

void report_problem(struct report *r, const char *mend, const char *check, const char *text, ...)
{
	va_list arguments;

	r->problems++;
	va_start(arguments, text);
	add_v(r, "problem", check, mend, text, arguments);
	va_end(arguments);
}

int report_end(struct report *r)
{
	if (r->json)
		printf(
		    "%s], \"problems\": %d}\n", r->items ? "\n" : "{\"findings\": [", r->problems);
	else if (r->problems)
		printf("%d problem%s\n", r->problems, r->problems == 1 ? "" : "s");
	else
		printf("no problems\n");
	return r->problems > 0;
}
