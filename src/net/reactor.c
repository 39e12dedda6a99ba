#include "net/internal.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "proc/shared.h"
#include "proc/stats.h"

#define EVENTS    256
#define ACCEPTS   64 /* a turn */
#define LINGER_MS 2000
#define PROXY_MS  10000 /* for a whole PROXY header */
/* Without descriptors or memory no connection can be taken: try again after this, and say so seldom. */
#define ACCEPT_PAUSE_US 200000
#define ACCEPT_WARN_US  10000000
#define LISTENER_TAG    ((uint64_t)1 << 63)

struct reactor *reactor_new(const struct reactor_config *config)
{
	struct reactor *r = NEW(struct reactor);

	*r = (struct reactor){ .config = *config, .next_id = config->first_id, .drain_ms = -1 };
	list_init(&r->all);
	list_init(&r->home);
	list_init(&r->work);
	list_init(&r->resting);
	gates_init(&r->gates, config->workers);
	pthread_mutex_init(&r->tls_lock, NULL);
	pthread_mutex_init(&r->home_lock, NULL);
	pthread_mutex_init(&r->work_lock, NULL);
	pthread_cond_init(&r->work_there, NULL);
	r->handshake_gate = reactor_gate(r,
	    &(struct gate_config){ .name = "keys",
		.most = config->workers,
		.queue = (int)config->max_sessions,
		.wait_ms = config->handshake_ms ? config->handshake_ms : 60000 });
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->epoll_fd < 0 || r->wake_fd < 0)
		panic("reactor: %s", strerror(errno));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event);
	return r;
}

/* ---- listeners ---- */

static void listeners_watch(struct reactor *r, bool on)
{
	if (r->listening == on)
		return;
	for (int i = 0; i < r->listener_count; i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE,
			.data.u64 = LISTENER_TAG | (uint64_t)i };

		epoll_ctl(
		    r->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, r->listeners[i]->fd, &event);
	}
	r->listening = on;
}

/* Takes new sessions, or lets them wait in the listeners' queues. */
static void listeners_update(struct reactor *r)
{
	if (r->accept_again_us && clock_us() >= r->accept_again_us)
		r->accept_again_us = 0;
	listeners_watch(
	    r, !r->draining && !r->accept_again_us && r->count < r->config.max_sessions);
}

void reactor_listen(struct reactor *r, const struct listener *listener)
{
	assert(r->listener_count < (int)(sizeof r->listeners / sizeof r->listeners[0]));
	r->listeners[r->listener_count++] = listener;
}

static void watch_socket(struct reactor *r, struct session_private *p)
{
	bool output = session_unsent(p) > 0 || p->wants_write;
	/* With its buffer full, input would be reported again and again and never be taken. */
	bool input = p->lingering ||
	    (!p->input_ended && !p->closing && p->s.out.n <= SESSION_MARK && p->in.n < p->in.max);
	struct epoll_event event = { .events = EPOLLONESHOT | (input ? EPOLLIN | EPOLLRDHUP : 0) |
		    (output ? EPOLLOUT : 0),
		.data.ptr = p };

	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, p->fd, &event) < 0)
		panic("reactor: epoll: %s", strerror(errno));
}

static void accept_failed(struct reactor *r, const struct listener *listener)
{
	int64_t now = clock_us();

	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	r->accept_again_us = now + ACCEPT_PAUSE_US;
	listeners_watch(r, false);
	if (r->accept_warned_us && now - r->accept_warned_us < ACCEPT_WARN_US)
		return;
	r->accept_warned_us = now;
	log_warn(
	    "accept.failed", kv_str("listener", listener->name), kv_str("why", strerror(errno)));
}

static bool run_here(struct reactor *r, struct session_private *p);
static void settle(struct reactor *r, struct session_private *p);
static void close_session(struct reactor *r, struct session_private *p);
static void wait_for_socket(struct reactor *r, struct session_private *p, int timeout_ms);
static void say_goodbye(struct session_private *p, void (*say)(struct session *s));

/* In clear it is told why; nobody shakes hands for that. */
static void turn_away(struct reactor *r, struct session_private *p, struct access_verdict verdict)
{
	bool told = verdict.answer == ACCESS_CROWDED && p->s.listener->tls != LISTENER_TLS;

	if (verdict.answer == ACCESS_CROWDED)
		log_info("connection.crowded", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("listener", p->s.listener->name), kv_num("rule", verdict.rule),
		    kv_str("limit", limit_names[verdict.limit]), kv_num("most", verdict.most));
	else
		log_info("connection.denied", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("listener", p->s.listener->name), kv_num("rule", verdict.rule));
	stats_count(verdict.answer == ACCESS_CROWDED ? STAT_CROWDED : STAT_DENIED, 1);
	if (told)
		say_goodbye(p, p->s.listener->protocol->crowded);
	else
		p->broken = true;
	settle(r, p);
}

/* Who it is is known: a greeting, or the first step of a handshake; or it is turned away. */
static void admit(struct reactor *r, struct session_private *p)
{
	struct access_verdict verdict = access_enter(p->s.listener, slice_of(p->s.peer), &p->pass);

	if (verdict.answer != ACCESS_ADMITTED)
		turn_away(r, p, verdict);
	else if (p->phase != PHASE_OPEN || session_opens_slowly(p) || run_here(r, p))
		settle(r, p); /* a handshake begins when the client's hello is there */
}

/* Of a PROXY header what has come. */
static void take_proxy(struct reactor *r, struct session_private *p)
{
	const char *why = "";
	enum proxy_answer answer = session_take_proxy(p, &why);

	if (answer == PROXY_MORE) {
		wait_for_socket(r, p, PROXY_MS);
		return;
	}
	timer_clear(p);
	p->parked = false;
	if (answer == PROXY_WRONG) {
		log_warn("proxy.refused", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("listener", p->s.listener->name), kv_str("why", why));
		close_session(r, p);
		return;
	}
	buf_free(p->proxy);
	free(p->proxy);
	p->proxy = NULL;
	admit(r, p);
}

/* Balancers say first whose connection it is; others are who they are. */
static void begin(struct reactor *r, struct session_private *p)
{
	struct ip ip;

	if (!ip_parse(slice_of(p->s.peer), &ip) || !ip_set_has(p->s.listener->proxies, &ip)) {
		admit(r, p);
		return;
	}
	p->proxy = NEW(struct buf);
	buf_init(p->proxy, PROXY_MAX);
	take_proxy(r, p);
}

static void accept_sessions(struct reactor *r, const struct listener *listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		if (r->count >= r->config.max_sessions || r->draining) {
			listeners_watch(r, false);
			return;
		}
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			accept_failed(r, listener);
			return;
		}
		struct session_private *p = session_new(r, fd, listener);
		struct epoll_event event = { .events = EPOLLONESHOT, .data.ptr = p };
		if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
			accept_failed(r, listener);
			session_free(p);
			return;
		}
		list_push(&r->all, &p->all);
		r->count++;
		stats_count(STAT_CONNECTED, 1);
		stats_set(STAT_SESSIONS, (int64_t)r->count);
		begin(r, p);
	}
}

/* ---- the two doors ---- */

void session_run(struct session_private *p)
{
	struct reactor *r = p->reactor;

	r->signallers++;
	pthread_mutex_lock(&r->work_lock);
	p->owner = OWNER_WORKER;
	list_push(&r->work, &p->ready);
	bool awaited = r->awaits_held;
	struct rest *rest = worker_to_wake(r);
	pthread_mutex_unlock(&r->work_lock);
	/* With the lock held, the worker would wake only to wait for it. */
	if (awaited)
		pthread_cond_broadcast(&r->work_there);
	if (rest)
		pthread_cond_signal(&rest->woken);
	r->signallers--;
}

static void wake(struct reactor *r)
{
	uint64_t one = 1;
	ssize_t n = write(r->wake_fd, &one, sizeof one);

	(void)n;
}

static void wake_taken(struct reactor *r)
{
	uint64_t count;
	ssize_t n = read(r->wake_fd, &count, sizeof count);

	(void)n;
}

/* The lock is held: a reactor that sleeps is woken once, however many come. */
static bool must_wake(struct reactor *r)
{
	bool sleeps = r->sleeps;

	r->sleeps = false;
	return sleeps;
}

/* Before it waits for sockets; false: something has come home meanwhile. */
static bool fall_asleep(struct reactor *r)
{
	pthread_mutex_lock(&r->home_lock);
	r->sleeps = list_empty(&r->home) && !r->notice_count && r->drain_ms < 0;
	bool sleeps = r->sleeps;
	pthread_mutex_unlock(&r->home_lock);
	return sleeps;
}

void session_park(struct session_private *p)
{
	struct reactor *r = p->reactor;

	pthread_mutex_lock(&r->home_lock);
	p->owner = OWNER_REACTOR;
	list_push(&r->home, &p->ready);
	bool sleeps = must_wake(r);
	pthread_mutex_unlock(&r->home_lock);
	if (sleeps)
		wake(r);
}

void reactor_notice(struct reactor *r, uint64_t key)
{
	pthread_mutex_lock(&r->home_lock);
	if (r->notice_count == r->notice_room) {
		r->notice_room = r->notice_room ? 2 * r->notice_room : 64;
		r->notices = memory_resize(r->notices, r->notice_room * sizeof *r->notices);
	}
	r->notices[r->notice_count++] = key;
	bool sleeps = must_wake(r);
	pthread_mutex_unlock(&r->home_lock);
	if (sleeps)
		wake(r);
}

static struct tls_context **tls_of(struct reactor *r, const struct listener *listener)
{
	for (int i = 0; i < r->listener_count; i++)
		if (r->listeners[i] == listener)
			return &r->tls[i];
	panic("reactor: no listener %s", listener->name);
}

struct tls *session_tls_new(struct reactor *r, const struct listener *listener, int fd)
{
	pthread_mutex_lock(&r->tls_lock);
	struct tls *tls = tls_new(*tls_of(r, listener), fd);
	pthread_mutex_unlock(&r->tls_lock);
	return tls;
}

void reactor_set_tls(struct reactor *r, const struct listener *listener, struct tls_context *tls)
{
	pthread_mutex_lock(&r->tls_lock);
	struct tls_context **place = tls_of(r, listener), *old = *place;
	*place = tls;
	pthread_mutex_unlock(&r->tls_lock);
	tls_context_free(old); /* OpenSSL keeps what connections still use */
}

void reactor_drain(struct reactor *r, int grace_ms)
{
	pthread_mutex_lock(&r->home_lock);
	r->drain_ms = grace_ms;
	bool sleeps = must_wake(r);
	pthread_mutex_unlock(&r->home_lock);
	if (sleeps)
		wake(r);
}

size_t reactor_sessions(const struct reactor *r)
{
	return r->count;
}

/* ---- watchers ---- */

static void watch_update(struct reactor *r, struct session_private *p)
{
	if (p->watch == p->watched)
		return;
	if (p->watched) {
		struct watchers *w = map_get(&r->watchers, p->watched);

		list_remove(&p->watcher);
		if (list_empty(&w->sessions)) {
			map_remove(&r->watchers, w->key);
			shared_watch(w->key, false);
			free(w);
		}
	}
	p->watched = p->watch;
	if (!p->watched)
		return;
	struct watchers *w = map_get(&r->watchers, p->watched);
	if (!w) {
		w = NEW(struct watchers);
		w->key = p->watched;
		list_init(&w->sessions);
		map_set(&r->watchers, w->key, w);
		shared_watch(w->key, true);
	}
	list_push(&w->sessions, &p->watcher);
	/* What came between its last look and now may have been missed: look once more. */
	p->noticed = true;
}

/* ---- a session at home ---- */

static void close_session(struct reactor *r, struct session_private *p)
{
	p->watch = 0;
	watch_update(r, p);
	timer_clear(p);
	list_remove(&p->all);
	epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
	session_free(p);
	r->count--;
	stats_set(STAT_SESSIONS, (int64_t)r->count);
}

static void hand_over(struct session_private *p)
{
	timer_clear(p);
	p->parked = false;
	session_run(p);
}

/* A turn that cannot block, in the reactor's own thread; false: the session is held by somebody else now. */
static bool run_here(struct reactor *r, struct session_private *p)
{
	timer_clear(p);
	p->parked = false;
	bool back = session_turn(p, NULL, r->turn, true);
	if (back)
		p->owner = OWNER_REACTOR;
	arena_reset(r->turn);
	return back;
}

/* Between commands: nothing is being received, made or sent. */
static bool idle(const struct session_private *p)
{
	return p->phase == PHASE_FRAMES && p->frame.kind == FRAME_LINE && p->in.n == 0;
}

static void say_goodbye(struct session_private *p, void (*say)(struct session *s))
{
	if (say)
		say(&p->s);
	p->closing = true;
	p->midway = p->frame.kind != FRAME_LINE;
	p->phase = PHASE_FRAMES;
	session_send(p);
}

/* How long it may be silent. */
static int patience_ms(const struct session_private *p)
{
	int handshake = p->reactor->config.handshake_ms;

	return p->phase == PHASE_SECURE && handshake ? handshake : p->timeout_ms;
}

/* A handshake and a message's data come in many turns, and a timer begins anew with each of them: the
 * one has a time as a whole, the other a rate that is judged over a window. False: too slow. */
static bool keeps_pace(struct session_private *p)
{
	bool shakes = p->phase == PHASE_SECURE;
	bool data = p->phase == PHASE_FRAMES && p->frame.kind != FRAME_LINE && p->rate;
	int64_t now = clock_us(), length = now - p->window_us;

	if ((!data && !shakes) || p->window_us == 0) {
		p->window_us = data || shakes ? now : 0;
		p->moved = 0;
		return true;
	}
	if (length < patience_ms(p) * 1000LL)
		return true;
	bool kept = data && p->moved >= (uint64_t)(p->rate * length / 1000000);
	p->window_us = now;
	p->moved = 0;
	return kept;
}

/* Nothing more is waited for, but for what is still to be sent. */
static void give_up(struct session_private *p)
{
	log_info("session.expired", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
	    kv_str("why",
		session_unsent(p) ? "the client does not take its answers"
				  : "the client is too slow"));
	if (session_unsent(p) > 0 || p->phase == PHASE_SECURE || p->closing)
		p->broken = true;
	else
		say_goodbye(p, p->s.listener->protocol->expired);
}

/* `notice` may be called: between frames, and while the client takes its answers. */
static bool may_notice(const struct session_private *p)
{
	return p->phase == PHASE_FRAMES && p->watched && !p->closing && p->s.out.n <= SESSION_MARK;
}

static void wait_for_socket(struct reactor *r, struct session_private *p, int timeout_ms)
{
	if (!p->due_us)
		timer_set(r, p, timeout_ms);
	p->parked = true;
	watch_socket(r, p);
}

/* The last answer is sent. */
static void end_session(struct reactor *r, struct session_private *p)
{
	if (!p->lingering && linger_wanted(p)) {
		p->watch = 0;
		watch_update(r, p);
		timer_clear(p);
		linger_begin(p);
	}
	if (!p->lingering || linger_over(p))
		close_session(r, p);
	else
		wait_for_socket(r, p, LINGER_MS);
}

/* Decides what happens next with a session that is in the reactor's hands: closed, run again, or left
 * waiting. */
static void settle(struct reactor *r, struct session_private *p)
{
	if (r->draining && !p->closing && idle(p) && p->s.state)
		say_goodbye(p, p->s.listener->protocol->drained);
	if (!p->closing && !p->broken && !keeps_pace(p))
		give_up(p);
	while (p->phase == PHASE_FRAMES && !p->closing && session_pending(p) && !session_ready(p) &&
	    session_receive(p))
		;
	p->broken |= r->draining && p->phase == PHASE_SECURE;
	bool done = session_unsent(p) == 0 &&
	    (p->closing || (p->input_ended && (p->phase == PHASE_SECURE || !session_ready(p))));
	if (p->broken) {
		close_session(r, p);
		return;
	}
	if (done) {
		end_session(r, p);
		return;
	}
	watch_update(r, p);
	if (p->phase == PHASE_MORE && p->s.out.n <= SESSION_MARK / 4) {
		hand_over(p);
		return;
	}
	if (p->noticed && may_notice(p)) {
		p->noticed = false;
		p->phase = PHASE_NOTICE;
		hand_over(p);
		return;
	}
	if (p->phase == PHASE_RESUME || (p->phase == PHASE_FRAMES && session_ready(p)) ||
	    session_opens_slowly(p)) {
		hand_over(p);
		return;
	}
	if (p->in.n == 0)
		session_input_free(p);
	wait_for_socket(r, p, patience_ms(p));
}

/* The socket is ready. Slow senders and slow readers never leave this function. */
static void serve(struct reactor *r, struct session_private *p, uint32_t events)
{
	if (!p->parked)
		return; /* with a worker, or on its way home: it is looked at when it comes */
	if (p->lingering) {
		end_session(r, p);
		return;
	}
	if (p->proxy) {
		take_proxy(r, p);
		return;
	}
	if (p->phase == PHASE_SECURE) {
		if (!session_quick(p))
			hand_over(p);
		else if (run_here(r, p))
			settle(r, p);
		return;
	}
	if (events & EPOLLOUT) {
		uint64_t before = p->moved;

		session_send(p);
		if (p->moved - before >= 1024)
			timer_clear(p); /* it is taking its answer */
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		session_receive(p);
	for (int rounds = 0; rounds < 16 && !p->broken && !p->closing && session_quick(p); rounds++)
		if (!run_here(r, p))
			return;
	settle(r, p);
}

/* Time is up: too slow is fine while it keeps its rate. */
static void expire(struct reactor *r, struct session_private *p)
{
	if (p->lingering || p->proxy) {
		close_session(r, p);
		return;
	}
	if (p->window_us && keeps_pace(p))
		timer_set(r, p, patience_ms(p));
	else
		give_up(p);
	settle(r, p);
}

/* ---- the loop ---- */

static void notice_key(struct reactor *r, uint64_t key)
{
	struct watchers *w = map_get(&r->watchers, key);

	if (!w)
		return;
	/* Those at home are run; the others are told when they come. Running moves nothing in this list. */
	LIST_EACH(node, &w->sessions)
	{
		struct session_private *p = LIST_OF(node, struct session_private, watcher);

		p->noticed = true;
	}
	struct link *node = w->sessions.head.next;
	while (node != &w->sessions.head) {
		struct session_private *p = LIST_OF(node, struct session_private, watcher);

		node = node->next;
		if (p->parked && may_notice(p)) {
			p->noticed = false;
			p->phase = PHASE_NOTICE;
			hand_over(p);
		}
	}
}

static void begin_drain(struct reactor *r, int grace_ms)
{
	if (r->draining)
		return;
	r->draining = true;
	listeners_watch(r, false);
	r->drain_until_us = clock_us() + (int64_t)grace_ms * 1000;
	struct link *node = r->all.head.next;
	while (node != &r->all.head) {
		struct session_private *p = LIST_OF(node, struct session_private, all);

		node = node->next;
		if (p->parked && !p->lingering && (idle(p) || p->phase == PHASE_SECURE))
			settle(r, p);
	}
}

static void come_home(struct reactor *r)
{
	struct list home;
	uint64_t *notices;

	list_init(&home);
	pthread_mutex_lock(&r->home_lock);
	struct link *node;
	while ((node = list_pop(&r->home)))
		list_push(&home, node);
	notices = r->notices;
	size_t notice_count = r->notice_count;
	r->notices = NULL;
	r->notice_count = r->notice_room = 0;
	int drain_ms = r->drain_ms;
	r->drain_ms = -1;
	r->sleeps = false;
	pthread_mutex_unlock(&r->home_lock);

	for (size_t i = 0; i < notice_count; i++)
		notice_key(r, notices[i]);
	free(notices);
	if (drain_ms >= 0)
		begin_drain(r, drain_ms);
	while ((node = list_pop(&home)))
		settle(r, LIST_OF(node, struct session_private, ready));
}

static void close_all(struct reactor *r)
{
	struct link *node;

	while ((node = list_first(&r->all)))
		close_session(r, LIST_OF(node, struct session_private, all));
}

/* Whoever holds a session names it once more, in session_release: until then it must be there. */
static void await_held(struct reactor *r)
{
	pthread_mutex_lock(&r->work_lock);
	r->awaits_held = true;
	LIST_EACH(node, &r->all)
	{
		while (LIST_OF(node, struct session_private, all)->owner == OWNER_HELD)
			pthread_cond_wait(&r->work_there, &r->work_lock);
	}
	pthread_mutex_unlock(&r->work_lock);
}

void reactor_run(struct reactor *r)
{
	struct epoll_event events[EVENTS];

	r->turn = arena_new(SESSION_TURN_MEMORY);
	workers_start(r);
	while (!r->draining || (r->count && clock_us() < r->drain_until_us)) {
		int wait = timer_run(r, expire);

		gates_expire(&r->gates);
		listeners_update(r);
		if ((r->draining || r->accept_again_us) && wait > 50)
			wait = 50; /* their ends have no event */
		int n = epoll_wait(r->epoll_fd, events, EVENTS, fall_asleep(r) ? wait : 0);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				wake_taken(r);
			else if (events[i].data.u64 & LISTENER_TAG)
				accept_sessions(
				    r, r->listeners[events[i].data.u64 & ~LISTENER_TAG]);
			else
				serve(r, events[i].data.ptr, events[i].events);
		}
		/* Last, because coming home may close sessions that this round's events still name. */
		come_home(r);
	}
	gates_close(&r->gates);
	await_held(r);
	workers_stop(r);
	await_held(r);
	come_home(r);
	close_all(r);
	while (r->signallers)
		sched_yield(); /* whoever ran the last one may still be on its way out of session_run */
	arena_free(r->turn);
	tls_thread_end();
}

void reactor_free(struct reactor *r)
{
	for (int i = 0; i < r->listener_count; i++)
		tls_context_free(r->tls[i]);
	close(r->epoll_fd);
	close(r->wake_fd);
	free(r->notices);
	free(r->rests);
	map_free(&r->watchers);
	gates_free(&r->gates);
	free(r);
}
