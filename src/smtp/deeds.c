/* What a policy does to a message: changes, recipients, and the copies that come of them. Nothing is changed in the
 * message itself: it goes to the spool as it came, and the envelope says what is done at delivery. */
#include "base/hash.h"
#include "base/map.h"
#include "smtp/internal.h"

#define WANTED_MAX 4000 /* of a message */

static struct transaction *tx_of(void *host)
{
	return ((struct smtp *)((struct session *)host)->state)->tx;
}

/* ---- changes ---- */

static void want(struct transaction *tx, const struct wanted *w)
{
	struct judged *j = &tx->judged;

	if (j->wanted_count == j->wanted_room) {
		size_t room = j->wanted_room ? 2 * j->wanted_room : 8;
		struct wanted *more = ARENA_ARRAY(tx->arena, struct wanted, room);

		if (j->wanted_count)
			memcpy(more, j->wanted, j->wanted_count * sizeof *more);
		j->wanted = more;
		j->wanted_room = room;
	}
	j->wanted[j->wanted_count] = *w;
	struct envelope_change *c = &j->wanted[j->wanted_count++].change;
	c->name = arena_copy(tx->arena, c->name);
	c->value = arena_copy(tx->arena, c->value);
}

void deeds_want(struct transaction *tx, uint64_t kind, slice name, slice value, size_t number)
{
	struct wanted w = {
		.change = { .kind = kind, .name = name, .value = value },
		.number = number,
		.group = number == tx->judged.in_hand && tx->judged.group,
	};

	want(tx, &w);
}

void deeds_forget(struct transaction *tx, size_t number)
{
	struct judged *j = &tx->judged;
	size_t kept = 0;

	for (size_t i = 0; i < j->wanted_count; i++)
		if (j->wanted[i].number != number)
			j->wanted[kept++] = j->wanted[i];
	j->wanted_count = kept;
	kept = 0;
	for (size_t i = 0; i < tx->recipient_count; i++)
		if (tx->recipients[i].copy != number)
			tx->recipients[kept++] = tx->recipients[i];
	tx->recipient_count = kept;
}

void deeds_sweep(struct transaction *tx)
{
	size_t kept = 0;

	for (size_t i = 0; i < tx->recipient_count; i++)
		if (tx->recipients[i].account)
			tx->recipients[kept++] = tx->recipients[i];
	tx->recipient_count = kept;
}

static bool change(void *host, const struct envelope_change *c, struct error *error)
{
	struct transaction *tx = tx_of(host);

	if (tx->judged.wanted_count >= WANTED_MAX)
		return error_plain(
		    error, FAULT_LIMIT, "the policy wants more than %d changes", WANTED_MAX);
	deeds_want(tx, c->kind, c->name, c->value, tx->judged.in_hand);
	return true;
}

/* ---- groups: numbers with the same changes ---- */

static bool is_own(const struct wanted *w, size_t number)
{
	return !w->group && w->number == number;
}

static bool same_change(const struct envelope_change *a, const struct envelope_change *b)
{
	return a->kind == b->kind && slice_eq(a->name, b->name) && slice_eq(a->value, b->value);
}

static bool same_wanted(const struct judged *j, size_t one, size_t other)
{
	size_t a = 0, b = 0;

	for (;; a++, b++) {
		while (a < j->wanted_count && !is_own(&j->wanted[a], one))
			a++;
		while (b < j->wanted_count && !is_own(&j->wanted[b], other))
			b++;
		if (a == j->wanted_count || b == j->wanted_count)
			return a == j->wanted_count && b == j->wanted_count;
		if (!same_change(&j->wanted[a].change, &j->wanted[b].change))
			return false;
	}
}

/* Equal for numbers with the same changes. */
static uint64_t *fingerprints(const struct transaction *tx)
{
	const struct judged *j = &tx->judged;
	uint64_t *prints = ARENA_ARRAY(tx->arena, uint64_t, j->numbers + 1);
	struct hash_key key = { { 0 } };

	for (size_t i = 0; i < j->wanted_count; i++) {
		const struct wanted *w = &j->wanted[i];

		if (w->group || w->number == NUMBER_ALL)
			continue;
		uint64_t *print = &prints[w->number];
		*print = *print * 31 + w->change.kind + 1;
		*print = *print * 31 + hash_keyed(&key, w->change.name);
		*print = *print * 31 + hash_keyed(&key, w->change.value);
	}
	return prints;
}

void deeds_regroup(struct transaction *tx)
{
	struct judged *j = &tx->judged;
	struct map first = { 0 };

	j->groups = ARENA_ARRAY(tx->arena, size_t, j->numbers + 1);
	const uint64_t *prints = fingerprints(tx);
	for (size_t n = 1; n <= j->numbers; n++) {
		size_t *found = map_get(&first, prints[n] + 1);

		j->groups[n] = found && same_wanted(j, *found, n) ? *found : n;
		if (!found) {
			found = ARENA_NEW(tx->arena, size_t);
			*found = n;
			map_set(&first, prints[n] + 1, found);
		}
	}
	map_free(&first);
}

/* Is it wanted for the group? */
static bool is_for(const struct wanted *w, size_t group)
{
	return w->number == NUMBER_ALL || w->number == group;
}

/* ---- the header as it is now ---- */

static slice header(void *host)
{
	struct session *s = host;
	struct transaction *tx = tx_of(host);
	struct judged *j = tx ? &tx->judged : NULL;
	struct buf out;
	size_t n = 0;

	if (!j || !tx->header.n)
		return SLICE("");
	if (j->viewed && j->view_of == j->wanted_count)
		return j->view;
	struct edit *edits = ARENA_ARRAY(s->turn, struct edit, j->wanted_count + 1);
	for (size_t i = 0; i < j->wanted_count; i++)
		if (is_for(&j->wanted[i], j->in_hand) && j->wanted[i].change.kind < EDIT_KINDS)
			edits[n++] = (struct edit){ (enum edit_kind)j->wanted[i].change.kind,
				j->wanted[i].change.name, j->wanted[i].change.value };
	j->view = buf_slice(&tx->header);
	if (n) {
		buf_init(&out, 2 * tx->header.n + WANTED_MAX * 2000);
		edit_apply(buf_slice(&tx->header), edits, n, s->turn, &out);
		j->view = arena_copy(s->turn, buf_slice(&out));
		buf_free(&out);
	}
	j->view_of = j->wanted_count;
	j->viewed = true;
	return j->view;
}

/* ---- recipients ---- */

/* Whom the address leads to, here. */
static bool find(
    struct session *s, slice address, struct directory_recipients *out, struct error *error)
{
	struct address parsed;

	if (!address_parse(address, s->turn, &parsed))
		return error_input(error, "%.*s is no address", SLICE_ARG(address));
	switch (smtp_resolve(s, &parsed, out, error)) {
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_NO_ACCOUNT:
		return error_plain(
		    error, FAULT_ABSENT, "there is no mailbox %.*s here", SLICE_ARG(address));
	case DIRECTORY_NO_DOMAIN:
		return error_plain(error, FAULT_ABSENT,
		    "%.*s is not ours, and sending to other servers is not there yet",
		    SLICE_ARG(address));
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool add(struct session *s, slice address, size_t number, struct error *error)
{
	struct transaction *tx = tx_of(s);
	struct directory_recipients to;
	struct envelope_recipient like = { .copy = number };

	if (!find(s, address, &to, error))
		return false;
	like.address = arena_copy(tx->arena, address);
	return tx_add_recipients(tx, &to, &like) ||
	    error_plain(error, FAULT_DENIED,
		"%.*s gets no mail: it is disabled, or there are too many", SLICE_ARG(address));
}

/* Which numbers get nothing: that in hand and its group, or of a message all. */
static void drop(struct transaction *tx, slice address)
{
	struct judged *j = &tx->judged;

	for (size_t i = 0; i < tx->recipient_count; i++) {
		struct envelope_recipient *r = &tx->recipients[i];
		bool ours = !j->group || j->groups[r->copy] == j->in_hand;

		if (r->copy != NUMBER_AS_IT_CAME && ours &&
		    (!address.n || slice_eq_nocase(r->address, address)))
			r->account = 0; /* nobody; taken out when the event is over */
	}
}

static bool recipient(void *host, enum policy_recipient what, slice address, struct error *error)
{
	struct session *s = host;
	struct transaction *tx = tx_of(host);
	struct judged *j = &tx->judged;
	size_t number = j->in_hand == NUMBER_ALL ? ++j->numbers : j->in_hand;

	switch (what) {
	case RECIPIENT_ARCHIVE:
		return add(s, address, NUMBER_AS_IT_CAME, error);
	case RECIPIENT_ADD:
		return add(s, address, number, error);
	case RECIPIENT_DISCARD:
	case RECIPIENT_REDIRECT:
		break;
	}
	if (!j->group && j->in_hand != NUMBER_ALL && (!address.n || what == RECIPIENT_REDIRECT))
		j->dropped = true; /* the recipient in hand is not there yet */
	else
		drop(tx, what == RECIPIENT_REDIRECT ? SLICE("") : address);
	return what == RECIPIENT_DISCARD || add(s, address, number, error);
}

const struct policy_deeds smtp_deeds = {
	.change = change, .recipient = recipient, .header = header
};

/* ---- the envelope ---- */

static bool is_discarded(const struct judged *j, size_t group)
{
	for (size_t i = 0; i < j->wanted_count; i++)
		if (is_for(&j->wanted[i], group) && j->wanted[i].change.kind == CHANGE_DISCARD)
			return true;
	return false;
}

slice deeds_why_discarded(const struct transaction *tx)
{
	for (size_t i = 0; i < tx->judged.wanted_count; i++)
		if (tx->judged.wanted[i].change.kind == CHANGE_DISCARD)
			return tx->judged.wanted[i].change.name;
	return SLICE("the policy dropped each recipient");
}

/* The copy's number for the group; 0: nothing is changed. */
static uint64_t copy_of(struct transaction *tx, size_t group, size_t *groups, struct envelope *out)
{
	const struct judged *j = &tx->judged;
	struct envelope_copy *copy = &out->copies[out->copy_count];

	for (size_t i = 0; i < out->copy_count; i++)
		if (groups[i] == group)
			return i + 1;
	copy->changes = ARENA_ARRAY(tx->arena, struct envelope_change, j->wanted_count + 1);
	for (size_t i = 0; i < j->wanted_count; i++)
		if (is_for(&j->wanted[i], group) && copy->count < ENVELOPE_CHANGES)
			copy->changes[copy->count++] = j->wanted[i].change;
	if (!copy->count)
		return 0;
	groups[out->copy_count++] = group;
	return out->copy_count;
}

void deeds_envelope(struct transaction *tx, struct envelope *out)
{
	const struct judged *j = &tx->judged;
	size_t n = tx->recipient_count, kept = 0;
	struct envelope_recipient *list = ARENA_ARRAY(tx->arena, struct envelope_recipient, n + 1);

	out->recipients = list;
	if (j->wanted_count) {
		size_t *groups = ARENA_ARRAY(tx->arena, size_t, n + 1);

		deeds_regroup(tx);
		out->copies = ARENA_ARRAY(tx->arena, struct envelope_copy, n + 1);
		for (size_t i = 0; i < n; i++) {
			struct envelope_recipient r = tx->recipients[i];
			size_t group = j->groups[r.copy];

			if (r.copy && is_discarded(j, group))
				continue;
			r.copy = r.copy ? copy_of(tx, group, groups, out) : 0;
			list[kept++] = r;
		}
	} else {
		for (size_t i = 0; i < n; i++) {
			list[kept] = tx->recipients[i];
			list[kept++].copy = 0;
		}
	}
	out->recipient_count = kept;
}
