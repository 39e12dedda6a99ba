#include "net/proxy.h"

#include "base/buf.h"
#include "lib/split.h"
#include "lib/unit.h"

struct proxy_case {
	slice octets; /* a header and what stands behind it */
	size_t header;
	enum proxy_answer answer;
	const char *peer;
};

#define V2(rest)                                                                                   \
	{                                                                                          \
		"\r\n\r\n\0\r\nQUIT\n" rest, sizeof("\r\n\r\n\0\r\nQUIT\n" rest) - 1               \
	}

static struct proxy_case cases[] = {
	{ SLICE("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nEHLO a\r\n"), 45, PROXY_PEER,
	    "192.0.2.1" },
	{ SLICE("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n\x16\x03"), 40, PROXY_PEER,
	    "2001:db8::1" },
	{ SLICE("PROXY UNKNOWN\r\nx"), 15, PROXY_LOCAL, NULL },
	{ SLICE("PROXY UNKNOWN ffff::1 anything 1 2\r\nx"), 36, PROXY_LOCAL, NULL },
	{ SLICE("EHLO a\r\nmore"), 8, PROXY_WRONG, NULL },
	{ SLICE("PROXY TCP4 192.0.2.1 198.51.100.2 56324 70000\r\n"), 47, PROXY_WRONG, NULL },
	{ SLICE("PROXY TCP4 mail.test 198.51.100.2 1 2\r\n"), 39, PROXY_WRONG, NULL },
	{ SLICE("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n"), 38, PROXY_WRONG, NULL },
	{ SLICE("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"), 39, PROXY_WRONG, NULL },
	{ V2("\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\0\1\0\2QUIT"), 28, PROXY_PEER, "192.0.2.1" },
	{ V2("\x21\x11\0\x0f\xc0\0\2\1\xc6\x33\x64\2\0\1\0\2\4\0\0QUIT"), 31, PROXY_PEER,
	    "192.0.2.1" },
	{ V2("\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
	     "\0\1\0\2\x16"),
	    52, PROXY_PEER, "2001:db8::1" },
	{ V2("\x20\0\0\0EHLO"), 16, PROXY_LOCAL, NULL },
	{ V2("\x21\0\0\0EHLO"), 16, PROXY_LOCAL, NULL },
	{ V2("\x31\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\0\1\0\2"), 28, PROXY_WRONG, NULL },
	{ V2("\x21\x11\0\4\xc0\0\2\1"), 20, PROXY_WRONG, NULL },
	{ V2("\x21\x31\0\1a"), 17, PROXY_WRONG, NULL },
};

/* As the reactor takes them: what belongs to the header, and no octet more. */
static void take(void *context, const slice *pieces, size_t n)
{
	const struct proxy_case *want = context;
	enum proxy_answer answer = PROXY_MORE;
	const char *why = "";
	struct buf header;
	struct ip peer, expected;

	buf_init(&header, PROXY_MAX);
	for (size_t i = 0; i < n; i++) {
		for (slice rest = pieces[i]; rest.n && answer == PROXY_MORE;) {
			size_t ours = proxy_belongs(buf_slice(&header), rest);

			assert_true(ours > 0);
			buf_add(&header, slice_head(rest, ours));
			rest = slice_from(rest, ours);
			answer = proxy_parse(buf_slice(&header), &peer, &why);
		}
	}
	if (answer != want->answer || (answer != PROXY_WRONG && header.n != want->header))
		fail_msg("%.*s: %d after %zu octets (%s)", SLICE_ARG(want->octets), answer,
		    header.n, why);
	if (answer == PROXY_PEER) {
		assert_true(ip_parse(slice_of(want->peer), &expected));
		assert_int_equal(ip_compare(&peer, &expected), 0);
	}
	buf_free(&header);
}

static void headers_are_taken_and_nothing_behind_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		split_every_way(cases[i].octets, take, &cases[i]);
}

static void endless_headers_are_refused(void **state)
{
	char text[PROXY_MAX];
	const char *why;
	struct ip peer;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "PROXY TCP4 ", 11);
	slice all = { text, sizeof text };
	assert_int_equal(proxy_belongs((slice){ 0 }, all), 107);
	assert_int_equal(proxy_parse(slice_head(all, 107), &peer, &why), PROXY_WRONG);
	assert_int_equal(proxy_belongs(slice_head(all, 107), all), 0);
	slice large = V2("\x21\x11\xff\xff");
	assert_int_equal(proxy_parse(large, &peer, &why), PROXY_WRONG);
	assert_int_equal(proxy_belongs(large, all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_taken_and_nothing_behind_them),
		cmocka_unit_test(endless_headers_are_refused),
	};

	return UNIT_RUN(tests);
}
