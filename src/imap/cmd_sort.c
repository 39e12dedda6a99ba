/* SORT and THREAD (RFC 5256), SORT with RETURN (RFC 5267 §3). */
#include "imap/searching.h"

#include "imap/envelope.h"
#include "imap/parse.h"
#include "imap/sort.h"
#include "imap/thread.h"
#include "mail/header.h"

/* Octets of an answer that is written at once, before it is sent in pieces. */
#define ANSWER_MAX (32u << 20)

struct sorting {
	struct searching *s;
	struct sort_order order;
	struct thread *thread;
	bool by_subject;
	unsigned returns;
	bool extended;
	struct buf answer;
	slice rest; /* of the answer, still to be sent */
	bool ready;
};

static void sorting_free(void *context)
{
	struct sorting *t = context;

	buf_free(&t->answer);
	if (t->thread)
		thread_free(t->thread);
}

static uint32_t shown_number(void *context, uint32_t uid)
{
	struct imap *im = context;

	return im->uid ? uid : uid_set_position(&im->view.uids, uid);
}

static bool too_many(struct searching *s)
{
	return error_plain(&s->error, FAULT_LIMIT, "too many messages for one answer");
}

/* ---- what is found ---- */

static bool sort_hit(struct searching *s, void *context)
{
	struct sorting *t = context;

	return sort_add(&t->order, imap_charsets(s->im), s->rows.row, s->im->arena, s->arena) ||
	    too_many(s);
}

/* References, or else In-Reply-To's first (RFC 5256 §3, REFERENCES, step 1). Only the message has them. */
static size_t references_read(struct searching *s, const struct envelope *e, slice *ids)
{
	slice message, value;
	size_t n = 0;

	if (!searching_header(s, &message))
		return 0;
	slice header = slice_head(header_of(message), MIME_HEADER);
	if (header_find(header, SLICE("References"), &value))
		n = thread_ids(value, ids, THREAD_REFERENCES + 1);
	if (n == 0 && thread_ids(e->in_reply_to, ids, THREAD_REFERENCES + 1))
		n = 1;
	return n;
}

static bool thread_hit(struct searching *s, void *context)
{
	slice ids[THREAD_REFERENCES + 1], id[THREAD_REFERENCES + 1];
	struct sorting *t = context;
	struct thread_message m = { .uid = s->rows.row->uid, .references = ids };
	struct envelope e;

	envelope_read(s->rows.row->head.envelope, s->arena, &e);
	m.date = sort_date(e.date, s->rows.row);
	slice subject = sort_subject(imap_charsets(s->im), e.subject, s->arena, &m.reply);
	m.subject = arena_copy(s->im->arena, subject);
	if (!t->by_subject) {
		m.reference_count = references_read(s, &e, ids);
		if (thread_ids(e.message_id, id, THREAD_REFERENCES + 1))
			m.id = id[0];
	}
	if (s->error.fault != FAULT_NONE && s->error.fault != FAULT_ABSENT)
		return false;
	return thread_add(t->thread, &m) || too_many(s);
}

/* ---- answers ---- */

/* In the order of the sort; what follows one another is a range, upwards or not. */
static void set_write(struct imap *im, const struct sort_order *order, struct buf *out)
{
	for (size_t i = 0; i < order->n;) {
		uint32_t first = shown_number(im, order->rows[i].uid), last = first;

		buf_addf(out, i ? ",%u" : "%u", first);
		while (++i < order->n && shown_number(im, order->rows[i].uid) == last + 1)
			last++;
		if (last != first)
			buf_addf(out, ":%u", last);
	}
}

static void esearch_write(struct imap *im, const struct sorting *t, struct buf *out)
{
	const struct sort_order *order = &t->order;

	buf_addf(out, "* ESEARCH (TAG \"%.*s\")%s", SLICE_ARG(im->tag), im->uid ? " UID" : "");
	if (order->n && t->returns & SEARCH_RETURN_MIN)
		buf_addf(out, " MIN %u", shown_number(im, order->rows[0].uid));
	if (order->n && t->returns & SEARCH_RETURN_MAX)
		buf_addf(out, " MAX %u", shown_number(im, order->rows[order->n - 1].uid));
	if (t->returns & SEARCH_RETURN_COUNT)
		buf_addf(out, " COUNT %zu", order->n);
	if (order->n && t->returns & SEARCH_RETURN_ALL) {
		buf_adds(out, " ALL ");
		set_write(im, order, out);
	}
}

static void sort_write(struct imap *im, const struct sorting *t, struct buf *out)
{
	if (t->extended) {
		esearch_write(im, t, out);
		return;
	}
	buf_adds(out, "* SORT");
	for (size_t i = 0; i < t->order.n; i++)
		buf_addf(out, " %u", shown_number(im, t->order.rows[i].uid));
}

static void answer_write(struct imap *im, struct sorting *t)
{
	buf_init(&t->answer, ANSWER_MAX);
	if (t->thread) {
		if (t->by_subject)
			thread_by_subject(t->thread);
		else
			thread_by_references(t->thread);
		buf_adds(&t->answer, "* THREAD");
		if (t->s->found->n)
			buf_addc(&t->answer, ' ');
		thread_write(t->thread, shown_number, im, &t->answer);
	} else {
		sort_finish(&t->order);
		if (t->returns & SEARCH_RETURN_SAVE) {
			uid_set_clear(&im->view.saved);
			uid_set_add_all(&im->view.saved, t->s->found);
		}
		sort_write(im, t, &t->answer);
		if (t->s->modseq && t->s->found->n)
			buf_addf(&t->answer, t->extended ? " MODSEQ %lld" : " (MODSEQ %lld)",
			    (long long)t->s->highest);
	}
	buf_adds(&t->answer, "\r\n");
	t->rest = buf_slice(&t->answer);
	if (t->extended && t->returns == SEARCH_RETURN_SAVE)
		t->rest = (slice){ 0 };
	t->ready = true;
}

static struct imap_reply sorting_step(struct imap *im, void *context)
{
	struct sorting *t = context;

	if (!t->ready) {
		enum searching_state state = searching_step(t->s);

		if (state == SEARCHING_FAILED)
			return imap_reply_error(im, &t->s->error);
		if (state == SEARCHING_DONE)
			answer_write(im, t);
		return imap_reply_more();
	}
	while (t->rest.n) {
		slice chunk = slice_head(t->rest, SESSION_CHUNK);

		if (imap_full(im))
			return imap_reply_more();
		buf_add(&im->s->out, chunk);
		t->rest = slice_from(t->rest, chunk.n);
	}
	return imap_reply_ok(t->thread ? "threaded" : "sorted");
}

/* ---- the commands ---- */

static struct sorting *sorting_new(struct imap *im)
{
	struct sorting *t = ARENA_NEW(im->arena, struct sorting);

	t->s = searching_new(im);
	t->s->context = t;
	arena_defer(im->arena, sorting_free, t);
	return t;
}

/* search-criteria = charset 1*(SP search-key) */
static struct imap_reply sorting_begin(struct imap *im, struct cursor *args, struct sorting *t)
{
	struct imap_reply reply;

	parse_space(args);
	if (!searching_parse(t->s, args, true, &reply) || !searching_begin(t->s, true, &reply))
		return reply;
	im->job = (struct job){ .step = sorting_step, .context = t };
	return imap_reply_more();
}

/* sort = "SORT" [search-return-opts] SP sort-criteria SP search-criteria   RFC 5256 §5, RFC 5267 §3 */
struct imap_reply imap_cmd_sort(struct imap *im, struct cursor *args)
{
	struct sorting *t = sorting_new(im);

	parse_space(args);
	t->extended = search_returns_parse(args, &t->returns);
	sort_parse(args, &t->order);
	t->s->hit = sort_hit;
	return sorting_begin(im, args, t);
}

/* thread = "THREAD" SP thread-alg SP search-criteria   RFC 5256 §5 */
struct imap_reply imap_cmd_thread(struct imap *im, struct cursor *args)
{
	struct sorting *t = sorting_new(im);

	parse_space(args);
	t->by_subject = cursor_try(args, SLICE("ORDEREDSUBJECT"));
	if (!t->by_subject && !cursor_try(args, SLICE("REFERENCES")))
		cursor_fail(args, "REFERENCES or ORDEREDSUBJECT");
	t->thread = thread_new(im->arena);
	t->s->hit = thread_hit;
	return sorting_begin(im, args, t);
}
