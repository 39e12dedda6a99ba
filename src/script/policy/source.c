#include "script/policy/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/octet.h"

#define LINE_SHOWN 160 /* octets of a line that are shown */

void sources_begin(struct sources *src, struct arena *arena, source_read *read, void *context)
{
	*src = (struct sources){ .arena = arena, .read = read, .context = context };
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* Offset of the first octet that begins no UTF-8 character, or is NUL. */
static size_t first_bad(slice text)
{
	for (size_t at = 0; at < text.n;) {
		size_t n = 1;

		while (at + n < text.n && n < 4 && is_continuation(text.p[at + n]))
			n++;
		if (text.p[at] == '\0' || !utf8_valid((slice){ text.p + at, n }))
			return at;
		at += n;
	}
	return text.n;
}

uint32_t sources_add(struct sources *src, const char *name, slice text, struct range from)
{
	if (src->file_count == FILES_MAX) {
		remark_add(
		    src, REMARK_ERROR, from, NULL, "a policy has at most %d files", FILES_MAX);
		return UINT32_MAX;
	}
	uint32_t file = src->file_count++;
	src->files[file] = (struct source){ .name = name, .text = text };
	const char *no_hint = NULL;
	bool too_long = text.n > TEXT_MAX - src->octets;
	if (too_long)
		src->files[file].text.n = 0;
	else
		src->octets += text.n;
	if (too_long) {
		remark_add(src, REMARK_ERROR, (struct range){ file, 0, 0 }, no_hint,
		    "a policy has at most %d MiB with all its imports", TEXT_MAX >> 20);
		return UINT32_MAX;
	}
	size_t bad = first_bad(text);
	if (bad < text.n) {
		uint32_t at = (uint32_t)bad;
		unsigned octet = (unsigned char)text.p[bad];

		remark_add(src, REMARK_ERROR, (struct range){ file, at, at + 1 },
		    "a policy is UTF-8 without NUL", "this is no text: octet 0x%02X", octet);
		return UINT32_MAX;
	}
	return file;
}

void remark_add(struct sources *src, enum remark_kind kind, struct range range, const char *hint,
    const char *format, ...)
{
	char text[600];
	va_list args;

	if (range.file >= src->file_count)
		range = (struct range){ 0 };
	struct source *file = &src->files[range.file];
	unsigned *count = kind == REMARK_ERROR ? &file->errors : &file->others;
	src->errors += kind == REMARK_ERROR;
	src->warnings += kind == REMARK_WARNING;
	if (++*count > REMARKS_MAX)
		return;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t length = n < (int)sizeof text ? (size_t)n : sizeof text - 1;
	while (n >= (int)sizeof text && length && is_continuation(text[length]))
		length--;
	struct remark *m = ARENA_NEW(src->arena, struct remark);
	*m = (struct remark){ .next = src->messages,
		.kind = kind,
		.range = range,
		.order = src->remark_count++,
		.text = arena_str(src->arena, (slice){ text, length }),
		.hint = hint ? arena_str(src->arena, slice_of(hint)) : NULL };
	src->messages = m;
}

slice source_text(const struct sources *src, struct range range)
{
	if (range.file >= src->file_count)
		return SLICE("");
	slice text = src->files[range.file].text;
	return slice_head(slice_from(text, range.at), range.end - range.at);
}

/* Where the line of an offset begins and ends. */
static slice line_of(slice text, size_t at)
{
	size_t start = at < text.n ? at : text.n, end = start;

	while (start && text.p[start - 1] != '\n')
		start--;
	while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
		end++;
	return (slice){ text.p + start, end > start ? end - start : 0 };
}

static void lines_make(struct sources *src, struct source *file)
{
	uint32_t n = 1;

	for (size_t i = 0; i < file->text.n; i++)
		n += file->text.p[i] == '\n';
	file->lines = ARENA_ARRAY(src->arena, uint32_t, n);
	for (size_t i = 0; i < file->text.n; i++)
		if (file->text.p[i] == '\n')
			file->lines[++file->line_count] = (uint32_t)i + 1;
	file->line_count = n;
}

void source_place(struct sources *src, struct range range, unsigned *line, unsigned *column)
{
	uint32_t low = 0;

	*line = *column = 1;
	if (range.file >= src->file_count)
		return;
	struct source *file = &src->files[range.file];
	if (!file->lines)
		lines_make(src, file);
	for (uint32_t high = file->line_count; high - low > 1;) {
		uint32_t middle = low + (high - low) / 2;

		if (file->lines[middle] <= range.at)
			low = middle;
		else
			high = middle;
	}
	*line = low + 1;
	for (size_t i = file->lines[low]; i < range.at && i < file->text.n; i++)
		*column += !is_continuation(file->text.p[i]);
}

static const char *kind_name(enum remark_kind kind)
{
	return kind == REMARK_ERROR ? "error" : kind == REMARK_WARNING ? "warning" : "note";
}

/* Control characters of the text would act on the terminal. */
static void add_shown(struct buf *out, slice text)
{
	for (size_t i = 0; i < text.n; i++)
		buf_addc(out,
		    text.p[i] == '\t'                        ? ' '
			: octet_is(text.p[i], OCTET_CONTROL) ? '?'
							     : text.p[i]);
}

static void print_line(
    const struct sources *src, const struct remark *m, unsigned line, struct buf *out)
{
	slice text = src->files[m->range.file].text;
	slice whole = line_of(text, m->range.at);
	size_t at = text.p ? (size_t)(text.p + m->range.at - whole.p) : 0, from = 0;

	if (!utf8_valid(whole))
		return;
	if (at > LINE_SHOWN / 2 && whole.n > LINE_SHOWN)
		from = at - LINE_SHOWN / 2;
	while (from && is_continuation(whole.p[from]))
		from--;
	slice shown = slice_from(whole, from);
	for (size_t n = LINE_SHOWN; shown.n > n; n++)
		if (!is_continuation(shown.p[n]))
			shown.n = n;
	buf_addf(out, "%4u | %s", line, from ? "..." : "");
	add_shown(out, shown);
	buf_addf(out, "\n     | %s", from ? "   " : "");
	for (size_t i = from; i < at; i++)
		if (!is_continuation(whole.p[i]))
			buf_addc(out, ' ');
	buf_addc(out, '^');
	for (size_t i = at + 1; i < from + shown.n && i < at + m->range.end - m->range.at; i++)
		if (!is_continuation(whole.p[i]))
			buf_addc(out, '~');
	buf_addc(out, '\n');
}

static void print_text(struct sources *src, const struct remark *m, struct buf *out)
{
	unsigned line, column;

	source_place(src, m->range, &line, &column);
	buf_addf(out, "%s:%u:%u: %s: %s\n", src->files[m->range.file].name, line, column,
	    kind_name(m->kind), m->text);
	print_line(src, m, line, out);
	if (m->hint)
		buf_addf(out, "     = %s\n", m->hint);
}

static void add_json(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "\"%s\":\"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_addf(out, "\\%c", *text);
		else if (octet_is(*text, OCTET_CONTROL))
			buf_addf(out, "\\u%04x", *text);
		else
			buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

static void print_json(struct sources *src, const struct remark *m, struct buf *out)
{
	unsigned line, column, end_line, end_column;
	struct range end = { m->range.file, m->range.end, m->range.end };

	source_place(src, m->range, &line, &column);
	source_place(src, end, &end_line, &end_column);
	buf_addc(out, '{');
	add_json(out, "file", src->files[m->range.file].name);
	buf_addf(out, ",\"line\":%u,\"column\":%u,\"endLine\":%u,\"endColumn\":%u,", line, column,
	    end_line, end_column);
	add_json(out, "kind", kind_name(m->kind));
	buf_addc(out, ',');
	add_json(out, "message", m->text);
	if (m->hint) {
		buf_addc(out, ',');
		add_json(out, "hint", m->hint);
	}
	buf_addc(out, '}');
}

static int remark_order(const void *a, const void *b)
{
	const struct remark *x = *(const struct remark *const *)a,
			    *y = *(const struct remark *const *)b;

	if (x->range.file != y->range.file)
		return x->range.file < y->range.file ? -1 : 1;
	if (x->range.at != y->range.at)
		return x->range.at < y->range.at ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void sources_print(struct sources *src, bool json, struct buf *out)
{
	const struct remark **all =
	    ARENA_ARRAY(src->arena, const struct remark *, src->remark_count + 1);
	size_t n = 0;

	for (const struct remark *m = src->messages; m; m = m->next)
		all[n++] = m;
	qsort(all, n, sizeof *all, remark_order);
	buf_adds(out, json ? "[" : "");
	for (size_t i = 0; i < n; i++) {
		if (json && i)
			buf_addc(out, ',');
		(json ? print_json : print_text)(src, all[i], out);
	}
	buf_adds(out, json ? "]\n" : "");
	for (uint32_t f = 0; f < src->file_count && !json; f++)
		if (src->files[f].errors > REMARKS_MAX)
			buf_addf(out, "%s: %u errors more\n", src->files[f].name,
			    src->files[f].errors - REMARKS_MAX);
}

unsigned word_distance(slice a, slice b, unsigned most)
{
	unsigned row[3][65];

	if (a.n > 64 || b.n > 64 || a.n > b.n + most || b.n > a.n + most)
		return most + 1;
	for (size_t k = 0; k <= b.n; k++)
		row[0][k] = (unsigned)k;
	for (size_t i = 0; i < a.n; i++) {
		const unsigned *last = row[i % 3], *before = row[(i + 2) % 3];
		unsigned *now = row[(i + 1) % 3];

		now[0] = (unsigned)i + 1;
		for (size_t k = 0; k < b.n; k++) {
			unsigned d = last[k] + (octet_lower(a.p[i]) != octet_lower(b.p[k]));

			d = now[k] + 1 < d ? now[k] + 1 : d;
			d = last[k + 1] + 1 < d ? last[k + 1] + 1 : d;
			/* Two letters in the wrong order are one mistake. */
			if (i && k && a.p[i] == b.p[k - 1] && a.p[i - 1] == b.p[k] &&
			    before[k - 1] + 1 < d)
				d = before[k - 1] + 1;
			now[k + 1] = d;
		}
	}
	return row[a.n % 3][b.n];
}
