/*
 * What the files of this room share: a session's state, replies, commands.
 */
#ifndef POP3_INTERNAL_H
#define POP3_INTERNAL_H

#include "base/cursor.h"
#include "base/log.h"
#include "pop3/pop3.h"

#define POP3_LINE      512  /* RFC 2449 §4 allows 255 */
#define POP3_AUTH_LINE 4096 /* base64 of a PLAIN message */
#define POP3_MESSAGE   (128u << 20)

enum pop3_state {
	POP3_STRANGER = 1, /* AUTHORIZATION */
	POP3_OPEN = 2,     /* TRANSACTION */
};

enum pop3_status {
	POP3_OK,
	POP3_ERR,
	POP3_DONE, /* the handler has written all of it */
	POP3_MORE, /* call pop->job again */
	POP3_WAIT, /* "+ ": the next line is the answer to AUTH */
};

struct pop3_reply {
	enum pop3_status status;
	const char *code; /* "AUTH" of RFC 2449 §8, NULL for none */
	const char *text;
	bool close, starttls;
};

struct pop3;

struct pop3_command {
	const char *verb;
	struct pop3_reply (*run)(struct pop3 *pop, struct cursor *args);
	unsigned states;
	const char *rfc;
};

/* A listing or a message on its way. */
struct pop3_job {
	struct pop3_reply (*step)(struct pop3 *pop);
	uint32_t next;     /* UID of a listing */
	bool uidl;         /* it lists unique ids */
	uint32_t messages; /* counted by STAT */
	int64_t octets;
	struct buf text; /* the message */
	size_t at;       /* sent so far */
	size_t end;      /* where to stop (TOP) */
};

/* Messages whose texts are looked up together. */
#define POP3_AHEAD 16

struct pop3 {
	struct session *s;
	enum pop3_state state;
	int64_t account, mailbox;
	uint32_t uidvalidity;
	struct uid_set uids;    /* as they were at login: number n is position n */
	struct uid_set deleted; /* marked by DELE */
	slice user;             /* said by USER, or logged in; in the session's arena */
	unsigned failed_logins, mistakes, users;
	bool waiting; /* for the answer to AUTH */
	struct sasl sasl;
	struct pop3_job job;
	struct {
		uint32_t uid;
		int64_t body;
	} ahead[POP3_AHEAD];
	size_t ahead_count;
};

extern struct store_host pop3_host;

/* command.c */
enum turn pop3_run(struct pop3 *pop, slice line);
enum turn pop3_answer(struct pop3 *pop, struct pop3_reply reply);
struct pop3_reply pop3_ok(const char *text);
struct pop3_reply pop3_err(const char *code, const char *text);
/* -ERR for what the grammar does not know; logged. */
struct pop3_reply pop3_bad(struct pop3 *pop, const char *text);
struct pop3_reply pop3_syntax(struct pop3 *pop, const struct cursor *c);
/* -ERR for a failure of store or login; logged. */
struct pop3_reply pop3_failed(struct pop3 *pop, const struct error *error);

/* session.c */
struct store *pop3_store(struct pop3 *pop);
bool pop3_password_allowed(const struct pop3 *pop);
struct pop3_reply pop3_auth_line(struct pop3 *pop, slice line);
/* A message number that is there and not marked; its UID, 0 after *reply_out was set. */
uint32_t pop3_message(struct pop3 *pop, struct cursor *args, struct pop3_reply *reply_out);
/* Ends the job and gives its memory back. */
void pop3_job_end(struct pop3 *pop);

struct pop3_reply pop3_cmd_auth(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_capa(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_dele(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_list(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_noop(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_pass(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_quit(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_retr(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_rset(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_stat(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_stls(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_top(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_uidl(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_utf8(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_lang(struct pop3 *pop, struct cursor *args);
struct pop3_reply pop3_cmd_user(struct pop3 *pop, struct cursor *args);

#endif
