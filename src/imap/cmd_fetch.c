#include "imap/internal.h"

#include "imap/fetch.h"
#include "imap/parse.h"
#include "imap/preview.h"
#include "imap/rows.h"
#include "mail/date.h"
#include "mail/summary.h"

/* Octets of a message that are read for a PREVIEW: texts stand before attachments. */
#define PREVIEW_READ (256 * 1024)

/* A FETCH under way. Memory of a batch of rows and of one message lives beside the command's, so that
 * fetching a whole mailbox takes no more than one message. */
struct fetching {
	struct fetch_items items;
	struct uid_set *uids;
	int64_t since; /* only what has a higher modseq; -1: all */
	bool wants_vanished;
	struct uid_set *vanished; /* since then, still to tell */
	struct rows rows;
	struct uid_set seen; /* of the batch: got \Seen by this FETCH */
	uint32_t told;       /* messages */

	bool begun;  /* the row's "(" is written */
	size_t item; /* of the row */
	bool first;
	bool has_text;         /* of the row */
	struct buf text, room; /* the message, header fields chosen from it */
	struct arena *parts;
	struct mime mime;
	struct part whole; /* its root, where nobody asks for parts */
	slice literal;     /* what is left to send of an item */
	bool unknown;      /* a part has an encoding that BINARY does not know */
	struct imap_reply failed;
};

static void fetching_free(void *context)
{
	struct fetching *f = context;

	buf_free(&f->text);
	buf_free(&f->room);
	uid_set_free(&f->seen);
	arena_free(f->parts);
	rows_end(&f->rows);
}

/* ---- rows ---- */

/* BODY[...] sets \Seen; those that lacked it show their new flags (RFC 9051 §6.4.5). */
static bool batch_see(struct imap *im, struct fetching *f, struct error *error)
{
	struct store_flag_change change = { STORE_FLAGS_ADD, STORE_SEEN, STORE_ANY_MODSEQ };
	struct store_notice notice;
	struct uid_set unseen = { 0 }, refused = { 0 };

	uid_set_clear(&f->seen);
	for (size_t i = 0; i < f->rows.count; i++)
		if (!(f->rows.batch[i].flags & STORE_SEEN))
			uid_set_add(&unseen, f->rows.batch[i].uid, f->rows.batch[i].uid);
	if (unseen.n == 0)
		return true;
	bool ok = store_flags(imap_store(im), im->account, im->view.mailbox, &unseen, &change,
	    &f->seen, &refused, &notice, error);
	uid_set_free(&unseen);
	uid_set_free(&refused);
	if (!ok)
		return false;
	view_own(&im->view, &notice, &change);
	imap_notify(im, &notice);
	for (size_t i = 0; i < f->rows.count; i++)
		if (uid_set_contains(&f->seen, f->rows.batch[i].uid)) {
			f->rows.batch[i].flags |= STORE_SEEN;
			f->rows.batch[i].modseq = notice.modseq;
		}
	return true;
}

/* The next row; false at the end, or f->failed says why. */
static bool row_next(struct imap *im, struct fetching *f)
{
	struct error error;

	if (!rows_next(im, &f->rows, &error)) {
		if (f->rows.failed)
			f->failed = imap_reply_error(im, &error);
		return false;
	}
	if (f->rows.fresh && f->items.sets_seen && !im->view.read_only &&
	    !batch_see(im, f, &error)) {
		f->failed = imap_reply_error(im, &error);
		return false;
	}
	return true;
}

/* The message text; false when it is gone, or f->failed says why. */
static bool text_read(struct imap *im, struct fetching *f)
{
	struct error error;

	arena_free(f->parts);
	f->parts = NULL;
	if (!f->items.texts && !f->items.previews)
		return true;
	bool ok = f->items.texts
	    ? store_body(imap_store(im), im->account, f->rows.row->body, &f->text, &error)
	    : store_body_head(
		  imap_store(im), im->account, f->rows.row->body, PREVIEW_READ, &f->text, &error);
	if (ok && !f->items.parts) {
		f->whole = (struct part){ .header = slice_head(buf_slice(&f->text), 0),
			.body = buf_slice(&f->text) };
		f->mime.root = &f->whole;
		return true;
	}
	if (ok) {
		f->parts = arena_new(2 * (size_t)MIME_ARENA);
		mime_parse(buf_slice(&f->text), f->parts, &f->mime);
		return true;
	}
	if (error.fault != FAULT_ABSENT)
		f->failed = imap_reply_error(im, &error);
	return false;
}

/* ---- items ---- */

static void date_item(struct imap *im, int64_t received_us)
{
	struct date date = { .seconds = received_us / 1000000 };

	date_internal_write(&date, &im->s->out);
}

static void preview_item(struct imap *im, const struct fetching *f)
{
	struct buf words;

	buf_init(&words, PREVIEW_ROOM);
	preview_write(imap_charsets(im), f->mime.root, &words);
	imap_string_write(buf_slice(&words), &im->s->out);
	buf_free(&words);
}

/* Announces the octets, which literal_send sends. An encoding that is not known makes NO of the answer
 * (RFC 3516 §4.3); NUL needs a literal8. */
static void section_item(struct imap *im, struct fetching *f, const struct fetch_item *item)
{
	slice text = { 0 };

	fetch_label_write(item, &im->s->out);
	buf_init(&f->room, f->text.n + 16);
	enum fetch_answer answer = fetch_section(f->mime.root, item, &f->room, &text);
	f->unknown |= answer == FETCH_UNKNOWN_ENCODING;
	if (item->kind == FETCH_BINARY_SIZE) {
		buf_addf(&im->s->out, " %zu", answer == FETCH_FOUND ? text.n : 0);
		return;
	}
	if (answer != FETCH_FOUND) {
		buf_adds(&im->s->out, " NIL");
		return;
	}
	bool eight = item->kind == FETCH_BINARY && slice_find(text, '\0') < text.n;
	buf_addf(&im->s->out, " %s{%zu}\r\n", eight ? "~" : "", text.n);
	f->literal = text;
}

/* Sends what is left of a literal; false when the output must drain first. */
static bool literal_send(struct imap *im, struct fetching *f)
{
	while (f->literal.n) {
		if (imap_full(im))
			return false;
		slice chunk = slice_head(f->literal, SESSION_CHUNK);

		buf_add(&im->s->out, chunk);
		f->literal = slice_from(f->literal, chunk.n);
	}
	buf_free(&f->room);
	return true;
}

static void value_write(struct imap *im, struct fetching *f, enum fetch_kind kind)
{
	const struct store_row *row = f->rows.row;
	struct buf *out = &im->s->out;

	switch (kind) {
	case FETCH_FLAGS:
		imap_print_flags(im, row);
		break;
	case FETCH_UID:
		buf_addf(out, "%u", row->uid);
		break;
	case FETCH_INTERNALDATE:
		date_item(im, row->received_us);
		break;
	case FETCH_SAVEDATE:
		if (row->saved_us)
			date_item(im, row->saved_us);
		else
			buf_adds(out, "NIL");
		break;
	case FETCH_MODSEQ:
		buf_addf(out, "(%lld)", (long long)row->modseq);
		break;
	case FETCH_SIZE:
		buf_addf(out, "%lld", (long long)row->size);
		break;
	case FETCH_ENVELOPE:
		buf_add(out, row->head.envelope);
		break;
	case FETCH_BODY:
		buf_add(out, row->head.structure);
		break;
	case FETCH_BODYSTRUCTURE:
		buf_add(out, row->head.bodystructure);
		break;
	case FETCH_EMAILID: /* a copy has the same body */
		buf_addf(out, "(" IMAP_EMAIL_ID ")", (long long)row->body);
		break;
	case FETCH_THREADID:
		buf_adds(out, "NIL");
		break;
	case FETCH_PREVIEW:
		preview_item(im, f);
		break;
	case FETCH_SECTION:
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		break;
	}
}

static void item_write(struct imap *im, struct fetching *f, const struct fetch_item *item)
{
	if (!f->first)
		buf_addc(&im->s->out, ' ');
	f->first = false;
	if (item->kind >= FETCH_SECTION) {
		section_item(im, f, item);
		return;
	}
	buf_addf(&im->s->out, "%s ", item->name);
	value_write(im, f, item->kind);
}

/* What was not asked for but must be said: the UID in answers to UID FETCH, flags that changed. */
static void row_begin(struct imap *im, struct fetching *f)
{
	static const struct fetch_item uid = { .kind = FETCH_UID, .name = "UID" };
	static const struct fetch_item modseq = { .kind = FETCH_MODSEQ, .name = "MODSEQ" };
	static const struct fetch_item flags = { .kind = FETCH_FLAGS, .name = "FLAGS" };

	buf_addf(&im->s->out, "* %u FETCH (", uid_set_position(&im->view.uids, f->rows.row->uid));
	f->begun = f->first = true;
	f->item = 0;
	bool seen = uid_set_contains(&f->seen, f->rows.row->uid);
	/* RFC 7162 §3.2.4 */
	if ((im->uid || (seen && im->qresync)) && !f->items.has_uid)
		item_write(im, f, &uid);
	if (!f->items.has_flags && seen)
		item_write(im, f, &flags);
	/* CHANGEDSINCE asks for it too (RFC 7162 §3.1.4.1). */
	if (!f->items.has_modseq && (f->since >= 0 || (seen && im->condstore)))
		item_write(im, f, &modseq);
}

/* Writes one row, or goes on with it; false when the output must drain first. */
static bool row_write(struct imap *im, struct fetching *f)
{
	if (!f->begun) {
		if (!text_read(im, f))
			return true;
		row_begin(im, f);
		f->told++;
	}
	for (;;) {
		if (!literal_send(im, f))
			return false;
		if (f->item == f->items.n)
			break;
		item_write(im, f, &f->items.items[f->item++]);
	}
	buf_adds(&im->s->out, ")\r\n");
	f->begun = false;
	return true;
}

static struct imap_reply fetch_step(struct imap *im, void *context)
{
	struct fetching *f = context;

	if (f->vanished && !view_vanished(im, f->vanished, true))
		return imap_reply_more();
	while (!f->failed.text) {
		if (imap_full(im))
			return imap_reply_more();
		if (!f->begun && !row_next(im, f))
			break;
		if (!row_write(im, f))
			return imap_reply_more();
	}
	if (f->failed.text)
		return f->failed;
	if (f->unknown)
		return imap_reply_no("UNKNOWN-CTE", "an encoding is not known");
	if (f->told < uid_set_count(f->uids) && !im->uid)
		return imap_reply_no("EXPUNGEISSUED", "some of the messages are gone");
	return imap_reply_ok("fetched");
}

/* fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"   RFC 7162 §3.1.4.1, §3.2.6 */
static void modifier_parse(struct cursor *args, struct fetching *f)
{
	if (cursor_try(args, SLICE("VANISHED")))
		f->wants_vanished = true;
	else if (cursor_try(args, SLICE("CHANGEDSINCE ")))
		f->since = (int64_t)cursor_number(args, INT64_MAX, "modseq");
	else
		cursor_fail(args, "CHANGEDSINCE or VANISHED");
}

/* fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")" */
static void modifiers_parse(struct cursor *args, struct fetching *f)
{
	f->since = -1;
	if (!cursor_try(args, SLICE(" (")))
		return;
	do
		modifier_parse(args, f);
	while (cursor_try_char(args, ' '));
	cursor_char(args, ')', "')'");
}

/* Leaves only those that changed; and says which are gone of those that the command names. */
static bool choose_changed(
    struct imap *im, struct fetching *f, const struct sequence *sequence, struct error *error)
{
	struct uid_set *changed = imap_set(im), *vanished = imap_set(im), *named = imap_set(im);
	struct store_mailbox mailbox;

	bool ok = store_changed(imap_store(im), im->account, im->view.mailbox, f->since, 1,
	    im->arena, &mailbox, changed, vanished, error);
	uid_set_intersect(f->uids, changed);
	if (!f->wants_vanished)
		return ok;
	/* "*" may be a message that is gone. */
	if (sequence->saved)
		uid_set_add_all(named, &im->view.saved);
	else
		sequence_named(sequence, im->view.uidnext - 1, named);
	uid_set_intersect(vanished, named);
	uid_set_remove_all(vanished, &im->view.uids);
	uid_set_remove(vanished, im->view.uidnext, UINT32_MAX);
	f->vanished = vanished;
	return ok;
}

/* fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" ... ")") [fetch-modifiers]
 * RFC 9051 §6.4.5 */
struct imap_reply imap_cmd_fetch(struct imap *im, struct cursor *args)
{
	struct fetching *f = ARENA_NEW(im->arena, struct fetching);
	struct sequence sequence;
	struct imap_reply reply;
	struct error error;

	parse_space(args);
	sequence_parse(args, im->arena, &sequence);
	parse_space(args);
	fetch_parse(args, im->arena, &f->items);
	modifiers_parse(args, f);
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	if (f->wants_vanished && (f->since < 0 || !im->uid || !im->qresync))
		return imap_reply_bad(
		    im, "VANISHED goes with UID FETCH and CHANGEDSINCE, after ENABLE QRESYNC");
	buf_init(&f->text, IMAP_MESSAGE);
	arena_defer(im->arena, fetching_free, f);
	if (!imap_resolve(im, &sequence, &f->uids, &reply))
		return reply;
	if (f->since >= 0 || f->items.has_modseq)
		imap_condstore(im, true);
	if (f->since >= 0 && !choose_changed(im, f, &sequence, &error))
		return imap_reply_error(im, &error);
	rows_begin(&f->rows, f->uids,
	    f->items.structures  ? STORE_HEADS
		: f->items.heads ? STORE_ENVELOPES
				 : STORE_NO_HEADS);
	im->job = (struct job){ .step = fetch_step, .context = f };
	return imap_reply_more();
}
