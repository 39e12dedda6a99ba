#include "proc/peers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"

/* A question that waits for its answer. */
struct pending {
	uint64_t id, generation;
	bool done, lost;
	struct peers_reply reply;
	uint32_t flags;
	void (*answered)(void *, bool, struct message_reader *); /* NULL: a thread waits */
	void *context;
};

struct peers {
	enum role me;
	int instance;
	const struct service *services;
	size_t service_count;
	struct peers_events events;
	pthread_mutex_t lock; /* channels, pending, next_id */
	pthread_cond_t changed;
	struct channel *channels[ROLE_COUNT][ROLE_INSTANCES];
	struct map pending;
	uint64_t next_id, next_generation;
	int epoll_fd, wake_fd, signal_fd;
	pthread_t thread;
	atomic_bool running; /* thread is set */
	atomic_bool stop;
	int result;
	char *buffer; /* MESSAGE_MAX */
};

struct peers *peers_new(enum role me, int instance, const struct service *services, size_t n)
{
	struct peers *p = NEW(struct peers);
	pthread_condattr_t attr;

	*p = (struct peers){ .me = me,
		.instance = instance,
		.services = services,
		.service_count = n,
		.next_id = 1,
		.next_generation = 1,
		.signal_fd = -1 };
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll_fd < 0 || p->wake_fd < 0)
		panic("peers: no epoll or eventfd: %s", strerror(errno));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = UINT64_MAX };
	epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &event);
	p->buffer = memory_new(1, MESSAGE_MAX);
	return p;
}

void peers_set_events(struct peers *p, const struct peers_events *events)
{
	p->events = *events;
}

void peers_watch_signals(struct peers *p, int signal_fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = UINT64_MAX - 1 };

	p->signal_fd = signal_fd;
	epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, signal_fd, &event);
}

static void wake(struct peers *p)
{
	uint64_t one = 1;
	ssize_t n = write(p->wake_fd, &one, sizeof one);

	(void)n;
}

static uint64_t address_of(enum role role, int instance)
{
	return (uint64_t)role << 32 | (uint64_t)instance;
}

/* Waits for room when something waits to be sent. The lock is held. */
static void watch_output(struct peers *p, struct channel *c)
{
	struct epoll_event event = { .events = EPOLLIN | (list_empty(&c->waiting) ? 0 : EPOLLOUT),
		.data.u64 = address_of(c->role, c->instance) };

	epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static bool send_locked(struct peers *p, struct channel *c, const struct message *m, uint32_t flags,
    uint64_t id, int fd)
{
	struct channel_head *head = (struct channel_head *)(void *)m->data.p;

	assert(!m->data.full);
	head->flags = flags;
	head->id = id;
	bool idle = list_empty(&c->waiting);
	if (!channel_send(c, buf_slice(&m->data), fd)) {
		wake(p);
		return false;
	}
	if (idle && !list_empty(&c->waiting))
		watch_output(p, c);
	return true;
}

/* Ends the questions that went to a channel that is gone. The lock is held; callbacks are collected,
 * because they may ask again. */
static struct pending *lose_pending(struct peers *p, uint64_t generation)
{
	size_t at = 0;
	struct pending *q;

	while ((q = map_next(&p->pending, &at))) {
		if (q->generation != generation || q->lost || q->done)
			continue;
		if (q->answered) {
			map_remove(&p->pending, q->id);
			return q;
		}
		q->lost = true;
	}
	pthread_cond_broadcast(&p->changed);
	return NULL;
}

/* Takes the channel out. Gives it back for freeing, or NULL. */
static struct channel *detach(struct peers *p, enum role role, int instance, uint64_t generation)
{
	pthread_mutex_lock(&p->lock);
	struct channel *c = p->channels[role][instance];
	if (c && (generation == 0 || c->generation == generation)) {
		epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		p->channels[role][instance] = NULL;
	} else {
		c = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	return c;
}

static void drop(struct peers *p, enum role role, int instance, uint64_t generation)
{
	struct channel *c = detach(p, role, instance, generation);
	struct pending *q;

	if (!c)
		return;
	do {
		pthread_mutex_lock(&p->lock);
		q = lose_pending(p, c->generation);
		pthread_mutex_unlock(&p->lock);
		if (q) {
			q->answered(q->context, false, NULL);
			free(q);
		}
	} while (q);
	channel_free(c);
	if (p->events.lost)
		p->events.lost(p->events.context, role, instance);
}

void peers_free(struct peers *p)
{
	p->events = (struct peers_events){ 0 };
	for (int role = 0; role < ROLE_COUNT; role++)
		for (int i = 0; i < ROLE_INSTANCES; i++)
			drop(p, (enum role)role, i, 0);
	close(p->epoll_fd);
	close(p->wake_fd);
	map_free(&p->pending);
	free(p->buffer);
	free(p);
}

void peers_remove(struct peers *p, enum role role, int instance)
{
	drop(p, role, instance, 0);
}

void peers_add(struct peers *p, enum role role, int instance, int fd)
{
	assert(instance >= 0 && instance < ROLE_INSTANCES);
	drop(p, role, instance, 0);
	pthread_mutex_lock(&p->lock);
	struct channel *c = channel_new(fd, role, instance, p->next_generation++);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = address_of(role, instance) };
	p->channels[role][instance] = c;
	epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->events.added)
		p->events.added(p->events.context, role, instance);
}

static const struct service *service_find(const struct peers *p, uint32_t type)
{
	for (size_t i = 0; i < p->service_count; i++)
		if (p->services[i].type == type)
			return &p->services[i];
	return NULL;
}

/* Only the process that was asked may answer, and once: another role that guesses the id could say
 * "right" for auth. */
static void take_answer(
    struct peers *p, uint64_t generation, const struct channel_head *head, slice body, int fd)
{
	pthread_mutex_lock(&p->lock);
	struct pending *q = map_get(&p->pending, head->id);
	if (!q || q->generation != generation || q->done) {
		pthread_mutex_unlock(&p->lock);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (q->answered) {
		struct message_reader in = { .rest = body };

		map_remove(&p->pending, head->id);
		pthread_mutex_unlock(&p->lock);
		if (fd >= 0)
			close(fd);
		q->answered(q->context, !(head->flags & CHANNEL_FAILED), &in);
		free(q);
		return;
	}
	char *data = memory_new(1, body.n);
	if (body.n)
		memcpy(data, body.p, body.n);
	q->reply =
	    (struct peers_reply){ .in = { .rest = { data, body.n } }, .data = data, .fd = fd };
	q->flags = head->flags;
	q->done = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void take_call(
    struct peers *p, const struct channel *c, const struct channel_head *head, slice body, int fd)
{
	const struct service *service = service_find(p, head->type);

	if (!service || !(service->from & ROLE_BIT(c->role))) {
		log_warn("message.refused", kv_str("from", role_name(c->role)),
		    kv_num("type", head->type), kv_str("why", "not allowed from this role"));
		if (fd >= 0)
			close(fd);
		return;
	}
	struct call *call = NEW(struct call);
	*call = (struct call){ .peers = p,
		.from = c->role,
		.instance = c->instance,
		.type = (enum message_type)head->type,
		.fd = fd,
		.id = head->id,
		.generation = c->generation,
		.asked = head->flags & CHANNEL_ASKS };
	call->data = memory_new(1, body.n);
	if (body.n)
		memcpy(call->data, body.p, body.n);
	call->in.rest = (slice){ call->data, body.n };
	call->length = body.n;
	service->handle(call);
}

/* Reads what waits on a channel, at most a few dozen messages a turn. */
static void read_channel(struct peers *p, enum role role, int instance)
{
	for (int i = 0; i < 64; i++) {
		struct channel *c = p->channels[role][instance];
		struct channel_head head;
		size_t n;
		int fd;

		if (!c)
			return;
		enum channel_got got = channel_receive(c, p->buffer, &n, &fd);
		if (got == CHANNEL_EMPTY)
			return;
		if (got == CHANNEL_GONE) {
			drop(p, role, instance, c->generation);
			return;
		}
		memcpy(&head, p->buffer, sizeof head);
		slice body = { p->buffer + sizeof head, n - sizeof head };
		if (head.flags & CHANNEL_ANSWER)
			take_answer(p, c->generation, &head, body, fd);
		else
			take_call(p, c, &head, body, fd);
		explicit_bzero(p->buffer, n);
	}
}

static void write_channel(struct peers *p, enum role role, int instance)
{
	pthread_mutex_lock(&p->lock);
	struct channel *c = p->channels[role][instance];
	if (c && channel_flush(c))
		watch_output(p, c);
	pthread_mutex_unlock(&p->lock);
}

/* Channels found lost while sending. */
static void drop_lost(struct peers *p)
{
	for (int role = 0; role < ROLE_COUNT; role++) {
		for (int i = 0; i < ROLE_INSTANCES; i++) {
			pthread_mutex_lock(&p->lock);
			struct channel *c = p->channels[role][i];
			uint64_t lost = c && c->lost ? c->generation : 0;
			pthread_mutex_unlock(&p->lock);
			if (lost)
				drop(p, (enum role)role, i, lost);
		}
	}
}

static void read_signals(struct peers *p)
{
	struct signalfd_siginfo info;

	while (read(p->signal_fd, &info, sizeof info) == sizeof info)
		if (p->events.signal)
			p->events.signal(p->events.context, (int)info.ssi_signo);
}

static void serve_event(struct peers *p, const struct epoll_event *event)
{
	if (event->data.u64 == UINT64_MAX) {
		uint64_t count;
		ssize_t n = read(p->wake_fd, &count, sizeof count);

		(void)n;
		drop_lost(p);
		return;
	}
	if (event->data.u64 == UINT64_MAX - 1) {
		read_signals(p);
		return;
	}
	enum role role = (enum role)(event->data.u64 >> 32);
	int instance = (int)(event->data.u64 & 0xffffffff);
	if (event->events & EPOLLOUT)
		write_channel(p, role, instance);
	if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_channel(p, role, instance);
}

int peers_run(struct peers *p)
{
	struct epoll_event events[32];
	int64_t last_tick = 0;

	p->thread = pthread_self();
	p->running = true;
	while (!p->stop) {
		int n = epoll_wait(p->epoll_fd, events, 32, p->events.tick ? 100 : 1000);

		for (int i = 0; i < n && !p->stop; i++)
			serve_event(p, &events[i]);
		if (p->events.tick && clock_us() - last_tick >= 100000) {
			last_tick = clock_us();
			p->events.tick(p->events.context);
		}
	}
	return p->result;
}

void peers_stop(struct peers *p, int result)
{
	p->result = result;
	p->stop = true;
	wake(p);
}

static struct channel *any_channel(struct peers *p, enum role role)
{
	for (int i = 0; i < ROLE_INSTANCES; i++)
		if (p->channels[role][i] && !p->channels[role][i]->lost)
			return p->channels[role][i];
	return NULL;
}

/* Waits for a change until the deadline. The lock is held. false: it passed. */
static bool wait_change(struct peers *p, struct deadline deadline)
{
	struct timespec until = { .tv_sec = deadline.at_us / 1000000,
		.tv_nsec = deadline.at_us % 1000000 * 1000 };

	return pthread_cond_timedwait(&p->changed, &p->lock, &until) != ETIMEDOUT;
}

/* One try: sends and waits. The lock is held. true: q holds an answer. */
static bool ask_once(struct peers *p, enum role role, const struct message *request,
    struct deadline deadline, struct pending *q)
{
	struct channel *c;

	while (!(c = any_channel(p, role)))
		if (!wait_change(p, deadline))
			return false;
	*q = (struct pending){ .id = p->next_id++, .generation = c->generation, .reply.fd = -1 };
	map_set(&p->pending, q->id, q);
	if (!send_locked(p, c, request, CHANNEL_ASKS, q->id, -1))
		q->lost = true;
	while (!q->done && !q->lost)
		if (!wait_change(p, deadline))
			break;
	map_remove(&p->pending, q->id);
	return q->done;
}

static bool answer_error(struct peers_reply *reply, struct error *error)
{
	enum fault fault = (enum fault)message_get_number(&reply->in);
	bool temporary = message_get_number(&reply->in);
	slice said = message_get_text(&reply->in), why = message_get_text(&reply->in);
	char text[sizeof error->said];

	if (!message_done(&reply->in) || fault > FAULT_LOCAL)
		return error_local(error, "malformed error from another role");
	snprintf(text, sizeof text, "%.*s", SLICE_ARG(said));
	return error_set(error, fault, temporary, text, "%.*s", SLICE_ARG(why));
}

bool peers_ask(struct peers *p, enum role role, const struct message *request,
    struct deadline deadline, struct peers_reply *reply_out, struct error *error)
{
	struct pending q = { 0 };
	bool answered = false;

	assert(!p->running || !pthread_equal(p->thread, pthread_self()));
	pthread_mutex_lock(&p->lock);
	while (!answered && !deadline_passed(deadline))
		answered = ask_once(p, role, request, deadline, &q);
	pthread_mutex_unlock(&p->lock);
	if (!answered)
		return error_local(error, "role %s did not answer in time", role_name(role));
	*reply_out = q.reply;
	if (q.flags & CHANNEL_FAILED) {
		answer_error(reply_out, error);
		peers_reply_free(reply_out);
		return false;
	}
	return true;
}

void peers_reply_free(struct peers_reply *reply)
{
	free(reply->data);
	if (reply->fd >= 0)
		close(reply->fd);
	*reply = (struct peers_reply){ .fd = -1 };
}

bool peers_tell(struct peers *p, enum role role, int instance, const struct message *m, int fd)
{
	pthread_mutex_lock(&p->lock);
	struct channel *c = p->channels[role][instance];
	bool sent = c && send_locked(p, c, m, 0, 0, fd);
	pthread_mutex_unlock(&p->lock);
	return sent;
}

void peers_tell_all(struct peers *p, enum role role, const struct message *m)
{
	for (int i = 0; i < ROLE_INSTANCES; i++)
		peers_tell(p, role, i, m, -1);
}

bool peers_request(struct peers *p, enum role role, int instance, const struct message *m, int fd,
    void (*answered)(void *, bool, struct message_reader *), void *context)
{
	pthread_mutex_lock(&p->lock);
	struct channel *c = p->channels[role][instance];
	struct pending *q = NULL;
	if (c && !c->lost) {
		q = NEW(struct pending);
		*q = (struct pending){ .id = p->next_id++,
			.generation = c->generation,
			.answered = answered,
			.context = context };
		map_set(&p->pending, q->id, q);
		/* A failed send marks the channel lost; dropping it ends this question too. */
		send_locked(p, c, m, CHANNEL_ASKS, q->id, fd);
	}
	pthread_mutex_unlock(&p->lock);
	return q != NULL;
}

void call_end(struct call *call)
{
	if (call->fd >= 0)
		close(call->fd);
	explicit_bzero(call->data, call->length); /* it may have been a password */
	free(call->data);
	free(call);
}

static void answer(struct call *call, const struct message *m, uint32_t flags)
{
	struct peers *p = call->peers;

	pthread_mutex_lock(&p->lock);
	struct channel *c = p->channels[call->from][call->instance];
	if (call->asked && c && c->generation == call->generation)
		send_locked(p, c, m, flags, call->id, -1);
	pthread_mutex_unlock(&p->lock);
	call_end(call);
}

void call_reply(struct call *call, const struct message *reply)
{
	answer(call, reply, CHANNEL_ANSWER);
}

void call_reply_done(struct call *call)
{
	struct message m;

	message_begin(&m, call->type);
	answer(call, &m, CHANNEL_ANSWER);
	message_free(&m);
}

void call_fail(struct call *call, const struct error *error)
{
	struct message m;

	message_begin(&m, call->type);
	message_put_number(&m, error->fault);
	message_put_number(&m, error->temporary);
	message_put_text(&m, slice_of(error->said));
	message_put_text(&m, slice_of(error->why));
	answer(call, &m, CHANNEL_ANSWER | CHANNEL_FAILED);
	message_free(&m);
}
