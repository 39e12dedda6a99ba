/* Messages made to hurt: the work grows with their length only, and memory stays in its bounds. Counted in
 * basic blocks and octets (lib/work.h), not in seconds: twice the message may cost twice the work. */
#include "lib/unit.h"
#include "lib/work.h"

#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/inspect.h"
#include "mail/section.h"
#include "mail/summary.h"

#define LENGTH  (100 * 1000) /* below what is looked at of a header */
#define MOST    400          /* steps for an octet, of all that is done with a message */
#define GROWTH  2.2          /* of the work, when the message is twice as long */
#define CHEAP   64           /* steps for an octet that are allowed, whatever it was before */
#define SUMMARY (1 << 20)

static struct arena *arena;

/* A message: its head, then `unit` again and again; "%d" in it is the number of the unit. */
struct hostile {
	const char *name, *head, *unit, *tail;
};

#define MULTIPART "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
#define TYPE      "Content-Type: "
#define QUOTED    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
#define BASE64    "Content-Transfer-Encoding: base64\r\n\r\n"

/* LIST: what is repeated */
static const struct hostile hostiles[] = {
	{ "nested multiparts of one boundary", "", MULTIPART "--x\r\n", "" },
	{ "nested multiparts", "", TYPE "multipart/mixed; boundary=%d\r\n\r\n--%d\r\n", "" },
	{ "boundaries that begin alike", "",
	    TYPE "multipart/x; boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaa%d\r\n\r\n"
		 "--aaaaaaaaaaaaaaaaaaaaaaaaaaaa%d\r\n",
	    "" },
	{ "messages in messages", "", TYPE "message/rfc822\r\n\r\n", "" },
	{ "digests in digests", "", TYPE "multipart/digest; boundary=x\r\n\r\n--x\r\n\r\n", "" },
	{ "empty parts", MULTIPART, "--x\r\n", "" },
	{ "empty parts with a header", MULTIPART, "--x\r\n\r\n", "--x--\r\n" },
	{ "multiparts beside each other", MULTIPART,
	    "--x\r\n" TYPE "multipart/x; boundary=y%d\r\n\r\n--y%d--\r\n", "" },
	{ "closed and again", MULTIPART "--x--\r\n", "--x--\r\n--x\r\n", "" },
	{ "dashes", MULTIPART, "--\r\n", "" },
	{ "one line of dashes", MULTIPART, "-", "" },
	{ "short lines", MULTIPART, "\n", "" },
	{ "bare CR", MULTIPART, "\r", "" },
	{ "NUL", "X: y\r\n\r\n", "\x01", "" },
	{ "fields", "", "X: y\r\n", "\r\n" },
	{ "fields of one name", "", "From: a@b\r\n", "\r\n" },
	{ "lines that are no field", "", "x\r\n", "\r\n" },
	{ "folds", "X:", " y\r\n", "\r\n\r\n" },
	{ "blank folds", "Subject: a", "\r\n ", "\r\n\r\n" },
	{ "comments in comments", TYPE, "(", "\r\n\r\n" },
	{ "comments in comments in From", "From: ", "(", "\r\n\r\n" },
	{ "comments closed again", TYPE "text", "()", "/plain\r\n\r\n" },
	{ "comments between parameters", TYPE "a/b;", "(\\)", "x=y\r\n\r\n" },
	{ "quotes", TYPE "a/b; x=", "\"\\", "\r\n\r\n" },
	{ "parameters", TYPE "a/b", "; p%d=x", "\r\n\r\n" },
	{ "parameters of one name", TYPE "a/b", "; name=x", "\r\n\r\n" },
	{ "sections", "Content-Disposition: x", "; filename*%d=x", "\r\n\r\n" },
	{ "extended sections", "Content-Disposition: x", "; filename*%d*=%%41", "\r\n\r\n" },
	{ "sections of many names", "Content-Disposition: x", "; f%d*0=x; f%d*1=y", "\r\n\r\n" },
	{ "sections of a boundary", TYPE "multipart/x", "; boundary*%d=x", "\r\n\r\n" },
	{ "names without values", TYPE "a/b;", "x ", "\r\n\r\n" },
	{ "encoded words", "Subject:", " =?utf-8?q?x?=", "\r\n\r\n" },
	{ "beginnings of encoded words", "Subject: ", "=?a?q?", "\r\n\r\n" },
	{ "beginnings of beginnings", "Subject: ", "=?", "\r\n\r\n" },
	{ "encoded words of many charsets", "Subject: ", "=?x%d?b?x?= ", "\r\n\r\n" },
	{ "an encoded word without end", "Subject: =?utf-8?q?", "=4", "\r\n\r\n" },
	{ "addresses", "From: ", "a@b,", "\r\n\r\n" },
	{ "routes", "From: ", "<@,", "\r\n\r\n" },
	{ "groups in groups", "To: ", "a:", "\r\n\r\n" },
	{ "words of a name", "From: ", "a \"b\" ", "\r\n\r\n" },
	{ "languages", "Content-Language: ", "a, ", "\r\n\r\n" },
	{ "padding", BASE64, "=", "" },
	{ "half groups", BASE64, "Zg==", "" },
	{ "no alphabet", BASE64, "!", "" },
	{ "equals signs", QUOTED, "=", "" },
	{ "soft breaks of blanks", QUOTED, "= ", "" },
	{ "blanks", QUOTED, " ", "" },
};

static void unit_add(struct buf *out, const char *unit, unsigned number)
{
	for (const char *p = unit; *p; p++) {
		bool mark = p[0] == '%' && p[1];

		if (mark && p[1] == 'd')
			buf_addf(out, "%u", number);
		else
			buf_addc(out, *p);
		p += mark;
	}
}

static void hostile_make(const struct hostile *h, size_t n, struct buf *out)
{
	buf_clear(out);
	buf_adds(out, h->head);
	for (unsigned number = 0; out->n < n; number++)
		unit_add(out, h->unit, number);
	buf_adds(out, h->tail);
}

/* Everything that is done with a message; returns the steps. */
static uint64_t message_work(slice message)
{
	struct buf envelope, structure, body, words;
	struct mime mime;
	uint64_t before;
	slice subject, ignored;
	struct section section = { .path = { 1, 1, 1 }, .depth = 3 };

	arena_reset(arena);
	buf_init(&envelope, SUMMARY);
	buf_init(&structure, SUMMARY);
	buf_init(&body, SUMMARY);
	buf_init(&words, 4 * message.n);
	before = work_done();
	mime_parse(message, arena, &mime);
	mime_inspect(&mime, NULL);
	summary_write(&mime, &envelope, &structure);
	structure_strip(buf_slice(&structure), &body);
	section_find(mime.root, &section, &ignored);
	if (header_find(mime.root->header, SLICE("Subject"), &subject))
		encoded_words_decode(NULL, subject, &words);
	uint64_t steps = work_done() - before;
	assert_true(mime.parts <= MIME_PARTS);
	assert_true(words.n <= 4 * message.n);
	buf_free(&envelope);
	buf_free(&structure);
	buf_free(&body);
	buf_free(&words);
	return steps;
}

static void work_grows_with_the_length(void **state)
{
	struct buf text;
	bool good = true;

	(void)state;
	buf_init(&text, 3 * LENGTH);
	for (size_t i = 0; i < sizeof hostiles / sizeof hostiles[0]; i++) {
		hostile_make(&hostiles[i], LENGTH, &text);
		uint64_t once = message_work(buf_slice(&text));
		hostile_make(&hostiles[i], 2 * LENGTH, &text);
		uint64_t twice = message_work(buf_slice(&text));

		if (getenv("HAUBERK_LONG"))
			print_message("# %s: %.1f and %.1f an octet\n", hostiles[i].name,
			    (double)once / LENGTH, (double)twice / (2 * LENGTH));
		bool grown =
		    (double)twice > GROWTH * (double)once && twice > (uint64_t)CHEAP * 2 * LENGTH;
		if (grown || twice > (uint64_t)MOST * 2 * LENGTH) {
			print_error("%s: %.1f steps an octet, then %.1f\n", hostiles[i].name,
			    (double)once / LENGTH, (double)twice / (2 * LENGTH));
			good = false;
		}
	}
	buf_free(&text);
	assert_true(good);
}

/* Attack 19 at its size: in memory bounded by MIME_ARENA (the arena would end the test). */
static void large_ones_stay_in_their_bounds(void **state)
{
	static const struct {
		struct hostile hostile;
		size_t count;
		enum ambiguity_kind kind;
	} cases[] = {
		{ { "", "", MULTIPART "--x\r\n", "" }, 10000, AMBIGUITY_TOO_DEEP },
		{ { "", "", TYPE "message/rfc822\r\n\r\n", "" }, 10000, AMBIGUITY_TOO_DEEP },
		{ { "", MULTIPART, "--x\r\n", "--x--\r\n" }, 1000000, AMBIGUITY_TOO_MANY },
		{ { "", "",
		      "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
		      "\r\n" },
		    1000000, AMBIGUITY_HEADER_CUT },
		{ { "", TYPE "a/b", "; name*%d*=%%41", "\r\n\r\n" }, 10000,
		    AMBIGUITY_PARAMETER_MANY },
		{ { "", "From: a@b.test (", "(", ")\r\n\r\n" }, 1000000, AMBIGUITY_HEADER_CUT },
	};
	struct buf text;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mime mime;

		buf_init(&text, 100 * cases[i].count + 1000);
		buf_adds(&text, cases[i].hostile.head);
		for (unsigned k = 0; k < cases[i].count; k++)
			unit_add(&text, cases[i].hostile.unit, k);
		buf_adds(&text, cases[i].hostile.tail);
		arena_reset(arena);
		uint64_t before = work_done();
		mime_parse(buf_slice(&text), arena, &mime);
		mime_inspect(&mime, NULL);
		assert_true(work_done() - before < (uint64_t)MOST * text.n);
		assert_true(mime.ambiguities.of[cases[i].kind].count > 0);
		assert_true(arena_used(arena) <= MIME_ARENA);
		buf_free(&text);
	}
}

/* The counter counts: work that grows with the square is seen. */
static void counter_sees_a_square(void **state)
{
	uint64_t steps[2];
	struct buf text;

	(void)state;
	buf_init(&text, 10000);
	for (size_t k = 0; k < 2; k++) {
		while (text.n < 2000 * (k + 1))
			buf_addc(&text, 'a');
		uint64_t before = work_done();
		for (size_t i = 0; i < text.n; i++)
			slice_search_nocase(slice_from(buf_slice(&text), i), SLICE("b"));
		steps[k] = work_done() - before;
	}
	assert_true((double)steps[1] > 3.8 * (double)steps[0]);
	buf_free(&text);
}

static int begin(void **state)
{
	(void)state;
	arena = arena_new(MIME_ARENA);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counter_sees_a_square),
		cmocka_unit_test(work_grows_with_the_length),
		cmocka_unit_test(large_ones_stay_in_their_bounds),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
