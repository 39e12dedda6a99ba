/* Questions, the threads that work on them, and their answers. */
#include "deliver/deliver.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "deliver/internal.h"
#include "policy/policy.h"
#include "mail/mime.h"

#define ENVELOPE_MEMORY (256u << 20) /* the decoded recipients, and the changes of their copies */
#define PARSE_MEMORY    (MIME_ARENA + (64u << 20)) /* edits of a header, folders looked for */
#define TOLD_MOST       4000                       /* recipients in one answer */
#define ANSWER_ROOM     (MESSAGE_MAX - 1024)
#define FIELDS_OCTETS   (3 * sizeof(uint64_t)) /* of one recipient, without the text */

struct deliver_config deliver_config;

/* Guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct worker *workers;
static struct list jobs;   /* all */
static struct list unread; /* those that wait to be read */
static uint64_t held;      /* weight of the others */
static size_t held_jobs;
static size_t reading;
static bool draining;

/* ---- answers ---- */

/* Tells of those that are done, or of the others, at most *left of them. */
static void tell(struct message *m, const struct job *job, bool done, size_t room, size_t *left)
{
	for (size_t i = 0; i < job->envelope.recipient_count && *left; i++) {
		const struct task *task = &job->tasks[i];

		if (task->before || (task->outcome == OUTCOME_DONE) != done)
			continue;
		message_put_number(m, i);
		message_put_number(m, task->outcome);
		message_put_text(m, slice_head(slice_of(task->why), room));
		--*left;
	}
}

/* The answer must fit a message: whatever the number of recipients, what is done is told first, texts
 * are cut, and for what is left over there is a "later", so that the queue asks again. */
static void reply(struct job *job)
{
	size_t count = 0;
	struct message m;

	for (size_t i = 0; i < job->envelope.recipient_count; i++)
		count += !job->tasks[i].before;
	bool all = count <= TOLD_MOST;
	size_t left = all ? count : TOLD_MOST;
	size_t room = ANSWER_ROOM / (left + 1) - FIELDS_OCTETS;
	message_begin(&m, MESSAGE_DELIVER);
	message_put_number(&m, all ? count : TOLD_MOST + 1);
	tell(&m, job, true, room, &left);
	tell(&m, job, false, room, &left);
	if (!all) {
		message_put_number(&m, 0);
		message_put_number(&m, OUTCOME_LATER);
		message_put_text(&m, SLICE(""));
	}
	call_reply(job->call, &m);
	message_free(&m);
}

/* The item cannot be read, so nobody knows how many recipients it has: the first stands for all. */
static void reply_hold(struct job *job, const struct error *error)
{
	struct message m;

	message_begin(&m, MESSAGE_DELIVER);
	message_put_number(&m, 1);
	message_put_number(&m, 0);
	message_put_number(&m, OUTCOME_HOLD);
	message_put_text(&m, slice_of(error->why));
	call_reply(job->call, &m);
	message_free(&m);
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
	for (size_t i = 0; job->tasks && i < job->envelope.recipient_count; i++)
		free(job->tasks[i].why);
	free(job->tasks);
	buf_free(&job->record);
	parsed_free(&job->message);
	arena_free(job->arena);
	free(job);
}

/* The next unread job, when there is room for it. The lock is held. */
static struct job *readable(void)
{
	struct link *node = list_first(&unread);
	struct job *job = node ? LIST_OF(node, struct job, waiting) : NULL;

	if (!job || draining)
		return NULL;
	return held_jobs == 0 || held + job->length <= DELIVER_HELD ? job : NULL;
}

/* Somebody without work may read what has come. The lock is held. */
static void wake_idle(void)
{
	for (int i = 0; readable() && i < deliver_config.threads; i++) {
		if (!workers[i].idle)
			continue;
		workers[i].idle = false;
		pthread_cond_signal(&workers[i].there);
		return;
	}
}

static void wake_all(void)
{
	for (int i = 0; i < deliver_config.threads; i++)
		pthread_cond_signal(&workers[i].there);
}

/* Takes an answered job out; its call is gone. */
static void job_end(struct job *job)
{
	pthread_mutex_lock(&lock);
	list_remove(&job->link);
	held -= job->weight;
	held_jobs--;
	wake_idle();
	pthread_mutex_unlock(&lock);
	job_free(job);
}

uint64_t deliver_low(void)
{
	uint64_t low = UINT64_MAX;

	/* The queue's own word may be older than a segment that it has handed out since: a large
	 * message's id is from when it began to come. */
	pthread_mutex_lock(&lock);
	LIST_EACH(node, &jobs)
	{
		const struct job *job = LIST_OF(node, struct job, link);

		low = job->low < low ? job->low : low;
		low = job->segment < low ? job->segment : low;
	}
	pthread_mutex_unlock(&lock);
	return low;
}

/* ---- tasks wait for the thread of their account ---- */

static struct worker *worker_of(uint64_t account)
{
	uint64_t mixed = account * 0x9e3779b97f4a7c15u;

	return &workers[(mixed >> 32) % (uint64_t)deliver_config.threads];
}

/* The lock is held. */
static void push_task(struct task *task)
{
	uint64_t account = task->job->envelope.recipients[task->recipient].account;
	struct worker *w = worker_of(account);
	struct group *group = map_get(&w->groups, account);

	if (!group) {
		group = NEW(struct group);
		group->account = account;
		list_init(&group->tasks);
		map_set(&w->groups, account, group);
		list_push(&w->ready, &group->link);
	}
	list_push(&group->tasks, &task->link);
	w->tasks++;
	w->idle = false;
	pthread_cond_signal(&w->there);
}

/* What one transaction takes, all of one account. The lock is held. */
static size_t take_tasks(struct worker *w, struct task **tasks)
{
	struct group *group = LIST_OF(list_pop(&w->ready), struct group, link);
	uint64_t octets = 0;
	struct link *node;
	size_t n = 0;

	while (n < BATCH_MOST && (node = list_first(&group->tasks))) {
		struct task *task = LIST_OF(node, struct task, link);

		octets += task->job->message.content.n;
		if (n > 0 && octets > BATCH_OCTETS)
			break;
		list_remove(node);
		tasks[n++] = task;
	}
	w->tasks -= n;
	if (list_empty(&group->tasks)) {
		map_remove(&w->groups, group->account);
		free(group);
	} else {
		list_push(&w->ready, &group->link);
	}
	return n;
}

/* ---- the work ---- */

/* One task for each recipient that the queue does not know to be done. */
static void make_tasks(struct job *job)
{
	size_t n = job->envelope.recipient_count;

	job->tasks = memory_new(n, sizeof *job->tasks);
	for (size_t i = 0; i < n; i++) {
		job->tasks[i] = (struct task){ .job = job, .recipient = i };
		job->tasks[i].before = i < job->done.n && job->done.p[i] == '1';
		job->left += !job->tasks[i].before;
	}
}

/* Gives the tasks to their threads. The lock is held; the job may be gone as soon as it is not. */
static void push_tasks(struct job *job)
{
	uint64_t more = job->envelope.recipient_count * sizeof *job->tasks;

	job->weight += more;
	held += more;
	for (size_t i = 0; i < job->envelope.recipient_count; i++)
		if (!job->tasks[i].before)
			push_task(&job->tasks[i]);
}

static void read_job(struct worker *w, struct job *job)
{
	struct error error;
	enum outcome outcome = job_read(job, w->arena, &error);

	if (outcome == OUTCOME_DONE)
		make_tasks(job);
	bool ended = outcome != OUTCOME_DONE || job->left == 0;
	if (outcome == OUTCOME_LATER)
		call_fail(job->call, &error);
	else if (outcome == OUTCOME_HOLD)
		reply_hold(job, &error);
	else if (ended)
		reply(job);
	pthread_mutex_lock(&lock);
	if (!ended)
		push_tasks(job);
	reading--;
	if (draining)
		wake_all();
	pthread_mutex_unlock(&lock);
	if (ended)
		job_end(job);
}

static void store_tasks(struct worker *w, struct task **tasks, size_t n)
{
	tasks_store(w, tasks, n);
	for (size_t i = 0; i < n; i++) {
		struct job *job = tasks[i]->job;

		pthread_mutex_lock(&lock);
		bool last = --job->left == 0;
		pthread_mutex_unlock(&lock);
		if (!last)
			continue;
		reply(job);
		job_end(job);
	}
}

/* Reading comes before storing, up to a whole batch: what is read meanwhile shares the next sync. The
 * queue keeps the number of unread items bounded, so storing always gets its turn. */
static bool next(struct worker *w, struct job **job_out, struct task **tasks, size_t *n_out)
{
	*job_out = NULL;
	*n_out = 0;
	pthread_mutex_lock(&lock);
	while (w->tasks == 0 && !readable() && !(draining && reading == 0)) {
		w->idle = true;
		pthread_cond_wait(&w->there, &lock);
		w->idle = false;
	}
	struct job *job = w->tasks < BATCH_MOST ? readable() : NULL;
	if (job) {
		list_remove(&job->waiting);
		job->weight = job->length;
		held += job->weight;
		held_jobs++;
		reading++;
		*job_out = job;
		wake_idle();
	} else if (w->tasks) {
		*n_out = take_tasks(w, tasks);
	}
	pthread_mutex_unlock(&lock);
	return *job_out || *n_out;
}

static void *work(void *argument)
{
	struct worker *w = argument;
	struct task *tasks[BATCH_MOST];
	struct job *job;
	size_t n;

	w->store = store_new(deliver_config.accounts, deliver_config.handles);
	w->arena = arena_new(PARSE_MEMORY);
	while (next(w, &job, tasks, &n)) {
		if (job)
			read_job(w, job);
		else
			store_tasks(w, tasks, n);
	}
	arena_free(w->arena);
	directory_close(w->directory);
	store_free(w->store);
	return NULL;
}

/* ---- questions ---- */

static void take_deliver(struct call *call)
{
	uint64_t segment = message_get_number(&call->in), place = message_get_number(&call->in);
	uint64_t length = message_get_number(&call->in), low = message_get_number(&call->in);
	slice done = message_get_text(&call->in);
	struct error error;

	if (!message_done(&call->in) || segment > INT64_MAX || place > INT64_MAX) {
		error_plain(&error, FAULT_INPUT, "malformed question to deliver");
		call_fail(call, &error);
		return;
	}
	if (draining) {
		call_end(call); /* the next process is asked again */
		return;
	}
	struct job *job = NEW(struct job);
	*job = (struct job){ .call = call,
		.segment = segment,
		.place = place,
		.length = length,
		.low = low,
		.done = done,
		.arena = arena_new(ENVELOPE_MEMORY) };
	queue_id_text(segment, place, job->id, sizeof job->id);
	buf_init(&job->record, RECORD_ENVELOPE_MAX);
	pthread_mutex_lock(&lock);
	list_push(&jobs, &job->link);
	list_push(&unread, &job->waiting);
	wake_idle();
	pthread_mutex_unlock(&lock);
}

const struct service deliver_services[] = {
	{ MESSAGE_DELIVER, ROLE_BIT(ROLE_QUEUE), take_deliver },
	{ MESSAGE_POLICY, ROLE_BIT(ROLE_CONTROL), policy_take },
};
const size_t deliver_service_count = sizeof deliver_services / sizeof deliver_services[0];

/* ---- beginning and end ---- */

bool deliver_open(const struct deliver_config *config, struct error *error)
{
	deliver_config = *config;
	list_init(&jobs);
	list_init(&unread);
	draining = false;
	workers = memory_new((size_t)config->threads, sizeof *workers);
	for (int i = 0; i < config->threads; i++) {
		pthread_cond_init(&workers[i].there, NULL);
		list_init(&workers[i].ready);
	}
	return store_warm_up(error);
}

void deliver_start(void)
{
	upkeep_start();
	for (int i = 0; i < deliver_config.threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			panic("deliver: no thread");
}

void deliver_drain(void)
{
	struct link *node;

	pthread_mutex_lock(&lock);
	draining = true;
	wake_all();
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < deliver_config.threads; i++)
		pthread_join(workers[i].thread, NULL);
	upkeep_stop();
	while ((node = list_pop(&unread))) {
		struct job *job = LIST_OF(node, struct job, waiting);

		call_end(job->call);
		list_remove(&job->link);
		job_free(job);
	}
	for (int i = 0; i < deliver_config.threads; i++) {
		map_free(&workers[i].groups);
		pthread_cond_destroy(&workers[i].there);
	}
	free(workers);
	workers = NULL;
}
