#include "trace/print.h"

#include <stdio.h>
#include <time.h>

/* What others said must not command a terminal. */
static void add_text(slice text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++)
		buf_addc(
		    out, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i]);
}

static void add_time(int64_t us, const char *format, struct buf *out)
{
	time_t seconds = (time_t)(us / 1000000);
	char text[40] = "?";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof text, format, &tm);
	buf_adds(out, text);
}

static void add_id(const struct trace_head *head, struct buf *out)
{
	if (head->segment)
		buf_addf(out, "%llx-%llx", (unsigned long long)head->segment,
		    (unsigned long long)head->place);
	else
		buf_adds(out, "(not in the queue)");
}

/* How each note reads: %1 to %4 its texts, %n its number, %t the number as milliseconds; a bar before: it
 * belongs to the event above it. */
static const char *const forms[TRACE_KINDS] = {
	[TRACE_CONNECTED] = "connected from %1 to %2 %3",
	[TRACE_HELLO] = "hello from %1",
	[TRACE_LOGIN] = "login of %1 by %2",
	[TRACE_MAIL] = "mail from <%1>",
	[TRACE_RCPT] = "for <%1>",
	[TRACE_EVENT] = "%1 (%n steps)",
	[TRACE_RULE] = "|rule %1 matched",
	[TRACE_CHECK] = "|%1 %2 → %3 %4 (%t ms)",
	[TRACE_CHANGE] = "|%1 %2 %3",
	[TRACE_VERDICT] = "|→ %1 %n %2",
	[TRACE_FAILED] = "|could not go on: %1",
	[TRACE_REPLY] = "refused %1 → %n %2",
	[TRACE_ACCEPTED] = "accepted as %1 for %n",
	[TRACE_DISCARDED] = "accepted and dropped: %1",
	[TRACE_DELIVERED] = "delivered to <%1> in %2, UID %n",
	[TRACE_WAITS] = "waits for <%1>: %2",
	[TRACE_HELD] = "held for <%1>: %2",
	[TRACE_DROPPED] = "dropped for <%1>: %2",
};

static void add_note(const struct trace_noted *note, struct buf *out)
{
	const char *form = forms[note->kind];

	if (*form == '|') {
		buf_adds(out, "    ");
		form++;
	} else {
		add_time(note->at_us, "%H:%M:%S", out);
		buf_addf(out, ".%03d ", (int)(note->at_us / 1000 % 1000));
	}
	for (; *form; form++) {
		if (*form != '%') {
			buf_addc(out, *form);
			continue;
		}
		form++;
		if (*form == 'n')
			buf_addf(out, "%lld", (long long)note->number);
		else if (*form == 't')
			buf_addf(out, "%.1f", (double)note->number / 1000);
		else
			add_text(note->texts[*form - '1'], out);
	}
	buf_addc(out, '\n');
}

void trace_print(const struct trace_head *head, slice notes, struct buf *out)
{
	struct trace_noted note;

	add_id(head, out);
	buf_adds(out, " s=");
	add_text(slice_of(head->session), out);
	if (head->number)
		buf_addf(out, ".%u", head->number);
	buf_addc(out, ' ');
	add_time(head->began_us, "%Y-%m-%d %H:%M:%SZ", out);
	buf_addc(out, '\n');
	while (trace_next(&notes, head->began_us, &note))
		add_note(&note, out);
	if (head->cut)
		buf_adds(out, "    (more happened than was kept)\n");
}
