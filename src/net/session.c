#include "net/internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

/* Pipelined input: so much in one turn, then others have theirs. */
#define TURN_FRAMES 16
#define TURN_US     50000
/* Absolute end of what one turn may wait for. */
#define TURN_DEADLINE_MS 60000
#define SESSION_MEMORY   (64u << 20)
#define DEFAULT_TIMEOUT  60000
#define INPUT_CHUNK      16384

/* ---- making and ending ---- */

void session_set_peer(struct session_private *p, const struct ip *ip)
{
	p->s.peer_ipv6 = ip_write(ip, p->s.peer);
}

static void read_peer(struct session_private *p)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	const struct sockaddr_in *in4 = (const void *)&address;
	const struct sockaddr_in6 *in6 = (const void *)&address;
	struct ip ip = { .octets = { [10] = 0xff, [11] = 0xff } };

	if (getpeername(p->fd, (struct sockaddr *)&address, &length) < 0)
		return;
	if (address.ss_family == AF_INET)
		memcpy(ip.octets + 12, &in4->sin_addr, 4);
	else
		memcpy(ip.octets, &in6->sin6_addr, 16);
	session_set_peer(p, &ip);
}

bool session_speak_for(struct session *s, slice address)
{
	struct ip ip;

	if (!ip_parse(address, &ip))
		return false;
	session_set_peer(s->own, &ip);
	return true;
}

enum proxy_answer session_take_proxy(struct session_private *p, const char **why_out)
{
	char next[PROXY_MAX];
	struct ip peer;

	for (;;) {
		ssize_t n = recv(p->fd, next, sizeof next, MSG_PEEK | MSG_DONTWAIT);

		if (n <= 0) {
			*why_out = "the connection ended within the header";
			return n < 0 && (errno == EAGAIN || errno == EINTR) ? PROXY_MORE
									    : PROXY_WRONG;
		}
		size_t ours = proxy_belongs(buf_slice(p->proxy), (slice){ next, (size_t)n });
		if (ours && recv(p->fd, next, ours, MSG_DONTWAIT) != (ssize_t)ours)
			return PROXY_WRONG;
		buf_add(p->proxy, (slice){ next, ours });
		enum proxy_answer answer = proxy_parse(buf_slice(p->proxy), &peer, why_out);
		if (answer == PROXY_PEER)
			session_set_peer(p, &peer);
		if (answer != PROXY_MORE)
			return answer;
	}
}

struct session_private *session_new(struct reactor *r, int fd, const struct listener *listener)
{
	struct session_private *p = NEW(struct session_private);
	int on = 1;

	*p = (struct session_private){ .reactor = r, .fd = fd, .timeout_ms = DEFAULT_TIMEOUT };
	p->s.own = p;
	p->s.listener = listener;
	p->s.arena = arena_new(SESSION_MEMORY);
	snprintf(p->s.id, sizeof p->s.id, "%llx", (unsigned long long)r->next_id++);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	read_peer(p);
	buf_init(&p->in, SESSION_CHUNK);
	buf_init(&p->s.out, SESSION_OUTPUT);
	frame_want(&p->frame, FRAME_LINE, 512);
	p->line_max = 512;
	p->phase = PHASE_OPEN;
	if (listener->tls == LISTENER_TLS) {
		p->tls = session_tls_new(r, listener, fd);
		p->phase = PHASE_SECURE;
	}
	return p;
}

void session_forget(struct session_private *p)
{
	if (p->s.state && p->s.listener->protocol->closed)
		p->s.listener->protocol->closed(&p->s);
	p->s.state = NULL;
}

static atomic_size_t long_lines; /* octets that sessions hold of SESSION_LONG */

static void give_back_long(struct session_private *p)
{
	atomic_fetch_sub(&long_lines, p->long_line);
	p->long_line = 0;
}

/* Passwords came this way: nothing of them stays in freed memory. */
void session_input_free(struct session_private *p)
{
	if (p->in.p)
		explicit_bzero(p->in.p, p->in.cap);
	buf_free(&p->in);
}

void session_free(struct session_private *p)
{
	session_forget(p);
	limits_leave(&p->pass);
	if (p->proxy)
		buf_free(p->proxy);
	free(p->proxy);
	tls_free(p->tls);
	compress_free(p->compress);
	close(p->fd);
	session_input_free(p);
	layer_free(p);
	give_back_long(p);
	buf_free(&p->s.out);
	arena_free(p->s.arena);
	free(p);
}

/* ---- what a protocol may ask for ---- */

void session_want_line(struct session *s, size_t max)
{
	frame_want(&s->own->frame, FRAME_LINE, max);
	s->own->line_max = max;
	s->own->in.max = max + 2 > SESSION_CHUNK ? max + 2 : SESSION_CHUNK;
}

void session_want_octets(struct session *s, size_t n)
{
	frame_want(&s->own->frame, FRAME_OCTETS, n);
	s->own->in.max = n > SESSION_CHUNK ? n : SESSION_CHUNK;
}

void session_want_chunk(struct session *s)
{
	frame_want(&s->own->frame, FRAME_CHUNK, SESSION_CHUNK);
}

void session_unread(struct session *s, size_t n)
{
	assert(n <= s->own->frame_used);
	s->own->unread = n;
}

void session_set_timeout(struct session *s, int ms)
{
	s->own->timeout_ms = ms;
}

void session_set_rate(struct session *s, unsigned octets_per_second)
{
	s->own->rate = octets_per_second;
}

bool session_compress(struct session *s)
{
	assert(!s->own->compress);
	s->own->compress = compress_new();
	return s->own->compress != NULL;
}

bool session_compressed(const struct session *s)
{
	return s->own->compress != NULL;
}

void session_watch(struct session *s, uint64_t key)
{
	s->own->watch = key;
}

bool session_draining(const struct session *s)
{
	return s->own->reactor->draining;
}

void session_release(struct session *s)
{
	struct session_private *p = s->own;
	int none = HOLD_NONE;

	/* The handler has not returned yet: its worker goes on by itself. */
	if (atomic_compare_exchange_strong(&p->hold, &none, HOLD_RELEASED))
		return;
	assert(none == HOLD_WAITING);
	p->hold = HOLD_NONE;
	p->phase = p->after_hold;
	session_run(p);
}

/* ---- input and output, never waiting ---- */

static void send_clear(struct session_private *p, struct buf *out)
{
	while (out->n) {
		ssize_t n = send(p->fd, out->p, out->n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			p->broken |= errno != EAGAIN && errno != EWOULDBLOCK;
			p->wants_write = true;
			return;
		}
		p->moved += (uint64_t)n;
		buf_drop(out, (size_t)n);
	}
}

static void send_tls(struct session_private *p, struct buf *out)
{
	size_t done = 0, n;

	while (done < out->n) {
		enum tls_result result = tls_write(p->tls, slice_from(buf_slice(out), done), &n);

		if (result != TLS_DONE) {
			p->broken |= result == TLS_FAILED || result == TLS_CLOSED;
			p->wants_write = true;
			break;
		}
		done += n;
		p->moved += n;
	}
	buf_drop(out, done);
}

static void send_buf(struct session_private *p, struct buf *out)
{
	if (p->secured)
		send_tls(p, out);
	else
		send_clear(p, out);
}

static void send_compressed(struct session_private *p)
{
	struct buf *wire = &p->compress->wire;

	do {
		compress_out(p->compress, &p->s.out);
		send_buf(p, wire);
	} while (wire->n == 0 && session_unsent(p) && !p->broken);
	if (wire->n == 0)
		buf_free(wire);
}

void session_send(struct session_private *p)
{
	p->wants_write = false;
	layer_encode(p);
	if (p->broken)
		return;
	if (p->compressing)
		send_compressed(p);
	else
		send_buf(p, &p->s.out);
	layer_sent(p);
	if (p->s.out.n == 0)
		buf_free(&p->s.out);
}

/* Pieces of a layer: what they hold goes into p->in. false: nothing did. */
static bool receive_layered(struct session_private *p, struct buf *raw)
{
	bool any = layer_decode(p);
	size_t room = raw->n < raw->max ? raw->max - raw->n : 0;

	if (any || room == 0 || p->in.n >= p->in.max || p->input_ended || p->broken)
		return any;
	ssize_t n = recv(p->fd, buf_room(raw, room), room, MSG_DONTWAIT);
	p->input_ended |= n == 0;
	p->broken |= n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
	buf_grow(raw, n > 0 ? (size_t)n : 0);
	p->moved += n > 0 ? (uint64_t)n : 0;
	return n > 0 && layer_decode(p);
}

size_t session_unsent(const struct session_private *p)
{
	return p->s.out.n + (p->compressing ? p->compress->wire.n + p->compress->held : 0);
}

/* As buf_add(); what was in memory that is given up is wiped: passwords come this way. */
static void input_add(struct session_private *p, slice octets)
{
	struct buf *in = &p->in, before = *in;

	if (before.p && before.n + octets.n + 1 > before.cap && before.cap <= INPUT_CHUNK) {
		*in = (struct buf){ .max = before.max };
		buf_room(in, before.n + octets.n);
		buf_add(in, buf_slice(&before));
		explicit_bzero(before.p, before.cap);
		buf_free(&before);
	}
	buf_add(in, octets);
}

/* What has come to the socket, at most room octets; 0: nothing, or it has ended. */
static size_t receive_octets(struct session_private *p, char *to, size_t room)
{
	size_t got = 0;

	if (p->secured) {
		enum tls_result result = tls_read(p->tls, to, room, &got);

		p->input_ended |= result == TLS_CLOSED;
		p->broken |= result == TLS_FAILED;
	} else {
		ssize_t n = recv(p->fd, to, room, MSG_DONTWAIT);

		p->input_ended |= n == 0;
		p->broken |= n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
		got = n > 0 ? (size_t)n : 0;
	}
	p->moved += got;
	return got;
}

/* The same of a compressed stream. true: something moved, though perhaps nothing came out of it yet. */
static bool receive_compressed(struct session_private *p, size_t room)
{
	struct compress *c = p->compress;
	size_t got = 0;

	if (!compress_pending(c) && !p->input_ended) {
		got = receive_octets(p, buf_room(&c->raw, COMPRESS_RAW), COMPRESS_RAW);
		buf_grow(&c->raw, got);
	}
	if (got == 0 && !compress_pending(c))
		return false;
	size_t before = p->in.n;
	if (!compress_in(c, &p->in, room)) {
		log_info("compress.failed", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("why", "what the client sent is not DEFLATE"));
		p->broken = true;
	}
	p->input_ended |= c->ended;
	return !p->broken && (got > 0 || p->in.n > before);
}

/* Takes what is there now into p->in. false: nothing came. */
bool session_receive(struct session_private *p)
{
	struct buf *layered = layer_input(p);
	size_t room = p->in.n < p->in.max ? p->in.max - p->in.n : 0;
	bool came;

	if (layered)
		return receive_layered(p, layered);
	if (room > INPUT_CHUNK)
		room = INPUT_CHUNK;
	if (room == 0 || p->broken || (p->input_ended && !p->compressing))
		return false;
	if (p->compressing) {
		came = receive_compressed(p, room);
	} else if (p->in.cap - p->in.n > room) {
		size_t got = receive_octets(p, buf_room(&p->in, room), room);

		buf_grow(&p->in, got);
		came = got > 0;
	} else {
		/* By the stack: a line is short, and room for the most that may come, torn out of the heap for a
		 * moment, leaves holes there that ten thousand idle sessions pay for. */
		char octets[INPUT_CHUNK];
		size_t got = receive_octets(p, octets, room);

		input_add(p, (slice){ octets, got });
		explicit_bzero(octets, got);
		came = got > 0;
	}
	if (p->in.n == 0)
		session_input_free(p);
	return came;
}

bool session_pending(const struct session_private *p)
{
	return layer_pending(p) || (p->secured && tls_pending(p->tls)) ||
	    (p->compressing && compress_pending(p->compress));
}

/* ---- frames ---- */

static bool take_long(struct session_private *p, size_t octets)
{
	if (p->long_line)
		return true;
	if (atomic_fetch_add(&long_lines, octets) + octets > SESSION_LONG) {
		atomic_fetch_sub(&long_lines, octets);
		return false;
	}
	p->long_line = octets;
	return true;
}

/* A line that is longer than wanted may be one of those that the protocol lets be. */
static void fit_line(struct session_private *p)
{
	const struct protocol *protocol = p->s.listener->protocol;
	size_t most = 0;

	if (p->frame.kind != FRAME_LINE || p->frame.dropping)
		return;
	if (p->in.n > p->line_max && protocol->longest)
		most = protocol->longest(&p->s, buf_slice(&p->in));
	p->frame.max = most > p->line_max && take_long(p, most) ? most : p->line_max;
	p->in.max = p->frame.max + 2 > SESSION_CHUNK ? p->frame.max + 2 : SESSION_CHUNK;
}

static enum frame_result peek_frame(struct session_private *p, slice *frame_out)
{
	size_t used;

	fit_line(p);
	enum frame_result result = frame_next(&p->frame, buf_slice(&p->in), frame_out, &used);

	if (result == FRAME_PARTIAL)
		buf_drop(&p->in, used);
	p->frame_used = used;
	return result;
}

bool session_ready(struct session_private *p)
{
	slice frame;
	struct frame before = p->frame;

	if (p->phase != PHASE_FRAMES)
		return true;
	if (p->s.out.n > SESSION_MARK || p->closing)
		return false;
	enum frame_result result = peek_frame(p, &frame);
	if (result != FRAME_PARTIAL)
		p->frame = before; /* it is found again, in the turn */
	return result != FRAME_PARTIAL;
}

bool session_opens_slowly(const struct session_private *p)
{
	const struct protocol *protocol = p->s.listener->protocol;

	return p->phase == PHASE_OPEN && !p->closing && protocol->open_blocks &&
	    protocol->open_blocks();
}

bool session_quick(struct session_private *p)
{
	const struct protocol *protocol = p->s.listener->protocol;
	slice frame;
	struct frame before = p->frame;

	if (p->phase == PHASE_SECURE)
		return tls_nearly_done(p->tls);
	if (p->phase != PHASE_FRAMES || !protocol->quick || p->closing || p->s.out.n > SESSION_MARK)
		return false;
	enum frame_result result = peek_frame(p, &frame);
	if (result == FRAME_PARTIAL)
		return false; /* what it has swallowed already is not to be found again */
	p->frame = before;
	return result == FRAME_WHOLE && protocol->quick(&p->s, frame);
}

/* ---- a turn ---- */

/* ---- gates and holding ---- */

bool session_may_ask(const struct session *s, struct error *error)
{
	const char *refused = s->own->gate ? s->own->refused : NULL;

	return !refused || error_set(error, FAULT_LOCAL, true, refused, "%s", refused);
}

void session_ask_failed(struct session *s)
{
	s->own->ask_failed = true;
}

static struct gate *gate_of(struct session_private *p)
{
	const struct protocol *protocol = p->s.listener->protocol;
	struct frame before = p->frame;
	slice frame;

	if (p->phase == PHASE_SECURE)
		return tls_nearly_done(p->tls) ? NULL : p->reactor->handshake_gate;
	if (p->phase != PHASE_FRAMES || p->frame.kind != FRAME_LINE || !protocol->gate)
		return NULL;
	enum frame_result result = peek_frame(p, &frame);
	if (result == FRAME_PARTIAL)
		return NULL; /* what it has swallowed already is not to be found again */
	p->frame = before;
	return result == FRAME_WHOLE ? protocol->gate(&p->s, frame) : NULL;
}

/* Is it let in, or refused? false: it waits. */
static bool gate_pass(struct session_private *p)
{
	if (p->gate || !(p->gate = gate_of(p)))
		return true;
	p->ask_failed = false;
	p->after_hold = p->phase;
	return gate_enter(p->gate, p) == GATE_PASSED;
}

static void gate_pass_out(struct session_private *p)
{
	if (p->gate && !p->refused)
		gate_leave(p->gate, p->ask_failed);
	p->gate = NULL;
	p->refused = NULL;
}

/* Gives it into other hands; what it has answered so far goes out first. false: it is back already. */
static bool hand_out(struct session_private *p)
{
	int none = HOLD_NONE;

	if (p->s.out.n)
		session_send(p);
	p->owner = OWNER_HELD;
	if (atomic_compare_exchange_strong(&p->hold, &none, HOLD_WAITING))
		return true;
	p->hold = HOLD_NONE;
	p->owner = OWNER_WORKER;
	return false;
}

/* Whose certificate it was, for whoever looks for a session's client later. */
static void log_secured(const struct session_private *p)
{
	const char *fault = tls_client_fault(p->tls);

	if (fault[0])
		log_info("tls.done", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("listener", p->s.listener->name), kv_str("tls", tls_text(p->tls)),
		    kv_str("client_untrusted", fault));
	else
		log_info("tls.done", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("listener", p->s.listener->name), kv_str("tls", tls_text(p->tls)),
		    kv_num("resumed", tls_resumed(p->tls)), kv_str("client", tls_client(p->tls)));
}

/* One step of the handshake; its first step may ask the role keys. */
static void secure(struct session_private *p)
{
	char why[120] = "";

	p->wants_write = false;
	if (p->refused) {
		log_warn("tls.refused", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("why", p->refused));
		p->broken = true;
		return;
	}
	switch (tls_handshake(p->tls, why, sizeof why)) {
	case TLS_DONE:
		p->secured = true;
		log_secured(p);
		p->window_us = 0; /* its time is over; a message's data has its own */
		p->phase = p->starttls ? PHASE_SECURED : PHASE_OPEN;
		p->starttls = false;
		break;
	case TLS_WANT_READ:
		break;
	case TLS_WANT_WRITE:
		p->wants_write = true;
		break;
	case TLS_CLOSED:
	case TLS_FAILED:
		log_info("tls.failed", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_str("why", why));
		p->broken = true;
		break;
	}
}

static enum turn call_frame(struct session_private *p)
{
	const struct protocol *protocol = p->s.listener->protocol;
	slice frame;
	enum frame_result result = peek_frame(p, &frame);
	enum turn turn = TURN_NEXT;

	if (result == FRAME_PARTIAL)
		return TURN_NEXT;
	p->unread = 0;
	p->midway = p->frame.kind != FRAME_LINE;
	p->s.line_end = p->frame.end;
	size_t used = p->frame_used;
	turn = result == FRAME_WHOLE ? protocol->frame(&p->s, frame) : protocol->oversized(&p->s);
	buf_drop(&p->in, used - p->unread);
	give_back_long(p);
	return turn;
}

static enum turn call_protocol(struct session_private *p)
{
	const struct protocol *protocol = p->s.listener->protocol;
	enum phase phase = p->phase;

	p->phase = PHASE_FRAMES;
	switch (phase) {
	case PHASE_OPEN:
		return protocol->open(&p->s);
	case PHASE_SECURED:
		return protocol->secured(&p->s);
	case PHASE_MORE:
		return protocol->more(&p->s);
	case PHASE_RESUME:
		return protocol->resume(&p->s);
	case PHASE_NOTICE:
		return protocol->notice ? protocol->notice(&p->s) : TURN_NEXT;
	case PHASE_FRAMES:
	case PHASE_SECURE:
		break;
	}
	return call_frame(p);
}

/* Early input is dropped: a client may say nothing between STARTTLS and its handshake, so what is there
 * was slipped in by somebody else (RFC 3207 §4.2). */
static void begin_tls(struct session_private *p)
{
	if (p->in.n)
		log_warn("starttls.early", kv_str("s", p->s.id), kv_str("peer", p->s.peer),
		    kv_num("octets", (int64_t)p->in.n),
		    kv_str("why", "input after STARTTLS dropped"));
	session_input_free(p);
	p->tls = session_tls_new(p->reactor, p->s.listener, p->fd);
	p->phase = PHASE_SECURE;
}

/* A client waits for the OK before it compresses (RFC 4978 §3): what is there already is taken for compressed. */
static void begin_compression(struct session_private *p)
{
	buf_add(&p->compress->raw, buf_slice(&p->in));
	p->broken |= p->compress->raw.full;
	session_input_free(p);
	frame_want(&p->frame, p->frame.kind, p->frame.max);
	p->compressing = true;
}

/* The output before another layer is sent: a client that does not take a short line is given up. */
static void begin_layer(struct session_private *p)
{
	if (p->s.out.n)
		p->closing = true;
	else if (p->starttls)
		begin_tls(p);
	else
		begin_compression(p);
	p->turns_compressing = false;
}

/* false: held by somebody else now; hands off. */
static bool take_result(struct session_private *p, enum turn turn)
{
	switch (turn) {
	case TURN_NEXT:
		break;
	case TURN_MORE:
		p->phase = PHASE_MORE;
		break;
	case TURN_HELD:
		p->after_hold = PHASE_RESUME;
		if (hand_out(p))
			return false;
		p->phase = PHASE_RESUME;
		break;
	case TURN_STARTTLS:
		p->starttls = true;
		break;
	case TURN_COMPRESS:
		p->turns_compressing = true;
		break;
	case TURN_CLOSE:
		p->closing = true;
		break;
	}
	return true;
}

/* Another round in this turn? In the reactor only with what protocol->quick allows there. */
static bool goes_on(struct session_private *p, int rounds, int64_t start, bool in_reactor)
{
	if (p->broken || p->closing || p->wants_write || rounds >= TURN_FRAMES ||
	    clock_us() - start > TURN_US)
		return false;
	if (p->phase == PHASE_SECURE)
		return false;
	if (p->phase == PHASE_MORE)
		return p->s.out.n <= SESSION_MARK / 4;
	if (!session_ready(p) && !(session_receive(p) && session_ready(p)))
		return false;
	return !in_reactor || session_quick(p);
}

static void turn_rounds(struct session_private *p, bool in_reactor, bool *held_out)
{
	int64_t start = clock_us();
	int rounds = 0;

	*held_out = false;
	do {
		if (!gate_pass(p) && hand_out(p)) {
			*held_out = true;
			return;
		}
		if (p->phase == PHASE_SECURE) {
			secure(p);
			gate_pass_out(p);
			if (p->phase == PHASE_SECURE || p->broken)
				return;
		}
		if (in_reactor && session_opens_slowly(p))
			return; /* the reactor hands it over */
		enum turn turn = call_protocol(p);
		gate_pass_out(p);
		layer_begin(p);
		if (!take_result(p, turn)) {
			*held_out = true;
			return;
		}
		if (p->s.out.full) {
			/* What is missing cannot be sent any more: no client could make sense of the rest. */
			log_warn("output.overrun", kv_str("s", p->s.id),
			    kv_num("most", (int64_t)p->s.out.max));
			p->broken = true;
			return;
		}
		/* Producers drain as they go; ordinary answers gather until the input is used up. */
		if (p->s.out.n > SESSION_MARK / 2 || p->phase == PHASE_MORE || p->starttls ||
		    p->turns_compressing)
			session_send(p);
		if (p->starttls || p->turns_compressing)
			begin_layer(p);
		rounds++;
	} while (goes_on(p, rounds, start, in_reactor));
	session_send(p);
}

bool session_turn(struct session_private *p, void *worker, struct arena *turn, bool in_reactor)
{
	bool held;

	p->owner = OWNER_WORKER;
	p->s.worker = worker;
	p->s.turn = turn;
	p->s.deadline = deadline_in_ms(TURN_DEADLINE_MS);
	turn_rounds(p, in_reactor, &held);
	if (held)
		return false;
	p->s.worker = NULL;
	p->s.turn = NULL;
	return true;
}
