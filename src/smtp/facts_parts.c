/* What a policy is told about a whole message: its text, attachments, and what readers would take differently. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "mail/charset.h"
#include "mail/decode.h"
#include "mail/inspect.h"
#include "mail/parameter.h"
#include "smtp/internal.h"

#define LIST_MAX  200
#define NAME_MOST 1024
#define BODY_TEXT 65536
#define PART_TEXT (1u << 20) /* octets of a text part that are decoded */

struct parts {
	struct arena *arena;
	struct buf text;
	slice names[LIST_MAX], types[LIST_MAX];
	size_t name_count, type_count;
};

static slice file_name(const struct part *part, struct arena *arena)
{
	struct buf name;
	slice found = { 0 };

	buf_init(&name, NAME_MOST);
	slice list = slice_from(part->disposition, slice_find(part->disposition, ';'));
	if (parameter_decode(NULL, list, SLICE("filename"), &name) ||
	    parameter_decode(NULL, part->parameters, SLICE("name"), &name))
		found = arena_copy(arena, buf_slice(&name));
	buf_free(&name);
	return found;
}

/* As UTF-8; of a charset that is not known, its octets above 127 are U+FFFD. */
static void add_text(struct parts *parts, const struct part *part)
{
	struct buf octets, charset;
	struct decoder d;

	buf_init(&octets, PART_TEXT);
	buf_init(&charset, 100);
	decoder_open(&d, encoding_of(part->encoding, NULL));
	decode_all(&d, d.encoding, slice_head(part->body, 2 * PART_TEXT), &octets);
	parameter_decode(NULL, part->parameters, SLICE("charset"), &charset);
	if (charset_decode(NULL, charset.n ? buf_slice(&charset) : SLICE("us-ascii"),
		buf_slice(&octets), &parts->text) == CHARSET_UNKNOWN)
		charset_decode(NULL, SLICE("us-ascii"), buf_slice(&octets), &parts->text);
	buf_free(&octets);
	buf_free(&charset);
}

static void look_at(struct parts *parts, const struct part *part)
{
	slice name = file_name(part, parts->arena);
	bool attached = name.n || slice_starts_nocase(part->disposition, SLICE("attachment"));

	if (attached && parts->type_count < LIST_MAX)
		parts->types[parts->type_count++] = slice_of(arena_printf(
		    parts->arena, "%.*s/%.*s", SLICE_ARG(part->type), SLICE_ARG(part->subtype)));
	if (name.n && parts->name_count < LIST_MAX)
		parts->names[parts->name_count++] = name;
	if (!attached && part_is(part, "text", NULL) && !parts->text.full)
		add_text(parts, part);
}

/* The next part in the order of the message. */
static const struct part *next_part(const struct part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

static void tell_ambiguities(struct mime *mime, struct policy_state *state, struct arena *arena)
{
	slice names[AMBIGUITY_SIZE];
	size_t n = 0;

	mime_inspect(mime, NULL);
	for (int kind = ambiguity_next(&mime->ambiguities, 0); kind >= 0;
	     kind = ambiguity_next(&mime->ambiguities, kind + 1))
		if (ambiguity_effect((enum ambiguity_kind)kind) != AMBIGUITY_FORM)
			names[n++] = slice_of(ambiguity_name((enum ambiguity_kind)kind));
	policy_yes(state, FACT_mimeAmbiguous, n > 0);
	policy_list(state, FACT_mimeAmbiguities, names, n, arena);
}

static void tell_parts(const struct mime *mime, struct policy_state *state, struct arena *arena)
{
	struct parts *parts = NEW(struct parts);

	parts->arena = arena;
	buf_init(&parts->text, BODY_TEXT);
	for (const struct part *p = mime->root; p; p = next_part(p))
		if (p->kind == PART_LEAF)
			look_at(parts, p);
	policy_body(state, FACT_bodyText, arena_copy(arena, buf_slice(&parts->text)), arena);
	policy_list(state, FACT_attachmentNames, parts->names, parts->name_count, arena);
	policy_list(state, FACT_attachmentTypes, parts->types, parts->type_count, arena);
	buf_free(&parts->text);
	free(parts);
}

void facts_data(struct session *s, struct policy_state *state)
{
	const struct transaction *tx = ((struct smtp *)s->state)->tx;
	bool parts = policy_reads(state, FACT_bodyText) ||
	    policy_reads(state, FACT_attachmentNames) || policy_reads(state, FACT_attachmentTypes);
	bool ambiguities =
	    policy_reads(state, FACT_mimeAmbiguous) || policy_reads(state, FACT_mimeAmbiguities);
	struct error error;
	slice content;

	policy_number_is(state, FACT_mailSize, (int64_t)spool_octets(tx->message));
	if (!parts && !ambiguities)
		return;
	if (!spool_content(tx->message, &content, &error)) {
		log_warn("spool.failed", kv_str("s", s->id), kv_why(&error));
		return;
	}
	struct arena *arena = arena_new(2 * MIME_ARENA);
	struct mime mime;
	mime_parse(content, arena, &mime);
	if (parts)
		tell_parts(&mime, state, tx->arena);
	if (ambiguities)
		tell_ambiguities(&mime, state, tx->arena);
	arena_free(arena);
}
