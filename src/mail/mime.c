#include "mail/mime.h"

#include "mail/header.h"
#include "mail/parameter.h"

_Static_assert((size_t)MIME_PARTS *(sizeof(struct part) + MIME_BOUNDARY + 48) < MIME_ARENA,
    "the arena has room for all parts and their boundaries");

/* An open multipart whose delimiter may come. */
struct level {
	struct part *part;
	slice boundary;
};

/* The pass over the message, a line at a time. */
struct scan {
	slice message;
	struct arena *arena;
	struct mime *mime;
	struct level levels[MIME_DEPTH];
	size_t level_count;
	struct level closed;  /* the multipart whose epilogue this is; no boundary: none */
	struct part *current; /* innermost open part */
	bool in_header;
	size_t at, lines; /* start of the line under the eye, line feeds before it */
};

bool part_is(const struct part *part, const char *type, const char *subtype)
{
	return slice_eq_nocase(part->type, slice_of(type)) &&
	    (!subtype || slice_eq_nocase(part->subtype, slice_of(subtype)));
}

static void note(struct scan *s, enum ambiguity_kind kind, const struct part *part)
{
	ambiguity_note(&s->mime->ambiguities, kind, part, s->at);
}

/* content = type "/" subtype *(";" parameter); false when it is malformed (RFC 2045 §5.1) */
static bool content_type_parse(struct part *part, slice value)
{
	struct cursor c = cursor_of(value);

	cfws_skip(&c, NULL);
	slice type = cursor_span(&c, OCTET_TOKEN, "type");
	cfws_skip(&c, NULL);
	cursor_char(&c, '/', "'/'");
	cfws_skip(&c, NULL);
	slice subtype = cursor_span(&c, OCTET_TOKEN, "subtype");
	if (c.expected)
		return false;
	part->type = type;
	part->subtype = subtype;
	part->parameters = c.rest;
	return true;
}

/* RFC 2045 §5.2, and RFC 2046 §5.1.5 for multipart/digest. */
static void content_type_default(struct part *part)
{
	bool digest = part->parent && part_is(part->parent, "multipart", "digest");

	part->type = digest ? SLICE("message") : SLICE("text");
	part->subtype = digest ? SLICE("rfc822") : SLICE("plain");
	part->parameters = digest ? SLICE("") : SLICE("; charset=us-ascii");
}

/* Where a Content-* field's value is kept, NULL for any other name. */
static slice *content_field(struct part *part, slice name)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		{ "transfer-encoding", offsetof(struct part, encoding) },
		{ "id", offsetof(struct part, id) },
		{ "description", offsetof(struct part, description) },
		{ "disposition", offsetof(struct part, disposition) },
		{ "language", offsetof(struct part, language) },
		{ "location", offsetof(struct part, location) },
		{ "md5", offsetof(struct part, md5) },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (slice_eq_nocase(name, slice_of(fields[i].name)))
			return (slice *)(void *)((char *)part + fields[i].offset);
	return NULL;
}

/* The first field of each name counts. */
static void part_describe(struct scan *s, struct part *part)
{
	slice rest = slice_head(part->header, MIME_HEADER);
	struct header_field field;
	bool seen = false;

	if (part->header.n > MIME_HEADER)
		note(s, AMBIGUITY_HEADER_CUT, part);
	content_type_default(part);
	while (header_next(&rest, &field)) {
		if (!slice_starts_nocase(field.name, SLICE("content-")))
			continue;
		slice name = slice_from(field.name, 8);
		slice *kept = content_field(part, name);
		if (kept && !kept->p) {
			*kept = slice_trim(field.value);
		} else if (!seen && slice_eq_nocase(name, SLICE("type"))) {
			part->typed = content_type_parse(part, field.value);
			seen = true;
		}
	}
}

/* The boundary parameter unquoted; into the arena only where it cannot be a piece of the message. */
static slice boundary_text(struct scan *s, const struct part *part)
{
	struct parameter parameter;
	struct buf text;
	slice boundary;

	if (parameter_find(part->parameters, SLICE("boundary"), &parameter) &&
	    parameter_plain(&parameter, &boundary))
		return boundary;
	buf_init(&text, part->parameters.n + 1);
	parameter_octets(part->parameters, SLICE("boundary"), &text);
	boundary = slice_head(buf_slice(&text), MIME_BOUNDARY + 1);
	if (boundary.n)
		boundary = arena_copy(s->arena, boundary);
	buf_free(&text);
	return boundary;
}

/* boundary = 0*69<bchars> bcharsnospace (RFC 2046 §5.1.1) */
static void boundary_check(struct scan *s, const struct part *part, slice boundary)
{
	static const char marks[] = "'()+_,-./:=? ";

	if (boundary.n > 70)
		note(s, AMBIGUITY_BOUNDARY_LONG, part);
	if (slice_ends(boundary, SLICE(" ")) || slice_ends(boundary, SLICE("\t")))
		note(s, AMBIGUITY_BOUNDARY_BLANK, part);
	for (size_t i = 0; i < boundary.n && i < MIME_BOUNDARY; i++) {
		if (!octet_is(boundary.p[i], OCTET_ALPHA | OCTET_DIGIT) &&
		    !memchr(marks, boundary.p[i], sizeof marks - 1)) {
			note(s, AMBIGUITY_BOUNDARY_CHARACTER, part);
			return;
		}
	}
}

/* Is this boundary, or its beginning, that of a multipart around it? */
static void boundary_compare(struct scan *s, const struct part *part, slice boundary)
{
	for (size_t i = 0; i < s->level_count; i++) {
		slice outer = s->levels[i].boundary;
		size_t n = outer.n < boundary.n ? outer.n : boundary.n;

		if (memcmp(outer.p, boundary.p, n) != 0)
			continue;
		note(s,
		    outer.n == boundary.n ? AMBIGUITY_BOUNDARY_REPEATED : AMBIGUITY_BOUNDARY_PREFIX,
		    part);
	}
}

static void part_begin(struct scan *s, struct part *parent)
{
	struct part *part = ARENA_NEW(s->arena, struct part);

	part->parent = parent;
	part->header = slice_from(s->message, s->at);
	if (parent && parent->last_child)
		parent->last_child->next = part;
	else if (parent)
		parent->children = part;
	if (parent) {
		parent->last_child = part;
		part->depth = parent->depth + 1;
	} else {
		s->mime->root = part;
	}
	s->mime->parts++;
	s->current = part;
	s->in_header = true;
	s->closed.boundary.n = 0;
}

static void multipart_begin(struct scan *s, struct part *part)
{
	slice boundary = boundary_text(s, part);

	if (boundary.n == 0)
		note(s, AMBIGUITY_BOUNDARY_MISSING, part);
	if (part->depth + 1 >= MIME_DEPTH)
		note(s, AMBIGUITY_TOO_DEEP, part);
	part->opaque = boundary.n == 0 || part->depth + 1 >= MIME_DEPTH;
	if (part->depth + 1 < MIME_DEPTH)
		part->kind = PART_MULTIPART;
	if (part->opaque)
		return;
	boundary_check(s, part, boundary);
	boundary = slice_head(boundary, MIME_BOUNDARY);
	boundary_compare(s, part, boundary);
	s->levels[s->level_count++] = (struct level){ .part = part, .boundary = boundary };
}

static void message_begin(struct scan *s, struct part *part)
{
	if (part->depth + 1 >= MIME_DEPTH)
		note(s, AMBIGUITY_TOO_DEEP, part);
	if (s->mime->parts >= MIME_PARTS)
		note(s, AMBIGUITY_TOO_MANY, part);
	part->opaque = part->depth + 1 >= MIME_DEPTH || s->mime->parts >= MIME_PARTS;
	if (part->opaque)
		return;
	part->kind = PART_MESSAGE;
	part_begin(s, part);
}

/* An embedded message is looked into only as it is: RFC 2046 §5.2.1 forbids to encode it, and
 * what comes encoded nevertheless stays a leaf. */
static bool is_plain_encoding(slice encoding)
{
	return !slice_starts_nocase(encoding, SLICE("base64")) &&
	    !slice_starts_nocase(encoding, SLICE("quoted-printable"));
}

static bool holds_message(const struct part *part)
{
	return part_is(part, "message", "rfc822") || part_is(part, "message", "global");
}

/* The header of the current part ends before s->at. `more`: its body may hold something. */
static void header_end(struct scan *s, bool more)
{
	struct part *part = s->current;

	part->header.n = (size_t)(s->message.p + s->at - part->header.p);
	part->body = slice_head(slice_from(s->message, s->at), 0);
	part->body_lines = s->lines; /* the count before it, until the part ends */
	s->in_header = false;
	part_describe(s, part);
	bool multipart = part_is(part, "multipart", NULL);
	part->opaque = multipart || holds_message(part);
	part->encoded = part->opaque && !multipart && !is_plain_encoding(part->encoding);
	if (part->opaque && more && multipart)
		multipart_begin(s, part);
	else if (part->opaque && more && !part->encoded)
		message_begin(s, part);
}

/* Ends the open parts inside `outer` (NULL: all); their bodies end at offset `end`. */
static void parts_end(struct scan *s, const struct part *outer, size_t end, size_t lines)
{
	for (struct part *part = s->current; part != outer; part = part->parent) {
		size_t start = (size_t)(part->body.p - s->message.p);

		part->body.n = end > start ? end - start : 0;
		part->body_lines = lines > part->body_lines ? lines - part->body_lines : 0;
	}
}

/* Notes the multiparts from level `from` on, which end here without a close-delimiter. */
static void levels_unclosed(struct scan *s, size_t from)
{
	for (size_t i = from; i < s->level_count; i++)
		note(s,
		    s->levels[i].part->children ? AMBIGUITY_DELIMITER_UNCLOSED
						: AMBIGUITY_DELIMITER_MISSING,
		    s->levels[i].part);
}

/* The level whose delimiter the line at `text`, behind its "--", is: the longest boundary that fits, and of
 * equal ones the innermost (RFC 2046 §5.1.1: the boundary need not be the whole line). -1 for none. */
static int level_match(struct scan *s, slice text)
{
	int best = -1;

	for (size_t i = s->level_count; i-- > 0;) {
		slice boundary = s->levels[i].boundary;

		if (best >= 0 && s->levels[best].boundary.n >= boundary.n)
			continue;
		if (text.n < boundary.n || text.p[0] != boundary.p[0])
			continue;
		if (memcmp(text.p, boundary.p, boundary.n) == 0)
			best = (int)i;
	}
	if (best < 0 && s->closed.boundary.n && slice_starts(text, s->closed.boundary))
		note(s, AMBIGUITY_DELIMITER_AFTER_END, s->closed.part);
	return best;
}

/* Length of the line end before offset `at`: it belongs to the delimiter (RFC 2046 §5.1.1). */
static size_t line_end_before(slice message, size_t at)
{
	if (at == 0 || message.p[at - 1] != '\n')
		return 0;
	return at > 1 && message.p[at - 2] == '\r' ? 2 : 1;
}

/* transport-padding = *LWSP-char, then the line end */
static bool is_padding(slice tail)
{
	return slice_trim(tail).n == 0;
}

/* delimiter = CRLF "--" boundary;  close-delimiter = delimiter "--". False: no more parts allowed. */
static bool delimiter_take(struct scan *s, size_t level, slice line)
{
	struct level *l = &s->levels[level];
	slice tail = slice_from(line, 2 + l->boundary.n);
	size_t cut = line_end_before(s->message, s->at);
	bool closing = slice_starts(tail, SLICE("--"));

	if (!closing && s->mime->parts >= MIME_PARTS) {
		note(s, AMBIGUITY_TOO_MANY, l->part);
		return false;
	}
	if (!is_padding(closing ? slice_from(tail, 2) : tail))
		note(s, AMBIGUITY_DELIMITER_TAIL, l->part);
	if (closing && !l->part->children)
		note(s, AMBIGUITY_DELIMITER_MISSING, l->part);
	levels_unclosed(s, level + 1);
	if (s->in_header) {
		note(s, AMBIGUITY_HEADER_UNENDED, s->current);
		header_end(s, false);
	}
	parts_end(s, l->part, s->at - cut, s->lines - (cut > 0));
	s->current = l->part;
	s->in_header = false;
	s->level_count = level + !closing;
	s->closed = *l;
	s->at += line.n;
	s->lines += slice_ends(line, SLICE("\n"));
	if (!closing)
		part_begin(s, l->part);
	return true;
}

/* Goes over lines of a body up to one that begins with "--" and may be a delimiter, or to the end. */
static void body_skip(struct scan *s)
{
	const char *p = s->message.p + s->at, *end = s->message.p + s->message.n;
	size_t lines = 0;

	while (p < end && !(p[0] == '-' && end - p > 2 && p[1] == '-')) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));

		if (!feed) {
			p = end;
			break;
		}
		lines++;
		p = feed + 1;
	}
	s->lines += lines;
	s->at = (size_t)(p - s->message.p);
}

/* One line; false when the rest is not to be looked at. */
static bool line_take(struct scan *s)
{
	slice line = line_of(slice_from(s->message, s->at));
	bool dashes = line.n > 2 && line.p[0] == '-' && line.p[1] == '-';
	int level = dashes && (s->level_count || s->closed.boundary.n)
	    ? level_match(s, slice_from(line, 2))
	    : -1;

	if (level >= 0)
		return delimiter_take(s, (size_t)level, line);
	s->at += line.n;
	s->lines += slice_ends(line, SLICE("\n"));
	if (s->in_header && line_is_empty(line))
		header_end(s, true);
	return s->in_header || s->level_count > 0 || s->closed.boundary.n > 0;
}

#define COUNT_BLOCK 64

/* Line feeds; in blocks of a fixed size, which compilers turn into vector instructions. */
static size_t count_lines(slice text)
{
	const char *p = text.p;
	size_t i = 0, n = 0;

	for (; i + COUNT_BLOCK <= text.n; i += COUNT_BLOCK) {
		unsigned char in_block = 0;

		for (size_t k = 0; k < COUNT_BLOCK; k++)
			in_block = (unsigned char)(in_block + (p[i + k] == '\n'));
		n += in_block;
	}
	for (; i < text.n; i++)
		n += p[i] == '\n';
	return n;
}

void mime_parse(slice message, struct arena *arena, struct mime *out)
{
	bool more = true;

	if (!message.p)
		message = SLICE("");
	struct scan s = { .message = message, .arena = arena, .mime = out };

	*out = (struct mime){ .message = message };
	part_begin(&s, NULL);
	while (more && s.at < message.n) {
		if (!s.in_header)
			body_skip(&s);
		more = s.at == message.n || line_take(&s);
	}
	/* A header where too many parts were found: what is left is its body. */
	if (s.in_header)
		header_end(&s, false);
	levels_unclosed(&s, 0);
	s.lines += count_lines(slice_from(message, s.at));
	parts_end(&s, NULL, message.n, s.lines);
}

/* Does the part, header and body, hold this place? */
static bool part_holds(const struct part *part, const char *place)
{
	return place >= part->header.p && place < part->body.p + part->body.n;
}

const struct part *part_at(const struct mime *mime, size_t offset)
{
	const char *place = mime->message.p + offset;
	const struct part *part = mime->root, *child = part->children;

	while (child) {
		if (part_holds(child, place)) {
			part = child;
			child = part->children;
		} else {
			child = child->next;
		}
	}
	return part;
}

static unsigned part_number(const struct part *part)
{
	unsigned n = 1;

	for (const struct part *p = part->parent->children; p != part; p = p->next)
		n++;
	return n;
}

/* A message inside a part, or that of all. */
static bool is_message(const struct part *part)
{
	return !part->parent || part->parent->kind == PART_MESSAGE;
}

void part_path_write(const struct part *part, struct buf *out)
{
	const struct part *way[MIME_DEPTH + 1];
	size_t n = 0, start = out->n;

	for (const struct part *p = part; p && n <= MIME_DEPTH; p = p->parent)
		if (!is_message(p) || (p->kind != PART_MULTIPART && p != part))
			way[n++] = p;
	for (size_t i = n; i-- > 0;)
		buf_addf(out, "%s%u", out->n > start ? "." : "",
		    is_message(way[i]) ? 1 : part_number(way[i]));
	if (is_message(part))
		buf_adds(out, out->n > start ? ".0" : "0");
}
