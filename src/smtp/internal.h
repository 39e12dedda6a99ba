/* What the files of smtp/ share. */
#ifndef SMTP_INTERNAL_H
#define SMTP_INTERNAL_H

#include "directory/quota.h"
#include "policy/policy.h"
#include "queue/envelope.h"
#include "smtp/data.h"
#include "smtp/parse.h"
#include "smtp/smtp.h"
#include "smtp/received.h"
#include "vault/sasl.h"

#define SMTP_LINE      2000 /* octets of a command line; RFC 5321 asks for 512 and what extensions add */
#define SMTP_AUTH_LINE 12288 /* RFC 4954 §4 */
#define SMTP_NAME      255   /* octets of a client's name; RFC 5321 §4.5.3.1.2 */
#define SMTP_TX_MEMORY (16u << 20)
#define SMTP_BARE      "a bare CR or LF in the message; lines end in CR LF"

/* What a handler answers. */
struct reply {
	int code;
	const char *enhanced; /* "2.1.0"; NULL: none (354, 220, EHLO) */
	const char *text;     /* lines are separated by LF */
	enum turn turn;
	bool silent; /* nothing is said (a commit is awaited) */
	bool noted;  /* it stands in the trace of a message that has ended already */
};

/* text is printf-like and lives in the turn's arena. */
struct reply reply(struct session *s, int code, const char *enhanced, const char *text, ...)
    __attribute__((format(printf, 4, 5)));
/* 501 5.5.4, with what was expected and where. */
struct reply reply_syntax(struct session *s, const struct cursor *c);
void reply_write(struct session *s, const struct reply *r);

/* Recipients that one RCPT brought, or the policy, have the same number, from 1 on; copies are made of them at the
 * end. Those of NUMBER_AS_IT_CAME get the message without any change. */
#define NUMBER_AS_IT_CAME 0
#define NUMBER_ALL        SIZE_MAX /* of a change: of all others */

/* What a policy wants done. */
struct wanted {
	struct envelope_change change;
	size_t number; /* whose */
	bool group;    /* number stands for all that have the same changes as that one */
};

/* The policy's view of a message, and what it has done to it (deeds.c). */
struct judged {
	struct policy_state *state; /* NULL: there is no policy */
	struct wanted *wanted;
	size_t wanted_count, wanted_room;
	size_t numbers; /* given out */
	size_t in_hand; /* whose event it is; NUMBER_ALL: the message's */
	bool group;     /* and all with the same changes */
	bool dropped;   /* the recipient in hand gets nothing */
	size_t *groups; /* by number; deeds_regroup */
	slice view;     /* the header with the changes, while an event runs */
	size_t view_of; /* how many changes are in it */
	bool viewed;
};

/* From MAIL to the end of the message. */
struct transaction {
	struct arena *arena;
	struct judged judged;
	struct trace trace;
	struct trace_id trace_id;
	slice sender; /* local-part@domain, or empty */
	uint64_t size;
	uint64_t flags; /* enum envelope_flag */
	slice id;       /* ENVID */
	struct envelope_recipient *recipients;
	size_t recipient_count, recipient_room;
	size_t accepted;  /* RCPT commands; an alias adds several recipients at once */
	bool began;       /* the message comes, or is there */
	bool chunked;     /* by BDAT */
	bool header_over; /* the header is in the spool */
	struct buf header;
	struct spool_message *message; /* while its body comes */
	struct data_reader data;
	struct lines lines;
	size_t line;          /* octets of the line that comes, where they are limited */
	struct reply refused; /* code set: the message will be refused, its rest is dropped */
	int64_t began_us, arrived_us;
	struct spool_result result;
	bool done; /* accepted, or dropped with 250 */
};

/* A chunk of BDAT. */
struct chunk {
	bool coming, last;
	uint64_t size, left;
	int code; /* not 0: what is said when it has been counted out */
	const char *enhanced, *why;
};

struct smtp {
	struct buf
	    hello; /* the client's name, as often as it says one; empty before EHLO or HELO */
	bool extended;
	int64_t account; /* who logged in; 0: nobody */
	bool relays;     /* its address may send as our users do */
	struct buf name; /* what a proxy says it is called; mostly empty */
	slice login;
	const char *mechanism; /* of the login, or of what was tried last; NULL: none was */
	int errors, login_failures;
	unsigned messages, transactions;
	struct sasl sasl; /* its mechanism is set during an AUTH exchange */
	bool in_data;     /* octets of a message come, not commands: by BDAT if chunk.coming */
	bool turned_away; /* the greeting was 554: only QUIT is taken (RFC 5321 §3.1) */
	uint64_t octets;  /* of messages accepted */
	struct policy_state *policy; /* of the connection; NULL: there is none */
	struct trace trace;          /* of the connection; each message's begins with it */
	struct chunk chunk;
	struct transaction *tx;
};

/* What a worker thread owns. */
struct smtp_worker {
	struct directory *directory; /* NULL: not open yet */
};

/* Bits of a command's `when`. */
enum smtp_when {
	WHEN_HELLO = 1,           /* after EHLO or HELO */
	WHEN_NO_TX = 2,           /* not after MAIL */
	WHEN_TX = 4,              /* after MAIL */
	WHEN_RCPT = 8,            /* after a recipient was accepted */
	WHEN_ALLOWED = 16,        /* on a submission port: after the login */
	WHEN_QUICK = 32,          /* cannot block: the reactor may run it */
	WHEN_QUICK_STRANGER = 64, /* the same, while nobody has logged in */
};

struct command {
	const char *verb;
	struct reply (*run)(struct session *s, struct cursor *arguments);
	unsigned when;
	const char *rfc;
};

extern const struct smtp_conf *smtp_conf;

struct reply cmd_ehlo(struct session *s, struct cursor *c);
struct reply cmd_helo(struct session *s, struct cursor *c);
struct reply cmd_mail(struct session *s, struct cursor *c);
struct reply cmd_rcpt(struct session *s, struct cursor *c);
struct reply cmd_data(struct session *s, struct cursor *c);
struct reply cmd_rset(struct session *s, struct cursor *c);
struct reply cmd_noop(struct session *s, struct cursor *c);
struct reply cmd_quit(struct session *s, struct cursor *c);
struct reply cmd_vrfy(struct session *s, struct cursor *c);
struct reply cmd_help(struct session *s, struct cursor *c);
struct reply cmd_xclient(struct session *s, struct cursor *c);
struct reply cmd_bdat(struct session *s, struct cursor *c);
struct reply cmd_expn(struct session *s, struct cursor *c);
struct reply cmd_starttls(struct session *s, struct cursor *c);
struct reply cmd_auth(struct session *s, struct cursor *c);
/* STARTTLS is offered here, and the policy does not mind. */
bool starttls_allowed(const struct session *s);
/* A line of an AUTH exchange. */
/* struct protocol.longest: initial responses, and answers to our 334. */
size_t auth_longest(struct session *s, slice begun);
struct reply auth_line(struct session *s, slice line);
/* Adds the mechanisms offered now, a blank before each; nothing when there are none. */
void auth_offer(struct session *s, struct buf *out);

/* A message (intake.c): it begins; octets are added, or it is refused, which is said at its end; it is
 * committed, and that is answered. */
void tx_begin_message(struct transaction *tx);
void tx_add(struct session *s, slice octets);
void tx_refuse(struct transaction *tx, int code, const char *enhanced, const char *text, ...)
    __attribute__((format(printf, 4, 5)));
struct reply tx_commit(struct session *s);
struct reply tx_committed(struct session *s);
/* The policy has hung up in the middle of the message. code 0: it has not. */
struct reply tx_over(struct session *s);
/* Octets that came after DATA or BDAT. */
struct reply bdat_chunk(struct session *s, slice octets);
struct reply data_chunk(struct session *s, slice chunk);
/* Events of the policy (events.c), each at the moment that its table names. code 0: nothing is in the way. */
struct reply event_connect(struct session *s);
struct reply event_ehlo(struct session *s);
struct reply event_auth(struct session *s, bool right);
/* The transaction is there. */
struct reply event_mail(struct session *s);
/* dropped: 250, and the recipient gets nothing. */
struct reply event_rcpt(
    struct session *s, const struct rcpt_arguments *arguments, bool *dropped_out);
/* Whole message: a refusal is in tx->refused afterwards. */
void event_header(struct session *s);
void event_body(struct session *s, slice octets);
/* For each copy. code 0: go on. */
struct reply event_data(struct session *s);
/* May the command's event run in the reactor? */
bool event_quick(const struct session *s, const struct command *command);

/* facts.c: what the policy is told. */
void facts_connection(struct session *s, struct policy_state *state);
void facts_mail(struct session *s, struct policy_state *state);
void facts_rcpt(struct session *s, struct policy_state *state, const struct address *to);
void facts_header(struct session *s, struct policy_state *state);
void facts_data(struct session *s, struct policy_state *state);
/* An address as policies write it; local FACT_COUNT: there is no variable for its local part. */
void facts_address(struct policy_state *state, enum fact whole, enum fact local, enum fact domain,
    slice address, struct arena *arena);

/* deeds.c */
extern const struct policy_deeds smtp_deeds;
/* Adds what is wanted for the number. */
void deeds_want(struct transaction *tx, uint64_t kind, slice name, slice value, size_t number);
/* The recipients of this number have come to nothing: what was wanted for them goes too. */
void deeds_forget(struct transaction *tx, size_t number);
/* Numbers with the same changes are one group, called by the lowest of them: fills judged.groups. */
void deeds_regroup(struct transaction *tx);
/* Why the message has no recipients any more. */
slice deeds_why_discarded(const struct transaction *tx);
/* Takes out the recipients that an event has dropped. */
void deeds_sweep(struct transaction *tx);
/* Fills the envelope with the recipients that get something and their copies. */
void deeds_envelope(struct transaction *tx, struct envelope *out);
/* Adds a recipient for each account that is not there yet, disabled ones left out. */
bool tx_add_recipients(struct transaction *tx, const struct directory_recipients *to,
    const struct envelope_recipient *like);

/* One of our users, or a host that may send as they do: its mail is completed and may go anywhere. */
bool smtp_is_ours(const struct session *s);
/* 220, with the text that the policy wants. */
struct reply smtp_greeting(struct session *s);
/* Octets of the largest message that is taken now. */
uint64_t smtp_max_message(const struct session *s);
/* This worker's directory, opened when needed. NULL and error: ask later. */
struct directory *smtp_directory(struct session *s, struct error *error);
/* As directory_resolve, with it; in the turn's arena. */
enum directory_answer smtp_resolve(struct session *s, const struct address *address,
    struct directory_recipients *out, struct error *error);
/* 451 4.3.0, logged: the directory did not answer. */
struct reply smtp_ask_later(struct session *s, const struct error *error);
/* The client's address is known, or another: what may it do? */
void smtp_learn_peer(struct session *s);
/* May this client say for whom it speaks? */
bool smtp_may_speak_for(const struct session *s);
/* Forgets all that the client has said, but not what it has done. */
void smtp_reset(struct smtp *smtp);
/* A refusal that ends the message: it is noted, and the transaction ended. */
struct reply tx_refused(struct session *s, struct reply r, slice what);
/* Where what happens now is noted: with the message, or the connection. NULL: nowhere. */
struct trace *smtp_trace(const struct session *s);
/* Ends the transaction, if there is one; its trace is written if somebody may ask for it. */
void tx_end(struct smtp *smtp);

#endif
