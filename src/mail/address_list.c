#include "mail/address_list.h"

#include "mail/header.h"

/* A piece of list->text, as offsets because the text may move while it grows. */
struct span {
	size_t at, n;
};

/* Words up to a special character, both as a phrase and as a local part. */
struct words {
	struct span phrase, local;
	slice comment; /* the last one seen */
};

void address_list_open(struct address_list *list, slice value)
{
	value = slice_head(value, ADDRESS_LIST_OCTETS);
	*list = (struct address_list){ .c = cursor_of(value) };
	buf_init(&list->text, 4 * value.n + 64);
}

void address_list_close(struct address_list *list)
{
	buf_free(&list->text);
}

static slice span_slice(const struct address_list *list, struct span span)
{
	return slice_head(slice_from(buf_slice(&list->text), span.at), span.n);
}

static bool is_special(char c)
{
	return c == '<' || c == '>' || c == ',' || c == ';' || c == ':' || c == '@' || c == '"' ||
	    c == '(' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One atom, tolerantly: whatever is not special, 8-bit and NUL included (NUL becomes a blank). */
static void atom_take(struct cursor *c, struct buf *out)
{
	while (!cursor_end(c) && !is_special(c->rest.p[0])) {
		buf_addc(out, c->rest.p[0] ? c->rest.p[0] : ' ');
		cursor_take(c, 1, "octet");
	}
}

/* 1*word, adding them to the text with one blank where there was some. With `dense` there is none
 * beside a dot: "john . doe" is one local part. */
static struct span words_join(struct cursor *c, struct buf *text, bool dense, slice *comment)
{
	struct span span = { .at = text->n };

	for (;;) {
		slice before = c->rest;

		cfws_skip(c, comment);
		char next = cursor_peek(c);
		if (cursor_end(c) || (is_special(next) && next != '"'))
			break;
		bool dot =
		    dense && (next == '.' || text->n == span.at || text->p[text->n - 1] == '.');
		if (c->rest.p != before.p && text->n > span.at && !dot)
			buf_addc(text, ' ');
		if (next == '"')
			quoted_string_take(c, text);
		else
			atom_take(c, text);
	}
	span.n = text->n - span.at;
	return span;
}

static struct words words_take(struct address_list *list)
{
	struct words words = { 0 };
	struct cursor again = list->c;

	words.phrase = words_join(&list->c, &list->text, false, &words.comment);
	words.local = words_join(&again, &list->text, true, NULL);
	return words;
}

/* domain = dot-atom / domain-literal, blanks and comments inside dropped */
static struct span domain_take(struct address_list *list, slice *comment)
{
	struct span span = { .at = list->text.n };

	for (;;) {
		cfws_skip(&list->c, comment);
		if (cursor_end(&list->c) ||
		    (is_special(list->c.rest.p[0]) && list->c.rest.p[0] != ':'))
			break;
		/* The colons of "[IPv6:2001:db8::1]" are no group. */
		if (list->c.rest.p[0] == ':') {
			if (list->text.n == span.at || list->text.p[span.at] != '[')
				break;
			buf_addc(&list->text, ':');
			cursor_take(&list->c, 1, "':'");
		}
		atom_take(&list->c, &list->text);
	}
	span.n = list->text.n - span.at;
	return span;
}

/* obs-route = "@" domain *("," ["@" domain]) ":", kept as text without its colon */
static struct span route_take(struct address_list *list)
{
	struct span span = { .at = list->text.n };
	struct cursor look = list->c;

	for (;;) {
		cfws_skip(&look, NULL);
		char next = cursor_peek(&look);
		/* Not beyond the next bracket, or "<@,<@,..." would be read again and again. */
		if (next == ':' || next == '>' || next == '<' || next == ';' || cursor_end(&look))
			break;
		cursor_take(&look, 1, "octet");
	}
	if (cursor_peek(&look) != ':')
		return span;
	size_t n = (size_t)(look.rest.p - list->c.rest.p);
	header_unfold(cursor_take(&list->c, n, "route"), &list->text);
	cursor_char(&list->c, ':', "':'");
	span.n = list->text.n - span.at;
	return span;
}

/* Are the words before '@', '>' or the end of an address no local part? */
static bool is_malformed(const struct address_list *list, struct span local, bool quoted)
{
	slice text = span_slice(list, local);
	char next = cursor_peek(&list->c);

	return next == ':' || next == ';' || (!quoted && slice_find(text, ' ') < text.n);
}

/* angle-addr = "<" [obs-route] local-part "@" domain ">", a missing ">" forgiven */
static void angle_take(struct address_list *list, struct span name, struct list_entry *out)
{
	struct span route = { 0 }, domain = { 0 };

	cursor_char(&list->c, '<', "'<'");
	cfws_skip(&list->c, NULL);
	if (cursor_peek(&list->c) == '@')
		route = route_take(list);
	bool quoted = cursor_peek(&list->c) == '"';
	struct words local = words_take(list);
	out->malformed = is_malformed(list, local.local, quoted);
	if (cursor_try_char(&list->c, '@'))
		domain = domain_take(list, NULL);
	while (!cursor_end(&list->c) && !cursor_try_char(&list->c, '>')) {
		char next = cursor_peek(&list->c);

		if (next == ',' || (next == ';' && !out->malformed))
			break;
		cursor_take(&list->c, 1, "octet");
	}
	out->kind = ENTRY_MAILBOX;
	out->name = span_slice(list, name);
	out->route = span_slice(list, route);
	out->local = span_slice(list, local.local);
	out->domain = span_slice(list, domain);
}

static struct span comment_as_name(struct address_list *list, slice comment)
{
	struct span span = { .at = list->text.n };

	header_unfold(slice_trim(comment), &list->text);
	span.n = list->text.n - span.at;
	return span;
}

/* Adds a piece of the text to the text, which may move meanwhile. */
static void span_repeat(struct address_list *list, struct span span)
{
	char *room = buf_room(&list->text, span.n);

	if (!room || span.n == 0)
		return;
	memcpy(room, list->text.p + span.at, span.n);
	buf_grow(&list->text, span.n);
}

/* addr-spec = local-part "@" domain, with an old-style "(Name)" after it; or "a@b <a@b>" */
static void plain_take(struct address_list *list, struct words words, struct list_entry *out)
{
	struct span domain = { 0 }, name;

	if (cursor_try_char(&list->c, '@'))
		domain = domain_take(list, &words.comment);
	if (cursor_peek(&list->c) == '<') {
		size_t at = list->text.n;

		span_repeat(list, words.phrase);
		buf_addc(&list->text, '@');
		span_repeat(list, domain);
		angle_take(list, (struct span){ at, list->text.n - at }, out);
		return;
	}
	name = comment_as_name(list, words.comment);
	out->kind = ENTRY_MAILBOX;
	out->name = span_slice(list, name);
	out->local = span_slice(list, words.local);
	out->domain = span_slice(list, domain);
}

static bool group_end(struct address_list *list, struct list_entry *out)
{
	out->kind = ENTRY_GROUP_END;
	if (!list->in_group)
		return false;
	list->in_group = false;
	return true;
}

/* One address, group name or group end; false when nothing worth giving out stood here. */
static bool entry_take(struct address_list *list, struct list_entry *out)
{
	struct words words = words_take(list);

	switch (cursor_peek(&list->c)) {
	case '<':
		angle_take(list, words.phrase, out);
		return true;
	case ':':
		cursor_char(&list->c, ':', "':'");
		if (list->in_group)
			return false;
		list->in_group = true;
		out->kind = ENTRY_GROUP;
		out->name = span_slice(list, words.phrase);
		return true;
	case ';':
		if (words.local.n)
			break;
		cursor_char(&list->c, ';', "';'");
		return group_end(list, out);
	case '@':
		break;
	default:
		if (words.local.n)
			break;
		cursor_take(&list->c, list->c.rest.n ? 1 : 0, "octet");
		return false;
	}
	plain_take(list, words, out);
	return out->local.n || out->domain.n;
}

/* address-list = address *("," address), empty ones allowed (RFC 5322 §4.4) */
bool address_list_next(struct address_list *list, struct list_entry *out)
{
	while (!cursor_end(&list->c) && list->count < ADDRESS_LIST_ENTRIES) {
		*out = (struct list_entry){ 0 };
		buf_clear(&list->text);
		cursor_try_char(&list->c, ',');
		if (entry_take(list, out)) {
			list->count++;
			return true;
		}
	}
	*out = (struct list_entry){ 0 };
	return group_end(list, out);
}
