/* LIST and LSUB. */
#include "imap/internal.h"

#include "imap/parse.h"
#include "imap/pattern.h"

struct listing {
	const char *verb; /* "LIST" or "LSUB" */
	slice pattern;
	bool subscribed; /* only those */
	struct store_mailbox *mailboxes;
	size_t count, next;
};

/* Does the next mailbox stand below this name? They come in the order of their names, but something
 * like "a.b" may come between "a" and "a/b". */
static bool has_children(const struct listing *l, size_t from, slice name)
{
	for (size_t i = from; i < l->count; i++) {
		slice other = l->mailboxes[i].name;

		if (slice_starts(other, name) && other.n > name.n && other.p[name.n] == '/')
			return true;
		if (!slice_starts(other, name))
			return false;
	}
	return false;
}

/* mailbox-list = "(" [mbx-list-flags] ")" SP DQUOTE QUOTED-CHAR DQUOTE SP mailbox */
static void line_write(struct imap *im, const struct listing *l, const char *attributes, slice name)
{
	buf_addf(&im->s->out, "* %s (%s) \"/\" ", l->verb, attributes);
	imap_print_mailbox(im, name);
	buf_adds(&im->s->out, "\r\n");
}

/* Was a level above this name given already, as a mailbox or above an earlier one? */
static bool parent_known(const struct listing *l, size_t at, slice parent)
{
	for (size_t i = at; i-- > 0;) {
		slice other = l->mailboxes[i].name;

		if (!slice_starts(other, parent))
			return false;
		if (other.n == parent.n || other.p[parent.n] == '/')
			return !l->subscribed || l->mailboxes[i].subscribed;
	}
	return false;
}

/* Levels above a mailbox that are none themselves, where the pattern wants them: "%" of "a/b" is "a"
 * (RFC 9051 §6.3.9, RFC 3501 §6.3.9 for LSUB). */
static void parents_write(struct imap *im, const struct listing *l, size_t at)
{
	slice name = l->mailboxes[at].name;

	for (size_t n = 1; n < name.n; n++) {
		slice parent = slice_head(name, n);

		if (name.p[n] == '/' && pattern_matches(l->pattern, parent) &&
		    !parent_known(l, at, parent))
			line_write(im, l, l->subscribed ? "\\Noselect" : "\\Noselect \\HasChildren",
			    parent);
	}
}

static void mailbox_write(struct imap *im, const struct listing *l, size_t at)
{
	const struct store_mailbox *m = &l->mailboxes[at];
	const char *children =
	    has_children(l, at + 1, m->name) ? "\\HasChildren" : "\\HasNoChildren";

	line_write(im, l,
	    l->subscribed ? ""
			  : arena_printf(im->s->turn, "%s%s%.*s", children, m->special.n ? " " : "",
				SLICE_ARG(m->special)),
	    m->name);
}

static struct imap_reply list_step(struct imap *im, void *context)
{
	struct listing *l = context;

	for (; l->next < l->count; l->next++) {
		if (imap_full(im))
			return imap_reply_more();
		if (l->subscribed && !l->mailboxes[l->next].subscribed)
			continue;
		if (pattern_matches(l->pattern, l->mailboxes[l->next].name))
			mailbox_write(im, l, l->next);
		else
			parents_write(im, l, l->next);
	}
	return imap_reply_ok("done");
}

/* list = "LIST" SP mailbox SP list-mailbox; the reference is a prefix of the pattern */
static struct imap_reply list_begin(
    struct imap *im, struct cursor *args, const char *verb, bool subscribed)
{
	struct listing *l = ARENA_NEW(im->arena, struct listing);
	struct error error;

	parse_space(args);
	slice reference = parse_list_mailbox(args, im->arena);
	parse_space(args);
	slice pattern = parse_list_mailbox(args, im->arena);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	l->verb = verb;
	l->subscribed = subscribed;
	/* An empty pattern asks for the delimiter. */
	if (pattern.n == 0 && !subscribed) {
		line_write(im, l, "\\Noselect", SLICE(""));
		return imap_reply_ok("done");
	}
	l->pattern =
	    slice_of(arena_printf(im->arena, "%.*s%.*s", SLICE_ARG(reference), SLICE_ARG(pattern)));
	if (!store_mailbox_list(
		imap_store(im), im->account, im->arena, &l->mailboxes, &l->count, &error))
		return imap_reply_error(im, &error);
	im->job = (struct job){ .step = list_step, .context = l };
	return imap_reply_more();
}

struct imap_reply imap_cmd_list(struct imap *im, struct cursor *args)
{
	return list_begin(im, args, "LIST", false);
}

/* lsub = "LSUB" SP mailbox SP list-mailbox   RFC 3501 §6.3.9 */
struct imap_reply imap_cmd_lsub(struct imap *im, struct cursor *args)
{
	return list_begin(im, args, "LSUB", true);
}
