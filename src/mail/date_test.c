/* Dates as messages and IMAP clients write them. */
#include "lib/unit.h"

#include "mail/date.h"

static void mail_date_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		int zone;
	} cases[] = {
		{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360 },
		{ "21 Nov 1997 09:55 -0600", 880127700, -360 },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600 (x)", 880127706, -360 },
		{ "21 Nov 97 09:55:06 GMT", 880106106, 0 },
		{ "21 nov 97 09:55:06 EST", 880124106, -300 },
		{ "21 Nov 1997 09:55:06 pdt", 880131306, -420 },
		{ "21 Nov 1997 09:55:06 A", 880106106, 0 },
		{ "21 Nov 1997 09:55:06", 880106106, 0 },
		{ "1 Jan 1970 00:00:00 +0100", -3600, 60 },
		{ "29 Feb 2000 12:00:00 +0545", 951804900, 345 },
		{ "Thu,\r\n 1 Jan 2026 00:00:60 +0000", 1767225660, 0 },
		{ "21-Nov-1997 09:55:06 -0600", 880127706, -360 },
		{ "Tue, 01 Feb 101 00:00:00 +0000", 980985600, 0 },
	};
	struct date date;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (!date_parse(slice_of(cases[i].text), &date))
			print_error("refused: %s\n", cases[i].text);
		assert_int_equal(date.seconds, cases[i].seconds);
		assert_int_equal(date.zone, cases[i].zone);
	}
}

static void bad_mail_date_is_refused(void **state)
{
	static const char *const cases[] = { "", "yesterday", "32 Jan 2000 00:00:00 +0000",
		"30 Feb 2000 00:00:00 +0000", "29 Feb 1900 00:00:00 +0000",
		"1 Foo 2000 00:00:00 +0000", "1 Jan 2000 24:00:00 +0000",
		"1 Jan 2000 23:60:00 +0000", "1 Jan 99999 00:00:00 +0000", "1 Jan 2000",
		"0 Jan 2000 00:00:00 +0000", "1 Jan 2000 00:00:00 +9900" };
	struct date date;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_false(date_parse(slice_of(cases[i]), &date));
}

static void date_is_written_as_it_came(void **state)
{
	static const char *const cases[] = { "Fri, 21 Nov 1997 09:55:06 -0600",
		"Thu, 1 Jan 1970 00:00:00 +0100", "Tue, 29 Feb 2000 23:59:59 -0030" };
	struct buf out;
	struct date date;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_clear(&out);
		assert_true(date_parse(slice_of(cases[i]), &date));
		date_write(&date, &out);
		assert_slice(buf_slice(&out), cases[i]);
	}
	buf_free(&out);
}

static void internal_date_is_read_and_written(void **state)
{
	static const char *const good[] = { "\"17-Jul-1996 02:44:25 -0700\"",
		"\" 1-Jan-2000 00:00:00 +0000\"" };
	static const char *const bad[] = { "17-Jul-1996 02:44:25 -0700",
		"\"7-Jul-1996 02:44:25 -0700\"", "\"17-Jul-96 02:44:25 -0700\"",
		"\"17-Jul-1996 2:44:25 -0700\"", "\"17-Jul-1996 02:44:25 GMT\"",
		"\"17-Jul-1996 02:44:25 -0700", "\"31-Jun-1996 02:44:25 -0700\"" };
	struct buf out;
	struct date date;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct cursor c = cursor_of(slice_of(good[i]));

		buf_clear(&out);
		assert_true(date_internal_parse(&c, &date) && cursor_done(&c));
		date_internal_write(&date, &out);
		assert_slice(buf_slice(&out), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct cursor c = cursor_of(slice_of(bad[i]));

		assert_false(date_internal_parse(&c, &date));
	}
	buf_free(&out);
}

static void day_is_that_of_the_place(void **state)
{
	struct cursor c = cursor_of(SLICE("1-Feb-1994 \"1-Jan-1970\" 31-Dec-1969"));
	struct date date;
	int64_t day;

	(void)state;
	assert_true(date_day_parse(&c, &day));
	assert_int_equal(day, 8797);
	cursor_try_char(&c, ' ');
	assert_true(date_day_parse(&c, &day));
	assert_int_equal(day, 0);
	cursor_try_char(&c, ' ');
	assert_true(date_day_parse(&c, &day));
	assert_int_equal(day, -1);
	assert_true(date_parse(SLICE("1 Feb 1994 23:30:00 -0800"), &date));
	assert_int_equal(date_day(&date), 8797);
	c = cursor_of(SLICE("1-Feb-94"));
	assert_false(date_day_parse(&c, &day));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_date_is_read),
		cmocka_unit_test(bad_mail_date_is_refused),
		cmocka_unit_test(date_is_written_as_it_came),
		cmocka_unit_test(internal_date_is_read_and_written),
		cmocka_unit_test(day_is_that_of_the_place),
	};

	return UNIT_RUN(tests);
}
