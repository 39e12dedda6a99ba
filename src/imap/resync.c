#include "imap/resync.h"

#include "imap/parse.h"

/* known-uids = sequence-set, without "*" (RFC 7162 §7) */
static void set_parse(struct cursor *c, struct arena *arena, struct sequence *out)
{
	struct cursor before = *c;

	sequence_parse(c, arena, out);
	bool plain = !out->saved;
	for (size_t i = 0; i < out->n; i++)
		plain = plain && !out->ranges[i].star;
	if (plain || c->expected)
		return;
	*c = before;
	cursor_fail(c, "a set without '*' or '$'");
}

/* seq-match-data = "(" known-sequence-set SP known-uid-set ")" */
static void match_parse(struct cursor *c, struct arena *arena, struct resync *out)
{
	out->has_match = true;
	cursor_char(c, '(', "'('");
	set_parse(c, arena, &out->match_numbers);
	parse_space(c);
	set_parse(c, arena, &out->match_uids);
	cursor_char(c, ')', "')'");
}

void resync_parse(struct cursor *c, struct arena *arena, struct resync *out)
{
	out->wanted = true;
	cursor_char(c, '(', "'('");
	out->uidvalidity = parse_number(c);
	parse_space(c);
	out->since = (int64_t)cursor_number(c, INT64_MAX, "modseq");
	if (cursor_try_char(c, ' ')) {
		out->has_known = cursor_peek(c) != '(';
		if (out->has_known)
			set_parse(c, arena, &out->known);
		if (!out->has_known || cursor_try_char(c, ' '))
			match_parse(c, arena, out);
	}
	cursor_char(c, ')', "')'");
}

/* The highest UID up to which nothing is gone that the client knew: its number is what the client thinks. Numbers
 * only fall, so that those of all messages before it are right too. 0: none is. */
static uint32_t matching_uid(struct imap *im, const struct resync *r)
{
	struct uid_set *numbers = imap_set(im), *uids = imap_set(im);
	uint32_t lo = 0, hi;

	sequence_named(&r->match_numbers, UINT32_MAX, numbers);
	sequence_named(&r->match_uids, UINT32_MAX, uids);
	hi = uid_set_count(uids);
	if (uid_set_count(numbers) != hi)
		return 0;
	while (lo < hi) {
		uint32_t middle = hi - (hi - lo) / 2;
		uint32_t uid = uid_set_at(uids, middle);

		if (uid_set_position(&im->view.uids, uid) == uid_set_at(numbers, middle))
			lo = middle;
		else
			hi = middle - 1;
	}
	return uid_set_at(uids, lo);
}

static void resync_free(void *context)
{
	rows_end(&((struct resync *)context)->rows);
}

bool resync_begin(struct imap *im, struct resync *r, struct error *error)
{
	struct store_mailbox mailbox;
	struct view *v = &im->view;

	if (!r->wanted || r->uidvalidity != v->uidvalidity)
		return true;
	r->changed = imap_set(im);
	r->vanished = imap_set(im);
	if (!store_changed(imap_store(im), im->account, v->mailbox, r->since, 1, im->arena,
		&mailbox, r->changed, r->vanished, error))
		return false;
	/* What came and went since the mailbox was opened is told later. */
	uid_set_intersect(r->changed, &v->uids);
	uid_set_remove_all(r->vanished, &v->uids);
	uid_set_remove(r->vanished, v->uidnext, UINT32_MAX);
	if (r->has_known) {
		struct uid_set *known = imap_set(im);

		sequence_named(&r->known, UINT32_MAX, known);
		uid_set_intersect(r->changed, known);
		uid_set_intersect(r->vanished, known);
	}
	if (r->has_match)
		uid_set_remove(r->vanished, 1, matching_uid(im, r));
	rows_begin(&r->rows, r->changed, false);
	arena_defer(im->arena, resync_free, r);
	r->running = true;
	return true;
}

bool resync_step(struct imap *im, struct resync *r)
{
	struct error error;

	if (!r->running)
		return true;
	if (!view_vanished(im, r->vanished, true))
		return false;
	while (!imap_full(im)) {
		if (rows_next(im, &r->rows, &error)) {
			view_tell(im, r->rows.row);
			continue;
		}
		if (r->rows.failed)
			imap_reply_error(im, &error);
		return true;
	}
	return false;
}
