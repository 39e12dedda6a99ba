#include "imap/internal.h"

struct imap_reply imap_reply_ok(const char *text)
{
	return (struct imap_reply){ .status = IMAP_OK, .text = text };
}

struct imap_reply imap_reply_no(const char *code, const char *text)
{
	return (struct imap_reply){ .status = IMAP_NO, .code = code, .text = text };
}

struct imap_reply imap_reply_more(void)
{
	return (struct imap_reply){ .status = IMAP_MORE };
}

struct imap_reply imap_reply_wait(void)
{
	return (struct imap_reply){ .status = IMAP_WAIT };
}

struct imap_reply imap_reply_bad(struct imap *im, const char *text)
{
	log_info("imap.bad", kv_str("s", im->s->id), kv_str("peer", im->s->peer),
	    kv_str("command", im->command ? im->command->verb : "-"), kv_str("why", text));
	return (struct imap_reply){ .status = IMAP_BAD, .text = text };
}

struct imap_reply imap_reply_syntax(struct imap *im, const struct cursor *c)
{
	return imap_reply_bad(
	    im, arena_printf(im->arena, "expected %s at column %zu", c->expected, c->at + 1));
}

/* RFC 9051 §7.1, RFC 5530 */
static const char *error_code(const struct error *error)
{
	switch (error->fault) {
	case FAULT_ABSENT:
		return "NONEXISTENT";
	case FAULT_DENIED:
		return "NOPERM";
	case FAULT_LIMIT:
		return "LIMIT";
	case FAULT_INPUT:
		return "CANNOT";
	case FAULT_NONE:
	case FAULT_REMOTE:
	case FAULT_LOCAL:
		break;
	}
	return error->temporary ? "UNAVAILABLE" : "SERVERBUG";
}

struct imap_reply imap_reply_error(struct imap *im, const struct error *error)
{
	log_warn("imap.failed", kv_str("s", im->s->id), kv_text("user", im->user),
	    kv_str("command", im->command ? im->command->verb : "-"),
	    kv_str("fault", fault_name(error->fault)), kv_why(error));
	return imap_reply_no(error_code(error), arena_str(im->arena, slice_of(error->said)));
}

void imap_reply_write(struct imap *im, slice tag, const struct imap_reply *reply)
{
	static const char *const words[] = {
		[IMAP_OK] = "OK", [IMAP_NO] = "NO", [IMAP_BAD] = "BAD"
	};

	if (tag.n == 0)
		tag = SLICE("*");
	buf_add(&im->s->out, tag);
	buf_addf(&im->s->out, " %s ", words[reply->status]);
	if (reply->code)
		buf_addf(&im->s->out, "[%s] ", reply->code);
	buf_addf(&im->s->out, "%s\r\n", reply->text);
}
