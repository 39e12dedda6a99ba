/*
 * policy: the policy that is active, and its events while mail passes.
 *
 *     policy_start(&settings);                                (once; reads the active version)
 *     struct policy_state *state = policy_open(s->arena);     (of a connection; NULL: there is no policy)
 *     policy_text(state, FACT_ehloHost, name);
 *     struct policy_run run = { .state = state, .event = ON_EHLO, .turn = s->turn, ... };
 *     policy_fire(&run);
 *     if (run.verdict.action == POLICY_REJECT) ... run.verdict.code, run.verdict.text ...
 *
 * Control keeps numbered versions in directory.db and says when there is another. A connection begins under
 * the version that is active then, a message under that of its MAIL FROM, and ends under it. A version that
 * this program cannot read any more is not skipped: its events end as policy.onError says.
 *
 * What an event does to a message goes through functions of its host (struct policy_deeds). What it sets
 * is kept in the state's arena, at most POLICY_KEPT octets.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "directory/directory.h"
#include "net/dns.h"
#include "policy/facts.h"
#include "policy/tables.h"
#include "queue/envelope.h"
#include "proc/peers.h"
#include "trace/trace.h"

#define POLICY_KEPT (1u << 20)

enum policy_action {
	POLICY_NONE, /* the server's own decision */
	POLICY_ACCEPT,
	POLICY_REJECT,
	POLICY_TMPREJECT,
	POLICY_DISCARD,
	POLICY_QUARANTINE,
	POLICY_DISCONNECT,
};

struct policy_settings {
	const char *directory;         /* path of directory.db */
	const char *trusted;           /* networks of the table trustedNetworks */
	const char *hostname;          /* our name, for explanations of SPF */
	enum policy_action on_error;   /* NONE, REJECT or TMPREJECT */
	int64_t deadline_ms, check_ms; /* of an event, and of a check in it */
	struct dns *dns;               /* NULL: checks that ask it answer temperror */
};

/* Copies the settings, whose texts live as long as the process; reads the active version. Before there are threads. */
void policy_start(const struct policy_settings *settings);
/* There is another version, or other domains: from any thread. false: it cannot be read, which is logged; the old
 * one stays. */
bool policy_reload(void);
/* MESSAGE_POLICY, for the services of a role that applies policies. */
void policy_take(struct call *call);
/* Forgets the active version; who began under it goes on. */
void policy_stop(void);

struct policy_state;

/* Of a connection, under the active version; the arena's. NULL: no policy is active. */
struct policy_state *policy_open(struct arena *arena);
/* Of a message, under the active version; with what the connection's policy has set and exported so far.
 * connection may be NULL. NULL: no policy is active. */
struct policy_state *policy_message(struct policy_state *connection, struct arena *arena);
/* Adds what travels with a message to the events of processing and sending: all that is known but bodies, if the
 * version has such events or exports anything; otherwise nothing. state may be NULL. */
void policy_save(const struct policy_state *state, struct buf *out);
/* Of a message on its way, under the active version, which takes what it knows by the same name and type. NULL: no
 * policy is active. */
struct policy_state *policy_restore(slice saved, struct arena *arena);
/* Gives the version back; the memory is the arena's. NULL is allowed. */
void policy_close(struct policy_state *state);
/* The version's number; 0: none. */
int64_t policy_number(const struct policy_state *state);
/* Does anything happen in the event? */
bool policy_has(const struct policy_state *state, enum policy_event_id event);
/* May the event block, or take long? Not if nothing happens in it. */
bool policy_blocks(const struct policy_state *state, enum policy_event_id event);
/* The same of who begins now, under the active version: the event does not block, or nothing happens in it. */
bool policy_quick(enum policy_event_id event);
/* Does the policy look at it, anywhere? What is dear to find out need not be told otherwise. */
bool policy_reads(const struct policy_state *state, enum fact fact);

/* What the server knows. state may be NULL. Texts are borrowed: they live as long as the state, or until they are
 * told anew. What is no value of the variable's type becomes unknown. */
void policy_text(struct policy_state *state, enum fact fact, slice text);
/* Texts of which nothing is known but who said them: control characters become '?', bad UTF-8 U+FFFD; cut to the
 * variable's length. Copies what it changes to the arena. */
void policy_peer_text(struct policy_state *state, enum fact fact, slice text, struct arena *arena);
/* A whole number; of sizes octets, of durations milliseconds. */
/* The same of a body, whose line ends stay. */
void policy_body(struct policy_state *state, enum fact fact, slice text, struct arena *arena);
void policy_number_is(struct policy_state *state, enum fact fact, int64_t number);
void policy_yes(struct policy_state *state, enum fact fact, bool yes);
void policy_ip(struct policy_state *state, enum fact fact, const struct ip *ip);
void policy_list(struct policy_state *state, enum fact fact, const slice *items, size_t count,
    struct arena *arena);
void policy_unknown(struct policy_state *state, enum fact fact);

/* What was set; or what is said here, where there is no policy, or the variable is unknown. */
int64_t policy_number_of(const struct policy_state *state, enum fact fact, int64_t otherwise);
bool policy_yes_of(const struct policy_state *state, enum fact fact, bool otherwise);
slice policy_text_of(const struct policy_state *state, enum fact fact, slice otherwise);

enum policy_recipient { RECIPIENT_ADD, RECIPIENT_DISCARD, RECIPIENT_REDIRECT, RECIPIENT_ARCHIVE };

/* What a policy may do to mail; each false with an error that says why it cannot be done. */
struct policy_deeds {
	/* A change of what is in hand: of the recipient in onRcptTo, else of the message. Its texts are the turn's. */
	bool (*change)(void *host, const struct envelope_change *change, struct error *error);
	/* address is empty for the recipient in hand. */
	bool (*recipient)(
	    void *host, enum policy_recipient what, slice address, struct error *error);
	/* The header with the changes so far; in the turn's arena. Empty before there is one. */
	slice (*header)(void *host);
};

struct policy_verdict {
	enum policy_action action;
	int code;             /* of a refusal */
	const char *enhanced; /* of a refusal */
	const char *text;     /* what the client is told, or why; "" when the policy says nothing */
	const char *rule;     /* "main.policy:41 \"Partners use TLS\""; "" outside of rules */
};

struct policy_run {
	struct policy_state *state; /* NULL: nothing happens */
	enum policy_event_id event;
	struct arena *turn;  /* for what dies with the event; 1 MiB and more to spare */
	const char *session; /* for the log */
	const struct policy_deeds *deeds;
	void *host;          /* of deeds */
	struct trace *trace; /* what happens is noted there; NULL: nowhere */
	struct policy_verdict verdict;
};

/* Runs the event, and fills in the verdict; POLICY_NONE where nothing was decided. May block unless
 * policy_blocks says no. */
void policy_fire(struct policy_run *run);

#endif
