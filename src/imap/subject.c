#include "imap/subject.h"

/* subj-trailer = "(fwd)" / WSP */
static slice trailer_drop(slice s, bool *reply)
{
	for (;;) {
		s = slice_trim(s);
		if (!slice_ends(s, SLICE("(fwd)")))
			return s;
		*reply = true;
		s.n -= 5;
	}
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; 0: none stands here */
static size_t blob_length(slice s)
{
	size_t n = 1;

	if (s.n == 0 || s.p[0] != '[')
		return 0;
	while (n < s.n && s.p[n] != '[' && s.p[n] != ']')
		n++;
	if (n == s.n || s.p[n] != ']')
		return 0;
	for (n++; n < s.n && s.p[n] == ' ';)
		n++;
	return n;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"; 0: none stands here */
static size_t refwd_length(slice s)
{
	size_t n = slice_starts(s, SLICE("fwd"))                           ? 3
	    : slice_starts(s, SLICE("fw")) || slice_starts(s, SLICE("re")) ? 2
									   : 0;

	if (n == 0)
		return 0;
	while (n < s.n && s.p[n] == ' ')
		n++;
	n += blob_length(slice_from(s, n));
	return n < s.n && s.p[n] == ':' ? n + 1 : 0;
}

/* Steps 3 to 5: leaders, and blobs as long as something is left. */
static slice leader_drop(slice s, bool *reply)
{
	for (;;) {
		slice rest = slice_trim(s), before = rest;
		size_t blob, refwd;

		while ((blob = blob_length(rest)) > 0) {
			before = rest;
			rest = slice_from(rest, blob);
		}
		refwd = refwd_length(rest);
		if (refwd == 0)
			return rest.n ? rest : before;
		*reply = true;
		s = slice_from(rest, refwd);
	}
}

slice subject_base(slice subject, bool *reply_out)
{
	slice s = subject;

	*reply_out = false;
	for (;;) {
		s = leader_drop(trailer_drop(s, reply_out), reply_out);
		/* subj-fwd-hdr and subj-fwd-trl */
		if (!slice_starts(s, SLICE("[fwd:")) || !slice_ends(s, SLICE("]")))
			return s;
		*reply_out = true;
		s = (slice){ s.p + 5, s.n - 6 };
	}
}
