#include "imap/view.h"

#include "base/log.h"
#include "imap/internal.h"

#define VANISHED_RANGES 1000 /* of one line */

void view_close(struct view *v)
{
	uid_set_free(&v->uids);
	uid_set_free(&v->recent);
	uid_set_free(&v->saved);
	*v = (struct view){ 0 };
}

/* On a full disk nothing can be claimed: then they are recent here and, perhaps, once more elsewhere, which RFC
 * 3501 §2.3.2 prefers to a mailbox that cannot be read. */
void view_claim(struct imap *im, const struct store_mailbox *now)
{
	struct view *v = &im->view;
	uint32_t from = now->recent, to = now->uidnext;
	struct error error;

	/* RFC 9051 knows no recent messages: they are left to sessions that do. */
	if (from >= to || im->rev2)
		return;
	if (!v->read_only &&
	    !store_claim_recent(imap_store(im), im->account, v->mailbox, &from, &to, &error))
		log_warn("imap.unclaimed", kv_str("s", im->s->id), kv_why(&error));
	if (from < to)
		uid_set_add(&v->recent, from ? from : 1, to - 1);
}

uint32_t view_recent(const struct view *v)
{
	struct uid_set both = { 0 };

	uid_set_add_all(&both, &v->recent);
	uid_set_intersect(&both, &v->uids);
	uint32_t count = uid_set_count(&both);
	uid_set_free(&both);
	return count;
}

void view_own(
    struct view *v, const struct store_notice *notice, const struct store_flag_change *change)
{
	bool keywords =
	    change->op != STORE_FLAGS_REMOVE && change->flags >> STORE_KEYWORD_FIRST != 0;

	if (notice->modseq == 0)
		return;
	v->fresh = notice->before == v->modseq && !keywords;
	if (v->fresh)
		v->modseq = notice->modseq;
	else if (v->own_count < VIEW_OWN) /* one too many is told twice, which harms nobody */
		v->own[v->own_count++] = notice->modseq;
}

static bool is_own(const struct view *v, int64_t modseq)
{
	for (size_t i = 0; i < v->own_count; i++)
		if (v->own[i] == modseq)
			return true;
	return false;
}

void view_sync_end(struct view_sync *sync)
{
	rows_end(&sync->rows);
	uid_set_free(&sync->changed);
	uid_set_free(&sync->vanished);
	arena_free(sync->arena);
	*sync = (struct view_sync){ 0 };
}

/* Is there anything new at all? One row, cheap. */
static enum view_found look(struct imap *im, struct error *error)
{
	struct store_mailbox now;

	switch (store_mailbox_status(
	    imap_store(im), im->account, im->view.mailbox, im->sync.arena, &now, error)) {
	case STORE_FOUND:
		return now.modseq == im->view.modseq ? VIEW_SAME : VIEW_CHANGED;
	case STORE_ABSENT:
		return VIEW_LOST;
	case STORE_FAILED:
		imap_reply_error(im, error);
		break;
	}
	return VIEW_SAME;
}

enum view_found view_sync_begin(struct imap *im, bool may_expunge)
{
	struct view *v = &im->view;
	struct view_sync *sync = &im->sync;
	struct error error;

	*sync = (struct view_sync){ .arena = arena_new(IMAP_COMMAND_MEMORY),
		.new_first = sync->new_first };
	enum view_found found = look(im, &error);
	if (found == VIEW_CHANGED &&
	    !store_changed(imap_store(im), im->account, v->mailbox, v->modseq, v->uidnext,
		sync->arena, &sync->mailbox, &sync->changed, &sync->vanished, &error)) {
		imap_reply_error(im, &error);
		found = VIEW_SAME;
	}
	uid_set_intersect(&sync->vanished, &v->uids);
	/* Told in parts, numbers would be wrong; the next command will tell all. */
	if (found == VIEW_CHANGED && !may_expunge && sync->vanished.n)
		found = VIEW_SAME;
	sync->running = found == VIEW_CHANGED;
	if (!sync->running)
		view_sync_end(sync);
	return found;
}

bool view_vanished(struct imap *im, struct uid_set *set, bool earlier)
{
	while (set->n) {
		struct uid_set part = { .ranges = set->ranges, .n = set->n };

		if (imap_full(im))
			return false;
		if (part.n > VANISHED_RANGES)
			part.n = VANISHED_RANGES;
		buf_adds(&im->s->out, earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
		uid_set_print(&part, &im->s->out);
		buf_adds(&im->s->out, "\r\n");
		if (!earlier)
			uid_set_remove_all(&im->view.uids, &part);
		uid_set_remove(set, set->ranges[0].lo, set->ranges[part.n - 1].hi);
	}
	return true;
}

bool view_expunge(struct imap *im, struct uid_set *set)
{
	struct uid_set *uids = &im->view.uids;

	if (im->qresync)
		return view_vanished(im, set, false);
	while (set->n) {
		struct uid_range range = set->ranges[set->n - 1];
		uint32_t hi = range.hi;

		/* Highest first: the numbers below stay what they are. */
		for (; hi >= range.lo && !imap_full(im); hi--)
			buf_addf(&im->s->out, "* %u EXPUNGE\r\n", uid_set_position(uids, hi));
		if (hi == range.hi)
			return false;
		uid_set_remove(uids, hi + 1, range.hi);
		uid_set_remove(set, hi + 1, range.hi);
	}
	return true;
}

/* New messages enter the view; EXISTS says how many there are now. Their flags are for the client to
 * ask. */
static void tell_new(struct imap *im)
{
	struct view *v = &im->view;
	struct uid_set *changed = &im->sync.changed;
	uint32_t before = uid_set_count(&v->uids);

	for (size_t i = 0; i < changed->n; i++) {
		struct uid_range range = changed->ranges[i];

		if (range.hi >= v->uidnext)
			uid_set_add(
			    &v->uids, range.lo > v->uidnext ? range.lo : v->uidnext, range.hi);
	}
	uid_set_remove(changed, v->uidnext, UINT32_MAX);
	if (uid_set_count(&v->uids) == before)
		return;
	buf_addf(&im->s->out, "* %u EXISTS\r\n", uid_set_count(&v->uids));
	uint32_t recent = view_recent(v);
	view_claim(im, &im->sync.mailbox);
	if (view_recent(v) != recent)
		buf_addf(&im->s->out, "* %u RECENT\r\n", view_recent(v));
}

/* A keyword that was not there at SELECT is announced before it is used (RFC 9051 §7.3.5). */
static void tell_keywords(struct imap *im)
{
	slice *names = imap_keywords(im);
	size_t count = 0;

	for (int bit = 0; bit < 64; bit++)
		count += names[bit].n > 0;
	if (count == im->view.keyword_count)
		return;
	im->view.keyword_count = count;
	buf_adds(&im->s->out, "* FLAGS ");
	imap_print_flag_names(im, false);
	buf_adds(&im->s->out, "\r\n");
}

void view_tell(struct imap *im, const struct store_row *row)
{
	buf_addf(&im->s->out, "* %u FETCH (UID %u ", uid_set_position(&im->view.uids, row->uid),
	    row->uid);
	imap_print_state(im, row);
	buf_adds(&im->s->out, ")\r\n");
}

static void tell_flags(struct imap *im, const struct store_row *row)
{
	if (uid_set_contains(&im->view.uids, row->uid) && !is_own(&im->view, row->modseq))
		view_tell(im, row);
}

bool view_sync_step(struct imap *im)
{
	struct view_sync *sync = &im->sync;
	struct view *v = &im->view;
	struct error error;

	if (sync->new_first) {
		sync->new_first = false;
		tell_new(im);
	}
	if (!view_expunge(im, &sync->vanished))
		return false;
	if (!sync->counted) {
		sync->counted = true;
		im->keywords = NULL;
		tell_new(im);
		tell_keywords(im);
		rows_begin(&sync->rows, &sync->changed, false);
	}
	while (!imap_full(im)) {
		if (rows_next(im, &sync->rows, &error)) {
			tell_flags(im, sync->rows.row);
			continue;
		}
		if (sync->rows.failed)
			imap_reply_error(im, &error);
		v->uidnext = sync->mailbox.uidnext;
		v->modseq = sync->mailbox.modseq;
		v->own_count = 0;
		view_sync_end(sync);
		return true;
	}
	return false;
}
