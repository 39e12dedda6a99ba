#include "mail/mime.h"

#include "mail/header.h"
#include "mail/parameter.h"

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
	struct part *current; /* innermost open part */
	size_t lines_before;  /* line feeds before the current part's body */
	bool in_header;
	size_t at, lines; /* start of the line under the eye, line feeds before it */
};

bool part_is(const struct part *part, const char *type, const char *subtype)
{
	return slice_eq_nocase(part->type, slice_of(type)) &&
	    (!subtype || slice_eq_nocase(part->subtype, slice_of(subtype)));
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

	if (!slice_starts_nocase(name, SLICE("content-")))
		return NULL;
	name = slice_from(name, 8);
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
	bool typed = false;

	if (part->header.n > MIME_HEADER)
		s->mime->flags |= MIME_HEADER_CUT;
	content_type_default(part);
	while (header_next(&rest, &field)) {
		slice *kept = content_field(part, field.name);

		if (kept && !kept->p) {
			*kept = slice_trim(field.value);
		} else if (!typed && slice_eq_nocase(field.name, SLICE("content-type"))) {
			content_type_parse(part, field.value);
			typed = true;
		}
	}
}

/* The boundary, unquoted, without blanks at its end; empty when it is absent or unusable. */
static slice boundary_of(struct scan *s, const struct part *part)
{
	struct parameter parameter;
	struct buf text;
	slice boundary = { 0 };

	if (!parameter_find(part->parameters, SLICE("boundary"), &parameter))
		return boundary;
	buf_init(&text, MIME_BOUNDARY);
	parameter_value(&parameter, &text);
	if (!text.full && parameter.value.n <= MIME_BOUNDARY)
		boundary = arena_copy(s->arena, slice_trim(buf_slice(&text)));
	buf_free(&text);
	return boundary;
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
}

static void multipart_begin(struct scan *s, struct part *part)
{
	slice boundary = boundary_of(s, part);

	if (boundary.n == 0)
		s->mime->flags |= MIME_BAD_BOUNDARY;
	if (part->depth + 1 >= MIME_DEPTH)
		s->mime->flags |= MIME_TOO_DEEP;
	part->opaque = boundary.n == 0 || part->depth + 1 >= MIME_DEPTH;
	if (part->opaque)
		return;
	part->kind = PART_MULTIPART;
	s->levels[s->level_count++] = (struct level){ .part = part, .boundary = boundary };
}

static void message_begin(struct scan *s, struct part *part)
{
	if (part->depth + 1 >= MIME_DEPTH)
		s->mime->flags |= MIME_TOO_DEEP;
	if (s->mime->parts >= MIME_PARTS)
		s->mime->flags |= MIME_TOO_MANY;
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
	if (part->opaque && more && multipart)
		multipart_begin(s, part);
	else if (part->opaque && more && is_plain_encoding(part->encoding))
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

/* The level whose delimiter this line is: the longest boundary that fits, and of equal ones the
 * innermost (RFC 2046 §5.1.1: the boundary need not be the whole line). -1 for none. */
static int level_match(const struct scan *s, slice line)
{
	slice text = slice_from(line, 2);
	int best = -1;

	if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return -1;
	for (size_t i = s->level_count; i-- > 0;) {
		if (best >= 0 && s->levels[best].boundary.n >= s->levels[i].boundary.n)
			continue;
		if (slice_starts(text, s->levels[i].boundary))
			best = (int)i;
	}
	return best;
}

/* Length of the line end before offset `at`: it belongs to the delimiter (RFC 2046 §5.1.1). */
static size_t line_end_before(slice message, size_t at)
{
	if (at == 0 || message.p[at - 1] != '\n')
		return 0;
	return at > 1 && message.p[at - 2] == '\r' ? 2 : 1;
}

/* delimiter = CRLF "--" boundary;  close-delimiter = delimiter "--". False: no more parts allowed. */
static bool delimiter_take(struct scan *s, int level, slice line)
{
	struct level *l = &s->levels[level];
	size_t cut = line_end_before(s->message, s->at);
	bool closing = slice_starts(slice_from(line, 2 + l->boundary.n), SLICE("--"));

	if (!closing && s->mime->parts >= MIME_PARTS) {
		s->mime->flags |= MIME_TOO_MANY;
		return false;
	}
	if (s->in_header)
		header_end(s, false);
	parts_end(s, l->part, s->at - cut, s->lines - (cut > 0));
	s->current = l->part;
	s->in_header = false;
	s->level_count = (size_t)level + !closing;
	s->at += line.n;
	s->lines += slice_ends(line, SLICE("\n"));
	if (!closing)
		part_begin(s, l->part);
	return true;
}

/* One line; false when the rest is not to be looked at. */
static bool line_take(struct scan *s)
{
	slice line = line_of(slice_from(s->message, s->at));
	int level = s->level_count ? level_match(s, line) : -1;

	if (level >= 0)
		return delimiter_take(s, level, line);
	s->at += line.n;
	s->lines += slice_ends(line, SLICE("\n"));
	if (s->in_header && line_is_empty(line))
		header_end(s, true);
	return s->in_header || s->level_count > 0;
}

static size_t count_lines(slice text)
{
	size_t n = 0;

	for (slice rest = text; rest.n; rest = slice_from(rest, line_of(rest).n))
		n += slice_ends(line_of(rest), SLICE("\n"));
	return n;
}

void mime_parse(slice message, struct arena *arena, struct mime *out)
{
	if (!message.p)
		message = SLICE("");
	struct scan s = { .message = message, .arena = arena, .mime = out };

	*out = (struct mime){ 0 };
	part_begin(&s, NULL);
	while (s.at < message.n && line_take(&s))
		;
	/* A header where too many parts were found: what is left is its body. */
	if (s.in_header)
		header_end(&s, false);
	s.lines += count_lines(slice_from(message, s.at));
	parts_end(&s, NULL, message.n, s.lines);
}
