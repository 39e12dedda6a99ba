/* From a parsed message to the accounts of its recipients. */
#include "deliver/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "directory/quota.h"
#include "proc/shared.h"
#include "proc/stats.h"

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

static void settle_stored(struct task *task, const struct store_result *result)
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
	log_info("delivered", kv_str("q", job->id), kv_num("account", (int64_t)account_of(task)),
	    kv_num("mailbox", result->mailbox), kv_num("uid", result->uid),
	    kv_num("ms", (clock_wall_us() - job->envelope.arrived_us) / 1000));
}

static struct store_message message_of(const struct task *task)
{
	const struct job *job = task->job;

	return (struct store_message){ .segment = (int64_t)job->segment,
		.place = (int64_t)job->place,
		.recipient = (int64_t)task->recipient,
		.mailbox = SLICE("INBOX"),
		.content = buf_slice(&job->content),
		.received_us = job->envelope.arrived_us,
		.envelope = buf_slice(&job->summary_envelope),
		.structure = buf_slice(&job->body_structure),
		.bodystructure = buf_slice(&job->structure) };
}

/* One transaction. false: nothing was stored. */
static bool store_together(struct worker *w, struct task **tasks, size_t n, struct error *error)
{
	struct store_message messages[BATCH_MOST];
	struct store_result results[BATCH_MOST];
	struct store_notice notices[BATCH_MOST];
	uint64_t account = account_of(tasks[0]);
	size_t notice_count;

	for (size_t i = 0; i < n; i++)
		messages[i] = message_of(tasks[i]);
	if (!store_deliver(w->store, (int64_t)account, messages, n, (int64_t)deliver_low(), results,
		notices, &notice_count, error))
		return false;
	for (size_t i = 0; i < n; i++)
		settle_stored(tasks[i], &results[i]);
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

void tasks_store(struct worker *w, struct task **tasks, size_t n)
{
	struct account account;
	enum outcome outcome;
	struct error error;

	if (!account_is_there(w, account_of(tasks[0]), &account, &outcome, &error)) {
		settle_all(tasks, n, outcome, error.why);
		return;
	}
	store_all(w, tasks, n);
	tell_quota(w, &account);
}
