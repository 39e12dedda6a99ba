/* From a parsed message to the accounts of its recipients. */
#include "deliver/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "directory/quota.h"
#include "proc/shared.h"
#include "proc/stats.h"
#include "trace/trace.h"

static uint64_t account_of(const struct task *task)
{
	return task->job->envelope.recipients[task->recipient].account;
}

static void settle(struct task *task, enum outcome outcome, const char *why)
{
	task->outcome = outcome;
	if (outcome != OUTCOME_DONE)
		task->why = strdup(why);
}

static void settle_all(struct task **tasks, size_t n, enum outcome outcome, const char *why)
{
	for (size_t i = 0; i < n; i++)
		settle(tasks[i], outcome, why);
}

/* Is the account still there? One that was only disabled gets what was accepted before. true:
 * OUTCOME_DONE; what else it may be goes to *outcome_out and error. */
static bool account_is_there(struct worker *w, uint64_t account, struct account *account_out,
    enum outcome *outcome_out, struct error *error)
{
	*outcome_out = OUTCOME_LATER;
	if (!w->directory && !directory_open(deliver_config.directory, false, &w->directory, error))
		return false;
	switch (directory_find_id(w->directory, (int64_t)account, account_out, error)) {
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_NO_ACCOUNT:
	case DIRECTORY_NO_DOMAIN:
		*outcome_out = OUTCOME_HOLD;
		return error_plain(error, FAULT_ABSENT,
		    "account %llu was removed after its mail had been accepted: the mail stays in "
		    "the spool; tell the sender, or hand it on yourself",
		    (unsigned long long)account);
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static void say_changed(const struct store_notice *notices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct message m;

		if (!shared_watched(store_watch_key(notices[i].account, notices[i].mailbox)))
			continue;
		message_begin(&m, MESSAGE_NOTICE);
		message_put_number(&m, (uint64_t)notices[i].account);
		message_put_number(&m, (uint64_t)notices[i].mailbox);
		message_put_number(&m, (uint64_t)notices[i].modseq);
		peers_tell_all(deliver_config.peers, ROLE_IMAP, &m);
		message_free(&m);
	}
}

static void settle_stored(struct task *task, const struct store_result *result, slice mailbox)
{
	const struct job *job = task->job;

	if (result->outcome == STORE_NO_MAILBOX) {
		settle(task, OUTCOME_HOLD, "the account has no INBOX; it is damaged: restore it");
		return;
	}
	settle(task, OUTCOME_DONE, NULL);
	if (result->outcome != STORE_STORED)
		return;
	stats_count(STAT_DELIVERED, 1);
	task->uid = result->uid;
	task->mailbox = mailbox;
	log_info("delivered", kv_str("q", job->id), kv_num("account", (int64_t)account_of(task)),
	    kv_num("mailbox", result->mailbox), kv_num("uid", result->uid),
	    kv_num("ms", (clock_wall_us() - job->envelope.arrived_us) / 1000));
}

static uint64_t copy_of(const struct task *task)
{
	return task->job->envelope.recipients[task->recipient].copy;
}

/* Dropped mail leaves a record. */
static void settle_dropped(struct task *task, slice why)
{
	settle(task, OUTCOME_DONE, NULL);
	task->dropped = why;
	log_info("discarded", kv_str("q", task->job->id),
	    kv_num("account", (int64_t)account_of(task)), kv_text("why", why));
}

/* ---- folder and flags that the policy wants ---- */

/* The mailbox is there, or is made; else the mail goes to INBOX, which is told. */
static slice folder_of(struct worker *w, const struct task *task)
{
	const struct envelope_change *c = copy_find(task->job, copy_of(task), CHANGE_FOLDER);
	int64_t account = (int64_t)account_of(task), made;
	struct store_mailbox mailbox;
	struct error error;

	if (!c)
		return SLICE("INBOX");
	switch (store_mailbox_find(w->store, account, c->name, w->arena, &mailbox, &error)) {
	case STORE_FOUND:
		return c->name;
	case STORE_ABSENT:
		if (store_mailbox_create(w->store, account, c->name, SLICE(""), &made, &error))
			return c->name;
		break;
	case STORE_FAILED:
		break;
	}
	log_warn("folder.unusable", kv_str("q", task->job->id), kv_num("account", account),
	    kv_text("folder", c->name), kv_why(&error));
	return SLICE("INBOX");
}

static int64_t flag_of(struct worker *w, const struct task *task, slice name)
{
	static const struct {
		const char *name;
		int64_t flag;
	} system[] = { { "\\Seen", STORE_SEEN }, { "\\Answered", STORE_ANSWERED },
		{ "\\Flagged", STORE_FLAGGED }, { "\\Deleted", STORE_DELETED },
		{ "\\Draft", STORE_DRAFT } };
	struct error error;
	int bit;

	for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
		if (slice_eq_nocase(name, slice_of(system[i].name)))
			return system[i].flag;
	if (store_find_keyword(w->store, (int64_t)account_of(task), name, true, &bit, &error) ==
	    STORE_FOUND)
		return INT64_C(1) << bit;
	log_warn(
	    "flag.unusable", kv_str("q", task->job->id), kv_text("flag", name), kv_why(&error));
	return 0;
}

static int64_t flags_of(struct worker *w, const struct task *task)
{
	uint64_t copy = copy_of(task);
	int64_t flags = 0;

	if (!copy)
		return 0;
	const struct envelope_copy *c = &task->job->envelope.copies[copy - 1];
	for (size_t i = 0; i < c->count; i++)
		if (c->changes[i].kind == CHANGE_FLAG)
			flags |= flag_of(w, task, c->changes[i].name);
	return flags;
}

/* ---- storing ---- */

/* own: room for a copy that differs from the job's. */
static struct store_message message_of(
    struct worker *w, const struct task *task, struct parsed *own)
{
	const struct job *job = task->job;
	const struct parsed *p = &job->message;
	uint64_t copy = copy_of(task);

	if (copy != job->copy && copy_differs(job, copy)) {
		copy_render(job, copy, job_message(job), w->arena, own);
		p = own;
	}
	return (struct store_message){ .segment = (int64_t)job->segment,
		.place = (int64_t)job->place,
		.recipient = (int64_t)task->recipient,
		.mailbox = folder_of(w, task),
		.content = buf_slice(&p->content),
		.received_us = job->envelope.arrived_us,
		.envelope = buf_slice(&p->summary_envelope),
		.structure = buf_slice(&p->body_structure),
		.bodystructure = buf_slice(&p->structure),
		.flags = flags_of(w, task) };
}

/* One transaction. false: nothing was stored. */
static bool store_together(struct worker *w, struct task **tasks, size_t n, struct error *error)
{
	struct store_message messages[BATCH_MOST];
	struct store_result results[BATCH_MOST];
	struct store_notice notices[BATCH_MOST];
	struct parsed own[BATCH_MOST] = { 0 };
	uint64_t account = account_of(tasks[0]);
	size_t notice_count;

	for (size_t i = 0; i < n; i++)
		messages[i] = message_of(w, tasks[i], &own[i]);
	bool ok = store_deliver(w->store, (int64_t)account, messages, n, (int64_t)deliver_low(),
	    results, notices, &notice_count, error);
	for (size_t i = 0; i < n; i++)
		parsed_free(&own[i]);
	arena_reset(w->arena);
	if (!ok)
		return false;
	for (size_t i = 0; i < n; i++)
		settle_stored(tasks[i], &results[i], messages[i].mailbox);
	upkeep_mark(account);
	say_changed(notices, notice_count);
	return true;
}

static void settle_failed(struct task **tasks, size_t n, const struct error *error)
{
	struct error text;

	if (error->temporary) {
		settle_all(tasks, n, OUTCOME_LATER, error->why);
		return;
	}
	error_plain(&text, FAULT_LOCAL, "the account does not take it: %s; mend that and restart",
	    error->why);
	settle_all(tasks, n, OUTCOME_HOLD, text.why);
}

static void store_all(struct worker *w, struct task **tasks, size_t n)
{
	struct error error;

	if (store_together(w, tasks, n, &error))
		return;
	if (error.temporary || n == 1) {
		settle_failed(tasks, n, &error);
		return;
	}
	/* One of them cannot be stored: it must not keep the others. */
	for (size_t i = 0; i < n; i++)
		if (!store_together(w, &tasks[i], 1, &error))
			settle_failed(&tasks[i], 1, &error);
}

/* Who takes mail for a full account should know; who does not, takes it. */
static void tell_quota(struct worker *w, const struct account *account)
{
	struct error ignored;
	int64_t used;

	if (account->quota && store_used(w->store, account->id, &used, &ignored))
		quota_tell(account->id, account->quota, used);
}

/* Does the policy want something else than that it is filed? */
static bool settle_otherwise(struct task *task)
{
	static const struct {
		enum envelope_change_kind kind;
		enum outcome outcome;
		const char *what;
	} ways[] = { { CHANGE_DISCARD, OUTCOME_DONE, "dropped" },
		{ CHANGE_QUARANTINE, OUTCOME_HOLD, "in quarantine" },
		{ CHANGE_LATER, OUTCOME_LATER, "put off by the policy" } };
	const struct job *job = task->job;
	char why[300];

	if (job->discarded[task->recipient]) {
		settle_dropped(task, SLICE("the policy took the recipient out"));
		return true;
	}
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		const struct envelope_change *c = copy_find(job, copy_of(task), ways[i].kind);

		if (!c)
			continue;
		snprintf(why, sizeof why, "%s: %.*s", ways[i].what,
		    (int)(c->name.n < 250 ? c->name.n : 250), c->name.p);
		if (ways[i].outcome == OUTCOME_DONE)
			settle_dropped(task, c->name);
		else
			settle(task, ways[i].outcome, why);
		return true;
	}
	return false;
}

/* How many are left to be filed. */
static size_t take_out(struct task **tasks, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (!settle_otherwise(tasks[i]))
			tasks[left++] = tasks[i];
	return left;
}

/* For whoever asks what became of it. */
static void note_outcome(const struct task *task)
{
	const struct job *job = task->job;
	slice to = job->envelope.recipients[task->recipient].address;
	struct trace_id id = {
		.session = job->envelope.session, .segment = job->segment, .place = job->place
	};
	struct trace trace;

	if (!trace_is_on() ||
	    (task->outcome == OUTCOME_DONE && !task->mailbox.n && !task->dropped.n))
		return;
	trace_begin(&trace);
	if (task->dropped.n)
		TRACE(&trace, TRACE_DROPPED, 0, to, task->dropped);
	else if (task->outcome == OUTCOME_DONE)
		TRACE(&trace, TRACE_DELIVERED, task->uid, to, task->mailbox);
	else
		TRACE(&trace, task->outcome == OUTCOME_LATER ? TRACE_WAITS : TRACE_HELD, 0, to,
		    slice_of(task->why));
	trace_write(&id, &trace);
	trace_free(&trace);
}

static void store_and_settle(struct worker *w, struct task **all, size_t n)
{
	struct task *tasks[BATCH_MOST];
	struct account account;
	enum outcome outcome;
	struct error error;

	memcpy(tasks, all, n * sizeof *tasks);
	n = take_out(tasks, n);
	if (n == 0)
		return;
	if (!account_is_there(w, account_of(tasks[0]), &account, &outcome, &error)) {
		settle_all(tasks, n, outcome, error.why);
		return;
	}
	store_all(w, tasks, n);
	tell_quota(w, &account);
}

void tasks_store(struct worker *w, struct task **tasks, size_t n)
{
	store_and_settle(w, tasks, n);
	for (size_t i = 0; i < n; i++)
		note_outcome(tasks[i]);
}
