#include "imap/internal.h"

#include "imap/parse.h"

/* enable = "ENABLE" 1*(SP capability)   RFC 9051 §6.3.1; those that are not known, or need no enabling, are
 * passed over */
struct imap_reply imap_cmd_enable(struct imap *im, struct cursor *args)
{
	bool condstore = false;

	do {
		parse_space(args);
		condstore |= slice_eq_nocase(parse_atom(args, "capability"), SLICE("CONDSTORE"));
	} while (!cursor_end(args));
	if (!cursor_done(args))
		return imap_reply_syntax(im, args);
	buf_adds(&im->s->out, "* ENABLED");
	if (condstore && imap_condstore(im, false))
		buf_adds(&im->s->out, " CONDSTORE");
	buf_adds(&im->s->out, "\r\n");
	return imap_reply_ok("done");
}
