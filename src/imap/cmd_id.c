/* ID: who is speaking, for those who look for the cause of trouble (RFC 2971). */
#include "imap/internal.h"

#include "imap/parse.h"

/* RFC 2971 §3.3 */
#define ID_PAIRS 30
#define ID_FIELD 30
#define ID_VALUE 1024
/* Octets of a value that the log keeps. */
#define ID_LOGGED 100

struct id_list {
	struct {
		slice field, value; /* NIL: its p is NULL */
	} pairs[ID_PAIRS];
	size_t count;
};

/* nstring = string / nil */
static slice nstring_parse(struct cursor *c, struct arena *arena)
{
	if (cursor_try(c, SLICE("NIL")))
		return (slice){ 0 };
	return parse_string(c, arena);
}

/* What RFC 2971 §3.3 forbids in the last pair; NULL: nothing. */
static const char *pair_fault(const struct id_list *list)
{
	slice field = list->pairs[list->count - 1].field;

	if (field.n > ID_FIELD)
		return "a field name is longer than 30 octets";
	if (list->pairs[list->count - 1].value.n > ID_VALUE)
		return "a value is longer than 1024 octets";
	for (size_t i = 0; i + 1 < list->count; i++)
		if (slice_eq_nocase(list->pairs[i].field, field))
			return "a field is given twice";
	return NULL;
}

/* id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil   RFC 2971 §4.
 * What is wrong beyond the syntax is returned. */
static const char *list_parse(struct cursor *c, struct arena *arena, struct id_list *out)
{
	const char *fault = NULL;

	if (cursor_try(c, SLICE("NIL")))
		return NULL;
	cursor_char(c, '(', "'(' or NIL");
	if (cursor_try_char(c, ')'))
		return NULL;
	do {
		if (out->count == ID_PAIRS)
			return "more than 30 fields";
		out->pairs[out->count].field = parse_string(c, arena);
		if (!c->expected && cursor_peek(c) == ')')
			return "a field has no value";
		parse_space(c);
		out->pairs[out->count++].value = nstring_parse(c, arena);
		fault = c->expected ? NULL : pair_fault(out);
	} while (!fault && cursor_try_char(c, ' '));
	if (!fault)
		cursor_char(c, ')', "')'");
	return fault;
}

/* Once a session, and only fields whose names are the RFC's: a key of the log is never a client's. */
static void id_log(struct imap *im, const struct id_list *list)
{
	static const char *const known[] = { "name", "version", "os", "os-version", "vendor",
		"support-url", "date", "command" };
	struct log_field fields[3 + sizeof known / sizeof known[0]];
	size_t n = 0;

	if (im->identified)
		return;
	im->identified = true;
	fields[n++] = kv_str("s", im->s->id);
	fields[n++] = kv_str("peer", im->s->peer);
	for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
		for (size_t i = 0; i < list->count; i++)
			if (list->pairs[i].value.p &&
			    slice_eq_nocase(list->pairs[i].field, slice_of(known[k])))
				fields[n++] =
				    kv_text(known[k], slice_head(list->pairs[i].value, ID_LOGGED));
	fields[n++] = kv_num("fields", (int64_t)list->count);
	log_write(LOG_INFO, "imap.id", fields, n);
}

/* id = "ID" SP id-params-list   RFC 2971 §3.1. The answer tells of the program only: what runs on this
 * host is nobody's business (§5). */
struct imap_reply imap_cmd_id(struct imap *im, struct cursor *args)
{
	struct id_list *list = ARENA_NEW(im->arena, struct id_list);

	parse_space(args);
	const char *fault = list_parse(args, im->arena, list);
	if (fault)
		return imap_reply_bad(im, fault);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	id_log(im, list);
	buf_adds(
	    &im->s->out, "* ID (\"name\" \"Hauberk\" \"version\" \"" HAUBERK_VERSION "\")\r\n");
	return imap_reply_ok("done");
}
