/*
 * Measures reading a message of 100 KB with parts: its tree, its IMAP summary, and all that is ambiguous in it.
 *
 * usage: mime_speed [ROUNDS, default 15]
 *
 * A round parses the message some hundred times on one core; the median of the rounds is printed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mail/inspect.h"
#include "mail/summary.h"

#define SIZE    (100 * 1000)
#define TURNS   400
#define ROUNDS  15
#define SUMMARY (256 * 1024)

struct bench {
	slice message;
	struct arena *arena;
	struct charsets *set;
	struct buf envelope, structure;
};

static void lines_add(struct buf *out, const char *line, size_t n)
{
	for (size_t end = out->n + n; out->n < end;)
		buf_adds(out, line);
}

/* A letter as programs write it: text and HTML, a picture, a document; lines of 60 to 76 octets. */
static void message_make(struct buf *out)
{
	static const char base64[] =
	    "JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZURlY29k\r\n";

	for (int i = 0; i < 6; i++)
		buf_addf(out,
		    "Received: from a%d.example.com (a%d.example.com [192.0.2.%d])\r\n\tby mx.example.org "
		    "with ESMTPS id 4FZ%dqT;\r\n\tTue, 17 Nov 2026 10:00:0%d +0000\r\n",
		    i, i, i, i, i);
	buf_adds(out,
	    "From: Ann Example <ann@example.com>\r\nTo: Bob <bob@example.org>, c@example.org\r\n"
	    "Subject: =?utf-8?q?A_letter_with_=C3=A4?=\r\nDate: Tue, 17 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=\"=_outer_0123456789\"\r\n\r\n"
	    "--=_outer_0123456789\r\nContent-Type: multipart/alternative; boundary=\"=_inner_0123456789\"\r\n\r\n"
	    "--=_inner_0123456789\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n");
	lines_add(out, "A line of a letter that somebody wrote, of the usual length.\r\n", 5000);
	buf_adds(out,
	    "\r\n--=_inner_0123456789\r\nContent-Type: text/html; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	lines_add(out,
	    "<p class=3D\"a\">A line of a letter that somebody wrote =E2=80=94 more.</p>=\r\n",
	    20000);
	buf_adds(out,
	    "\r\n--=_inner_0123456789--\r\n\r\n--=_outer_0123456789\r\nContent-Type: image/png; "
	    "name=\"a.png\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: inline; "
	    "filename=\"a.png\"\r\n\r\n");
	lines_add(out, base64, 30000);
	buf_adds(out,
	    "\r\n--=_outer_0123456789\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"
	    "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\r\n");
	lines_add(out, base64, SIZE - out->n - 100);
	buf_adds(out, "\r\n--=_outer_0123456789--\r\n");
}

static void tree(struct bench *b)
{
	struct mime mime;

	mime_parse(b->message, b->arena, &mime);
	arena_reset(b->arena);
}

static void tree_and_summary(struct bench *b)
{
	struct mime mime;

	mime_parse(b->message, b->arena, &mime);
	summary_write(&mime, &b->envelope, &b->structure);
	arena_reset(b->arena);
}

static void tree_and_ambiguities(struct bench *b)
{
	struct mime mime;

	mime_parse(b->message, b->arena, &mime);
	mime_inspect(&mime, b->set);
	if (ambiguity_effects(&mime.ambiguities)) {
		fprintf(stderr, "the message of the bench is ambiguous: %s\n",
		    ambiguity_name((enum ambiguity_kind)ambiguity_next(&mime.ambiguities, 0)));
		exit(1);
	}
	arena_reset(b->arena);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void measure(struct bench *b, const char *what, void (*run)(struct bench *), int rounds)
{
	double rates[1000];

	for (int round = -1; round < rounds; round++) {
		int64_t start = clock_us();

		for (int turn = 0; turn < TURNS; turn++)
			run(b);
		double us = (double)(clock_us() - start + 1);
		if (round >= 0) /* the first one warms up */
			rates[round] = (double)b->message.n * TURNS / us;
	}
	qsort(rates, (size_t)rounds, sizeof rates[0], compare);
	printf("message of %zu octets, %-22s %7.0f MB/s\n", b->message.n, what, rates[rounds / 2]);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
	struct bench b = { .arena = arena_new(MIME_ARENA), .set = charsets_open() };
	struct buf text;

	if (rounds < 1 || rounds > 1000) {
		fprintf(stderr, "usage: mime_speed [ROUNDS, 1 to 1000]\n");
		return 2;
	}
	buf_init(&text, 2 * SIZE);
	buf_init(&b.envelope, SUMMARY);
	buf_init(&b.structure, SUMMARY);
	message_make(&text);
	b.message = buf_slice(&text);
	measure(&b, "tree", tree, rounds);
	measure(&b, "tree and summary", tree_and_summary, rounds);
	measure(&b, "tree and ambiguities", tree_and_ambiguities, rounds);
	buf_free(&text);
	buf_free(&b.envelope);
	buf_free(&b.structure);
	charsets_close(b.set);
	arena_free(b.arena);
	return 0;
}
