#include "mail/summary.h"

#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/parameter.h"

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

/* A header value: trimmed, unfolded, cut to SUMMARY_STRING. */
static void value_write(slice value, struct buf *out)
{
	struct buf text;

	if (!value.p) {
		buf_adds(out, "NIL");
		return;
	}
	buf_init(&text, SUMMARY_STRING);
	header_unfold(slice_trim(value), &text);
	imap_string_write(buf_slice(&text), out);
	buf_free(&text);
}

static void lower_write(slice text, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++)
		buf_addc(out, octet_lower(text.p[i]));
	buf_addc(out, '"');
}

/* NIL for an empty text, which in an address says "absent". */
static void absent_write(slice text, struct buf *out)
{
	imap_nstring_write(text.n ? slice_head(text, SUMMARY_STRING) : (slice){ 0 }, out);
}

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"; groups begin and end with
 * a host of NIL, so a mailbox without a domain has the host "" (RFC 9051 §7.5.2) */
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
	buf_addc(out, '(');
	absent_write(entry->name, out);
	buf_addc(out, ' ');
	absent_write(entry->route, out);
	buf_addc(out, ' ');
	imap_string_write(slice_head(entry->local, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	imap_string_write(slice_head(entry->domain, SUMMARY_STRING), out);
	buf_addc(out, ')');
}

/* env-from = "(" 1*address ")" / nil; false, and nothing added, when there is no address */
static bool addresses_write(slice value, struct buf *out)
{
	struct address_list list;
	struct list_entry entry;
	bool any = false;

	address_list_open(&list, value);
	while (address_list_next(&list, &entry)) {
		if (!any)
			buf_addc(out, '(');
		any = true;
		entry_write(&entry, out);
	}
	address_list_close(&list);
	if (any)
		buf_addc(out, ')');
	return any;
}

/* ORDER of the envelope's fields (RFC 9051 §9, envelope) */
enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, ENVELOPE_SIZE };
static const char *const envelope_names[ENVELOPE_SIZE] = { "Date", "Subject", "From", "Sender",
	"Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID" };

/* The first field of each name. */
static void envelope_collect(slice header, slice values[ENVELOPE_SIZE])
{
	struct header_field field;

	header = slice_head(header, MIME_HEADER);
	while (header_next(&header, &field)) {
		for (int i = 0; i < ENVELOPE_SIZE; i++) {
			if (slice_eq_nocase(field.name, slice_of(envelope_names[i]))) {
				if (!values[i].p)
					values[i] = field.value;
				break;
			}
		}
	}
}

/* Sender and Reply-To default to From (RFC 9051 §7.5.2) */
static void envelope_addresses(const slice values[ENVELOPE_SIZE], int which, struct buf *out)
{
	if (addresses_write(values[which], out))
		return;
	if ((which == SENDER || which == REPLY_TO) && addresses_write(values[FROM], out))
		return;
	buf_adds(out, "NIL");
}

void envelope_write(slice header, struct buf *out)
{
	slice values[ENVELOPE_SIZE] = { 0 };

	envelope_collect(header, values);
	for (int i = 0; i < ENVELOPE_SIZE; i++) {
		buf_addc(out, i ? ' ' : '(');
		if (i >= FROM && i <= BCC)
			envelope_addresses(values, i, out);
		else
			value_write(values[i], out);
	}
	buf_addc(out, ')');
}

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
static void parameters_write(slice list, struct buf *out)
{
	struct parameter parameter;
	size_t count = 0;

	while (count < SUMMARY_PARAMETERS && parameter_next(&list, &parameter)) {
		struct buf value;

		buf_addc(out, count++ ? ' ' : '(');
		lower_write(slice_head(parameter.name, SUMMARY_STRING), out);
		buf_addc(out, ' ');
		buf_init(&value, SUMMARY_STRING);
		parameter_value(&parameter, &value);
		imap_string_write(buf_slice(&value), out);
		buf_free(&value);
	}
	buf_adds(out, count ? ")" : "NIL");
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
	lower_write(slice_head(type, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	parameters_write(c.rest, out);
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
static void fields_write(const struct part *part, slice parameters, struct buf *out)
{
	struct cursor c = cursor_of(part->encoding);

	buf_addc(out, ' ');
	parameters_write(parameters, out);
	buf_addc(out, ' ');
	value_write(part->id, out);
	buf_addc(out, ' ');
	value_write(part->description, out);
	buf_addc(out, ' ');
	cfws_skip(&c, NULL);
	slice encoding = cursor_skip(&c, OCTET_TOKEN);
	lower_write(encoding.n ? slice_head(encoding, SUMMARY_STRING) : SLICE("7bit"), out);
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

/* body-type-1part = (body-type-basic / body-type-msg / body-type-text) SP body-ext-1part */
static void single_write(const struct part *part, struct buf *out)
{
	/* Clients must not think that they can see into what we did not look into. */
	bool hidden = part->opaque;

	lower_write(slice_head(hidden ? SLICE("application") : part->type, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	lower_write(
	    slice_head(hidden ? SLICE("octet-stream") : part->subtype, SUMMARY_STRING), out);
	fields_write(part, hidden ? SLICE("") : part->parameters, out);
	if (part->kind == PART_MESSAGE) {
		buf_addc(out, ' ');
		envelope_write(part->children->header, out);
		buf_addc(out, ' ');
		structure_write(part->children, out);
	}
	if (part->kind == PART_MESSAGE || (!hidden && part_is(part, "text", NULL)))
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
		buf_adds(out, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)");
	buf_addc(out, ' ');
	lower_write(slice_head(part->subtype, SUMMARY_STRING), out);
	buf_addc(out, ' ');
	parameters_write(part->parameters, out);
	extension_write(part, out);
}

/* body = "(" (body-type-1part / body-type-mpart) ")"; recursive, at most MIME_DEPTH deep */
void structure_write(const struct part *part, struct buf *out)
{
	buf_addc(out, '(');
	if (part->kind == PART_MULTIPART)
		multipart_write(part, out);
	else
		single_write(part, out);
	buf_addc(out, ')');
}

void summary_write(const struct mime *mime, struct buf *envelope, struct buf *structure)
{
	buf_clear(envelope);
	buf_clear(structure);
	envelope_write(mime->root->header, envelope);
	if (envelope->full) {
		buf_clear(envelope);
		buf_adds(envelope, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	}
	structure_write(mime->root, structure);
	if (structure->full) {
		buf_clear(structure);
		buf_addf(structure,
		    "(\"application\" \"octet-stream\" NIL NIL NIL \"8bit\" %zu NIL NIL NIL NIL)",
		    mime->root->body.n);
	}
}
