#include "imap/internal.h"

#include "imap/parse.h"

static bool condstore_enable(struct imap *im)
{
	return imap_condstore(im, false);
}

/* It implies CONDSTORE (RFC 7162 §3.2.3). */
static bool qresync_enable(struct imap *im)
{
	bool fresh = !im->qresync;

	imap_condstore(im, false);
	im->qresync = true;
	return fresh;
}

/* RFC 9051 §6.3.1, Appendix A */
static bool rev2_enable(struct imap *im)
{
	bool fresh = !im->rev2;

	im->rev2 = im->utf8 = true;
	return fresh;
}

static bool utf8_enable(struct imap *im)
{
	bool fresh = !im->accepts_utf8;

	im->accepts_utf8 = im->utf8 = true;
	return fresh;
}

static const struct {
	const char *name;
	bool (*enable)(struct imap *im); /* true: it was not before */
} capabilities[] = {
	{ "CONDSTORE", condstore_enable },
	{ "QRESYNC", qresync_enable },
	{ "IMAP4rev2", rev2_enable },
	{ "UTF8=ACCEPT", utf8_enable },
};
#define CAPABILITIES (sizeof capabilities / sizeof capabilities[0])

/* enable = "ENABLE" 1*(SP capability)   RFC 9051 §6.3.1; those that are not known, or need no enabling, are
 * passed over */
struct imap_reply imap_cmd_enable(struct imap *im, struct cursor *args)
{
	bool wanted[CAPABILITIES] = { false };

	do {
		parse_space(args);
		slice name = parse_atom(args, "capability");
		for (size_t i = 0; i < CAPABILITIES; i++)
			wanted[i] |= slice_eq_nocase(name, slice_of(capabilities[i].name));
	} while (!cursor_end(args));
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	buf_adds(&im->s->out, "* ENABLED");
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (wanted[i] && capabilities[i].enable(im))
			buf_addf(&im->s->out, " %s", capabilities[i].name);
	buf_adds(&im->s->out, "\r\n");
	return imap_reply_ok("done");
}
