#include "imap/internal.h"

#include "imap/parse.h"

static struct imap_reply authenticate_line(struct imap *im, void *context, slice line);

/* One response of the client, in base64; its p is NULL when there is none yet. */
static struct imap_reply authenticate_step(struct imap *im, slice text)
{
	struct sasl_host host = store_sasl_host(&imap_host, im->s);
	enum sasl_result result;
	struct error error;
	struct buf challenge;

	buf_init(&challenge, 2 * SASL_MESSAGE);
	result = sasl_line(&im->sasl, &host, text, &challenge, &error);
	if (result == SASL_CONTINUE) {
		buf_adds(&im->s->out, "+ ");
		buf_add(&im->s->out, buf_slice(&challenge));
		buf_adds(&im->s->out, "\r\n");
		im->job.line = authenticate_line;
	}
	buf_free(&challenge);
	switch (result) {
	case SASL_CONTINUE:
		return imap_reply_wait();
	case SASL_DONE:
		return imap_welcome(im, im->sasl.name, im->sasl.account);
	case SASL_WRONG:
		return imap_unwelcome(im, im->sasl.name);
	case SASL_MALFORMED:
		return imap_reply_bad(im, arena_str(im->arena, slice_of(error.said)));
	case SASL_FAILED:
		break;
	}
	return imap_reply_error(im, &error);
}

size_t imap_authenticate_longest(struct session *s, slice begun)
{
	struct imap *im = s->state;
	struct sasl_host host = store_sasl_host(&imap_host, s);
	slice command = slice_from(begun, slice_find(begun, ' ') + 1);
	slice verb = SLICE("AUTHENTICATE ");

	/* A line with a literal before it is no AUTHENTICATE. */
	if (im->state != IMAP_STRANGER || im->gather.text.n ||
	    (!im->waiting && !slice_starts_nocase(command, verb)))
		return 0;
	return sasl_line_most(
	    &im->sasl, &host, im->waiting ? SLICE("") : slice_from(command, verb.n));
}

/* The answer to our "+": base64, or "*" to call it off (RFC 9051 §6.2.2). */
static struct imap_reply authenticate_line(struct imap *im, void *context, slice line)
{
	return authenticate_step(im, line);
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp];  initial-resp = base64 / "=" */
struct imap_reply imap_cmd_authenticate(struct imap *im, struct cursor *args)
{
	struct sasl_host host = store_sasl_host(&imap_host, im->s);

	parse_space(args);
	slice name = parse_atom(args, "mechanism");
	bool initial = cursor_try_char(args, ' ');

	if (args->expected || (!initial && !cursor_done(args)))
		return imap_reply_syntax(im, args);
	const struct sasl_mechanism *mechanism = sasl_find(name, &host);
	if (!mechanism && !host.secure)
		return imap_reply_no("PRIVACYREQUIRED", "start TLS first");
	if (!mechanism)
		return imap_reply_no("CANNOT", "no such mechanism");
	sasl_begin(&im->sasl, mechanism, im->s->arena);
	return authenticate_step(im, initial ? args->rest : (slice){ 0 });
}
