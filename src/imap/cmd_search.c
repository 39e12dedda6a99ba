/* SEARCH (RFC 9051 §6.4.4) and its answers: SEARCH, ESEARCH (RFC 4731), "$" (RFC 5182). */
#include "imap/searching.h"

#include "imap/parse.h"

struct command_search {
	struct searching *s;
	unsigned returns;
	bool extended;         /* RETURN stood there: the answer is ESEARCH */
	struct uid_set *shown; /* the answer: UIDs or numbers; NULL until it is there */
	size_t range;          /* being printed */
	uint32_t next;
};

/* What "$" means from now on: all that was found, or the ends that were asked for (RFC 5182 §2.1). */
static void result_save(struct imap *im, const struct command_search *c)
{
	struct uid_set *saved = &im->view.saved;

	uid_set_clear(saved);
	if (c->s->found->n == 0)
		return;
	if (!(c->returns & (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX)) ||
	    c->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT)) {
		uid_set_add_all(saved, c->s->found);
		return;
	}
	uint32_t first = c->s->found->ranges[0].lo, last = uid_set_last(c->s->found);
	if (c->returns & SEARCH_RETURN_MIN)
		uid_set_add(saved, first, first);
	if (c->returns & SEARCH_RETURN_MAX)
		uid_set_add(saved, last, last);
}

/* Of the messages that are told of: all, or the ends (RFC 4731 §3.2). */
static int64_t answer_modseq(const struct command_search *c)
{
	int64_t modseq = 0;

	if (c->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT) ||
	    !(c->returns & (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX)))
		return c->s->highest;
	if (c->returns & SEARCH_RETURN_MIN)
		modseq = c->s->first_modseq;
	if (c->returns & SEARCH_RETURN_MAX && c->s->last_modseq > modseq)
		modseq = c->s->last_modseq;
	return modseq;
}

/* esearch-response = "ESEARCH" [SP "(" "TAG" SP tag-string ")"] [SP "UID"] *(SP search-return-data) */
static void extended_begin(struct imap *im, const struct command_search *c)
{
	struct buf *out = &im->s->out;

	buf_addf(out, "* ESEARCH (TAG \"%.*s\")%s", SLICE_ARG(im->tag), im->uid ? " UID" : "");
	if (c->returns & SEARCH_RETURN_MIN && c->shown->n)
		buf_addf(out, " MIN %u", c->shown->ranges[0].lo);
	if (c->returns & SEARCH_RETURN_MAX && c->shown->n)
		buf_addf(out, " MAX %u", uid_set_last(c->shown));
	if (c->returns & SEARCH_RETURN_COUNT)
		buf_addf(out, " COUNT %u", uid_set_count(c->shown));
	if (c->returns & SEARCH_RETURN_ALL && c->shown->n)
		buf_adds(out, " ALL");
}

/* All was looked at. Numbers of neighbours are neighbours too, whatever UIDs are missing between them. */
static void answer_begin(struct imap *im, struct command_search *c)
{
	c->shown = c->s->found;
	if (!im->uid) {
		c->shown = imap_set(im);
		for (size_t i = 0; i < c->s->found->n; i++)
			uid_set_add(c->shown,
			    uid_set_position(&im->view.uids, c->s->found->ranges[i].lo),
			    uid_set_position(&im->view.uids, c->s->found->ranges[i].hi));
	}
	if (c->returns & SEARCH_RETURN_SAVE)
		result_save(im, c);
	c->next = c->shown->n ? c->shown->ranges[0].lo : 0;
	if (!c->extended)
		buf_adds(&im->s->out, "* SEARCH");
	else if (c->returns != SEARCH_RETURN_SAVE)
		extended_begin(im, c);
}

/* "ALL" SP sequence-set; false when the output must drain first */
static bool set_print(struct imap *im, struct command_search *c)
{
	for (; c->range < c->shown->n; c->range++) {
		struct uid_range range = c->shown->ranges[c->range];

		if (imap_full(im))
			return false;
		buf_addf(&im->s->out, c->range ? ",%u" : " %u", range.lo);
		if (range.hi > range.lo)
			buf_addf(&im->s->out, ":%u", range.hi);
	}
	return true;
}

/* *(SP nz-number); false when the output must drain first */
static bool numbers_print(struct imap *im, struct command_search *c)
{
	while (c->range < c->shown->n) {
		if (imap_full(im))
			return false;
		buf_addf(&im->s->out, " %u", c->next);
		if (c->next++ == c->shown->ranges[c->range].hi && ++c->range < c->shown->n)
			c->next = c->shown->ranges[c->range].lo;
	}
	return true;
}

static struct imap_reply print_step(struct imap *im, struct command_search *c)
{
	if (c->extended && c->returns == SEARCH_RETURN_SAVE)
		return imap_reply_ok("searched and kept");
	if (c->extended && c->returns & SEARCH_RETURN_ALL && !set_print(im, c))
		return imap_reply_more();
	if (!c->extended && !numbers_print(im, c))
		return imap_reply_more();
	if (c->s->modseq && c->shown->n)
		buf_addf(&im->s->out, c->extended ? " MODSEQ %lld" : " (MODSEQ %lld)",
		    (long long)answer_modseq(c));
	buf_adds(&im->s->out, "\r\n");
	return imap_reply_ok("searched");
}

static struct imap_reply search_step(struct imap *im, void *context)
{
	struct command_search *c = context;

	if (c->shown)
		return print_step(im, c);
	switch (searching_step(c->s)) {
	case SEARCHING_FAILED:
		return imap_reply_error(im, &c->s->error);
	case SEARCHING_DONE:
		answer_begin(im, c);
		break;
	case SEARCHING_MORE:
		break;
	}
	return imap_reply_more();
}

/* search = "SEARCH" [search-return-opts] [SP "CHARSET" SP charset] 1*(SP search-key)   RFC 9051 §6.4.4 */
struct imap_reply imap_cmd_search(struct imap *im, struct cursor *args)
{
	struct command_search *c = ARENA_NEW(im->arena, struct command_search);
	struct imap_reply reply;

	c->s = searching_new(im);
	parse_space(args);
	c->extended = search_returns_parse(args, &c->returns);
	if (!c->extended && im->rev2) { /* RFC 9051 §7.3.4: there is no other answer */
		c->extended = true;
		c->returns = SEARCH_RETURN_ALL;
	}
	if (!searching_parse(c->s, args, false, &reply) || !searching_begin(c->s, false, &reply)) {
		/* A search that fails leaves nothing to find (RFC 5182 §2.1); BAD changes nothing. */
		if (reply.status == IMAP_NO && c->returns & SEARCH_RETURN_SAVE)
			uid_set_clear(&im->view.saved);
		return reply;
	}
	im->job = (struct job){ .step = search_step, .context = c };
	return imap_reply_more();
}
