#include "mail/summary.h"

#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/parameter.h"

#define NO_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
#define NO_TEXT     "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL"

/* string = quoted / literal;  QUOTED-CHAR is any of ASCII but CR and LF (RFC 9051 §9) */
void imap_string_write(slice text, struct buf *out)
{
	bool literal = false;

	for (size_t i = 0; i < text.n && !literal; i++)
		literal = octet_is(text.p[i], OCTET_UTF8) || !text.p[i] || text.p[i] == '\r' ||
		    text.p[i] == '\n';
	if (literal) {
		buf_addf(out, "{%zu}\r\n", text.n);
		buf_add(out, text);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, text.p[i]);
	}
	buf_addc(out, '"');
}

void imap_nstring_write(slice text, struct buf *out)
{
	if (text.p)
		imap_string_write(text, out);
	else
		buf_adds(out, "NIL");
}

/* A header value unfolded, without blanks before it, cut to SUMMARY_STRING. */
static void value_write(slice value, struct buf *out)
{
	struct buf text;

	if (!value.p) {
		buf_adds(out, "NIL");
		return;
	}
	buf_init(&text, SUMMARY_STRING);
	while (value.n && octet_is(value.p[0], OCTET_BLANK))
		value = slice_from(value, 1);
	header_unfold(value, &text);
	imap_string_write(buf_slice(&text), out);
	buf_free(&text);
}

/* A text for people: all blanks together are one (as in RFC 5256 §2.1), none at its ends. */
static void human_write(slice value, struct buf *out)
{
	struct buf text;

	buf_init(&text, SUMMARY_STRING);
	value = slice_trim(value);
	for (size_t i = 0; i < value.n && text.n < text.max; i++) {
		bool blank = octet_is(value.p[i], OCTET_BLANK) || value.p[i] == '\r' ||
		    value.p[i] == '\n' || value.p[i] == '\0';

		if (!blank)
			buf_addc(&text, value.p[i]);
		else if (text.n == 0 || text.p[text.n - 1] != ' ')
			buf_addc(&text, ' ');
	}
	imap_string_write(buf_slice(&text), out);
	buf_free(&text);
}

/* NIL for an empty text, which in an address says "absent". */
static void absent_write(slice text, struct buf *out)
{
	imap_nstring_write(text.n ? slice_head(text, SUMMARY_STRING) : (slice){ 0 }, out);
}

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"; groups begin and end with
 * a host of NIL, so a mailbox without a domain needs another host (RFC 9051 §7.5.2): one that can be no
 * name, and the same that clients know from Dovecot. Words without an address are a name. */
static void mailbox_write(struct list_entry entry, struct buf *out)
{
	size_t word = slice_find(entry.local, ' ');

	if (entry.malformed) {
		entry.local.n = word;
		entry.domain = SLICE("SYNTAX_ERROR");
	} else if (!entry.domain.n && !entry.name.n && word < entry.local.n) {
		entry.name = entry.local;
		entry.local.n = 0;
	}
	if (!entry.domain.n)
		entry.domain = SLICE("MISSING_DOMAIN");
	if (!entry.local.n)
		entry.local = SLICE("MISSING_MAILBOX");
	buf_addc(out, '(');
	if (entry.name.n)
		human_write(entry.name, out);
	else
		buf_adds(out, "NIL");
	buf_addc(out, ' ');
	absent_write(entry.route, out);
	buf_addc(out, ' ');
	imap_string_write(slice_head(entry.local, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	imap_string_write(slice_head(entry.domain, SUMMARY_STRING), out);
	buf_addc(out, ')');
}

static void entry_write(const struct list_entry *entry, struct buf *out)
{
	switch (entry->kind) {
	case ENTRY_GROUP_END:
		buf_adds(out, "(NIL NIL NIL NIL)");
		return;
	case ENTRY_GROUP:
		buf_adds(out, "(NIL NIL ");
		imap_string_write(slice_head(entry->name, SUMMARY_STRING), out);
		buf_adds(out, " NIL)");
		return;
	case ENTRY_MAILBOX:
		break;
	}
	mailbox_write(*entry, out);
}

/* ORDER of the envelope's fields (RFC 9051 §9, envelope) */
enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, ENVELOPE_SIZE };
static const char *const envelope_names[ENVELOPE_SIZE] = { "Date", "Subject", "From", "Sender",
	"Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID" };

struct envelope {
	slice header;
	slice values[ENVELOPE_SIZE]; /* of the first field of each name */
	bool again[ENVELOPE_SIZE];   /* there is another one */
};

static void envelope_collect(slice header, struct envelope *e)
{
	struct header_field field;

	*e = (struct envelope){ .header = slice_head(header, MIME_HEADER) };
	for (slice rest = e->header; header_next(&rest, &field);) {
		for (int i = 0; i < ENVELOPE_SIZE; i++) {
			if (!slice_eq_nocase(field.name, slice_of(envelope_names[i])))
				continue;
			e->again[i] = e->values[i].p != NULL;
			if (!e->values[i].p)
				e->values[i] = field.value;
			break;
		}
	}
}

static void list_write(slice value, bool *any, struct buf *out)
{
	struct address_list list;
	struct list_entry entry;

	address_list_open(&list, value);
	while (!out->full && address_list_next(&list, &entry)) {
		if (!*any)
			buf_addc(out, '(');
		*any = true;
		entry_write(&entry, out);
	}
	address_list_close(&list);
}

/* env-from = "(" 1*address ")" / nil; false, and nothing added, when there is no address. Destination fields
 * that are there again are one list (RFC 5322 §4.5.3), of the others the first counts. */
static bool addresses_write(const struct envelope *e, int which, struct buf *out)
{
	bool destination = which == TO || which == CC || which == BCC, any = false;
	struct header_field field;

	if (!(destination && e->again[which])) {
		list_write(e->values[which], &any, out);
	} else {
		for (slice rest = e->header; header_next(&rest, &field);)
			if (slice_eq_nocase(field.name, slice_of(envelope_names[which])))
				list_write(field.value, &any, out);
	}
	if (any)
		buf_addc(out, ')');
	return any;
}

/* Sender and Reply-To default to From (RFC 9051 §7.5.2) */
static void envelope_addresses(const struct envelope *e, int which, struct buf *out)
{
	if (addresses_write(e, which, out))
		return;
	if ((which == SENDER || which == REPLY_TO) && addresses_write(e, FROM, out))
		return;
	buf_adds(out, "NIL");
}

void envelope_write(slice header, struct buf *out)
{
	struct envelope e;

	envelope_collect(header, &e);
	for (int i = 0; i < ENVELOPE_SIZE; i++) {
		buf_addc(out, i ? ' ' : '(');
		if (i >= FROM && i <= BCC)
			envelope_addresses(&e, i, out);
		else if (i == SUBJECT && e.values[i].p)
			human_write(e.values[i], out);
		else
			value_write(e.values[i], out);
	}
	buf_addc(out, ')');
}

/* A parameter list on its way: what was written, and the names whose sections were looked at. */
struct written {
	size_t count;
	struct joined {
		slice base;
		bool whole;
	} joined[SUMMARY_JOINED];
	size_t joined_count;
	bool charset;
};

static void parameter_write(
    slice name, const char *ending, slice value, struct written *w, struct buf *out)
{
	buf_addc(out, w->count++ ? ' ' : '(');
	buf_addc(out, '"');
	buf_add(out, slice_head(name, SUMMARY_STRING)); /* a token: nothing to quote */
	buf_adds(out, ending);
	buf_adds(out, "\" ");
	imap_string_write(value, out);
	w->charset = w->charset || slice_eq_nocase(name, SLICE("charset"));
}

static struct joined *joined_find(struct written *w, slice base)
{
	for (size_t i = 0; i < w->joined_count; i++)
		if (slice_eq_nocase(w->joined[i].base, base))
			return &w->joined[i];
	return NULL;
}

/* All sections of a name, if none is missing or there twice (RFC 2231 §6). */
static void sections_join(slice list, slice base, struct written *w, struct buf *out)
{
	struct joined *joined = &w->joined[w->joined_count++];
	struct buf value;

	buf_init(&value, SUMMARY_STRING);
	unsigned flags = parameter_join(list, base, &value);
	*joined = (struct joined){ base, !(flags & (PARAMETER_GAP | PARAMETER_TWICE)) };
	if (joined->whole)
		parameter_write(
		    base, flags & PARAMETER_EXTENDED ? "*" : "", buf_slice(&value), w, out);
	buf_free(&value);
}

static void single_write(const struct parameter *parameter, struct written *w, struct buf *out)
{
	struct buf value;

	buf_init(&value, SUMMARY_STRING);
	parameter_value(parameter, &value);
	parameter_write(parameter->name, "", buf_slice(&value), w, out);
	buf_free(&value);
}

/* Sections put together, once; as they stand where that does not work. */
static void sections_write(
    slice list, const struct parameter *parameter, struct written *w, struct buf *out)
{
	slice base = parameter_name_of(parameter->name).base;
	struct joined *joined = joined_find(w, base);

	if (!joined && w->joined_count < SUMMARY_JOINED) {
		sections_join(list, base, w, out);
		joined = &w->joined[w->joined_count - 1];
	}
	if (!joined || !joined->whole)
		single_write(parameter, w, out);
}

static bool has_sections(slice name)
{
	struct parameter_name is = parameter_name_of(name);

	return is.sectioned || is.extended;
}

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil;  plain ones first. A text without
 * a charset shows the one that is then assumed (RFC 2046 §4.1.2). */
static void parameters_write(slice list, bool is_text, struct buf *out)
{
	struct parameter parameter;
	struct written w = { 0 };
	size_t sections = 0;

	for (slice rest = list;
	     w.count < SUMMARY_PARAMETERS && parameter_next(&rest, &parameter);) {
		if (has_sections(parameter.name))
			sections++;
		else
			single_write(&parameter, &w, out);
	}
	for (slice rest = list;
	     sections && w.count < SUMMARY_PARAMETERS && parameter_next(&rest, &parameter);)
		if (has_sections(parameter.name))
			sections_write(list, &parameter, &w, out);
	if (is_text && !w.charset)
		parameter_write(SLICE("charset"), "", SLICE("us-ascii"), &w, out);
	buf_adds(out, w.count ? ")" : "NIL");
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static void disposition_write(slice value, struct buf *out)
{
	struct cursor c = cursor_of(value);

	cfws_skip(&c, NULL);
	slice type = cursor_skip(&c, OCTET_TOKEN);
	if (type.n == 0) {
		buf_adds(out, "NIL");
		return;
	}
	buf_addc(out, '(');
	imap_string_write(slice_head(type, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	parameters_write(c.rest, false, out);
	buf_addc(out, ')');
}

/* body-fld-lang = nstring / "(" string *(SP string) ")";  language tags of RFC 3282 §2 */
static void language_write(slice value, struct buf *out)
{
	struct cursor c = cursor_of(value);
	size_t count = 0;

	while (!cursor_end(&c) && count < SUMMARY_PARAMETERS) {
		cfws_skip(&c, NULL);
		slice tag = cursor_skip(&c, OCTET_TOKEN);

		if (tag.n) {
			buf_addc(out, count++ ? ' ' : '(');
			imap_string_write(slice_head(tag, SUMMARY_STRING), out);
		} else if (!cursor_end(&c)) {
			cursor_take(&c, 1, "octet");
		}
	}
	buf_adds(out, count ? ")" : "NIL");
}

/* body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets */
static void fields_write(const struct part *part, bool hidden, struct buf *out)
{
	struct cursor c = cursor_of(part->encoding);

	buf_addc(out, ' ');
	parameters_write(
	    hidden ? SLICE("") : part->parameters, !hidden && part_is(part, "text", NULL), out);
	buf_addc(out, ' ');
	value_write(part->id, out);
	buf_addc(out, ' ');
	value_write(part->description, out);
	buf_addc(out, ' ');
	cfws_skip(&c, NULL);
	slice encoding = cursor_skip(&c, OCTET_TOKEN);
	imap_string_write(encoding.n ? slice_head(encoding, SUMMARY_STRING) : SLICE("7bit"), out);
	buf_addf(out, " %zu", part->body.n);
}

/* ... SP body-fld-dsp SP body-fld-lang SP body-fld-loc, the end of both kinds of extension data */
static void extension_write(const struct part *part, struct buf *out)
{
	buf_addc(out, ' ');
	disposition_write(part->disposition, out);
	buf_addc(out, ' ');
	language_write(part->language, out);
	buf_addc(out, ' ');
	value_write(part->location, out);
}

/* A whole message that says no more than what is assumed anyway (RFC 2045 §5.2): written as that. */
static bool is_default(const struct part *part)
{
	struct parameter charset, more;
	slice list = part->parameters, value;

	if (part->id.p || part->description.p || part->disposition.p || part->language.p ||
	    part->location.p || part->md5.p)
		return false;
	return !part->parent && part_is(part, "text", "plain") &&
	    (!part->encoding.p || slice_eq_nocase(part->encoding, SLICE("7bit"))) &&
	    parameter_next(&list, &charset) && slice_eq_nocase(charset.name, SLICE("charset")) &&
	    parameter_plain(&charset, &value) && slice_eq_nocase(value, SLICE("us-ascii")) &&
	    !parameter_next(&list, &more);
}

static void type_write(const struct part *part, struct buf *out)
{
	imap_string_write(slice_head(part->type, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	imap_string_write(slice_head(part->subtype, SUMMARY_STRING), out);
}

/* body-type-1part = (body-type-basic / body-type-msg / body-type-text) SP body-ext-1part */
static void leaf_write(const struct part *part, struct buf *out)
{
	/* Clients must not think that they can see into what we did not look into. */
	bool hidden = part->opaque && !part->encoded;
	struct part plain = *part;

	if (is_default(part)) {
		plain.type = SLICE("text");
		plain.subtype = SLICE("plain");
		plain.parameters = SLICE("; charset=us-ascii");
		plain.encoding = (slice){ 0 };
		part = &plain;
	}

	if (part->kind == PART_MESSAGE || part->encoded)
		buf_addf(out, "\"message\" \"%s\"",
		    part_is(part, "message", "global") ? "global" : "rfc822");
	else if (hidden)
		buf_adds(out, "\"application\" \"octet-stream\"");
	else
		type_write(part, out);
	fields_write(part, hidden, out);
	if (part->kind == PART_MESSAGE) {
		buf_addc(out, ' ');
		envelope_write(part->children->header, out);
		buf_addc(out, ' ');
		structure_write(part->children, out);
	}
	if (part->encoded)
		buf_adds(out, " " NO_ENVELOPE " (" NO_TEXT ")");
	if (part->kind == PART_MESSAGE || part->encoded || (!hidden && part_is(part, "text", NULL)))
		buf_addf(out, " %zu", part->body_lines);
	buf_addc(out, ' ');
	value_write(part->md5, out);
	extension_write(part, out);
}

/* body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]; one without parts gets an empty
 * text, since the grammar wants a body */
static void multipart_write(const struct part *part, struct buf *out)
{
	for (const struct part *child = part->children; child; child = child->next)
		structure_write(child, out);
	if (!part->children)
		buf_adds(out, "(" NO_TEXT ")");
	buf_addc(out, ' ');
	imap_string_write(slice_head(part->subtype, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	parameters_write(part->parameters, false, out);
	extension_write(part, out);
}

/* body = "(" (body-type-1part / body-type-mpart) ")"; recursive, at most MIME_DEPTH deep */
void structure_write(const struct part *part, struct buf *out)
{
	buf_addc(out, '(');
	if (part->kind == PART_MULTIPART)
		multipart_write(part, out);
	else
		leaf_write(part, out);
	buf_addc(out, ')');
}

void summary_write(const struct mime *mime, struct buf *envelope, struct buf *structure)
{
	buf_clear(envelope);
	buf_clear(structure);
	envelope_write(mime->root->header, envelope);
	if (envelope->full) {
		buf_clear(envelope);
		buf_adds(envelope, NO_ENVELOPE);
	}
	structure_write(mime->root, structure);
	if (structure->full) {
		buf_clear(structure);
		buf_addf(structure,
		    "(\"application\" \"octet-stream\" NIL NIL NIL \"8bit\" %zu NIL NIL NIL NIL)",
		    mime->root->body.n);
	}
}
