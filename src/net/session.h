/*
 * session: a connection as data, held by a thread only while it has work.
 *
 * Between commands a session is parked in the reactor: a socket, maybe TLS, what little input has come
 * so far, and the protocol's state. When a whole frame is there (a line, so many octets, or a chunk of
 * a body) a worker calls the protocol's handler, which is plain blocking C, and parks it again.
 *
 *     static enum turn answer(struct session *s, slice line)
 *     {
 *             buf_addf(&s->out, "250 2.0.0 ok\r\n");
 *             return TURN_NEXT;
 *     }
 *     const struct protocol my_protocol = { .name = "my", .open = greet, .frame = answer, ... };
 *
 * Rules that a protocol keeps:
 * - a handler never reads or writes the socket: input is complete before it is called, output is added
 *   to s->out and sent for it;
 * - a long answer is a producer: above SESSION_MARK octets in s->out it keeps its place in its state
 *   and returns TURN_MORE; `more` is called when the output has drained;
 * - every blocking call in a handler gets s->deadline;
 * - a session has one owner: the reactor, one worker, or, after TURN_HELD, whoever calls
 *   session_release. No lock protects it.
 */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/list.h"
#include "net/frame.h"
#include "net/tls.h"

struct session;
struct tls_context;
struct gate;
struct ip_set;
struct limits;

/* Output above this waits for the client before more is made. */
#define SESSION_MARK (256 * 1024)
/* Hard end of a session's output; a protocol that keeps to the mark never meets it. */
#define SESSION_OUTPUT (8u << 20)
/* A chunk frame is at most this long. */
#define SESSION_CHUNK (64 * 1024)
/* All lines that `longest` allows, of all sessions of a process together. */
#define SESSION_LONG (16u << 20)
/* Bytes that one handler's call may take from the turn's arena. */
#define SESSION_TURN_MEMORY (16u << 20)

enum turn {
	TURN_NEXT,     /* answered; on with the next frame */
	TURN_MORE,     /* call `more` when the output has drained */
	TURN_HELD,     /* somebody will call session_release; then `resume` is called */
	TURN_STARTTLS, /* send the output, drop early input, shake hands, call `secured` */
	TURN_COMPRESS, /* send the output, then compress both ways; after session_compress */
	TURN_CLOSE,    /* send the output, close */
};

struct protocol {
	const char *name; /* "smtp" */
	/* Connected (and, on a TLS port, secured): greet. May run in the reactor unless `open_blocks` says so:
	 * may not block, and has no s->worker. */
	enum turn (*open)(struct session *s);
	/* Must open() run in a worker? NULL: never. */
	bool (*open_blocks)(void);
	/* After the handshake that TURN_STARTTLS asked for. As open. */
	enum turn (*secured)(struct session *s);
	/* The others run in a worker unless said otherwise. */
	enum turn (*frame)(struct session *s, slice frame);
	enum turn (*oversized)(
	    struct session *s); /* a line longer than wanted; its rest is dropped */
	enum turn (*more)(struct session *s);
	enum turn (*resume)(struct session *s);
	/* Something happened to what session_watch names. May be NULL. */
	enum turn (*notice)(struct session *s);
	/* May the reactor's own thread call frame() with this? Only for what cannot block and needs no
	 * s->worker. May be NULL. */
	bool (*quick)(const struct session *s, slice frame);
	/* How long this line may become, of which more has come than was wanted; 0: no longer. Asked again and again
	 * while it grows. All such lines of a process together have SESSION_LONG octets. May be NULL. */
	size_t (*longest)(struct session *s, slice begun);
	/* The gate that this frame leads through (net/gate.h); NULL: none. May be NULL. */
	struct gate *(*gate)(const struct session *s, slice frame);
	/* Say goodbye into s->out; the session is closed afterwards. In the reactor: may not block. */
	void (*expired)(struct session *s); /* the client was silent, or slower than its rate */
	void (*drained)(struct session *s); /* the server goes down; called between commands only */
	void (*crowded)(struct session *s); /* too many of its address; nothing was said yet */
	/* Free what s->state holds. After this nothing is called. May run in the reactor. */
	void (*closed)(struct session *s);
};

enum listener_tls { LISTENER_CLEAR, LISTENER_STARTTLS, LISTENER_TLS };

/* A listening socket as the configuration describes it; lives as long as the process. */
struct listener {
	int fd;
	const char *name;  /* "smtp 127.0.0.1:25", for the log */
	const char *scope; /* what access rules call it (net/access.h); NULL: no rule can name it */
	const struct protocol *protocol;
	enum listener_tls tls;
	bool plain_login; /* passwords are accepted without TLS */
	bool submission;  /* SMTP: RFC 6409, only after a login */
	/* Of connections that no access rule names; NULL: any number. service_limits are those of all
	 * listeners of the protocol together. */
	const struct limits *limits, *service_limits;
	const struct ip_set
	    *proxies; /* whose connections begin with a PROXY header; NULL: nobody's */
};

struct session {
	/* For the protocol to read. */
	char id[24]; /* "4f2a.17", the first key of every log line */
	char peer
	    [64]; /* the client's address, IPv4-mapped ones as IPv4: "192.0.2.1", "2001:db8::1" */
	bool peer_ipv6;
	const struct listener *listener;
	struct arena *turn;       /* dies when the handler has returned */
	struct arena *arena;      /* dies with the connection */
	void *worker;             /* what the worker's start function made; NULL in the reactor */
	struct deadline deadline; /* of this turn */
	enum frame_end line_end;  /* how the line just handed over ended */

	/* For the protocol to write. */
	void *state;
	struct buf out;

	/* Private to net/. */
	struct session_private *own;
};

/* What the next frame is. A line: up to its LF, handed over without its line end; `max` octets without
 * it. Octets: exactly n. A chunk: what has come, at least one octet, at most SESSION_CHUNK. */
void session_want_line(struct session *s, size_t max);
void session_want_octets(struct session *s, size_t n);
void session_want_chunk(struct session *s);
/* Gives the last n octets of the current chunk back: they are the beginning of the next frame. */
void session_unread(struct session *s, size_t n);

/* How long the client may take for the next frame (or, while output waits, to take some of it). */
void session_set_timeout(struct session *s, int ms);
/* For octets and chunks: so many octets a second, over each timeout; 0: any. */
void session_set_rate(struct session *s, unsigned octets_per_second);

/* TLS is up. */
bool session_secure(const struct session *s);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" without TLS. */
const char *session_tls_text(const struct session *s);

/* Both ends of the connection's socket, whoever it speaks for. */
struct session_ends {
	struct ip local, peer;
	unsigned local_port, peer_port; /* 0: not known */
};
void session_find_ends(const struct session *s, struct session_ends *ends_out);

/* Makes ready for TURN_COMPRESS (RFC 4978); false: no memory. Once in a session. */
bool session_compress(struct session *s);
/* It was. */
bool session_compressed(const struct session *s);

/* Adds names of the client's certificate (tls_client_names); none without TLS. */
void session_client_names(const struct session *s, enum tls_client_name kind, struct buf *out);

/* Adds what binds an authentication to this TLS connection (tls_binding); false without TLS. */
bool session_tls_binding(const struct session *s, slice type, struct buf *out);

/* Calls `notice` whenever reactor_notice names this key; 0 ends it. While `notice` is being wanted the
 * session must be parked waiting for a line. */
void session_watch(struct session *s, uint64_t key);

/* Did the frame's gate let it in? false: error says why not; temporary. */
bool session_may_ask(const struct session *s, struct error *error);
/* The backend behind the frame's gate did not answer. */
void session_ask_failed(struct session *s);

/* The client speaks for a host at this address, which is the peer from now on (XCLIENT). false: no IP
 * address. Who may say so is the protocol's business; what the connection counts as does not change. */
bool session_speak_for(struct session *s, slice address);

/* After TURN_HELD: gives the session back; from any thread, exactly once. */
void session_release(struct session *s);

/* The server is going down: end at the next good moment. */
bool session_draining(const struct session *s);

#endif
