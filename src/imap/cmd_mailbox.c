/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. */
#include "imap/internal.h"

#include "imap/parse.h"

/* The one argument of most of them. */
static bool name_only(
    struct imap *im, struct cursor *args, slice *name_out, struct imap_reply *reply_out)
{
	parse_space(args);
	*name_out = parse_mailbox(args, im->arena, im->utf8);
	if (cursor_done(args))
		return true;
	*reply_out = imap_reply_syntax(im, args);
	return false;
}

static bool name_is_usable(slice name)
{
	return name.n > 0 && name.p[0] != '/' && name.p[name.n - 1] != '/' &&
	    slice_search_nocase(name, SLICE("//")) == SIZE_MAX;
}

/* create-param = SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"   RFC 6154 §3, as the store keeps it;
 * false: an attribute that no mailbox can be given */
static bool use_parse(struct imap *im, struct cursor *args, slice *special_out)
{
	static const char *const uses[] = { "Archive", "Drafts", "Junk", "Sent", "Trash" };
	const char *special = "";
	bool known = true;

	*special_out = SLICE("");
	if (!cursor_try(args, SLICE(" (")))
		return true;
	if (!cursor_try(args, SLICE("USE (")))
		cursor_fail(args, "USE (");
	while (!args->expected && !cursor_try_char(args, ')')) {
		if (*special)
			parse_space(args);
		cursor_char(args, '\\', "'\\'");
		slice word = parse_atom(args, "special use");
		size_t i = 0;
		while (
		    i < sizeof uses / sizeof uses[0] && !slice_eq_nocase(word, slice_of(uses[i])))
			i++;
		known = known && i < sizeof uses / sizeof uses[0];
		if (known && strlen(special) < STORE_MAILBOX_MAX)
			special = arena_printf(
			    im->arena, "%s%s\\%s", special, *special ? " " : "", uses[i]);
	}
	cursor_char(args, ')', "')'");
	*special_out = slice_of(special);
	return known || args->expected;
}

/* create = "CREATE" SP mailbox [create-param]   RFC 9051 §6.3.4: a "/" at the end only announces children */
struct imap_reply imap_cmd_create(struct imap *im, struct cursor *args)
{
	struct error error;
	int64_t mailbox;
	slice special;

	parse_space(args);
	slice name = parse_mailbox(args, im->arena, im->utf8);
	bool usable = use_parse(im, args, &special);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!usable)
		return imap_reply_no("USEATTR", "no mailbox can have that use");
	if (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	if (!name_is_usable(name))
		return imap_reply_no("CANNOT", "a level of the name is empty");
	if (store_mailbox_create(imap_store(im), im->account, name, special, &mailbox, &error))
		return (struct imap_reply){ .status = IMAP_OK,
			.code = arena_printf(
			    im->arena, "MAILBOXID (" IMAP_MAILBOX_ID ")", (long long)mailbox),
			.text = "created" };
	if (error.fault != FAULT_DENIED)
		return imap_reply_error(im, &error);
	return imap_reply_no("ALREADYEXISTS", "it is there already");
}

/* delete = "DELETE" SP mailbox   RFC 9051 §6.3.5 */
struct imap_reply imap_cmd_delete(struct imap *im, struct cursor *args)
{
	struct store_mailbox mailbox;
	struct imap_reply reply;
	struct error error;
	slice name;

	if (!name_only(im, args, &name, &reply) || !imap_find_mailbox(im, name, &mailbox, &reply))
		return reply;
	if (!store_mailbox_delete(imap_store(im), im->account, mailbox.id, &error))
		return imap_reply_error(im, &error);
	if (im->view.mailbox == mailbox.id)
		imap_deselect(im);
	imap_notify(im, &(struct store_notice){ im->account, mailbox.id, mailbox.modseq + 1 });
	return imap_reply_ok("deleted");
}

/* The mailboxes below go with it (RFC 9051 §6.3.6). */
static bool rename_children(struct imap *im, slice from, slice to, struct error *error)
{
	struct store_mailbox *mailboxes;
	size_t count;

	if (!store_mailbox_list(imap_store(im), im->account, im->arena, &mailboxes, &count, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		slice name = mailboxes[i].name;

		if (!slice_starts(name, from) || name.n <= from.n || name.p[from.n] != '/')
			continue;
		const char *fresh = arena_printf(
		    im->arena, "%.*s%.*s", SLICE_ARG(to), SLICE_ARG(slice_from(name, from.n)));
		if (!store_mailbox_rename(
			imap_store(im), im->account, mailboxes[i].id, slice_of(fresh), error))
			return false;
	}
	return true;
}

/* RENAME of INBOX moves its messages to a new mailbox and leaves INBOX empty (RFC 9051 §6.3.6). */
static bool rename_inbox(struct imap *im, int64_t inbox, slice to, struct error *error)
{
	struct uid_set *uids = imap_set(im), *from = imap_set(im), *moved = imap_set(im);
	struct store_mailbox mailbox;
	struct store_notice notices[2];
	int64_t target;
	size_t count;

	if (!store_select(imap_store(im), im->account, inbox, im->arena, &mailbox, uids, error) ||
	    !store_mailbox_create(imap_store(im), im->account, to, SLICE(""), &target, error))
		return false;
	if (!store_copy(imap_store(im), im->account, inbox, uids, target, true, from, moved,
		notices, &count, error))
		return false;
	for (size_t i = 0; i < count; i++)
		imap_notify(im, &notices[i]);
	return true;
}

/* rename = "RENAME" SP mailbox SP mailbox */
struct imap_reply imap_cmd_rename(struct imap *im, struct cursor *args)
{
	struct store_mailbox mailbox;
	struct imap_reply reply;
	struct error error;

	parse_space(args);
	slice from = parse_mailbox(args, im->arena, im->utf8);
	parse_space(args);
	slice to = parse_mailbox(args, im->arena, im->utf8);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (!name_is_usable(to) || slice_eq_nocase(to, SLICE("INBOX")))
		return imap_reply_no("CANNOT", "not a name for a mailbox");
	if (!imap_find_mailbox(im, from, &mailbox, &reply))
		return reply;
	bool ok = slice_eq_nocase(from, SLICE("INBOX"))
	    ? rename_inbox(im, mailbox.id, to, &error)
	    : store_mailbox_rename(imap_store(im), im->account, mailbox.id, to, &error) &&
		rename_children(im, from, to, &error);
	if (ok)
		return imap_reply_ok("renamed");
	if (error.fault == FAULT_DENIED)
		return imap_reply_no("ALREADYEXISTS", "there is one of the new name");
	return imap_reply_error(im, &error);
}

static struct imap_reply subscription_set(struct imap *im, struct cursor *args, bool subscribed)
{
	struct store_mailbox mailbox;
	struct imap_reply reply;
	struct error error;
	slice name;

	if (!name_only(im, args, &name, &reply))
		return reply;
	if (!imap_find_mailbox(im, name, &mailbox, &reply)) {
		enum store_answer answer = subscribed
		    ? STORE_ABSENT
		    : store_unsubscribe(imap_store(im), im->account, name, &error);

		if (answer == STORE_FAILED)
			return imap_reply_error(im, &error);
		return answer == STORE_FOUND ? imap_reply_ok("done") : reply;
	}
	if (!store_mailbox_subscribe(imap_store(im), im->account, mailbox.id, subscribed, &error))
		return imap_reply_error(im, &error);
	return imap_reply_ok("done");
}

/* subscribe = "SUBSCRIBE" SP mailbox   RFC 9051 §6.3.7 */
struct imap_reply imap_cmd_subscribe(struct imap *im, struct cursor *args)
{
	return subscription_set(im, args, true);
}

/* unsubscribe = "UNSUBSCRIBE" SP mailbox   RFC 9051 §6.3.8 */
struct imap_reply imap_cmd_unsubscribe(struct imap *im, struct cursor *args)
{
	return subscription_set(im, args, false);
}
