#include "mail/encoded_word.h"

#include "base/cursor.h"
#include "mail/decode.h"
#include "mail/header.h"

#define CHARSET_MOST 64

/* encoded-word = "=?" charset "?" encoding "?" encoded-text "?=" */
struct word {
	slice whole, charset, text;
	bool base64;
};

struct reader {
	struct charsets *set;
	struct buf *out;
	unsigned flags;
	struct buf octets; /* of the words that wait, for one charset */
	slice charset;     /* of them; p is NULL when none waits */
	slice source;      /* as they stand */
};

static slice charset_take(struct cursor *c)
{
	slice all = c->rest;
	size_t n = 0;

	while (n < all.n && n <= CHARSET_MOST && octet_is(all.p[n], OCTET_TOKEN) && all.p[n] != '?')
		n++;
	return cursor_take(c, n, "charset");
}

/* encoded-text = 1*<any visible ASCII but "?">; nothing is read beyond the first that is not */
static slice text_take(struct cursor *c)
{
	slice all = c->rest;
	size_t n = 0;

	while (n < all.n && all.p[n] != '?' && octet_is(all.p[n], OCTET_VISIBLE | OCTET_UTF8))
		n++;
	return cursor_take(c, n, "text");
}

static bool word_read(slice text, struct word *out)
{
	struct cursor c = cursor_of(text);

	if (!cursor_try(&c, SLICE("=?")))
		return false;
	out->charset = charset_take(&c);
	cursor_char(&c, '?', "'?'");
	out->base64 = octet_lower(cursor_peek(&c)) == 'b';
	if (!out->base64 && octet_lower(cursor_peek(&c)) != 'q')
		return false;
	cursor_take(&c, 1, "encoding");
	cursor_char(&c, '?', "'?'");
	out->text = text_take(&c);
	cursor_char(&c, '?', "'?'");
	cursor_char(&c, '=', "'='");
	if (c.expected || out->charset.n == 0)
		return false;
	out->whole = slice_head(text, text.n - c.rest.n);
	return true;
}

/* The "Q" encoding: "_" is a blank, "=" two digits (RFC 2047 §4.2). False when one is malformed. */
static bool q_decode(slice text, struct buf *out)
{
	bool good = true;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '=' && i + 2 < text.n && octet_hex(text.p[i + 1]) >= 0 &&
		    octet_hex(text.p[i + 2]) >= 0) {
			buf_addc(
			    out, (char)(octet_hex(text.p[i + 1]) << 4 | octet_hex(text.p[i + 2])));
			i += 2;
			continue;
		}
		good = good && c != '=' && !octet_is(c, OCTET_UTF8);
		buf_addc(out, c == '_' ? ' ' : c);
	}
	return good;
}

static bool b_decode(slice text, struct buf *out)
{
	struct decoder d;

	decode_all(&d, ENCODING_BASE64, text, out);
	return !d.faults[DECODE_CHARACTER].count && !d.faults[DECODE_PADDING].count &&
	    !d.faults[DECODE_CUT].count;
}

/* Text outside of words: unfolded, NUL and bare CR a blank, UTF-8 as it is. */
static void raw_write(struct reader *r, slice text)
{
	struct buf plain;

	if (text.n == 0)
		return;
	buf_init(&plain, text.n);
	header_unfold(text, &plain);
	if (charset_decode(r->set, SLICE("utf-8"), buf_slice(&plain), r->out) == CHARSET_REPLACED)
		r->flags |= ENCODED_WORD_RAW;
	buf_free(&plain);
}

/* The words that wait. A line end or NUL that came out of one is no line end of ours. */
static void words_flush(struct reader *r)
{
	size_t from = r->out->n;

	if (!r->charset.p)
		return;
	switch (charset_decode(r->set, r->charset, buf_slice(&r->octets), r->out)) {
	case CHARSET_UNKNOWN:
		r->flags |= ENCODED_WORD_CHARSET;
		raw_write(r, r->source);
		break;
	case CHARSET_REPLACED:
		r->flags |= ENCODED_WORD_BAD;
		break;
	case CHARSET_WHOLE:
	case CHARSET_CUT:
		break;
	}
	for (; from < r->out->n; from++)
		if (octet_is(r->out->p[from], OCTET_CONTROL) && r->out->p[from] != '\t')
			r->out->p[from] = ' ';
	r->charset = (slice){ 0 };
	buf_clear(&r->octets);
}

static void word_add(struct reader *r, const struct word *word)
{
	if (r->charset.p && !slice_eq_nocase(r->charset, word->charset))
		words_flush(r);
	if (!r->charset.p)
		r->source.p = word->whole.p;
	r->charset = word->charset;
	r->source.n = (size_t)(word->whole.p + word->whole.n - r->source.p);
	bool good =
	    word->base64 ? b_decode(word->text, &r->octets) : q_decode(word->text, &r->octets);
	r->flags |= ENCODED_WORD_SEEN;
	if (!good || word->whole.n > ENCODED_WORD_MOST)
		r->flags |= ENCODED_WORD_BAD;
}

/* Words stand apart (RFC 2047 §5): a blank, a parenthesis or a quote before and after, or nothing. */
static bool is_apart(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' || c == ')' ||
	    c == '"' || c == ',';
}

static bool stands_apart(slice value, slice word)
{
	bool before = word.p == value.p || is_apart(word.p[-1]);
	const char *end = word.p + word.n;

	return before && (end == value.p + value.n || is_apart(*end));
}

unsigned encoded_words_decode(struct charsets *set, slice value, struct buf *out)
{
	struct reader r = { .set = set, .out = out };
	slice rest = value, raw = slice_head(value, 0);
	struct word word;

	if (value.n == 0)
		return 0;
	buf_init(&r.octets, value.n + 1);
	while (rest.n && !out->full) {
		raw.n = (size_t)(rest.p - raw.p);
		size_t next = slice_find(rest, '=');
		if (next) {
			rest = slice_from(rest, next);
			continue;
		}
		if (!word_read(rest, &word)) {
			/* "=?" that begins no word: some reader may think that it does. */
			if (rest.n > 1 && rest.p[1] == '?')
				r.flags |= ENCODED_WORD_BAD;
			rest = slice_from(rest, 1);
			continue;
		}
		/* Blanks between two words are none (RFC 2047 §6.2). */
		if (slice_trim(raw).n || !r.charset.p) {
			words_flush(&r);
			raw_write(&r, raw);
		}
		if (!stands_apart(value, word.whole))
			r.flags |= ENCODED_WORD_BAD;
		word_add(&r, &word);
		rest = slice_from(rest, word.whole.n);
		raw = slice_head(rest, 0);
	}
	words_flush(&r);
	raw.n = (size_t)(value.p + value.n - raw.p);
	raw_write(&r, raw);
	buf_free(&r.octets);
	return r.flags;
}
