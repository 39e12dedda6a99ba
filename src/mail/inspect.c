#include "mail/inspect.h"

#include "base/encode.h"
#include "mail/address_list.h"
#include "mail/decode.h"
#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/parameter.h"

#define LINE_MOST   998
#define NAME_OCTETS 4096

struct inspection {
	struct mime *mime;
	struct charsets *set;
	const struct part *part; /* under the eye */
};

static void note(struct inspection *in, enum ambiguity_kind kind, const char *place)
{
	ambiguity_note(
	    &in->mime->ambiguities, kind, in->part, (size_t)(place - in->mime->message.p));
}

/* ---- octets of the whole message ---- */

static void note_octet(struct inspection *in, enum ambiguity_kind kind, size_t at)
{
	in->part = in->mime->ambiguities.of[kind].count ? in->part : part_at(in->mime, at);
	note(in, kind, in->mime->message.p + at);
}

/* One octet after another, where a quick look found something. */
static void octets_note(struct inspection *in, size_t from, size_t to)
{
	slice text = in->mime->message;

	for (size_t i = from; i < to; i++) {
		char c = text.p[i];

		if (c == '\0')
			note_octet(in, AMBIGUITY_NUL, i);
		else if (c == '\r' && (i + 1 == text.n || text.p[i + 1] != '\n'))
			note_octet(in, AMBIGUITY_BARE_CR, i);
		else if (c == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			note_octet(in, AMBIGUITY_BARE_LF, i);
	}
}

#define BLOCK 64

/* Are all line ends of this block CR LF, and is there no NUL? In fixed blocks, for vector instructions. p[-1]
 * and p[BLOCK] must be there. */
static bool is_clean(const char *p)
{
	const char *before = p - 1;
	unsigned char bad = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		bad |= (unsigned char)(p[i] == '\0');
		bad |= (unsigned char)((p[i] == '\n') != (before[i] == '\r'));
		bad |= (unsigned char)((p[i] == '\r') != (p[i + 1] == '\n'));
	}
	return bad == 0;
}

static void octets_inspect(struct inspection *in)
{
	slice text = in->mime->message;
	size_t i = text.n ? 1 : 0;

	octets_note(in, 0, i);
	for (; i + BLOCK < text.n; i += BLOCK)
		if (!is_clean(text.p + i))
			octets_note(in, i, i + BLOCK);
	octets_note(in, i, text.n);
}

static void lines_inspect(struct inspection *in)
{
	slice rest = in->mime->message;

	while (rest.n > LINE_MOST) {
		slice line = line_of(rest);
		size_t end = (slice_ends(line, SLICE("\n"))) + (slice_ends(line, SLICE("\r\n")));

		if (line.n - end > LINE_MOST)
			note_octet(in, AMBIGUITY_LINE_LONG, (size_t)(line.p - in->mime->message.p));
		rest = slice_from(rest, line.n);
	}
}

/* ---- fields ---- */

enum field_where { ANYWHERE, MESSAGES };

/* LIST: the fields that may be there once (RFC 5322 §3.6, RFC 2045 §3) */
static const struct field_row {
	const char *name;
	enum field_where where;
	enum ambiguity_kind twice;
} field_rows[] = {
	{ "Content-Type", ANYWHERE, AMBIGUITY_CONTENT_TYPE_TWICE },
	{ "Content-Transfer-Encoding", ANYWHERE, AMBIGUITY_ENCODING_TWICE },
	{ "Content-Disposition", ANYWHERE, AMBIGUITY_DISPOSITION_TWICE },
	{ "Content-ID", ANYWHERE, AMBIGUITY_CONTENT_FIELD_TWICE },
	{ "Content-Description", ANYWHERE, AMBIGUITY_CONTENT_FIELD_TWICE },
	{ "Content-Location", ANYWHERE, AMBIGUITY_CONTENT_FIELD_TWICE },
	{ "MIME-Version", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "From", MESSAGES, AMBIGUITY_FROM_TWICE },
	{ "Subject", MESSAGES, AMBIGUITY_SUBJECT_TWICE },
	{ "Sender", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "Reply-To", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "To", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "Cc", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "Bcc", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "Date", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "Message-ID", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "In-Reply-To", MESSAGES, AMBIGUITY_FIELD_TWICE },
	{ "References", MESSAGES, AMBIGUITY_FIELD_TWICE },
};

#define FIELD_ROWS (sizeof field_rows / sizeof field_rows[0])
enum { CONTENT_TYPE, TRANSFER_ENCODING, DISPOSITION, MIME_VERSION = 6, FROM = 7, SENDER = 9 };

static bool is_message(const struct part *part)
{
	return !part->parent || part->parent->kind == PART_MESSAGE;
}

/* A line of blanks only, between the lines of one field (RFC 5322 §4.2, obs-FWS). */
static bool has_blank_line(slice whole)
{
	slice rest = slice_from(whole, line_of(whole).n);

	for (; rest.n; rest = slice_from(rest, line_of(rest).n))
		if (slice_trim(line_of(rest)).n == 0)
			return true;
	return false;
}

static void field_form_inspect(struct inspection *in, const struct header_field *field)
{
	if (field->name.n == 0)
		note(in, AMBIGUITY_NO_FIELD, field->whole.p);
	else if (field->whole.p[field->name.n] != ':')
		note(in, AMBIGUITY_BLANK_BEFORE_COLON, field->whole.p);
	if (has_blank_line(field->whole))
		note(in, AMBIGUITY_BLANK_FOLD, field->whole.p);
	if (!utf8_valid(field->whole))
		note(in, AMBIGUITY_HEADER_NOT_UTF8, field->whole.p);
}

static void words_inspect(struct inspection *in, slice value)
{
	struct buf text;

	if (value.n < 2 || !memmem(value.p, value.n, "=?", 2))
		return;
	buf_init(&text, 4 * value.n + 64);
	unsigned flags = encoded_words_decode(in->set, value, &text);
	if (flags & ENCODED_WORD_BAD)
		note(in, AMBIGUITY_ENCODED_WORD_BAD, value.p);
	if (flags & ENCODED_WORD_CHARSET)
		note(in, AMBIGUITY_CHARSET_UNKNOWN, value.p);
	buf_free(&text);
}

/* "a@b.test" <c@d.test>: some take the first for the address. */
static bool names_another(const struct list_entry *entry)
{
	size_t at = slice_find(entry->name, '@');

	return at < entry->name.n &&
	    !(slice_eq_nocase(slice_head(entry->name, at), entry->local) &&
		slice_eq_nocase(slice_from(entry->name, at + 1), entry->domain));
}

/* Exactly one mailbox that reads, or several and a Sender (RFC 5322 §3.6.2). */
static void from_inspect(struct inspection *in, slice value, bool sender)
{
	struct address_list list;
	struct list_entry entry;
	size_t good = 0, bad = 0;

	address_list_open(&list, value);
	while (address_list_next(&list, &entry)) {
		if (entry.kind == ENTRY_MAILBOX && entry.local.n && entry.domain.n &&
		    !entry.route.n && !entry.malformed && !names_another(&entry))
			good++;
		else
			bad++;
	}
	address_list_close(&list);
	if (bad || good == 0 || (good > 1 && !sender))
		note(in, AMBIGUITY_FROM_UNCLEAR, value.p);
}

/* ---- Content-Type and Content-Disposition ---- */

/* A comment outside of quoted strings. */
static bool has_comment(slice value)
{
	bool quoted = false;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\')
			i++;
		else if (value.p[i] == '"')
			quoted = !quoted;
		else if (value.p[i] == '(' && !quoted)
			return true;
	}
	return false;
}

static bool is_repeated(const slice *names, size_t count, slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(names[i], name))
			return true;
	return false;
}

/* parameter := attribute "=" value, and what RFC 2231 makes of it */
static void parameter_inspect(struct inspection *in, const struct parameter *p)
{
	struct parameter_name is = parameter_name_of(p->name);
	slice value = p->value;
	bool quoted = value.n && value.p[0] == '"';

	if (quoted && (value.n < 2 || value.p[value.n - 1] != '"'))
		note(in, AMBIGUITY_PARAMETER_BAD, p->name.p);
	for (size_t i = 0; !quoted && i < value.n; i++) {
		if (!octet_is(value.p[i], OCTET_TOKEN)) {
			note(in, AMBIGUITY_PARAMETER_BAD, p->name.p);
			break;
		}
	}
	if (!is.sectioned && !is.extended && value.n > 1 && memmem(value.p, value.n, "=?", 2))
		note(in, AMBIGUITY_PARAMETER_ENCODED_WORD, p->name.p);
	if (value.n == 0 || is.section == PARAMETER_SECTIONS)
		note(in, AMBIGUITY_PARAMETER_BAD, p->name.p);
}

/* Names may be there in both forms; they are compared. */
static void sections_inspect(struct inspection *in, slice list, slice base, const char *place)
{
	struct buf text;

	buf_init(&text, list.n + 1);
	unsigned flags = parameter_octets(list, base, &text);
	bool name =
	    slice_eq_nocase(base, SLICE("name")) || slice_eq_nocase(base, SLICE("filename"));

	if ((flags & (PARAMETER_GAP | PARAMETER_ESCAPE)) || ((flags & PARAMETER_BOTH) && !name))
		note(in, AMBIGUITY_PARAMETER_SECTIONS, place);
	buf_free(&text);
}

/* Between two parameters: [CFWS] ";" [CFWS]; behind the last the ";" may be there or not. */
static void gap_inspect(struct inspection *in, const char *from, const char *to, bool last)
{
	struct cursor c = cursor_of((slice){ from, (size_t)(to - from) });

	cfws_skip(&c, NULL);
	bool semicolon = cursor_try_char(&c, ';');
	cfws_skip(&c, NULL);
	if (!cursor_end(&c) || (!semicolon && !last))
		note(in, AMBIGUITY_PARAMETER_BAD, from);
}

static void parameters_inspect(struct inspection *in, slice list)
{
	slice names[INSPECT_PARAMETERS], bases[INSPECT_SECTIONED];
	struct parameter p;
	size_t count = 0, base_count = 0;
	const char *before = list.p;

	for (slice rest = list; parameter_next(&rest, &p);) {
		slice base = parameter_name_of(p.name).base;

		if (count == INSPECT_PARAMETERS || base_count == INSPECT_SECTIONED) {
			note(in, AMBIGUITY_PARAMETER_MANY, p.name.p);
			return;
		}
		if (is_repeated(names, count, p.name))
			note(in,
			    slice_eq_nocase(base, SLICE("boundary")) ? AMBIGUITY_BOUNDARY_TWICE
								     : AMBIGUITY_PARAMETER_TWICE,
			    p.name.p);
		gap_inspect(in, before, p.name.p, false);
		before = p.value.p + p.value.n;
		parameter_inspect(in, &p);
		if (base.n < p.name.n && !is_repeated(bases, base_count, base)) {
			bases[base_count++] = base;
			sections_inspect(in, list, base, p.name.p);
			if (slice_eq_nocase(base, SLICE("boundary")))
				note(in, AMBIGUITY_PARAMETER_SECTIONS, p.name.p);
		}
		names[count++] = p.name;
	}
	gap_inspect(in, before, list.p + list.n, true);
}

/* Takes a name if there is one; notes it when it is not the one that was kept. */
static void name_compare(struct inspection *in, slice list, const char *name, struct buf *kept)
{
	struct buf text;
	struct parameter plain;

	buf_init(&text, NAME_OCTETS);
	unsigned flags = parameter_decode(in->set, list, slice_of(name), &text);
	if (flags & PARAMETER_CHARSET)
		note(in, AMBIGUITY_CHARSET_UNKNOWN, list.p);
	if (flags && kept->n && !slice_eq(buf_slice(kept), buf_slice(&text)))
		note(in, AMBIGUITY_NAMES_DIFFER, list.p);
	if (flags && kept->n == 0)
		buf_add(kept, buf_slice(&text));
	/* An old reader sees the plain form beside the extended one. */
	if ((flags & PARAMETER_BOTH) && parameter_find(list, slice_of(name), &plain)) {
		buf_clear(&text);
		slice one = plain.value;
		parameter_decode(in->set,
		    (slice){ plain.name.p, (size_t)(one.p + one.n - plain.name.p) }, slice_of(name),
		    &text);
		if (!slice_eq(buf_slice(kept), buf_slice(&text)))
			note(in, AMBIGUITY_NAMES_DIFFER, plain.name.p);
	}
	buf_free(&text);
}

static slice disposition_parameters(slice value)
{
	struct cursor c = cursor_of(value);

	cfws_skip(&c, NULL);
	cursor_skip(&c, OCTET_TOKEN);
	return c.rest;
}

/* A charset that is none of the list: UTF-7, UTF-16 and names that only some readers know. */
static void charset_inspect(struct inspection *in, const struct part *part)
{
	struct parameter charset;
	slice name;

	if (!in->set || !part->typed || !part_is(part, "text", NULL) ||
	    !parameter_find(part->parameters, SLICE("charset"), &charset))
		return;
	if (!parameter_plain(&charset, &name) || !charset_known(in->set, name))
		note(in, AMBIGUITY_CHARSET_UNKNOWN, charset.name.p);
}

static void content_inspect(struct inspection *in, const struct part *part)
{
	struct buf name;

	if (part->typed)
		parameters_inspect(in, part->parameters);
	if (part->disposition.n) {
		if (has_comment(part->disposition))
			note(in, AMBIGUITY_COMMENT, part->disposition.p);
		parameters_inspect(in, disposition_parameters(part->disposition));
	}
	buf_init(&name, NAME_OCTETS);
	if (part->disposition.n)
		name_compare(in, disposition_parameters(part->disposition), "filename", &name);
	if (part->typed)
		name_compare(in, part->parameters, "name", &name);
	buf_free(&name);
	charset_inspect(in, part);
	if (part_is(part, "message", "partial") || part_is(part, "message", "external-body"))
		note(in, AMBIGUITY_MESSAGE_PARTIAL, part->header.p);
}

static void encoding_inspect(struct inspection *in, const struct part *part)
{
	bool clean;
	enum encoding encoding = encoding_of(part->encoding, &clean);
	bool composite = part_is(part, "multipart", NULL) || part_is(part, "message", NULL);

	if (!part->encoding.p)
		return;
	if (!clean)
		note(in, AMBIGUITY_ENCODING_BAD, part->encoding.p);
	if (has_comment(part->encoding))
		note(in, AMBIGUITY_COMMENT, part->encoding.p);
	if (encoding == ENCODING_UNKNOWN)
		note(in, AMBIGUITY_ENCODING_UNKNOWN, part->encoding.p);
	if (composite && encoding > ENCODING_BINARY)
		note(in, AMBIGUITY_ENCODING_NESTED, part->encoding.p);
}

static const struct field_row *row_find(slice name)
{
	for (size_t i = 0; i < FIELD_ROWS; i++)
		if (slice_eq_nocase(name, slice_of(field_rows[i].name)))
			return &field_rows[i];
	return NULL;
}

/* Content-Type = type "/" subtype, as a whole */
static void content_type_inspect(struct inspection *in, slice value)
{
	if (!in->part->typed)
		note(in, AMBIGUITY_CONTENT_TYPE_BAD, value.p);
	if (has_comment(value))
		note(in, AMBIGUITY_COMMENT, value.p);
}

/* What the fields of one header say together. */
static void header_inspect(struct inspection *in)
{
	slice rest = slice_head(in->part->header, MIME_HEADER), first[FIELD_ROWS] = { 0 };
	struct header_field field;
	bool message = is_message(in->part);

	while (header_next(&rest, &field)) {
		const struct field_row *row = row_find(field.name);

		field_form_inspect(in, &field);
		words_inspect(in, field.value);
		if (!row || (row->where == MESSAGES && !message))
			continue;
		if (first[row - field_rows].p)
			note(in, row->twice, field.whole.p);
		else
			first[row - field_rows] = field.value;
	}
	if (first[CONTENT_TYPE].p)
		content_type_inspect(in, first[CONTENT_TYPE]);
	content_inspect(in, in->part);
	encoding_inspect(in, in->part);
	if (message && first[FROM].p)
		from_inspect(in, first[FROM], first[SENDER].p != NULL);
	bool mime = first[CONTENT_TYPE].p || first[TRANSFER_ENCODING].p || first[DISPOSITION].p;
	if (message && !in->part->parent && mime && !first[MIME_VERSION].p)
		note(in, AMBIGUITY_NO_MIME_VERSION, in->part->header.p);
}

/* ---- bodies ---- */

static void body_inspect(struct inspection *in)
{
	static const enum ambiguity_kind kinds[DECODE_FAULTS] = {
		[DECODE_CHARACTER] = AMBIGUITY_BASE64_CHARACTER,
		[DECODE_PADDING] = AMBIGUITY_BASE64_PADDING,
		[DECODE_CUT] = AMBIGUITY_BASE64_CUT,
		[DECODE_QUOTED] = AMBIGUITY_QUOTED_BAD,
		[DECODE_EIGHT_BIT] = AMBIGUITY_EIGHT_BIT,
		[DECODE_LINE] = AMBIGUITY_ENCODED_LINE,
	};
	enum encoding encoding = encoding_of(in->part->encoding, NULL);
	char room[DECODE_ROOM];
	struct decoder d;

	if (encoding == ENCODING_8BIT || encoding == ENCODING_BINARY ||
	    encoding == ENCODING_UNKNOWN)
		return;
	decoder_open(&d, encoding);
	for (slice rest = in->part->body; rest.n;)
		decoder_run(&d, &rest, room, sizeof room);
	decoder_end(&d, room, sizeof room);
	for (int fault = 0; fault < DECODE_FAULTS; fault++)
		if (d.faults[fault].count)
			note(in, kinds[fault], in->part->body.p + d.faults[fault].at);
}

static void part_inspect(struct inspection *in, const struct part *part)
{
	in->part = part;
	header_inspect(in);
	if (part->kind == PART_LEAF)
		body_inspect(in);
}

/* The part that follows in the order of the message. */
static const struct part *part_after(const struct part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

void mime_inspect(struct mime *mime, struct charsets *set)
{
	struct inspection in = { .mime = mime, .set = set, .part = mime->root };

	octets_inspect(&in);
	lines_inspect(&in);
	for (const struct part *part = mime->root; part; part = part_after(part))
		part_inspect(&in, part);
}
