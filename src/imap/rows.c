#include "imap/rows.h"

#include "imap/internal.h"

/* Messages read from the store at once; three texts of SUMMARY_MAX for each still fit in memory. */
#define ROWS_AT_ONCE 100
/* UIDs between two ranges that are cheaper read and left out than asked around. */
#define GAP 20

void rows_begin(struct rows *r, const struct uid_set *uids, enum store_heads heads)
{
	*r = (struct rows){ .uids = uids, .heads = heads, .next = 1 };
}

void rows_end(struct rows *r)
{
	arena_free(r->arena);
	*r = (struct rows){ .uids = r->uids };
}

/* The next stretch of UIDs to read; false at the end. */
static bool next_range(struct rows *r, uint32_t *lo_out, uint32_t *hi_out)
{
	const struct uid_range *ranges = r->uids->ranges;

	while (r->range < r->uids->n && ranges[r->range].hi < r->next)
		r->range++;
	if (r->range == r->uids->n)
		return false;
	*lo_out = ranges[r->range].lo > r->next ? ranges[r->range].lo : r->next;
	size_t last = r->range;
	while (last + 1 < r->uids->n && ranges[last + 1].lo - ranges[last].hi <= GAP)
		last++;
	*hi_out = ranges[last].hi;
	return true;
}

/* Takes the rows out that nobody asked for. */
static void batch_filter(struct rows *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++)
		if (uid_set_contains(r->uids, r->batch[i].uid))
			r->batch[kept++] = r->batch[i];
	r->count = kept;
}

static bool batch_read(struct imap *im, struct rows *r, struct error *error)
{
	uint32_t lo, hi;

	r->count = r->at = 0;
	while (r->count == 0 && next_range(r, &lo, &hi)) {
		arena_free(r->arena);
		r->arena = arena_new(IMAP_COMMAND_MEMORY);
		if (!store_rows(imap_store(im), im->account, im->view.mailbox, lo, hi, ROWS_AT_ONCE,
			r->heads, r->arena, &r->batch, &r->count, error)) {
			r->count = 0;
			r->failed = true;
			return false;
		}
		r->next = (r->count == ROWS_AT_ONCE ? r->batch[r->count - 1].uid : hi) + 1;
		batch_filter(r);
	}
	return r->count > 0;
}

bool rows_next(struct imap *im, struct rows *r, struct error *error)
{
	r->fresh = r->at == r->count;
	if (r->fresh && !batch_read(im, r, error))
		return false;
	r->row = &r->batch[r->at++];
	return true;
}
