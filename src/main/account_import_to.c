/* Import: into the mailbox, but not twice. */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "mail/crlf.h"
#include "main/account_import.h"

#define HELD_MEMORY  ((size_t)1 << 30)
#define SUMMARY_MOST (1u << 20)

struct held {
	struct held *next;
	int64_t body;
};

void import_left_out(struct import *i, const char *name, const char *why)
{
	progress_end(&i->progress);
	i->left_out++;
	fprintf(stderr, "hauberk account import: ");
	for (const char *p = name; *p; p++)
		fputc((unsigned char)*p < ' ' || *p == 127 ? '?' : *p, stderr);
	fprintf(stderr, " is left out: %s\n", why);
}

static uint64_t key_of(uint32_t crc, int64_t size)
{
	return (uint64_t)crc << 32 ^ (uint64_t)size;
}

static bool find_mailbox(struct import *i, int64_t *id_out, struct error *error)
{
	struct store_mailbox found;

	switch (store_mailbox_find(i->at.store, i->account, i->mailbox, i->arena, &found, error)) {
	case STORE_FOUND:
		*id_out = found.id;
		return true;
	case STORE_ABSENT:
		return store_mailbox_create(
		    i->at.store, i->account, i->mailbox, SLICE(""), id_out, error);
	case STORE_FAILED:
		break;
	}
	return false;
}

static bool hold(struct import *i, const struct store_content *c, struct error *error)
{
	struct held *h = ARENA_NEW(i->arena, struct held);
	uint32_t crc = c->crc;

	if (!c->crc_known) { /* of a file of before version 5 */
		if (!store_body(i->at.store, i->account, c->body, &i->old, error))
			return false;
		crc = crc32c(0, buf_slice(&i->old));
	}
	h->body = c->body;
	h->next = map_get(&i->held, key_of(crc, c->size));
	map_set(&i->held, key_of(crc, c->size), h);
	return true;
}

bool import_begin(struct import *i, slice mailbox, struct error *error)
{
	struct store_content *list;
	int64_t id;
	size_t n;

	arena_free(i->arena);
	i->arena = arena_new(HELD_MEMORY);
	map_free(&i->held);
	i->held = (struct map){ 0 };
	i->mailbox = arena_copy(i->arena, mailbox);
	if (!find_mailbox(i, &id, error) ||
	    !store_contents(i->at.store, i->account, id, i->arena, &list, &n, error))
		return false;
	for (size_t k = 0; k < n; k++)
		if (!hold(i, &list[k], error))
			return false;
	return true;
}

/* Takes one that is the same out of what is held; octet for octet, a checksum alone is no proof. */
static bool is_held(struct import *i, slice content, bool *held_out, struct error *error)
{
	uint64_t key = key_of(crc32c(0, content), (int64_t)content.n);
	struct held *before = NULL;

	*held_out = false;
	for (struct held *h = map_get(&i->held, key); h; before = h, h = h->next) {
		if (!store_body(i->at.store, i->account, h->body, &i->old, error))
			return false;
		if (!slice_eq(buf_slice(&i->old), content))
			continue;
		*held_out = true;
		if (before)
			before->next = h->next;
		else if (h->next)
			map_set(&i->held, key, h->next);
		else
			map_remove(&i->held, key);
		return true;
	}
	return true;
}

static void forget_batch(struct import *i)
{
	for (size_t k = 0; k < i->n; k++) {
		struct import_message *m = &i->batch[k];

		buf_free(&m->content);
		buf_free(&m->summary.envelope);
		buf_free(&m->summary.structure);
		buf_free(&m->summary.bodystructure);
	}
	i->n = i->octets = 0;
}

bool import_end(struct import *i, struct error *error)
{
	struct store_message messages[IMPORT_BATCH];
	struct store_result results[IMPORT_BATCH];
	struct store_notice notices[IMPORT_BATCH];
	size_t count;

	for (size_t k = 0; k < i->n; k++)
		messages[k] = (struct store_message){ .segment = STORE_NO_SEGMENT,
			.mailbox = i->mailbox,
			.content = buf_slice(&i->batch[k].content),
			.received_us = i->batch[k].received_us,
			.envelope = buf_slice(&i->batch[k].summary.envelope),
			.structure = buf_slice(&i->batch[k].summary.structure),
			.bodystructure = buf_slice(&i->batch[k].summary.bodystructure),
			.flags = i->batch[k].flags };
	bool ok = i->n == 0 ||
	    store_deliver(
		i->at.store, i->account, messages, i->n, 0, results, notices, &count, error);
	for (size_t k = 0; ok && k < i->n; k++)
		ok = results[k].outcome == STORE_STORED ||
		    error_plain(
			error, FAULT_ABSENT, "the mailbox %.*s is gone", SLICE_ARG(i->mailbox));
	for (size_t k = 0; ok && k < i->n; k++)
		progress_step(&i->progress, true);
	forget_batch(i);
	return ok;
}

static void add_to_batch(struct import *i, slice content, int64_t received_us, int64_t flags)
{
	struct import_message *m = &i->batch[i->n++];

	*m = (struct import_message){ .flags = flags };
	buf_init(&m->content, content.n + 1);
	buf_add(&m->content, content);
	buf_init(&m->summary.envelope, SUMMARY_MOST);
	buf_init(&m->summary.structure, SUMMARY_MOST);
	buf_init(&m->summary.bodystructure, SUMMARY_MOST);
	account_summarise(content, &m->summary);
	m->received_us = received_us ? received_us : m->summary.received_us;
	i->octets += content.n;
}

bool import_message(
    struct import *i, slice content, int64_t received_us, int64_t flags, struct error *error)
{
	struct buf room = { 0 };
	slice kept = crlf_of(content, &room);
	bool held;

	bool ok = is_held(i, kept, &held, error);
	i->there += ok && held;
	if (ok && !held)
		add_to_batch(i, kept, received_us, flags);
	buf_free(&room);
	if (i->n == IMPORT_BATCH || i->octets >= IMPORT_BATCH_OCTETS)
		ok = ok && import_end(i, error);
	return ok;
}

int64_t import_keyword(struct import *i, slice name)
{
	struct error ignored;
	int bit;

	if (name.n == 0 ||
	    store_find_keyword(i->at.store, i->account, name, true, &bit, &ignored) != STORE_FOUND)
		return 0;
	return (int64_t)1 << bit;
}
