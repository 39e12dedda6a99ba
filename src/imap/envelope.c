#include "imap/envelope.h"

#include "imap/parse.h"

/* nstring = string / nil */
static slice nstring_parse(struct cursor *c, struct arena *arena)
{
	if (cursor_try(c, SLICE("NIL")))
		return (slice){ 0 };
	return parse_string(c, arena);
}

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")" */
static void address_parse(struct cursor *c, struct arena *arena, struct envelope_address *out)
{
	cursor_char(c, '(', "'('");
	out->name = nstring_parse(c, arena);
	parse_space(c);
	out->route = nstring_parse(c, arena);
	parse_space(c);
	out->mailbox = nstring_parse(c, arena);
	parse_space(c);
	out->host = nstring_parse(c, arena);
	cursor_char(c, ')', "')'");
}

/* "(" 1*address ")" / nil; what stands inside is kept as text */
static slice list_parse(struct cursor *c, struct arena *arena)
{
	struct envelope_address ignored;

	if (cursor_try(c, SLICE("NIL")))
		return (slice){ 0 };
	cursor_char(c, '(', "'('");
	slice list = c->rest;
	while (cursor_peek(c) == '(')
		address_parse(c, arena, &ignored);
	list.n -= c->rest.n;
	cursor_char(c, ')', "')'");
	return list;
}

/* envelope = "(" env-date SP env-subject SP env-from SP ... SP env-in-reply-to SP env-message-id ")" */
bool envelope_read(slice text, struct arena *arena, struct envelope *out)
{
	struct cursor c = cursor_of(text);

	*out = (struct envelope){ 0 };
	cursor_char(&c, '(', "'('");
	out->date = nstring_parse(&c, arena);
	parse_space(&c);
	out->subject = nstring_parse(&c, arena);
	for (int i = 0; i < ENVELOPE_LISTS; i++) {
		parse_space(&c);
		out->lists[i] = list_parse(&c, arena);
	}
	parse_space(&c);
	out->in_reply_to = nstring_parse(&c, arena);
	parse_space(&c);
	out->message_id = nstring_parse(&c, arena);
	cursor_char(&c, ')', "')'");
	if (cursor_done(&c))
		return true;
	*out = (struct envelope){ 0 };
	return false;
}

slice envelope_subject(slice text, struct arena *arena)
{
	struct cursor c = cursor_of(text);

	cursor_char(&c, '(', "'('");
	nstring_parse(&c, arena);
	parse_space(&c);
	slice subject = nstring_parse(&c, arena);
	if (c.expected)
		subject = (slice){ 0 };
	return subject;
}

bool envelope_address(slice *list, struct arena *arena, struct envelope_address *out)
{
	struct cursor c = cursor_of(*list);

	*out = (struct envelope_address){ 0 };
	if (cursor_peek(&c) != '(')
		return false;
	address_parse(&c, arena, out);
	*list = c.rest;
	return !c.expected;
}
