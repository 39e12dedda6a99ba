/* Charsets, encoded words and RFC 2231 as UTF-8; converters that work where no file can be opened. */
#include "lib/unit.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/charset.h"
#include "mail/encoded_word.h"
#include "mail/parameter.h"

static struct charsets *set;

static void decodes_to(
    const char *charset, slice octets, const char *want, enum charset_result result)
{
	struct buf out;

	buf_init(&out, 1000);
	assert_int_equal(charset_decode(set, slice_of(charset), octets, &out), result);
	assert_slice(buf_slice(&out), want);
	buf_free(&out);
}

static void charsets_become_utf8(void **state)
{
	(void)state;
	decodes_to("us-ascii", SLICE("a"), "a", CHARSET_WHOLE);
	decodes_to("UTF-8*de", SLICE("\xc3\xa4"), "\xc3\xa4", CHARSET_WHOLE);
	decodes_to("utf-8", SLICE("a\xff\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd", CHARSET_REPLACED);
	decodes_to("ISO-8859-1", SLICE("\xe4\x80"), "\xc3\xa4\xc2\x80", CHARSET_WHOLE);
	decodes_to("iso-8859-15", SLICE("\xa4"), "\xe2\x82\xac", CHARSET_WHOLE);
	decodes_to(
	    "windows-1252", SLICE("\x80\x81z"), "\xe2\x82\xac\xef\xbf\xbdz", CHARSET_REPLACED);
	decodes_to("koi8-r", SLICE("\xc1"), "\xd0\xb0", CHARSET_WHOLE);
	decodes_to("ISO-2022-JP", SLICE("\x1b$B$\"\x1b(Bx"), "\xe3\x81\x82x", CHARSET_WHOLE);
	decodes_to(
	    "Shift_JIS", SLICE("\x82\xa0\x82"), "\xe3\x81\x82\xef\xbf\xbd", CHARSET_REPLACED);
	decodes_to("gb2312", SLICE("\xc4\xe3"), "\xe4\xbd\xa0", CHARSET_WHOLE);
	decodes_to("ks_c_5601-1987", SLICE("\xb0\xa1"), "\xea\xb0\x80", CHARSET_WHOLE);
	decodes_to("windows-1255", SLICE("\xe0"), "\xd7\x90", CHARSET_WHOLE);
	decodes_to("windows-1258", SLICE("xa"), "xa", CHARSET_WHOLE);
	decodes_to("big5", SLICE("\xa7\x41"), "\xe4\xbd\xa0", CHARSET_WHOLE);
}

static void other_names_are_refused(void **state)
{
	static const char *const names[] = { "", "utf-7", "../../x", "ISO-8859-1//TRANSLIT",
		"utf-16", "IBM1390", "ISO-2022-CN-EXT" };
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_false(charset_known(set, slice_of(names[i])));
		decodes_to(names[i], SLICE("a"), "", CHARSET_UNKNOWN);
	}
	assert_true(charset_known(set, SLICE("KOI8-R")));
	assert_false(charset_known(NULL, SLICE("KOI8-R")));
	assert_true(charset_known(NULL, SLICE("UTF-8")));
	buf_init(&out, 3);
	assert_int_equal(
	    charset_decode(NULL, SLICE("utf-8"), SLICE("ab\xc3\xa4"), &out), CHARSET_CUT);
	assert_slice(buf_slice(&out), "ab");
	buf_free(&out);
}

/* Every converter of the list is in Debian's libc. */
static void all_converters_open(void **state)
{
	(void)state;
	assert_int_equal(charsets_count(set), 44);
}

static const char *const ALL[] = { "iso-8859-2", "iso-8859-8-i", "windows-1251", "koi8-u",
	"gb18030", "gbk", "gb2312", "big5", "big5-hkscs", "shift_jis", "windows-31j", "euc-jp",
	"iso-2022-jp", "euc-kr", "uhc", "iso-2022-kr", "cp437", "macintosh", "tis-620" };

/* Ends the process at any call that names a file. */
static void files_forbid(void)
{
	static const int calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat),
		SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(readlink) };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0);
	seccomp_load(filter);
	seccomp_release(filter);
}

static void child_converts(void)
{
	slice octets = SLICE("a\xb0\xa1 \x1b$B$\"\x1b(B \xff\x80 z");
	struct buf out;

	files_forbid();
	for (size_t i = 0; i < sizeof ALL / sizeof ALL[0]; i++) {
		buf_init(&out, 1000);
		if (charset_decode(set, slice_of(ALL[i]), octets, &out) == CHARSET_UNKNOWN ||
		    out.n < 3)
			_exit(1);
		buf_free(&out);
	}
	_exit(0);
}

static void open_converters_need_no_file(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		child_converts();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void words_are(const char *value, const char *want, unsigned flags)
{
	struct buf out;

	buf_init(&out, 10000);
	unsigned got = encoded_words_decode(set, slice_of(value), &out);
	assert_slice(buf_slice(&out), want);
	assert_int_equal(got, flags);
	buf_free(&out);
}

#define SEEN ENCODED_WORD_SEEN
#define BAD  (ENCODED_WORD_SEEN | ENCODED_WORD_BAD)

/* RFC 2047 §8, and what is not in it. */
static void encoded_words_are_decoded(void **state)
{
	(void)state;
	words_are("(=?ISO-8859-1?Q?a?=)", "(a)", SEEN);
	words_are("(=?ISO-8859-1?Q?a?= b)", "(a b)", SEEN);
	words_are("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)", SEEN);
	words_are("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)", SEEN);
	words_are("(=?ISO-8859-1?Q?a_b?=)", "(a b)", SEEN);
	words_are("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)", SEEN);
	words_are("=?US-ASCII*en?q?Keith_Moore?= <x@y>", "Keith Moore <x@y>", SEEN);
	words_are(
	    "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
	    "If you can read this you understand the example.", SEEN);
	words_are("=?utf-8?q?=c3?= =?UTF-8?q?=a4?=", "\xc3\xa4", SEEN);
	words_are("=?iso-2022-jp?b?GyRCJCIbKEI=?=", "\xe3\x81\x82", SEEN);
	words_are("plain\r\n text", "plain text", 0);
	words_are("\xc3\xa4", "\xc3\xa4", 0);
	words_are("a\xff", "a\xef\xbf\xbd", ENCODED_WORD_RAW);
	words_are("=?utf-8?q?a b?=", "=?utf-8?q?a b?=", ENCODED_WORD_BAD);
	words_are("=?utf-8?x?ab?=", "=?utf-8?x?ab?=", ENCODED_WORD_BAD);
	words_are("=?=?=?=?q?", "=?=?=?=?q?", ENCODED_WORD_BAD);
	words_are("x=?utf-8?q?a?=y", "xay", BAD);
	words_are("=?utf-8?q?=zz?=", "=zz", BAD);
	words_are("=?utf-8?b?Zm9v!?=", "foo", BAD);
	words_are("=?utf-8?q?=ff?=", "\xef\xbf\xbd", BAD);
	words_are("=?utf-8?q?a=0D=0AX:=00?=", "a  X: ", SEEN);
	words_are("=?utf-7?q?a?= b", "=?utf-7?q?a?= b", SEEN | ENCODED_WORD_CHARSET);
	words_are("", "", 0);
	words_are("=", "=", 0);
}

static void parameter_is(const char *list, const char *want, unsigned flags)
{
	struct buf out;

	buf_init(&out, 1000);
	unsigned got = parameter_decode(set, slice_of(list), SLICE("title"), &out);
	assert_slice(buf_slice(&out), want);
	assert_int_equal(got, flags);
	buf_free(&out);
}

#define FOUND    PARAMETER_FOUND
#define EXTENDED (PARAMETER_FOUND | PARAMETER_EXTENDED)

/* RFC 2231 §3, §4, §4.1. */
static void parameters_are_decoded(void **state)
{
	(void)state;
	parameter_is("; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
	    "This is ***fun***", EXTENDED);
	parameter_is(
	    "; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; "
	    "title*2=\"isn't it!\"",
	    "This is even more ***fun*** isn't it!", EXTENDED);
	parameter_is(";title*1=b ; TITLE*0=a", "ab", EXTENDED);
	parameter_is(";title*=iso-8859-1''%e4", "\xc3\xa4", EXTENDED);
	parameter_is(";title*0*=iso-2022-jp''%1B$B$;title*1*=%22%1B(B", "\xe3\x81\x82", EXTENDED);
	parameter_is(";title=\"a\\\"b\"; x=y", "a\"b", FOUND);
	parameter_is(";title=\"\xc3\xa4\"", "\xc3\xa4", FOUND);
	parameter_is(";title=\"\xe4\"", "\xef\xbf\xbd", FOUND | PARAMETER_CHARSET);
	parameter_is(";title=\"=?utf-8?q?a?=\"", "a", FOUND | PARAMETER_WORDS);
	parameter_is(";title=a;title=b", "a", FOUND | PARAMETER_TWICE);
	parameter_is(";title*0=a;title*0=b", "a", EXTENDED | PARAMETER_TWICE);
	parameter_is(";title=a;title*=utf-8''b", "b", EXTENDED | PARAMETER_BOTH);
	parameter_is(";title*0=a;title*2=b", "a", EXTENDED | PARAMETER_GAP);
	parameter_is(";title*1=a", "", FOUND | PARAMETER_GAP);
	parameter_is(";title*=utf-7''a", "a", EXTENDED | PARAMETER_CHARSET);
	parameter_is(";title*=utf-8''%zz", "%zz", EXTENDED | PARAMETER_ESCAPE);
	parameter_is(";title*=abc", "abc", EXTENDED | PARAMETER_ESCAPE);
	parameter_is(";title*=''%c3%a4", "\xc3\xa4", EXTENDED);
	parameter_is(";title*00=a;title*x=b;titles=c", "", 0);
	parameter_is("", "", 0);
}

static int open_all(void **state)
{
	(void)state;
	set = charsets_open();
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	charsets_close(set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(charsets_become_utf8),
		cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(all_converters_open),
		cmocka_unit_test(open_converters_need_no_file),
		cmocka_unit_test(encoded_words_are_decoded),
		cmocka_unit_test(parameters_are_decoded),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
