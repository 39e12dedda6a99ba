/* Content-transfer-encodings, in every split and with little room; what is not allowed is counted. */
#include "lib/split.h"
#include "lib/unit.h"

#include "base/encode.h"
#include "mail/decode.h"

struct want {
	enum encoding encoding;
	slice text;
	unsigned faults; /* bit 1 << decode_fault */
};

static unsigned faults_of(const struct decoder *d)
{
	unsigned seen = 0;

	for (int i = 0; i < DECODE_FAULTS; i++)
		seen |= d->faults[i].count ? 1u << i : 0;
	return seen;
}

static void decode_pieces(void *context, const slice *pieces, size_t n)
{
	const struct want *want = context;
	char room[DECODE_LEAST];
	struct decoder d;
	struct buf out;

	buf_init(&out, 100000);
	decoder_open(&d, want->encoding);
	for (size_t i = 0; i < n; i++) {
		for (slice rest = pieces[i]; rest.n;) {
			size_t made = decoder_run(&d, &rest, room, sizeof room);

			buf_add(&out, (slice){ room, made });
		}
	}
	size_t left = decoder_end(&d, room, sizeof room);
	buf_add(&out, (slice){ room, left });
	assert_int_equal(out.n, want->text.n);
	assert_memory_equal(out.n ? out.p : "", want->text.p, out.n);
	assert_int_equal(faults_of(&d), want->faults);
	buf_free(&out);
}

static void decodes_to(enum encoding encoding, slice text, slice plain, unsigned faults)
{
	struct want want = { encoding, plain, faults };

	split_every_way(text, decode_pieces, &want);
}

#define FAULT(name) (1u << DECODE_##name)

static void base64_is_decoded(void **state)
{
	static const struct {
		const char *text, *plain;
		unsigned faults;
	} cases[] = {
		{ "", "", 0 },
		{ "Zm9vYmFy", "foobar", 0 },
		{ "Zm9vYmE=\r\n", "fooba", 0 },
		{ "Zm9v\r\nYg==\r\n", "foob", 0 },
		{ "Z m\t9\nv", "foo", 0 },
		{ "Zm*9v-", "foo", FAULT(CHARACTER) },
		{ "Zm8=Zm9v", "fofoo", FAULT(PADDING) },
		{ "Zg==Zg==\r\n", "ff", FAULT(PADDING) },
		{ "Zm9v=", "foo", FAULT(PADDING) },
		{ "Z===", "", FAULT(PADDING) | FAULT(CUT) },
		{ "Zm9vYg", "foob", FAULT(CUT) },
		{ "Zm9vY", "foo", FAULT(CUT) },
		{ "Zh==", "f", FAULT(CUT) },
		{ "====", "", FAULT(PADDING) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		decodes_to(ENCODING_BASE64, slice_of(cases[i].text), slice_of(cases[i].plain),
		    cases[i].faults);
}

/* What comes behind the padding: some readers stop there. */
static void padding_can_be_the_end(void **state)
{
	struct decoder d;
	char room[DECODE_LEAST];
	slice text = SLICE("Zm8=Zm9v");

	(void)state;
	decoder_open(&d, ENCODING_BASE64);
	d.stop_at_padding = true;
	assert_int_equal(decoder_run(&d, &text, room, sizeof room), 2);
	assert_int_equal(decoder_end(&d, room, sizeof room), 0);
	assert_int_equal(d.faults[DECODE_PADDING].count, 4);
	assert_int_equal(d.faults[DECODE_PADDING].at, 4);
}

static void quoted_printable_is_decoded(void **state)
{
	static const struct {
		const char *text, *plain;
		unsigned faults;
	} cases[] = {
		{ "", "", 0 },
		{ "a=3Db=3d", "a=b=", 0 },
		{ "soft=\r\nbreak=  \r\n=\nx\r\n", "softbreakx\r\n", 0 },
		{ "blanks \t\r\nat end  ", "blanks\r\nat end", 0 },
		{ "in  side\r\n", "in  side\r\n", 0 },
		{ "=C3=A4", "\xc3\xa4", 0 },
		{ "a=zb", "a=zb", FAULT(QUOTED) },
		{ "a=4", "a=4", FAULT(QUOTED) },
		{ "a=", "a=", FAULT(QUOTED) },
		{ "=4=41", "=4A", FAULT(QUOTED) },
		{ "= x", "= x", FAULT(QUOTED) },
		{ "\xc3\xa4", "\xc3\xa4", FAULT(EIGHT_BIT) },
		{ "a\rb", "a\rb", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		decodes_to(ENCODING_QUOTED, slice_of(cases[i].text), slice_of(cases[i].plain),
		    cases[i].faults);
}

static void other_encodings_are_themselves(void **state)
{
	(void)state;
	decodes_to(ENCODING_7BIT, SLICE("a\r\n"), SLICE("a\r\n"), 0);
	decodes_to(ENCODING_7BIT, SLICE("a\xff"), SLICE("a\xff"), FAULT(EIGHT_BIT));
	decodes_to(ENCODING_8BIT, SLICE("a\xff"), SLICE("a\xff"), 0);
	decodes_to(ENCODING_BINARY, SLICE("\0\xff"), SLICE("\0\xff"), 0);
	decodes_to(ENCODING_UNKNOWN, SLICE("=20"), SLICE("=20"), 0);
}

static void long_lines_are_counted(void **state)
{
	static const enum encoding kinds[] = { ENCODING_BASE64, ENCODING_QUOTED };
	struct decoder d;
	struct buf text, out;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		buf_init(&text, 1000);
		buf_init(&out, 1000);
		for (int i = 0; i < 76; i++)
			buf_addc(&text, 'A');
		buf_adds(&text, "\r\n");
		decode_all(&d, kinds[k], buf_slice(&text), &out);
		assert_int_equal(d.faults[DECODE_LINE].count, 0);
		for (int i = 0; i < 80; i++)
			buf_addc(&text, 'A');
		decode_all(&d, kinds[k], buf_slice(&text), &out);
		assert_int_equal(d.faults[DECODE_LINE].count, 1);
		assert_int_equal(d.faults[DECODE_LINE].at, 78 + 76);
		buf_free(&text);
		buf_free(&out);
	}
}

static void result_is_cut_where_it_is_full(void **state)
{
	struct decoder d;
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_false(decode_all(&d, ENCODING_BASE64, SLICE("Zm9vYmFy"), &out));
	assert_slice(buf_slice(&out), "foob");
	buf_clear(&out);
	assert_true(decode_all(&d, ENCODING_8BIT, SLICE("four"), &out));
	assert_slice(buf_slice(&out), "four");
	buf_free(&out);
}

/* base/encode.h writes it, this reads it. */
static void random_octets_come_back(void **state)
{
	unsigned seed = unit_seed();
	char octets[3000];
	struct decoder d;
	struct buf text, out;

	(void)state;
	srand(seed);
	for (int turn = 0; turn < 200; turn++) {
		slice data = { octets, (size_t)rand() % sizeof octets };

		for (size_t i = 0; i < data.n; i++)
			octets[i] = (char)rand();
		buf_init(&text, 8000);
		buf_init(&out, 4000);
		base64_encode(data, &text);
		assert_true(decode_all(&d, ENCODING_BASE64, buf_slice(&text), &out));
		assert_int_equal(out.n, data.n);
		assert_memory_equal(out.n ? out.p : "", octets, out.n);
		assert_int_equal(faults_of(&d) & ~FAULT(LINE), 0);
		buf_free(&text);
		buf_free(&out);
	}
}

static void encoding_is_read_from_its_field(void **state)
{
	static const struct {
		const char *field;
		enum encoding encoding;
		bool clean;
	} cases[] = {
		{ "7bit", ENCODING_7BIT, true },
		{ " 8BIT ", ENCODING_8BIT, true },
		{ "(a) Binary (b)", ENCODING_BINARY, true },
		{ "BASE64", ENCODING_BASE64, true },
		{ "quoted-printable;", ENCODING_QUOTED, false },
		{ "base64, 7bit", ENCODING_BASE64, false },
		{ "x-uuencode", ENCODING_UNKNOWN, true },
		{ "", ENCODING_UNKNOWN, false },
	};
	bool clean;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(encoding_of(slice_of(cases[i].field), &clean), cases[i].encoding);
		assert_int_equal(clean, cases[i].clean);
	}
	assert_int_equal(encoding_of((slice){ 0 }, &clean), ENCODING_7BIT);
	assert_true(clean);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_decoded),
		cmocka_unit_test(padding_can_be_the_end),
		cmocka_unit_test(quoted_printable_is_decoded),
		cmocka_unit_test(other_encodings_are_themselves),
		cmocka_unit_test(long_lines_are_counted),
		cmocka_unit_test(result_is_cut_where_it_is_full),
		cmocka_unit_test(random_octets_come_back),
		cmocka_unit_test(encoding_is_read_from_its_field),
	};

	return UNIT_RUN(tests);
}
