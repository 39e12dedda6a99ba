#define _XOPEN_SOURCE 700
#include "main/account_mbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/store.h"

#define FROM SLICE("From ")

void mbox_open(struct mbox *m, int fd)
{
	*m = (struct mbox){ .fd = fd, .line_start = true };
	m->piece = memory_new(1, MBOX_PIECE);
}

void mbox_close(struct mbox *m)
{
	free(m->piece);
}

/* ---- lines ---- */

static bool fill(struct mbox *m, struct error *error)
{
	memmove(m->piece, m->piece + m->at, m->n - m->at);
	m->n -= m->at;
	m->at = 0;
	while (!m->ended && m->n < MBOX_PIECE) {
		ssize_t n = read(m->fd, m->piece + m->n, MBOX_PIECE - m->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_local(error, "cannot read it: %s", strerror(errno));
		m->ended = n == 0;
		m->n += (size_t)n;
	}
	return true;
}

/* A line with its end, or a piece of one that is very long; empty at the end. starts_out: it begins a line. */
static bool peek(struct mbox *m, slice *out, struct error *error)
{
	slice rest = { m->piece + m->at, m->n - m->at };
	size_t end = slice_find(rest, '\n');

	if (end == rest.n && !m->ended) {
		if (!fill(m, error))
			return false;
		rest = (slice){ m->piece, m->n };
		end = slice_find(rest, '\n');
	}
	*out = slice_head(rest, end + 1);
	return true;
}

static void take(struct mbox *m, slice piece)
{
	m->at += piece.n;
	m->offset += piece.n;
	m->line_start = slice_ends(piece, SLICE("\n"));
}

/* ---- what the lines of a reader say ---- */

static int64_t from_date(const char *line)
{
	struct tm tm = { 0 };
	size_t n = strlen(line);

	for (size_t back = 24; back <= 31 && back <= n; back++) {
		const char *end = strptime(line + n - back, "%a %b %d %H:%M:%S %Y", &tm);

		if (end && tm.tm_year > 70)
			return (int64_t)timegm(&tm) * 1000000;
	}
	return 0;
}

/* "Status", "X-Status": letters. */
static int64_t letters_flags(slice letters, bool extended)
{
	int64_t flags = 0;

	for (size_t i = 0; i < letters.n; i++)
		switch (letters.p[i]) {
		case 'R':
			flags |= extended ? 0 : STORE_SEEN;
			break;
		case 'A':
			flags |= STORE_ANSWERED;
			break;
		case 'F':
			flags |= STORE_FLAGGED;
			break;
		case 'D':
			flags |= STORE_DELETED;
			break;
		case 'T':
			flags |= STORE_DRAFT;
			break;
		default:
			break;
		}
	return flags;
}

static bool value_of(slice line, slice name, slice *value_out)
{
	if (!slice_starts_nocase(line, name))
		return false;
	*value_out = slice_trim(slice_from(line, name.n));
	return true;
}

/* Is the line a reader's? Then what it says goes to the message. */
static bool take_status(slice line, struct mbox_message *out, bool *open_out)
{
	slice value;

	if (value_of(line, SLICE("Status:"), &value))
		out->flags |= letters_flags(value, false);
	else if (value_of(line, SLICE("X-Status:"), &value))
		out->flags |= letters_flags(value, true);
	else if (value_of(line, SLICE("X-Keywords:"), &value))
		buf_add(&out->keywords, value);
	else if (value_of(line, SLICE("X-Hauberk-End:"), &value))
		*open_out = slice_eq(value, SLICE("open"));
	else
		return false;
	return true;
}

/* The four lines that our export puts before every message, in this order: then the message's own are left alone. */
static bool take_ours(struct mbox_message *out, slice *rest, bool *open_out)
{
	static const char *const names[] = {
		"Status:", "X-Status:", "X-Keywords:", "X-Hauberk-End:"
	};
	slice after = *rest;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		slice line = slice_head(after, slice_find(after, '\n') + 1);

		if (!slice_starts(line, slice_of(names[i])))
			return false;
		after = slice_from(after, line.n);
	}
	while (rest->p < after.p && rest->n) {
		slice line = slice_head(*rest, slice_find(*rest, '\n') + 1);

		take_status(line, out, open_out);
		*rest = slice_from(*rest, line.n);
	}
	return true;
}

/* Other programs' stand anywhere in the header. */
static void take_header(struct mbox_message *out)
{
	bool open = false, header = true;
	slice rest = buf_slice(&out->text);
	bool ours = take_ours(out, &rest, &open);
	struct buf kept;

	buf_init(&kept, out->text.max);
	while (!ours && header && rest.n) {
		slice line = slice_head(rest, slice_find(rest, '\n') + 1);

		header = slice_trim(line).n > 0;
		if (!header || !take_status(line, out, &open))
			buf_add(&kept, line);
		rest = slice_from(rest, line.n);
	}
	buf_add(&kept, rest);
	if (open && slice_ends(buf_slice(&kept), SLICE("\n")))
		kept.p[--kept.n] = '\0';
	buf_free(&out->text);
	out->text = kept;
}

/* ---- messages ---- */

/* Takes the line that begins a message, however long it is. */
static bool take_from(struct mbox *m, struct error *error)
{
	slice piece;

	if (!peek(m, &piece, error))
		return false;
	snprintf(m->from, sizeof m->from, "%.*s", SLICE_ARG(slice_head(slice_trim(piece), 120)));
	m->from_offset = m->offset;
	m->in_message = true;
	take(m, piece);
	while (!m->line_start) {
		if (!peek(m, &piece, error))
			return false;
		if (piece.n == 0)
			break;
		take(m, piece);
	}
	return true;
}

static void add_line(slice piece, bool starts, struct buf *text)
{
	size_t marks = 0;

	while (starts && marks < piece.n && piece.p[marks] == '>')
		marks++;
	if (marks && slice_starts(slice_from(piece, marks), FROM))
		piece = slice_from(piece, 1);
	buf_add(text, piece);
}

/* Up to the next message or the end; the empty line before that belongs to neither. */
static bool take_text(struct mbox *m, struct buf *text, struct error *error)
{
	char blank[3] = "";

	for (;;) {
		bool starts = m->line_start;
		slice piece;

		if (!peek(m, &piece, error))
			return false;
		if (piece.n == 0 || (starts && blank[0] && slice_starts(piece, FROM)))
			return true;
		buf_adds(text, blank);
		blank[0] = '\0';
		if (starts && (slice_eq(piece, SLICE("\n")) || slice_eq(piece, SLICE("\r\n"))))
			snprintf(blank, sizeof blank, "%.*s", SLICE_ARG(piece));
		else
			add_line(piece, starts, text);
		take(m, piece);
	}
}

bool mbox_next(struct mbox *m, struct mbox_message *out, struct error *error)
{
	slice piece;

	error->fault = FAULT_NONE;
	if (!peek(m, &piece, error) || piece.n == 0)
		return false;
	if (!slice_starts(piece, FROM))
		return error_input(error, "it is no mbox: it does not begin with \"From \"");
	buf_clear(&out->text);
	buf_clear(&out->keywords);
	out->flags = 0;
	if (!take_from(m, error) || !take_text(m, &out->text, error))
		return false;
	out->offset = m->from_offset;
	out->received_us = from_date(m->from);
	out->too_large = out->text.full;
	if (!out->too_large)
		take_header(out);
	return true;
}
