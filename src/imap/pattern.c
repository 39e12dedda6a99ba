#include "imap/pattern.h"

#include "base/octet.h"

/* Where to go on when what stands after a wildcard did not fit. */
struct retry {
	size_t pattern, name;
	bool set;
};

static bool same(char a, char b, bool fold)
{
	return a == b || (fold && octet_lower(a) == octet_lower(b));
}

/* Matches without recursion: a "*" forgets what came before it, a "%" is tried again from its "*" when
 * it meets a "/". Time is the product of both lengths at most. */
static bool match(slice pattern, slice name, bool fold)
{
	struct retry star = { 0 }, percent = { 0 };
	size_t p = 0, n = 0;

	for (;;) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = (struct retry){ ++p, n, true };
			percent.set = false;
		} else if (p < pattern.n && pattern.p[p] == '%') {
			percent = (struct retry){ ++p, n, true };
		} else if (n < name.n && p < pattern.n && same(pattern.p[p], name.p[n], fold)) {
			p++;
			n++;
		} else if (n == name.n && p == pattern.n) {
			return true;
		} else if (percent.set && percent.name < name.n && name.p[percent.name] != '/') {
			p = percent.pattern;
			n = ++percent.name;
		} else if (star.set && star.name < name.n) {
			p = star.pattern;
			n = ++star.name;
			percent.set = false;
		} else {
			return false;
		}
	}
}

bool pattern_matches(slice pattern, slice name)
{
	return match(pattern, name, slice_eq_nocase(name, SLICE("INBOX")));
}
