#include "mail/date.h"

#include <time.h>

#include "mail/header.h"

#define DAY 86400

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";

/* Obsolete zones of RFC 5322 §4.3 in hours; the military letters and all others count as UTC. */
static const struct {
	const char *name;
	int hours;
} zones[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 }, { "MDT", -6 },
	{ "MST", -7 }, { "PDT", -7 }, { "PST", -8 } };

/* A calendar reading before it becomes a point in time. */
struct reading {
	int year, month, day, hour, minute, second, zone; /* month from 0, zone in minutes */
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool reading_is_valid(const struct reading *r)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (r->year < 1900 || r->year > 9999 || r->day < 1)
		return false;
	if (r->day > days[r->month] + (r->month == 1 && is_leap(r->year)))
		return false;
	return r->hour < 24 && r->minute < 60 && r->second <= 60;
}

static bool reading_date(struct cursor *c, const struct reading *r, struct date *out)
{
	struct tm tm = { .tm_year = r->year - 1900,
		.tm_mon = r->month,
		.tm_mday = r->day,
		.tm_hour = r->hour,
		.tm_min = r->minute,
		.tm_sec = r->second };

	*out = (struct date){ 0 };
	if (!c->expected && !reading_is_valid(r))
		cursor_fail(c, "valid date");
	if (c->expected)
		return false;
	out->seconds = timegm(&tm) - r->zone * 60;
	out->zone = r->zone;
	return true;
}

/* month-name = "Jan" / "Feb" / ... */
static int month_parse(struct cursor *c)
{
	slice name = cursor_take(c, 3, "month");

	for (int i = 0; i < 12 && name.n; i++)
		if (slice_eq_nocase(name, (slice){ months + 3 * i, 3 }))
			return i;
	cursor_fail(c, "month");
	return 0;
}

/* Exactly n digits. */
static int digits_parse(struct cursor *c, size_t n, const char *expected)
{
	uint64_t value = 0;

	if (!slice_number(cursor_take(c, n, expected), 9999, &value))
		cursor_fail(c, expected);
	return (int)value;
}

/* ("+" / "-") 4DIGIT, as minutes */
static int zone_digits_parse(struct cursor *c)
{
	bool west = cursor_try_char(c, '-');

	if (!west)
		cursor_char(c, '+', "zone");
	int value = digits_parse(c, 4, "zone");
	int minutes = value / 100 * 60 + value % 100;
	if (value % 100 > 59 || value / 100 > 23)
		cursor_fail(c, "zone");
	return west ? -minutes : minutes;
}

/* zone = FWS ( "+" / "-" ) 4DIGIT / obs-zone; absent or unknown is UTC */
static int zone_parse(struct cursor *c)
{
	cfws_skip(c, NULL);
	if (cursor_peek(c) == '+' || cursor_peek(c) == '-')
		return zone_digits_parse(c);
	slice name = cursor_skip(c, OCTET_ALPHA);
	for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
		if (slice_eq_nocase(name, slice_of(zones[i].name)))
			return zones[i].hours * 60;
	return 0;
}

/* year = 4*DIGIT, two and three digits after §4.3 */
static int year_parse(struct cursor *c)
{
	size_t start = cursor_offset(c);
	int year = (int)cursor_number(c, 9999, "year");
	size_t digits = cursor_offset(c) - start;

	if (digits == 2)
		return year + (year < 50 ? 2000 : 1900);
	return digits == 3 ? year + 1900 : year;
}

static int number_parse(struct cursor *c, const char *expected)
{
	cfws_skip(c, NULL);
	int value = (int)cursor_number(c, 99, expected);
	cfws_skip(c, NULL);
	return value;
}

/* date-time = [ day-of-week "," ] date time [CFWS] */
bool date_parse(slice text, struct date *out)
{
	struct cursor c = cursor_of(text);
	struct reading r = { 0 };

	cfws_skip(&c, NULL);
	if (cursor_skip(&c, OCTET_ALPHA).n) {
		cfws_skip(&c, NULL);
		cursor_try_char(&c, ',');
	}
	r.day = number_parse(&c, "day");
	cursor_try_char(&c, '-');
	r.month = month_parse(&c);
	cursor_skip(&c, OCTET_ALPHA);
	cursor_try_char(&c, '-');
	cfws_skip(&c, NULL);
	r.year = year_parse(&c);
	r.hour = number_parse(&c, "hour");
	cursor_char(&c, ':', "':'");
	r.minute = number_parse(&c, "minute");
	if (cursor_try_char(&c, ':'))
		r.second = number_parse(&c, "second");
	r.zone = zone_parse(&c);
	return reading_date(&c, &r, out);
}

static struct tm date_local(const struct date *date)
{
	time_t local = date->seconds + date->zone * 60;
	struct tm tm = { 0 };

	gmtime_r(&local, &tm);
	return tm;
}

static void zone_write(int zone, struct buf *out)
{
	int minutes = zone < 0 ? -zone : zone;

	buf_addf(out, " %c%02d%02d", zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void date_write(const struct date *date, struct buf *out)
{
	struct tm tm = date_local(date);

	buf_addf(out, "%.3s, %d %.3s %04d %02d:%02d:%02d", weekdays + 3 * tm.tm_wday, tm.tm_mday,
	    months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	zone_write(date->zone, out);
}

/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
 * date-day-fixed = (SP DIGIT) / 2DIGIT */
bool date_internal_parse(struct cursor *c, struct date *out)
{
	struct reading r = { 0 };

	cursor_char(c, '"', "date in quotes");
	r.day = digits_parse(c, cursor_try_char(c, ' ') ? 1 : 2, "day");
	cursor_char(c, '-', "'-'");
	r.month = month_parse(c);
	cursor_char(c, '-', "'-'");
	r.year = digits_parse(c, 4, "year");
	cursor_char(c, ' ', "blank");
	r.hour = digits_parse(c, 2, "hour");
	cursor_char(c, ':', "':'");
	r.minute = digits_parse(c, 2, "minute");
	cursor_char(c, ':', "':'");
	r.second = digits_parse(c, 2, "second");
	cursor_char(c, ' ', "blank");
	r.zone = zone_digits_parse(c);
	cursor_char(c, '"', "closing '\"'");
	return reading_date(c, &r, out);
}

void date_internal_write(const struct date *date, struct buf *out)
{
	struct tm tm = date_local(date);

	buf_addf(out, "\"%2d-%.3s-%04d %02d:%02d:%02d", tm.tm_mday, months + 3 * tm.tm_mon,
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	zone_write(date->zone, out);
	buf_addc(out, '"');
}

/* date = date-text / DQUOTE date-text DQUOTE;  date-text = 1*2DIGIT "-" date-month "-" 4DIGIT */
bool date_day_parse(struct cursor *c, int64_t *day_out)
{
	struct reading r = { 0 };
	struct date date;
	bool quoted = cursor_try_char(c, '"');

	r.day = (int)cursor_number(c, 99, "day");
	cursor_char(c, '-', "'-'");
	r.month = month_parse(c);
	cursor_char(c, '-', "'-'");
	r.year = digits_parse(c, 4, "year");
	if (quoted)
		cursor_char(c, '"', "closing '\"'");
	reading_date(c, &r, &date);
	*day_out = date_day(&date);
	return !c->expected;
}

int64_t date_day(const struct date *date)
{
	int64_t local = date->seconds + date->zone * 60;

	return local >= 0 ? local / DAY : -((DAY - 1 - local) / DAY);
}
