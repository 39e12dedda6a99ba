/* Dates: what is read is written in a form that is read as the same. */
#include <assert.h>

#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read_again(const struct date *date)
{
	struct date again;
	struct buf text;

	buf_init(&text, 100);
	date_internal_write(date, &text);
	struct cursor c = cursor_of(buf_slice(&text));
	/* A zone may carry the first or last of all days beyond the years that are read. */
	if (date->seconds > -2208988800 + 86400 * 5 && date->seconds < 253402300799 - 86400 * 5) {
		assert(date_internal_parse(&c, &again) && cursor_done(&c));
		assert(again.seconds == date->seconds && again.zone == date->zone);
		buf_clear(&text);
		date_write(date, &text);
		assert(date_parse(buf_slice(&text), &again));
		assert(again.seconds == date->seconds && again.zone == date->zone);
	}
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice input = { (const char *)data, size };
	struct date date;
	int64_t day;

	if (date_parse(input, &date))
		write_and_read_again(&date);
	struct cursor c = cursor_of(input);
	if (date_internal_parse(&c, &date))
		write_and_read_again(&date);
	c = cursor_of(input);
	date_day_parse(&c, &day);
	return 0;
}
