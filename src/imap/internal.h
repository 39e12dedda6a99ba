/*
 * What the files of this room share: a session's state, replies, jobs.
 *
 * A command handler reads its arguments from a cursor and returns its reply. A long answer sets
 * im->job and returns imap_reply_more(); the job's step is called until it returns anything else. Whatever
 * a command allocates is in im->arena and dies when its tagged line is written.
 */
#ifndef IMAP_INTERNAL_H
#define IMAP_INTERNAL_H

#include "base/cursor.h"
#include "base/log.h"
#include "imap/gather.h"
#include "imap/imap.h"
#include "imap/sequence.h"
#include "imap/view.h"

/* Longest line, and literals, before and after login. */
#define IMAP_LINE_BEFORE    (33 * 1024) /* an ID of 30 fields with 1024 octets (RFC 2971 §3.3) */
#define IMAP_LITERAL_BEFORE 1024
#define IMAP_LINE           (256 * 1024)
#define IMAP_LITERAL        (64 * 1024)
#define IMAP_COMMAND        (512 * 1024)
/* The message of APPEND. */
#define IMAP_APPEND (64u << 20)
/* What one command may keep, and one FETCH of message texts may hold. */
#define IMAP_COMMAND_MEMORY (256u << 20)
#define IMAP_MESSAGE        (128u << 20)
/* RFC 9051 §5.4 wants at least 30 minutes after login. */

enum imap_state {
	IMAP_STRANGER = 1, /* not authenticated */
	IMAP_KNOWN = 2,    /* authenticated */
	IMAP_SELECTED = 4,
};

enum imap_status {
	IMAP_OK,
	IMAP_NO,
	IMAP_BAD,
	IMAP_MORE, /* call the job's step again */
	IMAP_WAIT, /* the client's next line belongs to this command */
};

struct imap_reply {
	enum imap_status status;
	const char *code; /* "READ-WRITE", NULL for none */
	const char *text;
	bool close, starttls, compress;
	bool
	    modseq; /* the code says the highest that was told, to who knows QRESYNC (RFC 7162 §3.2.7) */
};

struct imap;

/* A long answer, and what a line means while a command waits for one. */
struct job {
	struct imap_reply (*step)(struct imap *im, void *context);
	struct imap_reply (*line)(struct imap *im, void *context, slice line);
	void *context;
};

struct command {
	const char *verb;
	struct imap_reply (*run)(struct imap *im, struct cursor *args);
	unsigned states; /* in which it is allowed */
	unsigned flags;
	const char *rfc;
};

enum command_flag {
	COMMAND_UID = 1,     /* UID may stand before it */
	COMMAND_NUMBERS = 2, /* uses message numbers: none may change meanwhile (RFC 9051 §7.5.1) */
	COMMAND_SILENT = 4,  /* ends without a look for changes */
	COMMAND_SECRET = 8,  /* its arguments are wiped */
};

struct imap {
	struct session *s;
	enum imap_state state;
	int64_t account;
	slice user; /* in the session's arena */
	unsigned failed_logins, mistakes;
	bool condstore;    /* modseqs are shown */
	bool rev2;         /* answers as RFC 9051 has them where RFC 3501 differs */
	bool utf8;         /* names of mailboxes are UTF-8 on the wire */
	bool accepts_utf8; /* UTF8=ACCEPT (RFC 6855) */
	unsigned logouts;  /* by UNAUTHENTICATE */
	bool qresync;      /* VANISHED instead of EXPUNGE (RFC 7162 §3.2.3) */
	bool identified;   /* what it said with ID is in the log */
	struct sasl sasl;
	struct gather gather;
	bool in_literal; /* the next frame is one */

	/* The command being answered; `command` is NULL between commands. */
	const struct command *command;
	struct arena *arena;
	slice tag;
	bool uid; /* UID stood before it */
	struct job job;
	bool waiting; /* for a line, which job.line takes */
	bool done;    /* reply is final; changes are being told */
	struct imap_reply reply;
	struct view_sync sync;
	slice *keywords; /* names by bit, read when first needed */

	struct view view;
};

extern struct store_host imap_host;
extern const struct command imap_commands[];
extern const size_t imap_command_count;

/* command.c */
enum turn imap_command_run(struct imap *im, slice text);
enum turn imap_command_line(struct imap *im, slice line);
enum turn imap_command_go_on(struct imap *im);
/* Answers BAD to what could not even become a command. */
enum turn imap_command_refuse(struct imap *im, const char *why);

/* reply.c */
struct imap_reply imap_reply_ok(const char *text);
struct imap_reply imap_reply_no(const char *code, const char *text);
struct imap_reply imap_reply_more(void);
struct imap_reply imap_reply_wait(void);
/* BAD, saying what was expected where; logs it. */
struct imap_reply imap_reply_syntax(struct imap *im, const struct cursor *c);
struct imap_reply imap_reply_bad(struct imap *im, const char *text);
/* NO for a failure of store or login; logs it. */
struct imap_reply imap_reply_error(struct imap *im, const struct error *error);
/* Sends it tagged (or untagged when tag is empty). */
void imap_reply_write(struct imap *im, slice tag, const struct imap_reply *reply);

/* print.c */
void imap_print_capabilities(struct imap *im);
/* "(\Seen $Junk \Recent)" */
void imap_print_flags(struct imap *im, const struct store_row *row);
/* "FLAGS (...)" and, where the client knows of it, " MODSEQ (n)" (RFC 7162 §3.2). */
void imap_print_state(struct imap *im, const struct store_row *row);
/* The same of the flags a mailbox may have. */
void imap_print_flag_names(struct imap *im, bool more);
/* The name of a mailbox's object id, of a message's (RFC 8474 §4, §5.1): "F12", "M34". */
#define IMAP_MAILBOX_ID "F%lld"
#define IMAP_EMAIL_ID   "M%lld"
/* A mailbox name as the wire has it. */
void imap_print_mailbox(struct imap *im, slice name);
/* Names by bit; NULL after a failure, which is logged. */
slice *imap_keywords(struct imap *im);

/* session.c */
struct store *imap_store(struct imap *im);
void imap_notify(struct imap *im, const struct store_notice *notice);
void imap_logged_in(struct imap *im, slice user, int64_t account);
void imap_logged_out(struct imap *im);
void imap_deselect(struct imap *im);
bool imap_password_allowed(const struct imap *im);
/* The output waits for the client: a producer stops here. */
static inline bool imap_full(const struct imap *im)
{
	return im->s->out.n >= SESSION_MARK;
}

/* Reads a mailbox name and finds it: the usual begin of a handler. False: *reply_out says why. */
bool imap_find_mailbox(
    struct imap *im, slice name, struct store_mailbox *out, struct imap_reply *reply_out);
/* The messages that a sequence names in the view. False: there are not so many. */
bool imap_sequence(struct imap *im, const struct sequence *sequence, bool uid, struct uid_set *out);
/* The converters of this worker; NULL: it has none. */
struct charsets *imap_charsets(struct imap *im);
/* The client knows of modseqs from now on (RFC 7162 §3.1); tell: and is told the highest. True the first time. */
bool imap_condstore(struct imap *im, bool tell);
/* The same. False: *reply_out says why. The set is freed with the command. */
bool imap_resolve(struct imap *im, const struct sequence *sequence, struct uid_set **set_out,
    struct imap_reply *reply_out);
/* A set that is freed with the command. */
struct uid_set *imap_set(struct imap *im);

/* Has the account room for more octets? False: *reply_out says OVERQUOTA (RFC 9208 §4.3.1). */
bool imap_quota_room(struct imap *im, int64_t octets, struct imap_reply *reply_out);
/* "(MESSAGES UIDNEXT ...)", as a set of bits, and its answer (cmd_status.c). */
unsigned imap_status_parse(struct cursor *c);
void imap_status_write(struct imap *im, slice name, const struct store_mailbox *m, unsigned items);
/* Lets in, or counts a failure; logged. */
struct imap_reply imap_welcome(struct imap *im, slice user, int64_t account);
struct imap_reply imap_unwelcome(struct imap *im, slice user);

struct imap_reply imap_cmd_append(struct imap *im, struct cursor *args);

/* struct protocol.longest: initial responses, and answers to our "+". */
size_t imap_authenticate_longest(struct session *s, slice begun);

struct imap_reply imap_cmd_authenticate(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_capability(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_check(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_close(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_compress(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_copy(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_create(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_delete(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_enable(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_examine(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_expunge(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_fetch(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_getquota(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_getquotaroot(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_id(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_idle(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_list(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_login(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_logout(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_lsub(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_move(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_namespace(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_noop(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_rename(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_replace(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_search(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_select(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_sort(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_starttls(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_status(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_store(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_subscribe(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_thread(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_unauthenticate(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_unselect(struct imap *im, struct cursor *args);
struct imap_reply imap_cmd_unsubscribe(struct imap *im, struct cursor *args);

#endif
